//! Everything breaks at random: relay, host, links, clients and a browser's page are killed and come
//! back. What was typed is typed once, and what is put out is applied byte for byte.
//!
//! `MOORLINE_CHAOS_SECONDS` says for how long, `MOORLINE_CHAOS_SEED` in which order.

use std::time::Duration;

use anyhow::{Result, ensure};
use moorline_shared::id::SessionId;
use moorline_shared::link::ClientStatus;
use moorline_shared::session::Lifecycle;
use moorline_tests::digest::Digest;
use moorline_tests::expected::Flood;
use moorline_tests::follower::{Follower, Following};
use moorline_tests::proxy::Proxy;
use moorline_tests::random::Random;
use moorline_tests::relay::{Kind, Relay, Setup, TOKEN};
use moorline_tests::wait::wait_until;
use tokio::time::Instant;

use super::chromium::{Browser, Tab};

/// A round is one session's life.
const FLOOD: Flood = Flood { lines: 400_000 };
const PARTS: u64 = 20;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The page in the browser.
struct Page<'browser> {
    tab: &'browser Tab,
    /// What its digest counts from, where it was not loaded again since.
    from: Option<u64>,
}

impl<'browser> Page<'browser> {
    async fn open(tab: &'browser Tab, proxy: &Proxy, session: &SessionId) -> Result<Self> {
        let address = format!("{}/terminal/{session}?digest#token={TOKEN}", proxy.url());
        tab.go_to(&address).await?;
        tab.until_state("live").await?;
        tab.until_text("ready").await?;
        Ok(Self { tab, from: Some(tab.applied().await?.from) })
    }

    async fn reload(&mut self) -> Result<()> {
        self.from = None;
        self.tab.reload().await?;
        // What is typed from now on must find the terminal.
        self.tab.until_there("[data-testid=terminal] textarea").await.map(|_| ())
    }

    /// It shows the end of the output, and has applied all of it where it saw all of it.
    async fn finish(self, whole: Digest) -> Result<()> {
        self.tab.until_text_is("the end", |text| text.ends_with(Flood::END)).await?;
        let applied = self.tab.applied().await?;
        let Some(from) = self.from else {
            let lines: Vec<u64> =
                self.tab.text().await?.lines().filter_map(|line| line.parse().ok()).collect();
            let last = (FLOOD.lines + 1 - lines.len() as u64..=FLOOD.lines).collect::<Vec<_>>();
            ensure!(lines.len() > 10 && lines == last, "the page shows {lines:?}");
            return Ok(());
        };
        ensure!(applied.from == from, "a snapshot took the place of output: {applied:?}");
        ensure!(applied.bytes == whole.bytes() && applied.digest == whole.hex(), "{applied:?}");
        Ok(())
    }
}

/// A session, who follows it, and how much of its output was asked for.
struct Round<'browser> {
    session: SessionId,
    proxy: Proxy,
    /// Sees everything from the beginning, over one client's life.
    steady: Follower,
    /// Comes anew now and then.
    visitor: Follower,
    page: Page<'browser>,
    visits: u64,
    asked: u64,
}

impl<'browser> Round<'browser> {
    async fn begin(relay: &Relay, tab: &'browser Tab, visits: u64) -> Result<Self> {
        let session = relay.api().run_ready(FLOOD.command_in_parts(PARTS)).await?;
        let proxy = Proxy::start(relay.address()).await?;
        let page = Page::open(tab, &proxy, &session).await?;
        let steady = Follower::live(Following::new(proxy.address(), &session, 1)).await?;
        let visitor = Follower::start(Following::new(relay.address(), &session, visits));
        Ok(Self { session, proxy, steady, visitor, page, visits, asked: 0 })
    }

    /// Asks for another part, by the client's typing or by the page's.
    async fn ask(&mut self) -> Result<()> {
        if self.asked == PARTS {
            return Ok(());
        }
        self.asked += 1;
        if self.asked.is_multiple_of(3) {
            return self.page.tab.press("Enter").await;
        }
        self.steady.type_input("\r");
        Ok(())
    }

    /// All parts come, each once.
    async fn finish(mut self) -> Result<u64> {
        while self.asked < PARTS {
            self.ask().await?;
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
        self.page.finish(whole).await?;
        Ok(whole.bytes())
    }

    /// The host is dead, and the session with it: what came of it is a true beginning.
    async fn lose(self, relay: &Relay) -> Result<u64> {
        wait_until("the session to be lost", async || {
            let status = relay.api().status(&self.session).await;
            status.is_ok_and(|status| status.summary.lifecycle == Lifecycle::Lost)
        })
        .await?;
        let ended = |status: &ClientStatus| matches!(status, ClientStatus::Ended(_));
        self.steady.until("the end", |seen| ended(&seen.status)).await?;
        self.page.tab.until_state("ended").await?;
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

/// What was done, how often.
#[derive(Debug, Default)]
struct Deeds {
    relay_killed: u32,
    host_killed: u32,
    links_cut: u32,
    clients_anew: u32,
    page_loaded: u32,
    whole_rounds: u32,
    bytes: u64,
}

#[expect(clippy::print_stderr, reason = "a long run is for its figures")]
#[tokio::test(flavor = "multi_thread")]
async fn whatever_dies_nothing_is_lost_and_nothing_comes_twice() -> Result<()> {
    let duration = Duration::from_secs(number("MOORLINE_CHAOS_SECONDS", 12));
    // At the edge an object loses its memory at this share of its events besides.
    let forgets = ("MOORLINE_FORGETS".to_owned(), "0.003".to_owned());
    let setup = Setup { variables: vec![forgets], ..Setup::default() };
    let mut relay = Relay::start_with(setup).await?;
    Browser::run("whatever_dies", async |browser| {
        browser.expect_bad_network();
        let tab = browser.open(&relay.url()).await?;
        let deeds = rage(&mut relay, &tab, duration).await?;
        eprintln!("exact: {deeds:?}");
        Ok(())
    })
    .await
}

async fn rage(relay: &mut Relay, tab: &Tab, duration: Duration) -> Result<Deeds> {
    let mut random = Random::new(number("MOORLINE_CHAOS_SEED", 1));
    let (started, mut deeds) = (Instant::now(), Deeds::default());
    let mut round = Round::begin(relay, tab, 2).await?;
    while started.elapsed() < duration {
        // Some things happen while others still do.
        tokio::time::sleep(Duration::from_millis(random.between(0, 400))).await;
        match random.between(0, 13) {
            0..=1 => {
                relay.kill().await?;
                relay.launch().await?;
                deeds.relay_killed += 1;
            }
            2..=3 => {
                round.proxy.cut();
                deeds.links_cut += 1;
            }
            4 => {
                round.visit(relay);
                deeds.clients_anew += 1;
            }
            5 if relay.kind() == Kind::Edge && random.between(0, 4) == 0 => {
                let visits = round.visits + 1;
                relay.kill_host().await?;
                relay.launch_host().await?;
                deeds.bytes += round.lose(relay).await?;
                round = Round::begin(relay, tab, visits).await?;
                deeds.host_killed += 1;
            }
            6 => {
                round.page.reload().await?;
                deeds.page_loaded += 1;
            }
            _ => round.ask().await?,
        }
        if round.asked == PARTS {
            let visits = round.visits + 1;
            deeds.bytes += round.finish().await?;
            round = Round::begin(relay, tab, visits).await?;
            deeds.whole_rounds += 1;
        }
    }
    deeds.bytes += round.finish().await?;
    Ok(deeds)
}
