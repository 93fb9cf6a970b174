use moorline_shared::control::{Facts, Hello, Hosted};
use moorline_shared::event::{EventKind, TerminalCreated};
use moorline_shared::id::{Epoch, HostId, SessionId};
use moorline_shared::rest::{
    CreateProject, CreateSession, CreateTerminal, DuplicateSession, MissingDriver, MoveSession,
    RenameSession,
};
use moorline_shared::session::{Lifecycle, Size};

use super::*;
use crate::auth::{Access, Reach};
use crate::record::summary;
use moorline_shared::message::Scope;
use moorline_shared::rest::SessionSummary;

const NOW: u64 = 1_000_000;

fn host(name: &str) -> HostId {
    name.parse().unwrap()
}

fn id(name: &str) -> SessionId {
    name.parse().unwrap()
}

fn hello(sessions: &[&str]) -> Hello {
    Hello {
        protocol: moorline_shared::control::PROTOCOL,
        name: "machine".to_owned(),
        version: "1".to_owned(),
        drivers: vec!["pty".to_owned()],
        missing: vec![],
        sessions: sessions.iter().map(|session| hosted(session)).collect(),
    }
}

fn hosted(session: &str) -> Hosted {
    Hosted {
        session_id: id(session),
        facts: Facts {
            name: None,
            project: None,
            driver: "pty".to_owned(),
            command: vec!["sh".to_owned()],
            env: BTreeMap::new(),
            size: Size::default(),
            agent: None,
            tmux: None,
            workspace: None,
            pod: None,
            beside: None,
        },
        cwd: "/srv".to_owned(),
        epoch: Epoch(1),
        pid: Some(1),
        created_at: NOW,
    }
}

/// Returns a directory with one host, which has these sessions.
fn directory(sessions: &[&str]) -> Directory {
    let mut directory = Directory::new(false);
    let greeting = directory.greet(&host("machine_1"), &hello(sessions), NOW);
    drop(directory.apply(greeting.change));
    directory
}

fn draft(wanted: CreateSession) -> Draft {
    Directory::draft(wanted, id("session_new"), NOW).unwrap()
}

fn is_here(_: &HostId) -> bool {
    true
}

#[test]
fn the_last_files_of_a_removed_session_may_still_come_for_a_while() {
    let workspace = || "workspace_1".parse::<WorkspaceId>().unwrap();
    let mut hello = hello(&["session_1", "session_2"]);
    for hosted in &mut hello.sessions {
        hosted.facts.workspace = Some(workspace());
    }
    let mut directory = Directory::new(false);
    let greeting = directory.greet(&host("machine_1"), &hello, NOW);
    drop(directory.apply(greeting.change));
    let may_write = |directory: &Directory, now_ms: u64| {
        let reached = directory.reach(Reach::Workspace(&workspace()), now_ms);
        reached.workspace_scope(&Access::Host) == Some(Scope::Write)
    };
    for session in ["session_1", "session_2"] {
        assert!(may_write(&directory, NOW));
        let change = directory.remove(&id(session), NOW).unwrap();
        drop(directory.apply(change));
    }
    assert!(may_write(&directory, NOW + 15_000), "the host waits for its last files");
    assert!(!may_write(&directory, NOW + 30_000));
    let token = Access::Session { id: id("session_1"), scope: Scope::Write };
    let reached = directory.reach(Reach::Workspace(&workspace()), NOW);
    assert_eq!(reached.workspace_scope(&token), None, "it was for the session");
}

#[test]
fn a_change_happens_when_it_is_applied() {
    let mut directory = directory(&["session_1"]);
    let wanted = RenameSession { name: "build".to_owned() };
    let change = directory.rename(&id("session_1"), &wanted).unwrap();
    assert!(!directory.summary(&id("session_1")).unwrap().named);
    let effects = directory.apply(change);
    let renamed = Effect::Rename { session: id("session_1"), name: Some("build".to_owned()) };
    assert_eq!(effects, [renamed, Effect::ListsChanged]);
    assert_eq!(directory.summary(&id("session_1")).unwrap().name, "build");
    assert!(directory.rename(&id("session_2"), &wanted).is_err());
}

#[test]
fn an_id_is_reserved_by_one_at_a_time() {
    let mut directory = directory(&["session_1"]);
    let wanted = || CreateSession { session_id: Some(id("session_2")), ..CreateSession::default() };
    let reservation = directory.reserve(draft(wanted()), is_here).unwrap();
    assert_eq!(reservation.host, host("machine_1"));
    assert!(directory.reserve(draft(wanted()), is_here).unwrap_err().is_taken());
    directory.release(&id("session_2"));
    assert!(directory.reserve(draft(wanted()), is_here).is_ok());
    directory.release(&id("session_2"));
    let taken = CreateSession { session_id: Some(id("session_1")), ..CreateSession::default() };
    assert!(directory.reserve(draft(taken), is_here).unwrap_err().is_taken());
    assert_eq!(directory.reserve(draft(wanted()), |_| false).unwrap_err().status(), 503);
}

