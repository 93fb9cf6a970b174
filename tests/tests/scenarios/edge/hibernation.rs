//! Objects that sleep while their sockets stay open.

use std::time::Duration;

use anyhow::{Context as _, Error, Result, bail, ensure};
use moorline_shared::id::SessionId;
use moorline_tests::digest::Digest;
use moorline_tests::expected;
use moorline_tests::follower::{Follower, Following, Seen};
use moorline_tests::relay::Relay;
use moorline_tests::stand_in::Honest;
use moorline_tests::wire::{Greeting, Wire};
use reqwest::Method;
use serde_json::json;

use super::{plain, ready, with};

/// workerd puts an object to sleep that had no event for ten seconds.
const SLEEP: Duration = Duration::from_secs(12);

/// How a reader of this session presents itself, who may not type.
async fn reading(relay: &Relay, session: &SessionId) -> Result<Greeting> {
    let wish = json!({ "scope": format!("session:{session}:read") });
    let made = relay.api().expect(201, Method::POST, "/api/tokens", wish).await?;
    let token = made["token"].as_str().context("it is shown once")?.to_owned();
    Ok(Greeting { bearer: Some(token), ..Greeting::extended() })
}

fn on_one_connection(seen: &Seen, output: &str) -> Result<()> {
    ensure!(seen.digest == Digest::of(output.as_bytes()), "{}", seen.describe());
    ensure!(seen.dials == 1 && seen.closes.is_empty(), "{}", seen.describe());
    ensure!(seen.troubles.is_empty() && seen.clears == 0, "{}", seen.describe());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_stays_one_though_memory_goes_at_every_tenth_event() -> Result<()> {
    let relay = with(&[("MOORLINE_FORGETS", "0.1")]).await?;
    let (session, writer) = ready(&relay, expected::counter(), 1).await?;
    let greeting = reading(&relay, &session).await?;
    let mut wire = Wire::connect(&relay, &session, &greeting).await?;
    wire.resume(Some("a_reader_1")).await?;
    wire.skip_to("resumed").await?;
    for _ in 0..20 {
        wire.send_input(1, b"typed\r").await?;
        let refused = wire.skip_to("error").await?;
        ensure!(refused["code"] == "read_only", "{refused}");
    }
    // Nor did anything of it reach the program.
    writer.type_input("by another\r");
    let (_, output) = wire.read_until("by another\r\n").await?;
    ensure!(output.ends_with("1:by another\r\n"), "{output:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_there_before_the_sleep_goes_on_after_it() -> Result<()> {
    let relay = plain().await?;
    let session: SessionId = "sleeping_1".parse()?;
    let mut host = Honest::publish(&relay, &"stand_in".parse()?, &session, 7).await?;
    host.put_out("before\r\n").await?;
    host.until_durable().await?;
    let following = Following::new(relay.address(), &session, 1);
    let client_id = following.client_id.clone();
    let greeting = reading(&relay, &session).await?;
    let reading = Following { greeting, ..Following::new(relay.address(), &session, 2) };
    let (follower, reader) = tokio::select! {
        followers = async {
            Ok::<_, Error>((Follower::live(following).await?, Follower::live(reading).await?))
        } => followers?,
        end = host.serve() => bail!("{end:?}"),
    };
    follower.type_input("one\r");
    host.until_typed(&client_id, b"one\r").await?;
    follower.until("the line to be taken", |seen| seen.pending == 0).await?;
    let asked = host.asked();
    // Whatever asked meanwhile whether it sleeps would wake it.
    tokio::time::sleep(SLEEP).await;
    host.put_out("after\r\n").await?;
    // That it does not know where the host stands is what tells that it slept.
    host.until_asked(asked + 1).await?;
    host.until_durable().await?;
    for follower in [&follower, &reader] {
        follower.until("what came after", |seen| seen.contains("after\r\n")).await?;
    }
    follower.type_input("two\r");
    host.until_typed(&client_id, b"one\rtwo\r").await?;
    follower.until("the line to be taken", |seen| seen.pending == 0).await?;
    on_one_connection(&follower.seen(), "after\r\n")?;
    on_one_connection(&reader.seen(), "after\r\n")
}
