//! Tests approvals: of drivers, and of programs that ask on the host's socket.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use moorline_host::approvals::{ALWAYS_OPTION, SESSION_OPTION};
use moorline_host::ask::wire::{LocalFollowUp, LocalQuestion, LocalReply, LocalRequest};
use moorline_host::ask::{AskClient, AskSecret, secret_path, socket_path};
use moorline_host::driver::{Driver, DriverError, Drivers, SessionSpec, StartedSession, pty};
use moorline_host::host::{Config, Host};
use moorline_shared::agent::action::{ActionNumber, SessionAction};
use moorline_shared::agent::approval::{ApprovalDecision, ApprovalKind, ApprovalState};
use moorline_shared::agent::rule::RulesQuestion;
use moorline_shared::control::{Facts, Start, ToHost, ToRelay};
use moorline_shared::fold::ApprovalList;
use moorline_shared::frame::Frame;
use moorline_shared::id::{ApprovalId, Seq};
use moorline_shared::publish::{HostCommand, RequestId};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::fake_relay::{
    Copy, FakeRelay, FarControl, FarPublish, config, hear, id, say, script, start,
};
use super::line_driver::LineDriver;
use super::soon;

/// A host with a folder, its relay, and one session.
struct Stage {
    folder: TempDir,
    host: Arc<Host>,
    relay: FakeRelay,
    control: FarControl,
    link: FarPublish,
    copy: Copy,
    actions: u64,
    /// The key of the session that programs find in their environment.
    key: String,
}

fn lines(session: &str) -> Start {
    let facts = Facts { driver: "line".into(), ..Facts::default() };
    Start { session_id: id(session), facts, cwd: None, fork: None }
}

impl Stage {
    async fn with(session: Start) -> Self {
        Self::within(tempfile::tempdir().unwrap(), session).await
    }

    async fn within(folder: TempDir, session: Start) -> Self {
        let config = Config { folder: Some(folder.path().to_owned()), ..config() };
        let pty = Box::new(pty::PtyDriver::new(None));
        let drivers = Drivers::new(vec![pty, Box::new(LineDriver)]);
        let (host, mut relay) = FakeRelay::with_config(config, drivers);
        let (mut control, _) = relay.control().await;
        start(&mut control, session).await;
        let mut link = relay.publish(&id("session1")).await;
        let mut copy = Copy::default();
        copy.resume(&mut link, u64::MAX).await;
        let secret = AskSecret::read(&secret_path(folder.path())).unwrap();
        let key = secret.session_key(&id("session1"));
        Self { folder, host, relay, control, link, copy, actions: 0, key }
    }

    /// Starts a session whose shell tells where to ask, and waits until it has.
    async fn of_shell() -> Self {
        let tell = "echo $MOORLINE_SESSION $MOORLINE_SOCKET $MOORLINE_KEY.; cat";
        let mut stage = Self::with(script("session1", tell)).await;
        stage.copy.read_until(&mut stage.link, ".\r\n").await;
        stage
    }

    fn socket(&self) -> PathBuf {
        socket_path(self.folder.path())
    }

    fn request(&self, question: LocalQuestion) -> LocalRequest {
        let (session, key) = (id("session1"), self.key.clone());
        LocalRequest::Ask { session, key, question: Box::new(question) }
    }

    /// Asks as a program does. Returns the approval's id too.
    async fn asks(&mut self, question: LocalQuestion) -> (Program, ApprovalId) {
        let mut program = Program::connect(self.socket()).await;
        let reply = program.says(self.request(question)).await;
        let LocalReply::Asked { approval_id } = reply else { panic!("{reply:?}") };
        self.until("requested", |list| list.get(&approval_id).is_some()).await;
        (program, approval_id)
    }

    async fn decides(&mut self, approval_id: &ApprovalId, decision: ApprovalDecision) {
        self.actions += 1;
        let action = SessionAction::Decide { approval_id: approval_id.clone(), decision };
        say(&self.link, HostCommand::Act { number: ActionNumber(self.actions), action }).await;
    }

    fn approvals(&self) -> ApprovalList {
        let mut list = ApprovalList::default();
        self.copy.events.iter().for_each(|event| _ = list.apply(Seq(1), event));
        list
    }

