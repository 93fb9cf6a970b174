//! Little data that would become much: a relay decompresses nothing that it is sent.

use anyhow::{Context as _, Result, ensure};
use moorline_shared::publish::SUBPROTOCOL;
use moorline_tests::expected;
use moorline_tests::relay::{Relay, TOKEN};
use moorline_tests::stand_in::{ControlLink, hosted};
use reqwest::Method;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::head_of;

/// `{}` as gzip.
const GZIP: [u8; 22] =
    [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0xae, 5, 0, 0x43, 0xbf, 0xa6, 0xa3, 2, 0, 0, 0];

#[tokio::test]
async fn a_compressed_body_is_not_decompressed() -> Result<()> {
    let relay = Relay::start().await?;
    for encoding in ["gzip", "deflate", "br", "zstd", "gzip, gzip"] {
        let request = relay.api().request(Method::POST, "/api/sessions");
        let request = request.header(CONTENT_TYPE, "application/json");
        let answer = request.header(CONTENT_ENCODING, encoding).body(GZIP.to_vec()).send().await?;
        ensure!(answer.status() == 400, "{} to {encoding}", answer.status());
    }
    ensure!(relay.api().list().await?.is_empty(), "a compressed body started a session");
    Ok(())
}

#[tokio::test]
async fn no_socket_agrees_to_compression() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let (host, published) = ("stand_in".parse()?, "published_1".parse()?);
    let _control = ControlLink::welcomed(&relay, &host, vec![hosted(&published, 7)]).await?;
    let more = format!(
        "authorization: Bearer {TOKEN}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-protocol: {SUBPROTOCOL}\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-extensions: permessage-deflate; client_max_window_bits\r\n"
    );
    for path in [
        format!("/sessions/{session}/stream"),
        format!("/api/terminal/ws/{session}"),
        format!("/api/session/{session}/events"),
        "/acp".to_owned(),
        "/claude/api/claude/chat".to_owned(),
        format!("/sessions/{published}/publish"),
        "/hosts/another_host/control".to_owned(),
    ] {
        let head = head_of(&relay, &path, &more).await.with_context(|| path.clone())?;
        ensure!(head.starts_with("HTTP/1.1 101 "), "{path}: {head}");
        let head = head.to_lowercase();
        ensure!(!head.contains("sec-websocket-extensions"), "{path}: {head}");
    }
    Ok(())
}
