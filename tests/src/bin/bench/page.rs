//! The page of an agent in a real browser: long conversations beside a short one, and a message that
//! grows, on one page and on many.

mod browser;

use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use moorline_shared::id::SessionId;
use moorline_tests::relay::TOKEN;
use moorline_tests::sse::Sse;
use serde::Deserialize;

use super::agents::{prompt, start};
use super::stage::Stage;
use super::table::{Table, Target, median};
use browser::{DrivenBrowser, DrivenPage};

/// Runs in each page before its own scripts.
const WATCH: &str = include_str!("page/watch.js");
/// Events of the conversations. The first is the baseline.
const EVENTS: [u64; 3] = [100, 10_000, 100_000];
/// Pages on one session.
const PAGES: usize = 10;
/// Milliseconds between the parts of a message that grows, and the bytes of each part.
const PART: (u64, u64) = (50, 500);

/// The last words of the conversation, and of the message that grows.
const LAST: &str = "All of it is said.";
const GROWN: &str = "It has grown.";

/// What a page says of itself.
#[derive(Debug, Deserialize)]
struct PageReport {
    /// The milliseconds of each task over 50 ms since the last report.
    long: Vec<f64>,
    /// Bytes of the files that it has loaded, as they were transferred.
    loaded: f64,
    /// Bytes that it has received over WebSockets.
    received: f64,
    /// Bytes of its JavaScript objects.
    heap: f64,
    /// Bytes of its WebAssembly program's memory.
    program: f64,
    elements: f64,
}

pub(crate) fn measure(stage: &mut Stage, table: &mut Table) -> Result<()> {
    for events in EVENTS {
        stage.renew()?;
        let session = start(stage, &stage.relay)?;
        said(stage, &session, &format!("talk {events}"))?;
        stage.settle()?;
        measure_opening(stage, table, &session, events)?;
        measure_growth(stage, table, &session, events)?;
    }
    stage.renew()?;
    measure_many(stage, table)
}

/// Sends a prompt, and waits until its turn is over.
fn said(stage: &Stage, session: &SessionId, text: &str) -> Result<()> {
    stage.block_on(async {
        let mut events = Sse::live(&stage.relay.api(), session).await?;
        prompt(&stage.relay, session, text).await?;
        until_over(&mut events).await
    })
}

/// Reads events until a turn is over, however many there are.
async fn until_over(events: &mut Sse) -> Result<()> {
    while let Some(told) = events.event().await? {
        if told.kind == "agent-turn" && told.data["state"] == "done" {
            return Ok(());
        }
    }
    bail!("the events have ended before the turn")
}

async fn opened(
    stage: &Stage,
    browser: &mut DrivenBrowser,
    session: &SessionId,
) -> Result<DrivenPage> {
    let page = browser.page(WATCH).await?;
    let address = format!("{}/session/{session}#token={TOKEN}", stage.relay.url());
    browser.open(&page, &address).await?;
    Ok(page)
}

/// Returns the milliseconds since its navigation at which a page has shown a text.
async fn until(browser: &mut DrivenBrowser, page: &DrivenPage, text: &str) -> Result<f64> {
    let time = browser.evaluate(page, &format!("seen.until({text:?})")).await?;
    time.as_f64().context("no time")
}

async fn report(browser: &mut DrivenBrowser, page: &DrivenPage) -> Result<PageReport> {
    Ok(serde_json::from_value(browser.evaluate(page, "seen.report()").await?)?)
}

