//! The control link, on which the relay sends requests and the host answers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use moorline_shared::agent::rule::RulesQuestion;
use moorline_shared::change::{ChangesAnswer, ChangesQuestion};
use moorline_shared::control::{Hello, PROTOCOL, ToHost, ToRelay};
use moorline_shared::failure::HostFailure;
use moorline_shared::id::SessionId;
use moorline_shared::limits::RESUME_DEADLINE;
use moorline_shared::link::Redial;
use moorline_shared::message::close;
use moorline_shared::operation::{OperationsAnswer, OperationsQuestion};
use moorline_shared::publish::RequestId;
use moorline_shared::rest::ContextFile;
use moorline_shared::tmux::{TmuxAnswer, TmuxQuestion};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::pod_reports::PodReports;
use super::{Host, LinkState};
use crate::approvals::RuleBook;
use crate::clock::monotonic;
use crate::context::{by_convention, by_prompt};
use crate::dial::{ControlWire, WireItem, in_time};
use crate::driver::blocking;
use crate::operations;

/// The most requests that are handled at a time. The next one waits on the link.
const REQUESTS: usize = 64;
/// Upper bound on how long a hello waits for sessions that are being started, so that it lists
/// them.
const STARTING_LIMIT: Duration = Duration::from_secs(5);

/// The reason why a control link ended.
enum ControlEnd {
    /// The relay must get a new hello.
    Renewed,
    /// The link was closed or broke, with this close code.
    Closed(u16),
    /// The relay does not accept this host.
    Refused { code: String, message: String },
}

/// Keeps the control link up. Only ends if another host has taken this one's place: two hosts that
/// dial in turn would each make the relay take the other's sessions for lost.
pub(super) async fn keep_linked(host: Arc<Host>) {
    let mut redial = Redial::new(host.config.seed, host.dial.longest_wait());
    let mut requests = JoinSet::new();
    let mut renewed = host.renewed.subscribe();
    loop {
        let end = match in_time(host.dial.control()).await {
            Ok(wire) => {
                let renewed = &mut renewed;
                ControlLink { host: &host, redial: &mut redial, renewed }
                    .run(wire, &mut requests)
                    .await
            }
            Err(error) => {
                let message = error.to_string();
                host.set_link_state(match error.is_final() {
                    true => LinkState::Refused { message },
                    false => LinkState::Away(Some(message)),
                });
                ControlEnd::Closed(error.code())
            }
        };
        let wait = match end {
            ControlEnd::Renewed => continue,
            ControlEnd::Closed(close::REPLACED) => {
                let message = "another host has connected with this one's id: end one of them";
                host.set_link_state(LinkState::Refused { message: message.to_owned() });
                return;
            }
            ControlEnd::Closed(code) => {
                if matches!(*host.link_state.borrow(), LinkState::Linked { .. }) {
                    let message = host.dial.advice(code);
                    let message = message.unwrap_or_else(|| format!("the link was closed: {code}"));
                    host.set_link_state(match close::is_about_token(code) {
                        true => LinkState::Refused { message },
                        false => LinkState::Away(Some(message)),
                    });
                }
                redial.wait_after(monotonic(), code)
            }
            ControlEnd::Refused { code, message } => {
                host.set_link_state(LinkState::Refused { message });
                if code == "replaced" {
                    return;
                }
                redial.wait_after(monotonic(), close::FORBIDDEN)
            }
        };
        tokio::select! {
            () = sleep(wait) => {}
            _ = renewed.changed() => {}
            () = host.dial.credential_change() => {}
        }
    }
}

/// One open control link.
struct ControlLink<'a> {
    host: &'a Arc<Host>,
    redial: &'a mut Redial,
    renewed: &'a mut watch::Receiver<()>,
}