    async fn until(&mut self, what: &str, holds: impl Fn(&ApprovalList) -> bool) {
        while !holds(&self.approvals()) {
            soon(what, self.copy.hear(&mut self.link)).await;
            self.copy.ack(&self.link).await;
        }
    }

    /// Waits until an approval has this state, and returns who decided, or the reason.
    async fn until_state(&mut self, approval_id: &ApprovalId, state: ApprovalState) -> String {
        let is_so = |list: &ApprovalList| list.get(approval_id).is_some_and(|it| it.state == state);
        self.until(&format!("{state:?}"), is_so).await;
        let list = self.approvals();
        let entry = list.get(approval_id).unwrap();
        let by = entry.decision.as_ref().map(|decision| decision.by.clone());
        by.or(entry.reason.clone()).unwrap_or_default()
    }

    /// Returns the states that programs of the session were in.
    fn states(&self) -> Vec<&str> {
        let states = self.copy.events.iter().filter(|event| event.kind == "agent-state");
        states.map(|event| event.fields["value"].as_str().unwrap()).collect()
    }

    async fn types(&self, seq: u64, text: &str) {
        let piece = Frame::copy(Seq(seq), text.as_bytes()).unwrap();
        say(&self.link, HostCommand::Input { client_id: "client_1".parse().unwrap(), piece }).await;
    }

    async fn rules(&mut self, question: RulesQuestion) -> ToRelay {
        say(&self.control, ToHost::Rules { request: RequestId(9), question }).await;
        hear(&mut self.control).await
    }
}

/// The driver for lines, with a program that asks before its session is registered.
#[derive(Debug)]
struct HastyDriver(mpsc::Sender<LocalReply>);

impl Driver for HastyDriver {
    fn name(&self) -> &'static str {
        "line"
    }

    fn start(&self, spec: SessionSpec) -> BoxFuture<'_, Result<StartedSession, DriverError>> {
        let variable = |name: &str| spec.variables[name].clone();
        let (socket, key) = (variable("MOORLINE_SOCKET"), variable("MOORLINE_KEY"));
        let request = LocalRequest::State {
            session: spec.session_id.clone(),
            key,
            value: "working".into(),
            tool: None,
        };
        let replies = self.0.clone();
        Box::pin(async move {
            let early = tokio::task::spawn_blocking(move || {
                let mut client = AskClient::connect(socket.as_ref()).unwrap();
                client.send(&request).unwrap();
                // Nothing comes before the session is registered.
                let early = client.receive(Some(Duration::from_millis(200)));
                (client, early.ok())
            });
            let (mut client, early) = early.await.unwrap();
            tokio::task::spawn_blocking(move || {
                let reply = early.unwrap_or_else(|| client.receive(None).unwrap());
                replies.blocking_send(reply).unwrap();
            });
            LineDriver.start(spec).await
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_may_ask_before_its_session_is_registered() {
    let folder = tempfile::tempdir().unwrap();
    let (sender, mut replies) = mpsc::channel(1);
    let config = Config { folder: Some(folder.path().to_owned()), ..config() };
    let drivers = Drivers::new(vec![Box::new(HastyDriver(sender))]);
    let (_host, mut relay) = FakeRelay::with_config(config, drivers);
    let (mut control, _) = relay.control().await;
    start(&mut control, lines("session1")).await;
    let reply = soon("the answer", replies.recv()).await.unwrap();
    assert!(matches!(reply, LocalReply::Done), "{reply:?}");
}

/// A program that has connected to the host's socket.
struct Program(Option<AskClient>);

impl Program {
    async fn connect(socket: PathBuf) -> Self {
        let connect = move || AskClient::connect(&socket).unwrap();
        Self(Some(tokio::task::spawn_blocking(connect).await.unwrap()))
    }

    async fn work<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut AskClient) -> T + Send + 'static,
    ) -> T {
        let mut client = self.0.take().unwrap();
        let work = tokio::task::spawn_blocking(move || (work(&mut client), client));
        let (done, client) = soon("a program", work).await.unwrap();
        self.0 = Some(client);
        done
    }

    async fn hears(&mut self) -> LocalReply {
        self.work(|client| client.receive(None).unwrap()).await
    }

    async fn says(&mut self, request: LocalRequest) -> LocalReply {
        self.work(move |client| client.send(&request).unwrap()).await;
        self.hears().await
    }

    async fn follows(&mut self, follow_up: LocalFollowUp) {
        self.work(move |client| client.send(&follow_up).unwrap()).await;
    }
}

