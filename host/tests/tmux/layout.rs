//! Windows and panes, as users see and change them.

use moorline_host::driver::Driver as _;
use moorline_shared::tmux::{
    SplitDirection, TmuxAction, TmuxAnswer, TmuxQuestion, TmuxSession, TmuxSpec, TmuxWindow,
};

use super::server::{Shown, TestServer, wait_until};

/// Returns the ids of each window's panes.
fn panes(session: &TmuxSession) -> Vec<Vec<&str>> {
    fn of(window: &TmuxWindow) -> Vec<&str> {
        window.panes.iter().map(|pane| &*pane.id).collect()
    }
    session.windows.iter().map(of).collect()
}

async fn opened(shown: &Shown, panes: &[&str]) {
    let what = format!("{panes:?} are opened");
    wait_until(&what, || {
        let mut opened = shown.opener.panes();
        opened.sort();
        opened == panes
    })
    .await;
}

#[tokio::test]
async fn all_panes_of_a_session_are_opened_and_new_ones_follow() {
    let server = TestServer::start();
    server.tmux(&["split-window", "-t", "%0"]);
    server.tmux(&["new-window", "-t", "work:"]);
    server.tmux(&["new-session", "-d", "-s", "other"]);
    let driver = server.driver();
    let shown = server.open(&driver, "%0").await;
    opened(&shown, &["%1", "%2"]).await;
    server.tmux(&["split-window", "-t", "%2"]);
    opened(&shown, &["%1", "%2", "%4"]).await;
    let layout = shown.heard(|heard| heard.layouts.last().cloned()).unwrap();
    assert_eq!(layout.name, "work");
    shown
        .until("the last layout", |heard| {
            panes(heard.layouts.last().unwrap()) == [vec!["%0", "%1"], vec!["%2", "%4"]]
        })
        .await;
}

#[tokio::test]
async fn users_change_windows_and_panes() {
    let server = TestServer::start();
    let driver = server.driver();
    let shown = server.open(&driver, "%0").await;
    let (pane, window) = (|| "%0".to_owned(), || "@0".to_owned());
    let split = TmuxAction::Split { pane: pane(), direction: SplitDirection::Right };
    let session = shown.act(split).await;
    assert_eq!(panes(&session), [["%0", "%1"]]);
    let [left, right] = &session.windows[0].panes[..] else { panic!() };
    assert_eq!((left.left, left.cols, right.left, right.cols), (0, 40, 41, 39));
    assert!(right.active && !left.active);
    assert_eq!(left.session_id.as_ref().unwrap().as_str(), "session_1");
    let session = shown.act(TmuxAction::Select { pane: pane() }).await;
    assert!(session.windows[0].panes[0].active);
    let session = shown.act(TmuxAction::Zoom { pane: pane() }).await;
    assert!(session.windows[0].zoomed);
    shown.act(TmuxAction::Zoom { pane: pane() }).await;
    let session = shown.act(TmuxAction::NewWindow { name: Some("b'u\"ild #(x)".into()) }).await;
    assert_eq!(session.windows[1].name, "b'u\"ild #(x)");
    assert!(session.windows[1].active);
    let rename = TmuxAction::RenameWindow { window: window(), name: "-edit".into() };
    assert_eq!(shown.act(rename).await.windows[0].name, "-edit");
    let session = shown.act(TmuxAction::SelectWindow { window: window() }).await;
    assert!(session.windows[0].active);
    let session = shown.act(TmuxAction::RenameSession { name: "play".into() }).await;
    assert_eq!(session.name, "play");
    let session = shown.act(TmuxAction::CloseWindow { window: "@1".into() }).await;
    assert_eq!(session.windows.len(), 1);
    let session = shown.act(TmuxAction::ClosePane { pane: "%1".into() }).await;
    assert_eq!(panes(&session), [["%0"]]);
}

#[tokio::test]
async fn panes_of_another_session_cannot_be_changed() {
    let server = TestServer::start();
    server.tmux(&["new-session", "-d", "-s", "other"]);
    let driver = server.driver();
    let shown = server.open(&driver, "%0").await;
    shown.until("a layout", |heard| !heard.layouts.is_empty()).await;
    let close = TmuxQuestion::Act(TmuxAction::ClosePane { pane: "%1".into() });
    let TmuxAnswer::Failed(why) = shown.control.tmux(close).await else { panic!() };
    assert_eq!((&*why.code, &*why.message), ("tmux_failed", "tmux: the session has no pane %1."));
    assert_eq!(server.tmux(&["list-panes", "-a", "-F", "#{pane_id}"]).lines().count(), 2);
}