impl ControlLink<'_> {
    async fn run(&mut self, wire: ControlWire, requests: &mut JoinSet<()>) -> ControlEnd {
        // A relay that requested a session on an earlier link learns from the hello that it runs.
        let started = async { while requests.join_next().await.is_some() {} };
        _ = timeout(STARTING_LIMIT, started).await;
        let ControlWire { sender, mut receiver } = wire;
        self.renewed.mark_unchanged();
        let hello = ToRelay::Hello(Box::new(self.host.hello().await));
        if sender.send(WireItem::Message(hello)).await.is_err() {
            return ControlEnd::Closed(close::ABNORMAL);
        }
        let deadline = Instant::now() + RESUME_DEADLINE;
        let mut is_welcome = false;
        let mut pods = PodReports::new(self.host);
        loop {
            tokio::select! {
                item = receiver.recv(), if requests.len() < REQUESTS => match item {
                    Some(WireItem::Message(message)) => {
                        is_welcome |= matches!(message, ToHost::Welcome { .. });
                        if let Some(end) = self.hear(message, &sender, requests) {
                            return end;
                        }
                    }
                    Some(WireItem::Closed(code)) => return ControlEnd::Closed(code),
                    None => return ControlEnd::Closed(close::ABNORMAL),
                },
                _ = requests.join_next(), if !requests.is_empty() => {}
                () = self.host.news.notified() => {
                    let opened = std::mem::take(&mut self.host.state().opened);
                    for session in opened.into_iter().map(Box::new) {
                        let opened = ToRelay::Opened { session };
                        if sender.send(WireItem::Message(opened)).await.is_err() {
                            return ControlEnd::Closed(close::ABNORMAL);
                        }
                    }
                }
                metrics = pods.next(), if is_welcome => {
                    if sender.send(WireItem::Message(ToRelay::PodMetrics { metrics })).await.is_err() {
                        return ControlEnd::Closed(close::ABNORMAL);
                    }
                }
                _ = self.renewed.changed() => return ControlEnd::Renewed,
                () = sleep_until(deadline), if !is_welcome => return ControlEnd::Closed(close::ABNORMAL),
            }
        }
    }

    /// Handles a message. `Some` ends the link.
    fn hear(
        &mut self,
        message: ToHost,
        sender: &mpsc::Sender<WireItem<ToRelay>>,
        requests: &mut JoinSet<()>,
    ) -> Option<ControlEnd> {
        match message {
            ToHost::Welcome { version } => {
                self.redial.settled();
                self.host.welcomed(version);
            }
            ToHost::Refused { code, message } => {
                return Some(ControlEnd::Refused { code, message });
            }
            ToHost::Start { request, session } => {
                let (host, sender) = (Arc::clone(self.host), sender.clone());
                requests.spawn(async move {
                    let answer = match host.start_session(*session).await {
                        Ok(hosted) => ToRelay::Started { request, session: Box::new(hosted) },
                        Err(error) => ToRelay::Failed {
                            request,
                            code: error.code().to_owned(),
                            message: error.to_string(),
                        },
                    };
                    // If the relay is gone, it learns of the session from the next hello.
                    _ = sender.send(WireItem::Message(answer)).await;
                });
            }
            ToHost::Forget { session_id } => {
                self.host.forget(&session_id);
                let drivers = self.host.drivers.clone();
                requests.spawn(async move { drivers.forget(&session_id).await });
            }
            ToHost::Files { request, folder, top, named } => {
                let sender = sender.clone();
                requests.spawn(async move {
                    let answer = files(request, folder, top, named).await;
                    _ = sender.send(WireItem::Message(answer)).await;
                });
            }
            ToHost::FindFiles { request, folder, query } => {
                let (host, sender) = (Arc::clone(self.host), sender.clone());
                requests.spawn(async move {
                    let answer = host.find_files(request, folder, query).await;
                    _ = sender.send(WireItem::Message(answer)).await;
                });
            }
            ToHost::Operations { request, folder, question } => {
                let (host, sender) = (Arc::clone(self.host), sender.clone());
                requests.spawn(async move {
                    let answer = Box::new(host.operate(folder, *question).await);
                    let answer = ToRelay::Operations { request, answer };
                    _ = sender.send(WireItem::Message(answer)).await;
                });
            }
            ToHost::Changes { request, session_id, question } => {
                let (host, sender) = (Arc::clone(self.host), sender.clone());
                requests.spawn(async move {
                    let answer = Box::new(host.changes(&session_id, *question).await);
                    let answer = ToRelay::Changes { request, answer };
                    _ = sender.send(WireItem::Message(answer)).await;
                });
            }
            ToHost::Agents { request } => {
                let (drivers, sender) = (self.host.drivers.clone(), sender.clone());
                requests.spawn(async move {
                    let answer = ToRelay::Agents { request, agents: drivers.agents().await };
                    _ = sender.send(WireItem::Message(answer)).await;
                });
            }
            ToHost::TmuxServers { request } => {
                let (drivers, sender) = (self.host.drivers.clone(), sender.clone());
                requests.spawn(async move {
                    let servers = drivers.tmux_servers().await;
                    let answer = ToRelay::TmuxServers { request, servers };
                    _ = sender.send(WireItem::Message(answer)).await;
                });
            }
            ToHost::Pods { request, question } => {
                let (drivers, sender) = (self.host.drivers.clone(), sender.clone());
                requests.spawn(async move {
                    let answer = Box::new(drivers.pods(*question).await);
                    let answer = ToRelay::Pods { request, answer };
                    _ = sender.send(WireItem::Message(answer)).await;
                });
            }
            ToHost::Tmux { request, session_id, question } => {
                let (host, sender) = (Arc::clone(self.host), sender.clone());
                requests.spawn(async move {
                    let answer = Box::new(host.tmux(&session_id, *question).await);
                    let answer = ToRelay::Tmux { request, answer };
                    _ = sender.send(WireItem::Message(answer)).await;
                });
            }
            ToHost::Rules { request, question } => {
                let (book, sender) = (Arc::clone(&self.host.book), sender.clone());
                requests.spawn(async move {
                    let answer = rules(request, book, question).await;
                    _ = sender.send(WireItem::Message(answer)).await;
                });
            }
            ToHost::Pong { .. } | ToHost::Unknown => {}
        }
        None
    }
}