fn make() -> LocalQuestion {
    LocalQuestion {
        kind: ApprovalKind::Command,
        command: "make deploy".into(),
        cwd: Some("/tmp".into()),
        ..LocalQuestion::default()
    }
}

fn decision(approved: bool, option: Option<&str>) -> ApprovalDecision {
    ApprovalDecision {
        approved,
        option_id: option.map(str::to_owned),
        by: "phone".into(),
        at: 5,
        ..ApprovalDecision::default()
    }
}

fn code_of(reply: &LocalReply) -> &str {
    match reply {
        LocalReply::Refused { code, .. } => code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn programs_of_a_session_find_where_to_ask() {
    let mut stage = Stage::of_shell().await;
    let output = String::from_utf8(stage.copy.output.clone()).unwrap();
    let socket = stage.socket();
    let want = format!("session1 {} {}.\r\n", socket.display(), stage.key);
    assert_eq!(output, want);
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // The decision arrives with the command that replaces the one that was asked for.
    let (mut program, approval_id) = stage.asks(make()).await;
    let custom_command = Some("make -n deploy".to_owned());
    let decision = ApprovalDecision { custom_command, ..decision(true, None) };
    stage.decides(&approval_id, decision).await;
    let LocalReply::Decided { approved: true, command, .. } = program.hears().await else {
        panic!("not approved");
    };
    assert_eq!(command, "make -n deploy");
    program.follows(LocalFollowUp::Received).await;
    assert_eq!(stage.until_state(&approval_id, ApprovalState::Delivered).await, "phone");
    while stage.states().len() < 2 {
        soon("the state", stage.copy.hear(&mut stage.link)).await;
    }
    assert_eq!(stage.states(), ["waiting", "idle"]);
    stage.host.stop(Duration::from_secs(1)).await;
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_program_that_has_gone_is_told_of_in_the_log() {
    let mut stage = Stage::of_shell().await;
    // Before a decision.
    let (program, approval_id) = stage.asks(make()).await;
    drop(program);
    let reason = stage.until_state(&approval_id, ApprovalState::Withdrawn).await;
    assert_eq!(reason, "the program that asked has gone");
    // Of its own accord.
    let (mut program, approval_id) = stage.asks(make()).await;
    program.follows(LocalFollowUp::Withdraw { reason: "changed my mind".into() }).await;
    let reason = "changed my mind".to_owned();
    assert_eq!(program.hears().await, LocalReply::Withdrawn { reason: reason.clone() });
    assert_eq!(stage.until_state(&approval_id, ApprovalState::Withdrawn).await, reason);
    // After a decision, which it has not acknowledged.
    let (mut program, approval_id) = stage.asks(make()).await;
    stage.decides(&approval_id, decision(true, None)).await;
    assert!(matches!(program.hears().await, LocalReply::Decided { .. }));
    drop(program);
    stage.until_state(&approval_id, ApprovalState::Undelivered).await;
    // A second decision changes nothing.
    stage.decides(&approval_id, decision(true, None)).await;
    stage.copy.catch_up(&mut stage.link).await;
    let state = stage.approvals().get(&approval_id).unwrap().state;
    assert_eq!(state, ApprovalState::Undelivered);
}

#[tokio::test]
async fn an_approval_expires_and_a_session_ends() {
    let mut stage = Stage::of_shell().await;
    let (mut program, approval_id) =
        stage.asks(LocalQuestion { expires_ms: Some(20), ..make() }).await;
    assert_eq!(program.hears().await, LocalReply::Expired);
    stage.until_state(&approval_id, ApprovalState::Expired).await;
    let (mut program, approval_id) =
        stage.asks(LocalQuestion { expires_ms: Some(0), ..make() }).await;
    stage.types(1, "\u{4}").await;
    let LocalReply::Withdrawn { reason } = program.hears().await else { panic!("not withdrawn") };
    assert_eq!(reason, "the session has ended");
    while stage.copy.exit.is_none() {
        soon("the end", stage.copy.hear(&mut stage.link)).await;
    }
    let state = stage.approvals().get(&approval_id).unwrap().state;
    assert_eq!(state, ApprovalState::Withdrawn);
    let last = stage.copy.events.last().unwrap();
    assert_eq!((last.kind.as_str(), &last.fields["status"]), ("session-status", &"exited".into()));
}

#[tokio::test]
async fn an_answer_makes_a_rule_that_decides_until_it_is_revoked() {
    let mut stage = Stage::of_shell().await;
    let (mut program, approval_id) = stage.asks(make()).await;
    stage.decides(&approval_id, decision(true, Some(ALWAYS_OPTION))).await;
    assert!(matches!(program.hears().await, LocalReply::Decided { .. }));
    program.follows(LocalFollowUp::Received).await;
    stage.until_state(&approval_id, ApprovalState::Delivered).await;
    let ToRelay::Rules { rules, .. } = stage.rules(RulesQuestion::List).await else { panic!() };
    let [rule] = &rules[..] else { panic!("{rules:?}") };
    assert_eq!((rule.folder.as_str(), rule.by.as_str()), ("/tmp", "phone"));

    // The rule decides at once, and the log shows both.
    let (mut program, approval_id) = stage.asks(make()).await;
    assert!(matches!(program.hears().await, LocalReply::Decided { approved: true, .. }));
    program.follows(LocalFollowUp::Received).await;
    let by = stage.until_state(&approval_id, ApprovalState::Delivered).await;
    assert_eq!(by, format!("rule {}", rule.id));
    assert_eq!(stage.states(), ["waiting", "idle"]);
    let (program, _) = stage.asks(LocalQuestion { command: "make all".into(), ..make() }).await;
    drop(program);

    // The command line lists and revokes rules with the host's key.
    let secret = AskSecret::read(&secret_path(stage.folder.path())).unwrap();
    let revoke = RulesQuestion::Revoke { id: rule.id.clone() };
    let mut command = Program::connect(stage.socket()).await;
    let question = revoke.clone();
    let reply = command.says(LocalRequest::Rules { key: secret.host_key(), question }).await;
    assert_eq!(reply, LocalReply::Rules { rules: Vec::new() });
    let mut command = Program::connect(stage.socket()).await;
    let question = RulesQuestion::List;
    let refused = command.says(LocalRequest::Rules { key: stage.key.clone(), question }).await;
    assert_eq!(code_of(&refused), "forbidden");
    let ToRelay::Failed { code, .. } = stage.rules(revoke).await else { panic!("revoked twice") };
    assert_eq!(code, "no_such_rule");
    let (_program, approval_id) = stage.asks(make()).await;
    assert!(stage.approvals().get(&approval_id).unwrap().state.is_open());
}

#[tokio::test]
async fn a_rule_of_a_session_ends_with_it_and_others_are_kept() {
    let mut stage = Stage::of_shell().await;
    for (command, option) in [("make a", SESSION_OPTION), ("make b", ALWAYS_OPTION)] {
        let question = LocalQuestion { command: command.into(), ..make() };
        let (mut program, approval_id) = stage.asks(question).await;
        stage.decides(&approval_id, decision(true, Some(option))).await;
        assert!(matches!(program.hears().await, LocalReply::Decided { .. }));
        program.follows(LocalFollowUp::Received).await;
        stage.until_state(&approval_id, ApprovalState::Delivered).await;
    }
    let ToRelay::Rules { rules, .. } = stage.rules(RulesQuestion::List).await else { panic!() };
    assert_eq!(rules.len(), 2);
    stage.types(1, "\u{4}").await;
    stage.copy.read_to_end(&mut stage.link).await;
    let ToRelay::Rules { rules, .. } = stage.rules(RulesQuestion::List).await else { panic!() };
    assert_eq!(rules.len(), 1);
    stage.host.stop(Duration::from_secs(1)).await;

    let Stage { folder, host, relay, .. } = stage;
    drop((host, relay));
    let mut next = Stage::within(folder, script("session1", "cat")).await;
    let ToRelay::Rules { rules: kept, .. } = next.rules(RulesQuestion::List).await else {
        panic!()
    };
    assert_eq!(kept, rules);
}

#[tokio::test]
async fn a_program_cannot_speak_for_another_session() {
    let mut stage = Stage::of_shell().await;
    start(&mut stage.control, script("session2", "cat")).await;
    for (session, key, code) in [
        ("session2", stage.key.clone(), "forbidden"),
        ("session1", String::new(), "forbidden"),
        (
            "session3",
            AskSecret::read(&secret_path(stage.folder.path()))
                .unwrap()
                .session_key(&id("session3")),
            "not_found",
        ),
    ] {
        let mut program = Program::connect(stage.socket()).await;
        let session = id(session);
        let question = Box::new(make());
        let reply = program.says(LocalRequest::Ask { session, key, question }).await;
        assert_eq!(code_of(&reply), code);
    }
    let mut program = Program::connect(stage.socket()).await;
    program.work(|client| client.send(&serde_json::json!({ "type": "weather" })).unwrap()).await;
    assert_eq!(code_of(&program.hears().await), "bad_request");
    let mut program = Program::connect(stage.socket()).await;
    let reply = program.says(stage.request(LocalQuestion::default())).await;
    assert_eq!(code_of(&reply), "bad_request");
}

#[tokio::test]
async fn a_program_reports_its_state() {
    let mut stage = Stage::of_shell().await;
    for (value, tool, is_taken) in
        [("working", Some("Bash"), true), ("two words", None, false), ("idle", None, true)]
    {
        let mut program = Program::connect(stage.socket()).await;
        let (session, key) = (id("session1"), stage.key.clone());
        let (value, tool) = (value.to_owned(), tool.map(str::to_owned));
        let reply = program.says(LocalRequest::State { session, key, value, tool }).await;
        assert_eq!(reply == LocalReply::Done, is_taken, "{reply:?}");
    }
    stage.copy.catch_up(&mut stage.link).await;
    assert_eq!(stage.states(), ["working", "idle"]);
}

#[tokio::test]
async fn more_programs_than_allowed_are_refused_at_once() {
    let stage = Stage::of_shell().await;
    let mut held = Vec::new();
    for _ in 0..moorline_host::ask::CONNECTIONS {
        held.push(Program::connect(stage.socket()).await);
    }
    let mut one_more = Program::connect(stage.socket()).await;
    assert_eq!(code_of(&one_more.hears().await), "overloaded");
}

#[tokio::test]
async fn a_driver_gets_each_decision_once_in_its_own_words() {
    let mut stage = Stage::with(lines("session1")).await;
    stage.types(1, "ask approval1\n").await;
    let first = "approval1".parse().unwrap();
    stage.until("requested", |list| list.get(&first).is_some()).await;
    let list = stage.approvals();
    let options: Vec<_> =
        list.get(&first).unwrap().request.options.iter().map(|it| it.option_id.clone()).collect();
    assert_eq!(options, ["yes", "no", SESSION_OPTION, ALWAYS_OPTION, "moorline.never"]);
    stage.decides(&first, decision(true, Some(SESSION_OPTION))).await;
    stage.copy.read_until(&mut stage.link, "[approval1 true yes]").await;
    stage.until_state(&first, ApprovalState::Delivered).await;
    stage.decides(&first, decision(false, None)).await;

    // The rule decides the next one.
    stage.types(2, "ask approval2\n").await;
    stage.copy.read_until(&mut stage.link, "[approval2 true yes]").await;
    let by = stage.until_state(&"approval2".parse().unwrap(), ApprovalState::Delivered).await;
    assert!(by.starts_with("rule "), "{by}");

    // A question that is withdrawn, and one that the driver forgets.
    stage.types(3, "form approval3\nwithdraw approval3\nform deaf_one\n").await;
    let withdrawn = "approval3".parse().unwrap();
    assert_eq!(stage.until_state(&withdrawn, ApprovalState::Withdrawn).await, "never mind");
    let deaf = "deaf_one".parse().unwrap();
    stage.until("requested", |list| list.get(&deaf).is_some()).await;
    stage.decides(&deaf, decision(true, None)).await;
    stage.until_state(&deaf, ApprovalState::Undelivered).await;
    let output = String::from_utf8(stage.copy.output.clone()).unwrap();
    assert_eq!(output, "[approval1 true yes][approval2 true yes]");
}

#[tokio::test]
async fn what_was_said_comes_before_the_question_of_a_program() {
    let mut stage = Stage::with(lines("session1")).await;
    stage.types(1, "hold and now\nsay first\n").await;
    stage.copy.read_until(&mut stage.link, "first").await;
    let (_program, _) = stage.asks(make()).await;
    let output = String::from_utf8(stage.copy.output.clone()).unwrap();
    assert!(output.starts_with("firstand now"), "{output}");
}
