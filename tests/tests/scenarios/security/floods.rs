//! Clients that send as much as they can and read nothing.

use anyhow::{Result, ensure};
use bytes::Bytes;
use futures_util::SinkExt as _;
use moorline_tests::expected;
use moorline_tests::relay::{Kind, Relay};
use moorline_tests::wait::{PATIENCE, within};
use moorline_tests::wire::{Greeting, Wire, request};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

/// Bytes by which a relay may grow while it is flooded. At the edge, that includes what V8 has not collected yet.
const fn growth(kind: Kind) -> u64 {
    match kind {
        Kind::Native | Kind::InProcess => 32 << 20,
        Kind::Edge => 320 << 20,
    }
}

/// Messages of each flood. Unanswered ones stop earlier, once the connection takes no more.
const MESSAGES: usize = 200_000;

/// Sends a message again and again without reading, until the relay takes no more or hangs up.
async fn flood(
    relay: &Relay,
    path: &str,
    first: Option<String>,
    message: Message,
) -> Result<usize> {
    let stream = TcpStream::connect(relay.address()).await?;
    let request = request(&format!("ws://{}{path}", relay.address()), &Greeting::extended())?;
    let (mut socket, _) = within("the WebSocket to open", client_async(request, stream)).await??;
    if let Some(first) = first {
        socket.send(Message::text(first)).await?;
    }
    let mut sent = 0;
    let all = async {
        while sent < MESSAGES && socket.feed(message.clone()).await.is_ok() {
            sent += 1;
        }
        let _ = socket.flush().await;
    };
    // A relay may also stop reading, which is the end of it, too.
    let _ = timeout(PATIENCE / 10, all).await;
    Ok(sent)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_floods_costs_little_memory_and_holds_nobody_up() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let before = relay.usage()?.rss_bytes;
    let stream = format!("/sessions/{session}/stream");
    let resume = || Some(r#"{"type":"resume","lastSeq":null}"#.to_owned());
    let ping = || Message::text(r#"{"type":"ping","t":1}"#);
    for (path, first, message) in [
        (&*stream, None, Message::Ping(Bytes::from(vec![0; 125]))),
        (&stream, resume(), ping()),
        (&stream, resume(), Message::text(r#"{"type":"snapshot-request"}"#)),
        (&stream, resume(), Message::text("{")),
        (&stream, resume(), Message::binary(vec![0; 7])),
        ("/acp", None, Message::text(r#"{"jsonrpc":"2.0","id":1,"method":"x"}"#)),
        ("/claude/api/claude/chat", None, Message::text("{")),
    ] {
        let sent = flood(&relay, path, first, message.clone()).await?;
        ensure!(sent > 100, "{sent} of {message:?} to {path}");
        // Others are served meanwhile: that client has not gone away in an orderly manner.
        let mut wire = Wire::connect(&relay, &session, &Greeting::extended()).await?;
        wire.resume(None).await?;
        wire.read_until("ready").await?;
    }
    let grown = relay.usage()?.rss_bytes.saturating_sub(before);
    ensure!(grown < growth(relay.kind()), "the relay grew by {grown} bytes");
    Ok(())
}