#[test]
fn a_driver_is_missing_until_the_hosts_next_hello() {
    let mut directory = Directory::new(false);
    let machine = host("machine_1");
    let wanted =
        || draft(CreateSession { driver: Some("tmux".to_owned()), ..CreateSession::default() });
    let tmux = MissingDriver { driver: "tmux".to_owned(), reason: "not installed".to_owned() };
    let lacking = Hello { missing: vec![tmux.clone()], ..hello(&[]) };
    let change = directory.greet(&machine, &lacking, NOW).change;
    drop(directory.apply(change));
    assert_eq!(directory.hosts(is_here, NOW).hosts[0].missing, [tmux]);
    let refused = directory.reserve(wanted(), is_here).unwrap_err();
    assert_eq!((refused.status().as_u16(), &*refused.body().code), (503, "driver_missing"));
    let drivers = vec!["pty".to_owned(), "tmux".to_owned()];
    let change = directory.greet(&machine, &Hello { drivers, ..hello(&[]) }, NOW).change;
    drop(directory.apply(change));
    assert!(directory.hosts(is_here, NOW).hosts[0].missing.is_empty());
    assert!(directory.reserve(wanted(), is_here).is_ok());
}

#[test]
fn a_session_is_listed_once_its_host_has_started_it() {
    let mut directory = directory(&[]);
    let reservation = directory.reserve(draft(CreateSession::default()), is_here).unwrap();
    assert!(!directory.contains(&id("session_new")));
    let change = directory.started(reservation, &hosted("session_new"));
    assert_eq!(directory.apply(change), [Effect::ListsChanged]);
    let summary = directory.summary(&id("session_new")).unwrap();
    assert_eq!((summary.cwd.as_deref(), summary.host), (Some("/srv"), Some(host("machine_1"))));
}

#[test]
fn a_deleted_session_is_forgotten_by_its_host_whenever_that_is_back() {
    let mut directory = directory(&["session_1", "session_2"]);
    let change = directory.remove(&id("session_1"), NOW).unwrap();
    let effects = directory.apply(change);
    let forget = Effect::Forget { session: id("session_1"), host: host("machine_1") };
    let end = Effect::End { session: id("session_1") };
    assert_eq!(effects, [end, Effect::ListsChanged, forget]);
    let machine = host("machine_1");
    let greeting = directory.greet(&machine, &hello(&["session_1", "session_2"]), NOW);
    assert_eq!((greeting.forget, greeting.adopted.len()), (vec![id("session_1")], 0));
    // The host has forgotten it too, so its id is free.
    let greeting = directory.greet(&machine, &hello(&["session_2"]), NOW);
    assert!(greeting.forget.is_empty());
    drop(directory.apply(greeting.change));
    assert_eq!(directory.deleted_from(&id("session_1")), None);
    let greeting = directory.greet(&machine, &hello(&["session_1", "session_2"]), NOW);
    assert_eq!(greeting.adopted.len(), 1);
}

#[test]
fn a_session_that_its_host_does_not_have_is_lost() {
    let mut directory = directory(&["session_1", "session_2"]);
    let greeting = directory.greet(&host("machine_1"), &hello(&["session_2"]), NOW);
    assert_eq!(greeting.lost, [id("session_1")]);
    let change = directory.lose(&id("session_1")).unwrap();
    drop(directory.apply(change));
    assert_eq!(directory.summary(&id("session_1")).unwrap().lifecycle, Lifecycle::Lost);
    // A session is lost only once.
    assert!(directory.greet(&host("machine_1"), &hello(&["session_2"]), NOW).lost.is_empty());
    // Another host's hello says nothing about this one's sessions.
    assert!(directory.greet(&host("machine_2"), &hello(&[]), NOW).lost.is_empty());
}

#[test]
fn a_terminal_starts_where_its_session_is_and_tells_it_of_its_end() {
    let mut directory = directory(&["session_1"]);
    let wanted = CreateTerminal { session_id: Some(id("session_1")), ..CreateTerminal::default() };
    let draft = directory.draft_terminal(&wanted, id("terminal_1"), NOW).unwrap();
    assert_eq!(draft.record.cwd.as_deref(), Some("/srv"));
    assert_eq!(draft.record.host, Some(host("machine_1")));
    let reservation = directory.reserve(draft, is_here).unwrap();
    let change = directory.started(reservation, &hosted("terminal_1"));
    drop(directory.apply(change));
    let change = directory.remove(&id("terminal_1"), NOW).unwrap();
    let told = directory.apply(change).into_iter().find_map(|effect| match effect {
        Effect::Append { session, event } => Some((session, event.kind)),
        _ => None,
    });
    assert_eq!(told, Some((id("session_1"), EventKind::TerminalClosed.as_str().into())));
}

