//! The ends of panes, servers and hosts.

use moorline_shared::session::{ExitReason, ExitStatus};
use moorline_shared::tmux::TmuxSpec;

use super::server::{TestServer, pane_spec, wait_until};

#[tokio::test]
async fn a_pane_ends_with_its_program() {
    let server = TestServer::start();
    server.tmux(&["split-window", "-t", "%0"]);
    let driver = server.driver();
    let shown = server.open(&driver, "%1").await;
    shown.until_text("$ ").await;
    shown.type_in(b"echo good''bye; exit\r").await;
    shown.until("the end", |heard| heard.end.is_some()).await;
    shown.until_text("goodbye").await;
    assert_eq!(shown.heard(|heard| heard.errors.clone()), [""; 0]);
    let closed = Some(ExitReason::PaneClosed.into());
    assert_eq!(shown.heard(|heard| heard.end.clone()), closed);
}

#[tokio::test]
async fn a_dead_pane_tells_how_its_program_has_ended() {
    let server = TestServer::start();
    server.tmux(&["set-option", "-g", "remain-on-exit", "on"]);
    let driver = server.driver();
    let shown = server.open(&driver, "%0").await;
    shown.until_text("$ ").await;
    shown.type_in(b"exit 3\r").await;
    shown.until("the end", |heard| heard.end.is_some()).await;
    let code = Some(ExitStatus { code: Some(3), signal: None, reason: None });
    assert_eq!(shown.heard(|heard| heard.end.clone()), code);
    let refused = server.refused(&driver, pane_spec("%0")).await.to_string();
    assert_eq!(refused, "the program of the pane %0 has ended");
}

#[tokio::test]
async fn a_server_that_is_killed_is_told() {
    let server = TestServer::start();
    let driver = server.driver();
    let shown = server.open(&driver, "%0").await;
    shown.until_text("$ ").await;
    server.tmux(&["kill-server"]);
    shown.until("the end", |heard| heard.end.is_some()).await;
    assert_eq!(shown.heard(|heard| heard.errors.clone()), ["tmux_ended"]);
    let ended = Some(ExitReason::ServerEnded.into());
    assert_eq!(shown.heard(|heard| heard.end.clone()), ended);
    assert!(!shown.control.writable().await);
}

#[tokio::test]
async fn a_session_goes_on_if_tmux_disconnects_it() {
    let server = TestServer::start();
    let driver = server.driver();
    let shown = server.open(&driver, "%0").await;
    shown.until_text("$ ").await;
    for round in 0..3 {
        server.tmux(&["detach-client", "-s", "work"]);
        shown.type_in(format!("echo round''{round}\r").as_bytes()).await;
        shown.until_text(&format!("round{round}")).await;
    }
    let heard = shown.heard(|heard| heard.sizes.len());
    assert_eq!(heard, 1, "the pipe goes on, so the pane is not drawn anew");
}

#[tokio::test]
async fn closing_a_session_leaves_the_pane_as_it_was() {
    let server = TestServer::start();
    let driver = server.driver();
    let shown = server.open(&driver, "%0").await;
    shown.until_text("$ ").await;
    shown.control.close();
    shown.until("the end", |heard| heard.end.is_some()).await;
    let format = "#{pane_dead} #{pane_pipe} #{session_attached} #{@moorline_pipe}";
    wait_until("the connection ends", || {
        server.tmux(&["display-message", "-p", "-t", "%0", format]) == "0 0 0 "
    })
    .await;
    let sockets = || std::fs::read_dir(server.file("tmux")).unwrap().count();
    wait_until("the pipe's socket is removed", || sockets() == 0).await;
    // It can be opened again.
    let shown = server.open(&driver, "%0").await;
    shown.until_text("$ ").await;
}

#[tokio::test]
async fn a_pane_is_shown_again_after_its_host() {
    let server = TestServer::start();
    let driver = server.driver();
    let shown = server.open(&driver, "%0").await;
    shown.until_text("$ ").await;
    shown.type_in(b"echo be''fore\r").await;
    shown.until_text("before").await;
    let checkpoint = shown.checkpoint();
    drop((shown, driver));
    let driver = server.driver();
    let shown = server.restore(&driver, "%0", checkpoint.clone()).await.unwrap();
    shown.until_text("before").await;
    shown.type_in(b"echo af''ter\r").await;
    shown.until_text("after").await;
    drop((shown, driver));
    // Another server numbers its panes anew.
    server.tmux(&["kill-server"]);
    wait_until("the server has ended", || {
        std::os::unix::net::UnixStream::connect(server.socket()).is_err()
    })
    .await;
    server.tmux(&["-f", "/dev/null", "new-session", "-d", "-s", "work", "sh"]);
    let driver = server.driver();
    let error = server.restore(&driver, "%0", checkpoint).await.err().unwrap().to_string();
    assert_eq!(error, "the pane's tmux server is not running any more");
}

#[tokio::test]
async fn what_cannot_be_opened_says_why() {
    let server = TestServer::start();
    let driver = server.driver();
    let refused = server.refused(&driver, pane_spec("%9")).await;
    assert_eq!(refused.code(), "bad_request");
    assert_eq!(refused.to_string(), "the tmux server has no pane %9: it may have been closed");
    let _shown = server.open(&driver, "%0").await;
    let refused = server.refused(&driver, pane_spec("%0")).await.to_string();
    assert_eq!(refused, "the session session_1 shows the pane %0 already");
    let by_name = TmuxSpec { session: Some("work".into()), ..TmuxSpec::default() };
    let refused = server.refused(&driver, by_name).await.to_string();
    assert_eq!(refused, "the session session_1 shows the pane %0 already");
    server.tmux(&["kill-server"]);
    let refused = server.refused(&driver, pane_spec("%0")).await.to_string();
    let expected =
        "no tmux server is running on this socket: start one, or open a new tmux session";
    assert_eq!(refused, expected);
}