fn measure_opening(
    stage: &Stage,
    table: &mut Table,
    session: &SessionId,
    events: u64,
) -> Result<()> {
    let (mut times, mut last) = (Vec::new(), None);
    let mut worst = Vec::new();
    stage.block_on(async {
        let mut browser = DrivenBrowser::launch().await?;
        for _ in 0..stage.scale.runs.min(3) {
            let page = opened(stage, &mut browser, session).await?;
            times.push(until(&mut browser, &page, LAST).await?);
            let report = report(&mut browser, &page).await?;
            worst.push(report.long.iter().copied().fold(0.0, f64::max));
            last = Some(report);
            browser.close(&page).await?;
        }
        anyhow::Ok(())
    })?;
    let report = last.context("nothing was opened")?;
    let name = format!("page of {events} events");
    for (what, value, unit) in [
        ("last message on the screen", median(times), "ms"),
        ("longest task", median(worst), "ms"),
        ("JavaScript's memory", report.heap / 1e6, "MB"),
        ("WebAssembly's memory", report.program / 1e6, "MB"),
        ("bytes of its files", report.loaded / 1e3, "KB"),
        ("bytes of the conversation", report.received / 1e3, "KB"),
        ("elements", report.elements, ""),
    ] {
        table.add(&format!("{name}, {what}"), value, unit, Target::None);
    }
    Ok(())
}

fn measure_growth(
    stage: &Stage,
    table: &mut Table,
    session: &SessionId,
    events: u64,
) -> Result<()> {
    let parts = stage.scale.page_parts;
    let (report, seconds) = stage.block_on(async {
        let mut browser = DrivenBrowser::launch().await?;
        let page = opened(stage, &mut browser, session).await?;
        until(&mut browser, &page, LAST).await?;
        report(&mut browser, &page).await?;
        let before = browser.script_seconds(&page).await?;
        prompt(&stage.relay, session, &grow(parts)).await?;
        until(&mut browser, &page, GROWN).await?;
        let seconds = browser.script_seconds(&page).await? - before;
        anyhow::Ok((report(&mut browser, &page).await?, seconds))
    })?;
    let name = format!("message of {} KB on it", parts * PART.1 / 1000);
    let per_part = seconds * 1e3 / parts as f64;
    table.add(&format!("{name}, page's time for a part"), per_part, "ms", Target::None);
    tasks(table, &format!("{name}, with {events} events"), &report.long);
    Ok(())
}

fn grow(parts: u64) -> String {
    format!("grow {} {parts} {}", PART.0, PART.1)
}

fn tasks(table: &mut Table, name: &str, long: &[f64]) {
    let worst = long.iter().copied().fold(0.0, f64::max);
    table.add(&format!("{name}, tasks over 50 ms"), long.len() as f64, "", Target::None);
    table.add(&format!("{name}, longest"), worst, "ms", Target::None);
}

/// Many pages on a session whose agent speaks.
fn measure_many(stage: &Stage, table: &mut Table) -> Result<()> {
    let parts = stage.scale.page_parts / 2;
    let session = start(stage, &stage.relay)?;
    said(stage, &session, "talk 100")?;
    let before = stage.settle()?.cpu;
    let (late, long) = stage.block_on(async {
        let mut browser = DrivenBrowser::launch().await?;
        let mut pages = Vec::new();
        for _ in 0..PAGES {
            let page = opened(stage, &mut browser, &session).await?;
            until(&mut browser, &page, LAST).await?;
            report(&mut browser, &page).await?;
            pages.push(page);
        }
        let mut events = Sse::live(&stage.relay.api(), &session).await?;
        prompt(&stage.relay, &session, &grow(parts)).await?;
        until_over(&mut events).await?;
        let ended = Instant::now();
        let mut long = Vec::new();
        for page in &pages {
            until(&mut browser, page, GROWN).await?;
            long.extend(report(&mut browser, page).await?.long);
        }
        anyhow::Ok((ended.elapsed(), long))
    })?;
    let cpu = stage.settle()?.cpu.saturating_sub(before);
    let name = format!("{PAGES} pages on one agent");
    let late = late.as_secs_f64() * 1e3;
    table.add(&format!("{name}, all show its end after"), late, "ms", Target::None);
    tasks(table, &name, &long);
    table.add(&format!("{name}, relay's CPU"), cpu.as_secs_f64() * 1e3, "ms", Target::None);
    Ok(())
}