#[test]
fn sessions_outlive_their_project() {
    let mut directory = directory(&["session_1"]);
    let project: ProjectId = "project_1".parse().unwrap();
    let wanted = CreateProject { name: "work".to_owned(), directory: Some("/srv/work".to_owned()) };
    let change = directory.create_project(wanted, project.clone(), NOW).unwrap();
    drop(directory.apply(change));
    let into = MoveSession { project_id: Some(project.clone()) };
    let change = directory.move_to(&id("session_1"), into.clone()).unwrap();
    drop(directory.apply(change));
    assert_eq!(directory.project(&project).unwrap().sessions, 1);
    // A session started in the project begins in its folder.
    let inside = CreateSession { project: Some(project.clone()), ..CreateSession::default() };
    let reservation = directory.reserve(draft(inside), is_here).unwrap();
    assert_eq!(reservation.record.cwd.as_deref(), Some("/srv/work"));
    let change = directory.remove_project(&project).unwrap();
    let effects = directory.apply(change);
    let out = Effect::Move { session: id("session_1"), project: None };
    assert_eq!(effects, [out, Effect::ListsChanged]);
    assert!(directory.move_to(&id("session_1"), into).is_err());
    // So is a session that was being started meanwhile.
    let change = directory.started(reservation, &hosted("session_new"));
    drop(directory.apply(change));
    assert_eq!(directory.summary(&id("session_new")).unwrap().project, None);
}

#[test]
fn a_report_is_news_unless_it_is_the_same() {
    let mut directory = directory(&["session_1"]);
    let record = directory.record(&id("session_1")).unwrap().clone();
    let report = |clients, last_activity: &str| SessionReport {
        summary: SessionSummary {
            last_activity: last_activity.to_owned(),
            lifecycle: Lifecycle::Live,
            ..summary(&record, clients)
        },
        epoch: Epoch(1),
        size: Size { cols: 100, rows: 30 },
        streams: clients,
        approvals: Vec::new(),
    };
    let mut reported = |report: SessionReport, now| {
        directory.report(report, now).map(|it| (it.is_news, it.row.is_some())).unwrap()
    };
    assert_eq!(reported(report(1, "one"), NOW), (true, true));
    assert_eq!(reported(report(1, "one"), NOW), (false, false));
    // Activity alone shows at once, but is only stored now and then.
    assert_eq!(reported(report(1, "two"), NOW), (true, false));
    assert_eq!(reported(report(1, "two"), NOW + 60_000), (false, true));
    assert_eq!(reported(report(2, "two"), NOW + 60_000), (true, true));
    let counts = directory.counts();
    assert_eq!((counts.clients, counts.lifecycles["live"]), (2, 1));
    assert_eq!(counts.debug(BTreeMap::new()).sse.total_connections, 2);
    // A duplicate has the current size of its source.
    let again = DuplicateSession::default();
    let draft = directory.draft_duplicate(&id("session_1"), again, id("session_2"), NOW).unwrap();
    assert_eq!(draft.record.size, Size { cols: 100, rows: 30 });
    let mut other = report(0, "one");
    other.summary.session_id = id("session_9");
    assert!(directory.report(other, NOW).is_none());
}

#[test]
fn a_session_that_a_host_opens_is_beside_one_of_its_own() {
    let mut directory = directory(&["session_1"]);
    let opened = |session: &str, parent: &str| {
        let mut opened = hosted(session);
        opened.facts.beside = Some(id(parent));
        opened
    };
    let change = directory.adopt(&host("machine_1"), &opened("session_2", "session_1"), NOW);
    drop(directory.apply(change.unwrap()));
    let Some(Effect::Append { session, event }) = directory.opened(&id("session_2"), NOW) else {
        panic!("nobody is told");
    };
    let created: TerminalCreated = event.read().unwrap();
    assert_eq!((session, created.terminal_id), (id("session_1"), id("session_2")));
    assert!(directory.adopt(&host("machine_1"), &opened("session_2", "session_1"), NOW).is_none());
    // No host puts a session beside one of another host.
    for (parent, session) in [("session_1", "session_3"), ("session_0", "session_4")] {
        let change = directory.adopt(&host("machine_2"), &opened(session, parent), NOW);
        drop(directory.apply(change.unwrap()));
        assert_eq!(directory.opened(&id(session), NOW), None);
    }
}