#[tokio::test]
async fn a_pane_goes_on_in_another_session() {
    let server = TestServer::start();
    server.tmux(&["new-session", "-d", "-s", "other"]);
    server.tmux(&["split-window", "-t", "%0"]);
    let driver = server.driver();
    let shown = server.open(&driver, "%0").await;
    shown.until_text("$ ").await;
    server.tmux(&["join-pane", "-s", "%0", "-t", "%1"]);
    shown.until("the other session", |heard| heard.layouts.last().unwrap().name == "other").await;
    shown.type_in(b"echo he''re\r").await;
    shown.until_text("here").await;
    server.tmux(&["kill-session", "-t", "work"]);
    shown.type_in(b"echo stil''l\r").await;
    shown.until_text("still").await;
}

#[tokio::test]
async fn servers_are_listed_with_the_sessions_that_show_their_panes() {
    let server = TestServer::start();
    server.tmux(&["split-window", "-t", "%0"]);
    let driver = server.driver();
    let shown = server.open(&driver, "%0").await;
    let servers = driver.tmux_servers().await;
    let listed = servers.iter().find(|it| it.socket.as_deref() == Some(&*server.socket())).unwrap();
    let [session] = &listed.sessions[..] else { panic!("{listed:?}") };
    let ids = session.windows[0].panes.iter().map(|pane| pane.session_id.is_some());
    assert_eq!(ids.collect::<Vec<_>>(), [true, false]);
    assert_eq!(session.attached, 0, "our own connections do not count");
    drop(shown);
}

#[tokio::test]
async fn a_window_loses_the_size_of_a_page_after_its_last_client_has_left() {
    let server = TestServer::start();
    let driver = server.driver();
    let shown = server.open(&driver, "%0").await;
    shown.control.watched(true);
    let fit = TmuxAction::Fit { window: "@0".into(), cols: 61, rows: 17 };
    assert!(shown.act(fit).await.windows[0].fitted);
    // It comes back at once.
    shown.control.watched(false);
    shown.control.watched(true);
    shown
        .until("the fitted size", |heard| heard.layouts.last().unwrap().windows[0].cols == 61)
        .await;
    shown.control.watched(false);
    shown.until("its end", |heard| !heard.layouts.last().unwrap().windows[0].fitted).await;
}

#[tokio::test]
async fn a_pane_that_starts_again_gets_a_window_of_its_session() {
    let server = TestServer::start();
    let driver = server.driver();
    let shown = server.open(&driver, "%0").await;
    shown.until("a layout", |heard| !heard.layouts.is_empty()).await;
    let spec = |session: &str| TmuxSpec {
        session: Some(session.to_owned()),
        new_window: true,
        ..TmuxSpec::default()
    };
    let beside = server.start_session(&driver, spec("work")).await;
    beside
        .until("both windows", |heard| {
            heard.layouts.last().is_some_and(|it| panes(it) == [["%0"], ["%1"]])
        })
        .await;
    let opened = [shown.opener.panes(), beside.opener.panes()].concat();
    assert_eq!(opened, [""; 0], "it is not opened twice");
    let anew = server.start_session(&driver, spec("gone")).await;
    anew.until("its session", |heard| heard.layouts.last().is_some_and(|it| it.name == "gone"))
        .await;
}

#[tokio::test]
async fn a_pane_whose_session_was_removed_is_opened_when_asked() {
    let server = TestServer::start();
    server.tmux(&["split-window", "-t", "%0"]);
    let driver = server.driver();
    let shown = server.open(&driver, "%0").await;
    opened(&shown, &["%1"]).await;
    shown.act(TmuxAction::Open { pane: "%1".into() }).await;
    opened(&shown, &["%1", "%1"]).await;
    server.tmux(&["set-option", "-g", "remain-on-exit", "on"]);
    server.tmux(&["respawn-pane", "-k", "-t", "%1", "true"]);
    shown
        .until("the dead pane", |heard| {
            heard.layouts.last().unwrap().windows[0].panes.iter().any(|pane| pane.dead)
        })
        .await;
    let open = TmuxQuestion::Act(TmuxAction::Open { pane: "%1".into() });
    let TmuxAnswer::Failed(why) = shown.control.tmux(open).await else { panic!() };
    assert!(why.message.contains("has ended"), "{why:?}");
}
