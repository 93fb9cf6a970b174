//! What pages look like: at every width, in both schemes and in forced colours.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use moorline_tests::expected;
use moorline_tests::relay::Relay;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{steering, terminals};
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

pub(super) fn axe() -> Result<String> {
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
        ("/access".to_owned(), "document.querySelector('[data-testid=audit]') !== null".to_owned()),
    ])
}

async fn drawn(tab: &Tab, path: &str, sign: &str) -> Result<()> {
    tab.until(&format!("{path} to be drawn"), sign).await
}

/// What axe finds on a page that is drawn, at every width and in both schemes.
pub(super) async fn scan(tab: &Tab, path: &str, axe: &str) -> Result<Vec<String>> {
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
                tab.until(&format!("{path} to fit"), fits).await?;
            }
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_can_be_told_apart() -> Result<()> {
    let relay = Relay::start().await?;
    let script = "printf '\\033[7mreversed\\033[m ready'; cat";
    let session = relay.api().run_ready(["sh", "-c", script].map(str::to_owned).to_vec()).await?;
    Browser::run("colours_can_be_told_apart", async |browser| {
        let tab = terminals::terminal(browser, &relay, &session).await?;
        tab.until_text("ready").await?;
        for scheme in ["dark", "light"] {
            tab.prefer("prefers-color-scheme", scheme).await?;
            // Text in reverse is as plain as other text.
            let contrast = "(() => {
                const light = (colour) => {
                    const [r, g, b] = colour.match(/[0-9.]+/g).map(part => {
                        const value = part / 255;
                        return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
                    });
                    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
                };
                const span = [...document.querySelectorAll('.xterm-rows span')]
                    .find(span => span.textContent.includes('reversed'));
                const { color, backgroundColor } = getComputedStyle(span);
                const [a, b] = [light(color), light(backgroundColor)].sort((a, b) => b - a);
                return (a + 0.05) / (b + 0.05);
            })()";
            let contrast: f64 = tab.evaluate(contrast).await?;
            ensure!(contrast > 10.0, "{contrast} in {scheme}");
        }
        // Where the system decides the colours.
        tab.prefer("forced-colors", "active").await?;
        let differs = |selector: &str, pseudo: &str| {
            format!(
                "(() => {{
                    const seen = document.querySelector('{selector}');
                    const style = getComputedStyle(seen, '{pseudo}');
                    const ground = getComputedStyle(document.body).backgroundColor;
                    return style.backgroundColor !== ground && style.backgroundColor !== 'rgba(0, 0, 0, 0)'
                        || style.borderTopColor !== ground && style.borderTopWidth !== '0px'
                        || style.outlineStyle !== 'none';
                }})()"
            )
        };
        tab.click("[data-testid=terminal]").await?;
        ensure!(tab.evaluate::<bool>(&differs(".xterm-cursor", "")).await?, "no cursor");
        ensure!(tab.evaluate::<bool>(&differs("[data-testid=status]", "::before")).await?, "no dot");
        tab.click("[data-testid=switcher-button]").await?;
        tab.until_there("[data-testid=switcher]").await?;
        let list = browser.open(&format!("{}/sessions", relay.url())).await?;
        list.prefer("forced-colors", "active").await?;
        list.until_there("[data-testid=session-row]").await?;
        ensure!(list.evaluate::<bool>(&differs("[data-testid=session-state]", "::before")).await?);
        list.press("x").await?;
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_name_leaves_a_dialogs_buttons_in_reach() -> Result<()> {
    let relay = Relay::start().await?;
    let wish = json!({"name": "a very long name ".repeat(8).trim()});
    relay.api().expect(201, Method::POST, "/api/projects", wish).await?;
    Browser::run("a_long_name_leaves_a_dialogs_buttons_in_reach", async |browser| {
        let tab = browser.open(&format!("{}/sessions", relay.url())).await?;
        steering::until_shown(&tab, "[data-testid=sidebar]", "a very long name").await?;
        for width in [1200, 380] {
            tab.resize(width, 700, false).await?;
            tab.click("[data-testid=create-custom]").await?;
            let within = "(() => {
                const dialog = document.querySelector('dialog[open]');
                const button = dialog?.querySelector('[data-testid=start]');
                return !!button && dialog.scrollWidth <= dialog.clientWidth
                    && button.getBoundingClientRect().right <= dialog.getBoundingClientRect().right;
            })()";
            tab.until("the button within the dialog", within).await?;
            tab.press("Escape").await?;
            tab.until("the dialog to close", "!document.querySelector('dialog[open]')").await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_chosen_can_be_read_in_forced_colours() -> Result<()> {
    let relay = Relay::start().await?;
    let _one = steering::shell(&relay, "north").await?;
    Browser::run("what_is_chosen_can_be_read_in_forced_colours", async |browser| {
        let tab = browser.open(&format!("{}/sessions", relay.url())).await?;
        steering::until_shown(&tab, "main", "north").await?;
        tab.prefer("forced-colors", "active").await?;
        steering::press_with_control(&tab, "k").await?;
        tab.until_there("[data-testid=palette-field]").await?;
        tab.type_text("north").await?;
        let alike = "(() => {
            const chosen = document.querySelector('.picker-option[aria-selected=true]');
            const colour = (part) => chosen && getComputedStyle(chosen.querySelector(part)).color;
            return !!chosen && colour('.picker-detail') === colour('.picker-title');
        })()";
        tab.until("one colour for all of what is chosen", alike).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_sticks_out_on_small_screens() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::shell()).await?;
    Browser::run("nothing_sticks_out_on_small_screens", async |browser| {
        let list = browser.open(&format!("{}/sessions", relay.url())).await?;
        list.until_there("[data-testid=session-row]").await?;
        let shown = terminals::terminal(browser, &relay, &session).await?;
        for (width, height, phone) in [(320, 480, false), (390, 844, true)] {
            for tab in [&list, &shown] {
                tab.resize(width, height, phone).await?;
                let fits = "document.documentElement.scrollWidth <= innerWidth";
                tab.until(&format!("the page to fit {width} pixels"), fits).await?;
                let width: i64 = tab.evaluate("innerWidth").await?;
                ensure!(width == 320 || width == 390, "the page is {width} wide");
            }
            // The program learns of the size, and goes on.
            shown.type_text("stty size\n").await?;
            shown
                .until_text_is("a narrow size", |text| {
                    let cols = text.lines().filter_map(|line| line.split_once(' ')?.1.parse().ok());
                    cols.collect::<Vec<u16>>().iter().any(|cols| (20..60).contains(cols))
                })
                .await?;
            if phone {
                shown.until_there("[data-testid=key-bar]").await?;
            }
        }
        Ok(())
    })
    .await
}
