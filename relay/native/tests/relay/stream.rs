//! Clients of a whole relay, on real sockets and real terminals.

use super::common::{Server, TOKEN};
use moorline_shared::id::Seq;
use moorline_shared::message::{
    CatchUp, ClientMessage, ErrorCode, Outcome, Resume, ServerMessage, close,
};
use tokio_tungstenite::tungstenite::{Error, Message};

fn resumed(message: ServerMessage) -> Option<Outcome> {
    match message {
        ServerMessage::Resumed(resumed) => Some(resumed.outcome),
        _ => None,
    }
}

fn exit(message: ServerMessage) -> Option<Option<i32>> {
    match message {
        ServerMessage::Exit { status, .. } => Some(status.code),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_is_run_and_the_exit_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let id = server.create("stty -echo; echo ready; read line; echo \"<$line>\"; exit 3").await;
    let mut follower = server.follow(&id).await;
    assert_eq!(follower.protocol.as_deref(), Some("moorline.v1"));
    let first = follower.message().await.unwrap();
    assert!(matches!(first, ServerMessage::SessionMeta(_)), "{first:?}");
    follower.resume(None, "client_1").await;
    assert_eq!(follower.until(resumed).await, Outcome::Continue);
    follower.type_piece(1, "hello\n").await;
    assert_eq!(follower.until(exit).await, Some(3));
    follower.until_closed().await;
    assert_eq!(follower.close_code, Some(close::NORMAL));
    assert!(follower.text().contains("<hello>"), "{}", follower.text());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_arrives_whole_and_survives_a_restart_of_the_relay() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let id = server.create("stty -opost; read go; seq 1 300000; echo end").await;
    let mut follower = server.follow(&id).await;
    follower.resume(None, "client_1").await;
    follower.until(resumed).await;
    follower.type_piece(1, "\n").await;
    assert_eq!(follower.until(exit).await, Some(0));
    let expected: String = (1..=300_000).map(|n| format!("{n}\n")).collect();
    let text = follower.text();
    assert!(text.ends_with(&format!("{expected}end\n")), "{} bytes", text.len());
    assert!(follower.seqs.iter().copied().eq(1..=follower.seqs.len() as u64));
    server.stop().await;

    let server = Server::start(folder.path()).await;
    let half = follower.seqs.len() as u64 / 2;
    let mut again = server.follow(&id).await;
    again.resume(Some(half), "client_1").await;
    assert_eq!(again.until(resumed).await, Outcome::Ended);
    assert_eq!(again.until(exit).await, Some(0));
    assert_eq!(again.seqs, follower.seqs[half as usize..]);
    assert!(text.ends_with(&again.text()));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_replays_misses_nothing_of_a_flood_whether_it_reads_along_or_comes_late() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    // More output than is kept in memory, and less than is retained.
    let id = server.create("stty -opost; read go; seq 1 1600000; echo end; exec sleep 1000").await;
    let bearer = format!("Bearer {TOKEN}");
    let mut along = server.connect(&id, &[("authorization", &bearer)]).await.unwrap();
    along.send_raw(Message::text(r#"{"type":"resume","lastSeq":0}"#)).await;
    let mut typist = server.follow(&id).await;
    typist.resume(None, "client_1").await;
    typist.until(resumed).await;
    typist.type_piece(1, "\n").await;
    let resume = |last_seq| {
        let (last_seq, catch_up) = (Some(Seq(last_seq)), Some(CatchUp::Replay));
        ClientMessage::Resume(Resume { last_seq, catch_up, ..Resume::default() })
    };
    let is_snapshot = |message: &ServerMessage| matches!(message, ServerMessage::Snapshot(_));
    while !along.output.ends_with(b"\nend\n") {
        let said = along.step_once().await;
        assert!(!said.as_ref().is_some_and(is_snapshot), "{said:?}");
    }
    assert!(along.seqs.iter().copied().eq(1..=along.seqs.len() as u64));
    let mut late = server.follow(&id).await;
    late.send(resume(2)).await;
    while !late.output.ends_with(b"\nend\n") {
        let said = late.step_once().await;
        assert!(!said.as_ref().is_some_and(is_snapshot), "{said:?}");
    }
    assert_eq!(late.seqs, along.seqs[2..]);
    assert!(along.output.ends_with(&late.output) && late.output.len() > 10_000_000);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_process_is_gone_is_lost_or_exited_never_new() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let id = server.create("echo before; exec sleep 1000").await;
    let mut follower = server.follow(&id).await;
    follower.resume(None, "client_1").await;
    follower.until(resumed).await;
    follower.until_text("before").await;
    let stopping = tokio::spawn(server.stop());
    follower.until_closed().await;
    assert_eq!(follower.close_code, Some(close::GOING_AWAY));
    stopping.await.unwrap();

    let server = Server::start(folder.path()).await;
    let (status, body) = server.request(&format!("GET /api/session/{id}/status"), "").await;
    assert_eq!(status, 200);
    assert!(body.contains("\"exited\"") && body.contains("SIGHUP"), "{body}");
    let mut again = server.follow(&id).await;
    again.resume(None, "client_1").await;
    let snapshot = again
        .until(|message| match message {
            ServerMessage::Snapshot(snapshot) => Some(snapshot),
            _ => None,
        })
        .await;
    assert!(String::from_utf8_lossy(&snapshot.data).contains("before"));
    assert_eq!(again.until(exit).await, None);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_ic1_gets_ic1() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let id = server.create("echo hello; exec sleep 1000").await;
    let bearer = format!("Bearer {TOKEN}");
    let mut follower = server.connect(&id, &[("authorization", &bearer)]).await.unwrap();
    let Some(ServerMessage::SessionMeta(meta)) = follower.message().await else {
        panic!("the session's facts come first")
    };
    assert_eq!(meta.extended, None);
    follower.send_raw(Message::text(r#"{"type":"resume","lastSeq":null}"#)).await;
    follower.send_raw(Message::text("no json")).await;
    let error = follower
        .until(|message| match message {
            ServerMessage::Error { code, message } => Some((code, message)),
            ServerMessage::State { seq: None, .. } => None,
            other => panic!("IC-1 has no {other:?}"),
        })
        .await;
    assert_eq!(error, (ErrorCode::BadMessage, "Invalid JSON".to_owned()));
    follower.send(ClientMessage::SnapshotRequest).await;
    let snapshot = follower.message().await;
    assert!(matches!(snapshot, Some(ServerMessage::Snapshot(_))), "{snapshot:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_follow_is_told_in_its_own_way() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let id = server.create("exec sleep 1000").await;
    let origin = format!("http://{}", server.address);
    let ours = format!("moorline.v1, moorline.bearer.{TOKEN}");
    let cases = [
        (id.as_str(), origin.as_str(), "moorline.v1, moorline.bearer.wrong", 401, 4401),
        (id.as_str(), origin.as_str(), "moorline.v1", 401, 4401),
        ("unknown12", origin.as_str(), ours.as_str(), 404, 4404),
        ("bad", origin.as_str(), ours.as_str(), 400, 4404),
        (id.as_str(), "http://evil.example", ours.as_str(), 403, 4403),
    ];
    for (id, origin, names, status, code) in cases {
        let headers = [("sec-websocket-protocol", names), ("origin", origin)];
        let mut browser = server.connect(id, &headers).await.unwrap();
        assert!(matches!(browser.until_closed().await, Some(ServerMessage::Error { .. })));
        assert_eq!(browser.close_code, Some(code), "{id} {origin} {names}");
        if code != 4403 {
            match server.connect(id, &headers[..1]).await {
                Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), status),
                other => panic!("{:?}", other.map(|_| "connected")),
            }
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_has_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let id = server.create("exec sleep 1000").await;
    let mut follower = server.follow(&id).await;
    follower.resume(None, "client_1").await;
    follower.until(resumed).await;
    let error = |message| match message {
        ServerMessage::Error { code, .. } => Some(code),
        _ => None,
    };
    follower.send_raw(Message::text("x".repeat(256 * 1024 + 1))).await;
    assert_eq!(follower.until(error).await, ErrorCode::TooLarge);
    follower.send_raw(Message::binary(vec![1; 65_536 + 9])).await;
    assert_eq!(follower.until(error).await, ErrorCode::BadMessage);
    for bytes in [512 * 1024 + 1, 8 * 1024 * 1024] {
        let mut follower = server.follow(&id).await;
        follower.resume(None, "client_2").await;
        follower.send_raw(Message::text("x".repeat(bytes))).await;
        follower.until_closed().await;
        assert_eq!(follower.close_code, Some(1009), "{bytes}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_client_again_takes_the_place_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let id = server.create("exec sleep 1000").await;
    let mut first = server.follow(&id).await;
    first.resume(None, "client_1").await;
    first.until(resumed).await;
    let mut second = server.follow(&id).await;
    second.resume(None, "client_1").await;
    second.until(resumed).await;
    first.until_closed().await;
    assert_eq!(first.close_code, Some(close::REPLACED));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_ends_the_process_and_the_streams() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let id = server.create("exec sleep 1000").await;
    let mut follower = server.follow(&id).await;
    follower.resume(None, "client_1").await;
    follower.until(resumed).await;
    let (status, body) = server.request(&format!("DELETE /api/session/{id}"), "").await;
    assert_eq!((status, body.contains("Session deleted")), (200, true), "{body}");
    follower.until_closed().await;
    assert_eq!(follower.close_code, Some(close::NOT_FOUND));
    let (status, _) = server.request(&format!("GET /api/session/{id}/status"), "").await;
    assert_eq!(status, 404);
    let (status, body) = server.request("GET /api/sessions", "").await;
    assert_eq!((status, body.contains(r#""total":0"#)), (200, true), "{body}");
    server.stop().await;
}
