//! A host that is away, of sessions whose objects begin anew meanwhile.

use anyhow::{Result, ensure};
use moorline_shared::id::SessionId;
use moorline_shared::rest::CreateSession;
use moorline_shared::session::Lifecycle;
use moorline_tests::elsewhere::Elsewhere;
use moorline_tests::expected;
use moorline_tests::follower::{Follower, Following};
use moorline_tests::proxy::Proxy;
use moorline_tests::relay::Relay;
use moorline_tests::wait::wait_until;
use moorline_tests::wire::{Greeting, Wire};
use reqwest::Method;
use serde_json::{Value, json};

use super::{is_exact, plain, until_ready};

/// A host behind a network that can be cut, and a session of it.
struct Away {
    relay: Relay,
    network: Proxy,
    host: Elsewhere,
    session: SessionId,
}

impl Away {
    async fn prepare() -> Result<Self> {
        let relay = plain().await?;
        let network = Proxy::start(relay.address()).await?;
        let host = Elsewhere::start(&relay, network.url(), "host_two").await?;
        let wish = CreateSession {
            command: Some(expected::counter()),
            cols: Some(80),
            rows: Some(24),
            host: Some("host_two".parse()?),
            ..CreateSession::default()
        };
        let session = relay.api().create(&wish).await?.session_id;
        Ok(Self { relay, network, host, session })
    }

    async fn follow(&self, seed: u64) -> Result<Follower> {
        let following = Following::new(self.relay.address(), &self.session, seed);
        let follower = Follower::live(following).await?;
        until_ready(&follower).await?;
        Ok(follower)
    }

    async fn leave(&self) -> Result<()> {
        self.network.refuse(true);
        self.host.until_connected(&self.relay, false).await?;
        self.until(Lifecycle::Detached).await
    }

    /// All that is in memory goes, while the host is away.
    async fn deploy(&mut self) -> Result<()> {
        self.relay.kill().await?;
        self.relay.launch().await
    }

    async fn come_back(&self) -> Result<()> {
        self.network.refuse(false);
        self.host.until_connected(&self.relay, true).await?;
        self.until(Lifecycle::Live).await
    }

    async fn until(&self, lifecycle: Lifecycle) -> Result<()> {
        let api = self.relay.api();
        wait_until(&format!("the session to be {lifecycle:?}"), async || {
            let status = api.status(&self.session).await;
            status.is_ok_and(|status| status.summary.lifecycle == lifecycle)
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_host_a_session_shows_what_it_has_and_says_so() -> Result<()> {
    let mut away = Away::prepare().await?;
    let follower = away.follow(1).await?;
    follower.type_input("one\r");
    follower.until("the line", |seen| seen.contains("1:one\r\n")).await?;
    follower.until("the line to be taken", |seen| seen.pending == 0).await?;
    let shown = follower.seen().shown();
    // What is not, its host still has, and shows when it is back.
    away.relay.until_stored(&["1:one"]).await?;
    away.leave().await?;
    away.deploy().await?;
    let (relay, session) = (&away.relay, &away.session);

    // Who comes now sees the same, and what there is of the log.
    let late = Follower::start(Following::new(relay.address(), session, 2));
    late.until("the last screen", |seen| seen.shown() == shown).await?;
    let output = format!("/api/terminal/{session}/output");
    let output = relay.api().expect(200, Method::GET, &output, Value::Null).await?;
    ensure!(output.to_string().contains("1:one"), "{output}");

    // It is told so, and what it types is refused by that name.
    let mut wire = Wire::connect(relay, session, &Greeting::extended()).await?;
    let meta = wire.expect("session-meta").await?;
    ensure!(meta["lifecycle"] == "detached", "{meta}");
    wire.resume(Some("no_patience")).await?;
    let resumed = wire.skip_to("resumed").await?;
    ensure!(resumed["inputSeq"].is_null(), "{resumed}");
    wire.send_input(1, b"refused\r").await?;
    let refused = wire.skip_to("error").await?;
    ensure!(refused["code"] == "host_offline", "{refused}");
    let prompt = format!("/api/session/{session}/prompt");
    let body = json!({ "command": "refused" });
    let refused = relay.api().expect(503, Method::POST, &prompt, body).await?;
    ensure!(refused["code"] == "host_offline", "{refused}");

    away.come_back().await?;
    let code = wire.close_code().await?;
    ensure!(code == 1001, "who was refused is told with {code} to begin anew");
    follower.type_input("two\r");
    late.until("the next line", |seen| seen.contains("2:two\r\n")).await?;
    follower.until("the next line", |seen| seen.contains("2:two\r\n")).await?;
    let seen = follower.seen();
    let output = expected::counted(&["one", "two"].map(str::to_owned));
    ensure!(is_exact(&seen, output.as_bytes()), "{}", seen.describe());
    ensure!(seen.troubles.is_empty() && seen.clears == 0, "{}", seen.describe());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_host_is_typed_once_when_it_is_back() -> Result<()> {
    let mut away = Away::prepare().await?;
    let follower = away.follow(1).await?;
    away.leave().await?;
    let mut lines = Vec::new();
    for number in 1..=6 {
        let line = format!("held {number}");
        follower.type_input(format!("{line}\r"));
        lines.push(line);
        if number % 2 == 0 {
            away.deploy().await?;
        }
        // Some go to an object that remembers those before, and some to one that does not.
    }
    away.come_back().await?;
    let all = expected::counted(&lines);
    follower.until("every line", |seen| seen.contains("6:held 6\r\n")).await?;
    follower.until("every line to be taken", |seen| seen.pending == 0).await?;
    follower.type_input("and on\r");
    follower.until("the next line", |seen| seen.contains("7:and on\r\n")).await?;
    let seen = follower.seen();
    ensure!(seen.contains(&all), "{}", seen.describe());
    ensure!(!seen.contains("8:"), "{}", seen.describe());
    ensure!(seen.troubles.is_empty() && seen.clears == 0, "{}", seen.describe());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_host_outlives_a_deployment() -> Result<()> {
    let mut away = Away::prepare().await?;
    let follower = away.follow(1).await?;
    away.leave().await?;
    let line = "held over a deployment".to_owned();
    follower.type_input(format!("{line}\r"));
    away.relay.until_stored(&[&line]).await?;
    // Its client never comes back.
    drop(follower);
    away.deploy().await?;
    away.come_back().await?;
    let late = Follower::start(Following::new(away.relay.address(), &away.session, 2));
    let typed = format!("1:{line}");
    late.until("the line", |seen| seen.shown().lines.contains(&typed)).await
}
