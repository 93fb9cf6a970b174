//! Everything breaks at random: relay, host, links and clients are killed and come back. What was
//! typed is typed once, and what is put out is applied byte for byte.
//!
//! `MOORLINE_CHAOS_SECONDS` says for how long, `MOORLINE_CHAOS_SEED` in which order.

use std::time::Duration;

use anyhow::{Result, ensure};
use moorline_shared::id::SessionId;
use moorline_shared::link::Status;
use moorline_shared::session::Lifecycle;
use moorline_tests::digest::Digest;
use moorline_tests::expected::Flood;
use moorline_tests::follower::{Follower, Following};
use moorline_tests::proxy::Proxy;
use moorline_tests::random::Random;
use moorline_tests::relay::{Kind, Relay, Setup};
use moorline_tests::wait::wait_until;
use tokio::time::Instant;

/// A round is one session's life.
const FLOOD: Flood = Flood { lines: 400_000 };
const PARTS: u64 = 20;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A session, who follows it, and how much of its output was asked for.
struct Round {
    session: SessionId,
    proxy: Proxy,
    /// Sees everything from the beginning, over one client's life.
    steady: Follower,
    /// Comes anew now and then.
    visitor: Follower,
    visits: u64,
    asked: u64,
}

impl Round {
    async fn begin(relay: &Relay, visits: u64) -> Result<Self> {
        let session = relay.api().run_ready(FLOOD.command_in_parts(PARTS)).await?;
        let proxy = Proxy::start(relay.address()).await?;
        let steady = Follower::live(Following::new(proxy.address(), &session, 1)).await?;
        let visitor = Follower::start(Following::new(relay.address(), &session, visits));
        Ok(Self { session, proxy, steady, visitor, visits, asked: 0 })
    }

    fn ask(&mut self) {
        if self.asked < PARTS {
            self.asked += 1;
            self.steady.type_input("\r");
        }
    }

    /// All parts come, each once.
    async fn finish(mut self) -> Result<u64> {
        while self.asked < PARTS {
            self.ask();
        }
        let output = FLOOD.output();
        let whole = Digest::of(&output);
        let arrived = |follower: &Follower| follower.seen().contains(Flood::END);
        self.steady.until_end("all of it", |seen| seen.digest.bytes() >= whole.bytes()).await?;
        ensure!(self.steady.seen().digest == whole, "{}", self.steady.seen().describe());
        ensure!(self.steady.seen().troubles.is_empty(), "{:?}", self.steady.seen().troubles);
        let shown = self.steady.seen().shown();
        wait_until("the visitor to see the same", async || {
            arrived(&self.visitor) || self.visitor.seen().shown() == shown
        })
        .await?;
        ensure!(self.visitor.seen().shown() == shown, "{}", self.visitor.seen().describe());
        Ok(whole.bytes())
    }

    /// The host is dead, and the session with it: what came of it is a true beginning.
    async fn lose(self, relay: &Relay) -> Result<u64> {
        wait_until("the session to be lost", async || {
            let status = relay.api().status(&self.session).await;
            status.is_ok_and(|status| status.summary.lifecycle == Lifecycle::Lost)
        })
        .await?;
        let ended = |status: &Status| matches!(status, Status::Ended(_));
        self.steady.until("the end", |seen| ended(&seen.status)).await?;
        let output = FLOOD.output();
        let seen = self.steady.seen();
        let part = usize::try_from(seen.digest.bytes())?.min(output.len());
        ensure!(seen.digest == Digest::of(&output[..part]), "{}", seen.describe());
        Ok(seen.digest.bytes())
    }

    fn visit(&mut self, relay: &Relay) {
        self.visits += 1;
        self.visitor = Follower::start(Following::new(relay.address(), &self.session, self.visits));
    }
}

#[expect(clippy::print_stderr, reason = "a long run is for its figures")]
#[tokio::test(flavor = "multi_thread")]
async fn whatever_dies_nothing_is_lost_and_nothing_comes_twice() -> Result<()> {
    let duration = Duration::from_secs(number("MOORLINE_CHAOS_SECONDS", 12));
    let mut random = Random::new(number("MOORLINE_CHAOS_SEED", 1));
    // At the edge an object loses its memory at this share of its events besides.
    let forgets = ("MOORLINE_FORGETS".to_owned(), "0.003".to_owned());
    let setup = Setup { variables: vec![forgets], ..Setup::default() };
    let mut relay = Relay::start_with(setup).await?;
    let (started, mut bytes, mut deeds) = (Instant::now(), 0, [0_u32; 5]);
    let mut round = Round::begin(&relay, 2).await?;
    while started.elapsed() < duration {
        // Some things happen while others still do.
        tokio::time::sleep(Duration::from_millis(random.between(0, 400))).await;
        let deed = random.between(0, 12);
        match deed {
            0 => {
                relay.kill().await?;
                relay.launch().await?;
                deeds[0] += 1;
            }
            2..=3 => {
                round.proxy.cut();
                deeds[1] += 1;
            }
            4 => {
                round.visit(&relay);
                deeds[2] += 1;
            }
            5 if relay.kind() == Kind::Edge && random.between(0, 4) == 0 => {
                let visits = round.visits + 1;
                relay.kill_host().await?;
                relay.launch_host().await?;
                bytes += round.lose(&relay).await?;
                round = Round::begin(&relay, visits).await?;
                deeds[3] += 1;
            }
            _ => round.ask(),
        }
        if round.asked == PARTS {
            let visits = round.visits + 1;
            bytes += round.finish().await?;
            round = Round::begin(&relay, visits).await?;
            deeds[4] += 1;
        }
    }
    bytes += round.finish().await?;
    let [kills, cuts, visits, hosts, rounds] = deeds;
    eprintln!(
        "{bytes} bytes, exact: relay killed {kills} times, links cut {cuts}, clients \
         anew {visits}, host killed {hosts}, {rounds} whole rounds"
    );
    Ok(())
}