impl Host {
    async fn hello(&self) -> Hello {
        let (drivers, missing) = self.drivers.available().await;
        // The hello lists them.
        self.state().opened.clear();
        Hello {
            protocol: PROTOCOL,
            version: self.config.version.clone(),
            name: self.config.name.clone(),
            drivers,
            missing,
            sessions: self.sessions(),
        }
    }

    /// Finds files in a folder, or in the user's home.
    async fn find_files(
        self: &Arc<Self>,
        request: RequestId,
        folder: Option<String>,
        query: String,
    ) -> ToRelay {
        let Ok(_turn) = self.previews.acquire().await else {
            let HostFailure { code, message } = is_stopping();
            return ToRelay::Failed { request, code, message };
        };
        let found = blocking({
            let host = Arc::clone(self);
            move || host.files.find(&folder_of(folder), &query)
        })
        .await;
        match found {
            Ok(found) => ToRelay::FoundFiles { request, found },
            Err(error) => {
                let (code, message) = (error.code().to_owned(), error.to_string());
                ToRelay::Failed { request, code, message }
            }
        }
    }

    /// Answers a question about operations in a folder, or in the user's home.
    async fn operate(
        &self,
        folder: Option<String>,
        question: OperationsQuestion,
    ) -> OperationsAnswer {
        // One after another executes, so that each list finds the files as the one before left them.
        let turns = match question {
            OperationsQuestion::Preview { .. } => &self.previews,
            OperationsQuestion::Execute { .. } => &self.executions,
        };
        let Ok(_turn) = turns.acquire().await else { return is_stopping().into() };
        let work = move || operations::answer(&folder_of(folder), question);
        let answer = tokio::task::spawn_blocking(work).await;
        let failed = |_| HostFailure::new("internal", "See the host's log for details.").into();
        answer.unwrap_or_else(failed)
    }

    /// Answers a question about the files that the agent of a session has changed.
    async fn changes(&self, id: &SessionId, question: ChangesQuestion) -> ChangesAnswer {
        // As with operations, one list after another changes files.
        let turns = match question {
            ChangesQuestion::List => &self.previews,
            ChangesQuestion::Settle { .. } => &self.executions,
        };
        let Ok(_turn) = turns.acquire().await else { return is_stopping().into() };
        match self.session(id) {
            Some(session) => session.changes(question).await,
            None => HostFailure::new("session_ended", "The session is over.").into(),
        }
    }

    /// Answers a question about the tmux session of a session's pane.
    async fn tmux(&self, id: &SessionId, question: TmuxQuestion) -> TmuxAnswer {
        match self.session(id) {
            Some(session) => session.tmux(question).await,
            None => HostFailure::new("session_ended", "The session is over.").into(),
        }
    }

    fn welcomed(&self, version: String) {
        if version != self.config.version {
            let own = &self.config.version;
            tracing::warn!(relay = version, host = own, "the versions differ but are compatible");
        }
        self.set_link_state(LinkState::Linked { version });
        self.arrived.notify_waiters();
    }

    /// Sets the state of the link, and logs each change once.
    fn set_link_state(&self, link_state: LinkState) {
        let changed = self.link_state.send_if_modified(|now| {
            let changed = *now != link_state;
            now.clone_from(&link_state);
            changed
        });
        match link_state {
            _ if !changed => {}
            LinkState::Linked { version } => tracing::info!(version, "linked to the relay"),
            LinkState::Refused { message } => tracing::error!("the relay refuses: {message}"),
            LinkState::Away(reason) => {
                let reason = reason.unwrap_or_default();
                tracing::warn!("the relay is away; sessions keep running: {reason}");
            }
        }
    }
}

/// Returns a session's folder, or the user's home.
fn folder_of(folder: Option<String>) -> PathBuf {
    folder.map_or_else(|| std::env::home_dir().unwrap_or_default(), PathBuf::from)
}

/// Returns the answer to a question that comes while the host stops.
fn is_stopping() -> HostFailure {
    HostFailure::new("internal", "The host is stopping.")
}

/// Answers a question about the rules.
async fn rules(request: RequestId, book: Arc<RuleBook>, question: RulesQuestion) -> ToRelay {
    let answered = blocking(move || book.answer(&question)).await;
    let (code, message) = match answered {
        Ok(Ok(rules)) => return ToRelay::Rules { request, rules },
        Ok(Err(error)) => (error.code(), error.to_string()),
        Err(error) => (error.code(), error.to_string()),
    };
    ToRelay::Failed { request, code: code.to_owned(), message }
}

/// Answers a request for files: those that prompts named, then those that agents read in the
/// session's folder and above, up to `top`.
async fn files(
    request: RequestId,
    folder: Option<String>,
    top: Option<String>,
    named: Vec<String>,
) -> ToRelay {
    let look = move || {
        let folder = folder_of(folder);
        let mut files: Vec<ContextFile> = by_prompt(&folder, named.iter().map(String::as_str));
        for file in by_convention(&folder, top.as_deref().map(Path::new)) {
            if files.iter().all(|other| other.path != file.path) {
                files.push(file);
            }
        }
        files
    };
    let files = tokio::task::spawn_blocking(look).await.unwrap_or_default();
    ToRelay::Files { request, files }
}
