//! Rules for every page, at every width and in both schemes.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use moorline_tests::expected;
use moorline_tests::relay::Relay;
use moorline_tests::wait::wait_until;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::chromium::{Browser, Tab};

const WIDTHS: [i64; 2] = [1280, 360];

/// A finding of axe, as short as it can be repaired by.
#[derive(Debug, Deserialize)]
struct Finding {
    impact: Option<String>,
    id: String,
    help: String,
    nodes: Vec<String>,
}

const SCAN: &str = "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
    violations.map(({ impact, id, help, nodes }) => ({
        impact, id, help,
        nodes: nodes.map(({ html, failureSummary }) => `${html.slice(0, 200)} ${failureSummary}`),
    })))";

fn axe() -> Result<String> {
    let path = "../client/node_modules/axe-core/axe.min.js";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path)
        .with_context(|| format!("there is no {}: run `cargo xtask setup`", path.display()))
}

/// Each page of ours with something on it, and what shows that it is drawn.
async fn pages(relay: &Relay) -> Result<Vec<(String, String)>> {
    let api = relay.api();
    let made = api.expect(201, Method::POST, "/api/projects", json!({"name": "notes"})).await?;
    let project = &made["project"]["id"];
    let mut ids = Vec::new();
    for (name, project) in [("by itself", &Value::Null), ("a session of a project", project)] {
        let wish = json!({"name": name, "command": expected::counter(), "project": project});
        let created = api.expect(201, Method::POST, "/api/sessions", wish).await?;
        ids.push(created["sessionId"].as_str().context("no id")?.to_owned());
    }
    let (by_itself, of_project) = (ids[0].clone(), &ids[1]);
    api.prompt(&of_project.parse()?, "hello").await?;
    let project = project.as_str().context("no id")?;
    let named = "document.body.innerText.includes('a session of a project')".to_owned();
    let live = "document.querySelector('[data-testid=status]')?.dataset.state === 'live'";
    Ok(vec![
        ("/sessions".to_owned(), named.clone()),
        (format!("/sessions?project={project}"), named.clone()),
        (format!("/session/{of_project}"), named),
        (format!("/terminal/{by_itself}"), live.to_owned()),
    ])
}

async fn drawn(tab: &Tab, path: &str, sign: &str) -> Result<()> {
    wait_until(&format!("{path} to be drawn"), async || {
        tab.evaluate::<bool>(sign).await.is_ok_and(|drawn| drawn)
    })
    .await
}

/// What axe finds on a page that is drawn, at every width and in both schemes.
async fn scan(tab: &Tab, path: &str, axe: &str) -> Result<Vec<String>> {
    tab.evaluate::<bool>(&format!("{axe}; true")).await?;
    let mut found = Vec::new();
    for width in WIDTHS {
        tab.resize(width, 800, false).await?;
        for scheme in ["dark", "light"] {
            tab.prefer_scheme(scheme).await?;
            for Finding { impact, id, help, nodes } in tab.evaluate::<Vec<Finding>>(SCAN).await? {
                if matches!(impact.as_deref(), Some("serious" | "critical")) {
                    let nodes = nodes[..nodes.len().min(3)].join("\n  ");
                    found.push(format!("{path} at {width}, {scheme}: {id}: {help}\n  {nodes}"));
                }
            }
        }
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_accessible() -> Result<()> {
    let relay = Relay::start().await?;
    let pages = pages(&relay).await?;
    let axe = axe()?;
    Browser::run("every_page_is_accessible", async |browser| {
        let mut found = Vec::new();
        for (path, sign) in &pages {
            let tab = browser.open(&format!("{}{path}", relay.url())).await?;
            match drawn(&tab, path, sign).await {
                Ok(()) => found.extend(scan(&tab, path, &axe).await?),
                // The findings of the others are of use all the same.
                Err(error) => found.push(format!("{error:#}")),
            }
        }
        ensure!(found.is_empty(), "{}", found.join("\n"));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_fits_a_narrow_screen() -> Result<()> {
    let relay = Relay::start().await?;
    let mut pages = pages(&relay).await?;
    // Swagger UI's: nothing of ours to scan, but it must be shown. Where a path may be broken is
    // marked by characters that take no room.
    let paths = "document.body.innerText.replaceAll('\u{200b}', '').includes('/api/sessions')";
    pages.push(("/docs/api".to_owned(), paths.to_owned()));
    Browser::run("every_page_fits_a_narrow_screen", async |browser| {
        for (path, sign) in &pages {
            let tab = browser.open(&format!("{}{path}", relay.url())).await?;
            for phone in [false, true] {
                tab.resize(360, 740, phone).await?;
                drawn(&tab, path, sign).await?;
                let fits =
                    "document.documentElement.scrollWidth <= innerWidth && innerWidth === 360";
                wait_until(&format!("{path} to fit"), async || {
                    tab.evaluate::<bool>(fits).await.is_ok_and(|fits| fits)
                })
                .await?;
            }
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_on_two_sessions_never_mix() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let mut sessions = Vec::new();
    for name in ["first one", "second one"] {
        let wish = json!({"name": name, "command": expected::counter()});
        let created = api.expect(201, Method::POST, "/api/sessions", wish).await?;
        sessions.push(created["sessionId"].as_str().context("no id")?.to_owned());
    }
    Browser::run("two_tabs_on_two_sessions_never_mix", async |browser| {
        let mut tabs = Vec::new();
        for id in &sessions {
            tabs.push(browser.open(&format!("{}/session/{id}", relay.url())).await?);
        }
        api.prompt(&sessions[0].parse()?, "to-the-first").await?;
        api.prompt(&sessions[1].parse()?, "to-the-second").await?;
        let shows = |text: &str| format!("document.body.innerText.includes({})", json!(text));
        for (tab, own, other) in [
            (&tabs[0], "1:to-the-first", "to-the-second"),
            (&tabs[1], "1:to-the-second", "to-the-first"),
        ] {
            drawn(tab, own, &shows(own)).await?;
            ensure!(!tab.evaluate::<bool>(&shows(other)).await?, "{other} is on the page of {own}");
        }
        // The address alone tells: the same tab on the other session shows the other one.
        tabs[0].go_to(&format!("{}/session/{}", relay.url(), sessions[1])).await?;
        drawn(&tabs[0], "the other session", &shows("1:to-the-second")).await?;
        ensure!(!tabs[0].evaluate::<bool>(&shows("to-the-first")).await?);
        Ok(())
    })
    .await
}
