//! Many readers, and slow ones.

use anyhow::{Context as _, Result, ensure};
use moorline_tests::crowd::{Crowd, Shape};
use moorline_tests::expected::{self, Flood};
use moorline_tests::relay::{Kind, Relay, TOKEN};
use moorline_tests::sse::{Sse, events_of};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// What one session may take beside the sockets, and then some: its log in memory.
const MEMORY_BYTES: u64 = 64 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn everyone_gets_everything_in_the_same_order() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let session = api.run_ready(expected::counter()).await?;
    let mut readers = Vec::new();
    for _ in 0..8 {
        let mut reader = Sse::live(&api, &session).await?;
        reader.skip_to("session-status").await?;
        readers.push(reader);
    }
    for _ in 1..=50 {
        api.prompt(&session, "x").await?;
    }
    let mut outputs = Vec::new();
    for reader in &mut readers {
        outputs.push(reader.output(Some("50:x\r\n")).await?);
    }
    let first = outputs.first().context("there are readers")?;
    for output in &outputs {
        ensure!(output.bytes == first.bytes && output.marks == first.marks, "{output:?}");
        ensure!(output.others == first.others, "{output:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_takes_nothing_costs_nothing_and_slows_nobody() -> Result<()> {
    const FLOOD: Flood = Flood { lines: 6_000_000 };
    let relay = Relay::start().await?;
    let api = relay.api();
    let session = api.run_ready(FLOOD.command()).await?;
    let before = relay.usage()?.rss_bytes;
    let mut idle = Vec::new();
    for _ in 0..4 {
        let mut socket = TcpStream::connect(relay.address()).await?;
        let path = events_of(&session);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n",
            relay.address()
        );
        socket.write_all(request.as_bytes()).await?;
        idle.push(socket);
    }
    let mut reader = Sse::live(&api, &session).await?;
    reader.skip_to("session-status").await?;
    api.prompt(&session, "go").await?;
    let output = reader.output(Some(Flood::END)).await?;
    ensure!(output.bytes == FLOOD.output(), "{} bytes", output.bytes.len());
    let grown = relay.usage()?.rss_bytes.saturating_sub(before);
    // workerd collects its garbage late; without a bound each reader would have all of the flood
    // wait there, too.
    let allowed = if relay.kind() == Kind::Edge { 160 << 20 } else { MEMORY_BYTES };
    ensure!(grown < allowed, "the relay grew by {} MiB", grown >> 20);
    drop(idle);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_gets_every_event() -> Result<()> {
    let relay = Relay::start().await?;
    let shape = Shape { sessions: 20, clients: 200, rounds: 10, pause_ms: 300 };
    let crowd = Crowd::gather(&relay, shape).await?;
    let before = relay.usage()?.rss_bytes;
    let report = crowd.watch().await?;
    ensure!(report.errors == 0, "{report:?}");
    ensure!(report.delivered == report.expected, "{report:?}");
    let grown = relay.usage()?.rss_bytes.saturating_sub(before);
    ensure!(grown < MEMORY_BYTES, "the relay grew by {} MiB", grown >> 20);
    Ok(())
}
