//! The page of a tmux session, and the picker that opens one, with a real tmux.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use moorline_shared::rest::CreateSession;
use moorline_shared::tmux::TmuxSpec;
use moorline_tests::relay::{Kind, Relay, Setup};
use moorline_tests::wait::wait_until;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{look, steering};
use crate::chromium::{Browser, Tab};

/// Control and Shift.
const CHORD: i64 = 2 + 8;
/// The panes on the page, with what they show.
const PANES: &str = "Object.fromEntries([...document.querySelectorAll('[data-testid=tmux-pane]')]
    .map(pane => [pane.dataset.pane, pane.querySelector('.xterm-rows')?.innerText ?? '']))";

/// The user's default tmux server, in a folder of its own. It ends when this is dropped.
struct DefaultServer(TempDir);

impl DefaultServer {
    /// Starts it with a session `work` of two windows. The first one has two panes.
    fn start() -> Result<Self> {
        let server = Self(TempDir::with_prefix("moorline-tmux-")?);
        let shell = "env PS1='$ ' sh";
        let size = ["-x", "100", "-y", "24"];
        let new = ["-f", "/dev/null", "new-session", "-d", "-s", "work", "-n", "first"];
        server.run(&[&new[..], &size[..], &[shell]].concat())?;
        server.run(&["set-option", "-g", "default-command", shell])?;
        server.run(&["split-window", "-h", "-t", "work:0"])?;
        server.run(&["new-window", "-d", "-t", "work:", "-n", "second"])?;
        Ok(server)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        command.env("TMUX_TMPDIR", self.0.path()).env_remove("TMUX");
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command().args(arguments).output().context("tmux cannot be run")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{arguments:?}: {said}");
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// A relay whose own host sees the server.
    async fn relay(&self) -> Result<Relay> {
        let folder = self.0.path().to_string_lossy().into_owned();
        let variables = vec![("TMUX_TMPDIR".to_owned(), folder)];
        Relay::start_with(Setup { variables, ..Setup::default() }).await
    }

    async fn until(&self, what: &str, arguments: &[&str], right: &str) -> Result<()> {
        let is_right = async || self.run(arguments).is_ok_and(|said| said == right);
        let waited = wait_until(what, is_right).await;
        waited.with_context(|| format!("{:?}", self.run(arguments)))
    }
}

impl Drop for DefaultServer {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.command().arg("kill-server").output();
    }
}

async fn until_panes(tab: &Tab, what: &str, right: &str) -> Result<()> {
    let waited = tab.until(what, &format!("(panes => {right})({PANES})")).await;
    let instead: Value = tab.evaluate(PANES).await?;
    waited.with_context(|| instead.to_string())
}

async fn until_focus(tab: &Tab, pane: &str) -> Result<()> {
    let there = format!(
        "(() => {{
            const focused = document.querySelector('[data-testid=tmux-pane].focused');
            return focused?.dataset.pane === '{pane}'
                && focused.contains(document.activeElement)
                && location.pathname === `/terminal/${{focused.dataset.session}}`;
        }})()"
    );
    tab.until(&format!("the focus in {pane}"), &there).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tmux_session_is_opened_from_the_picker_and_steered() -> Result<()> {
    let server = DefaultServer::start()?;
    let relay = server.relay().await?;
    Browser::run("a_tmux_session_is_opened_and_steered", async |browser| {
        let tab = browser.open(&format!("{}/sessions", relay.url())).await?;
        tab.until_there("[data-testid=from-tmux]").await?;
        tab.press("t").await?;
        steering::until_shown(&tab, "[data-testid=tmux-session]", "2 windows").await?;
        let found = look::scan(&tab, "the picker", &look::axe()?).await?;
        ensure!(found.is_empty(), "{}", found.join("\n"));
        tab.resize(1280, 800, false).await?;
        tab.click("[data-testid=tmux-session] [data-testid=tmux-open]").await?;

        // The active pane of its current window has the focus, and both are live.
        until_panes(&tab, "both panes", "panes['%0']?.includes('$') && panes['%1']?.includes('$')")
            .await?;
        until_focus(&tab, "%1").await?;
        tab.type_text("echo ri''ght\n").await?;
        until_panes(&tab, "the right pane's output", "panes['%1'].includes('\\nright')").await?;
        tab.click("[data-pane='%0']").await?;
        until_focus(&tab, "%0").await?;
        tab.type_text("echo le''ft\n").await?;
        until_panes(&tab, "the left pane's output", "panes['%0'].includes('\\nleft')").await?;
        let active = ["display-message", "-p", "-t", "work", "#{pane_id}"];
        server.until("tmux's active pane to follow", &active, "%0").await?;
        let apart = "(() => {
            const [left, right] = ['%0', '%1'].map(pane =>
                document.querySelector(`[data-pane=\"${pane}\"]`).getBoundingClientRect());
            return left.right <= right.left + 1 && left.top === right.top;
        })()";
        ensure!(tab.evaluate::<bool>(apart).await?, "the panes are not side by side");
        let found = look::scan(&tab, "the tmux page", &look::axe()?).await?;
        ensure!(found.is_empty(), "{}", found.join("\n"));
        tab.resize(1280, 800, false).await?;

        // A new pane gets the focus, and its own session the address.
        tab.click("[data-testid=split-below]").await?;
        until_panes(&tab, "the new pane", "panes['%3']?.includes('$')").await?;
        until_focus(&tab, "%3").await?;
        tab.type_text("echo be''low\n").await?;
        until_panes(&tab, "its output", "panes['%3'].includes('\\nbelow')").await?;
        tab.reload().await?;
        until_focus(&tab, "%3").await?;

        // A zoomed pane is alone.
        tab.chord("Z", "KeyZ", 90, CHORD).await?;
        until_panes(&tab, "the zoomed pane", "Object.keys(panes).join() === '%3'").await?;
        tab.chord("Z", "KeyZ", 90, CHORD).await?;
        until_panes(&tab, "all panes again", "Object.keys(panes).length === 3").await?;

        // Closing asks, and says what ends.
        tab.chord("X", "KeyX", 88, CHORD).await?;
        steering::until_shown(&tab, "[data-testid=tmux-dialog]", "This ends").await?;
        tab.click("[data-testid=tmux-confirm]").await?;
        until_panes(&tab, "the pane to go", "Object.keys(panes).length === 2").await?;
        tab.until(
            "the focus in a pane that is there",
            "document.querySelector('.tmux-pane.focused .xterm') !== null",
        )
        .await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_are_tabs_and_the_page_follows_tmux() -> Result<()> {
    let server = DefaultServer::start()?;
    let relay = server.relay().await?;
    let tmux = TmuxSpec { session: Some("work".into()), ..TmuxSpec::default() };
    let wish = CreateSession { tmux: Some(tmux), ..CreateSession::default() };
    let id = relay.api().create(&wish).await?.session_id;
    Browser::run("windows_are_tabs", async |browser| {
        let tab = browser.open(&format!("{}/terminal/{id}", relay.url())).await?;
        steering::until_shown(&tab, "[data-testid=tmux-tabs]", "second").await?;
        tab.click("[data-testid=tmux-tab]:nth-child(2)").await?;
        until_panes(&tab, "the second window", "panes['%2']?.includes('$')").await?;
        until_focus(&tab, "%2").await?;
        let current = ["display-message", "-p", "-t", "work:", "#{window_id}"];
        server.until("tmux's current window", &current, "@1").await?;
        // Somebody else goes to the first window, and gives it another name.
        server.run(&["select-window", "-t", "work:0"])?;
        server.run(&["rename-window", "-t", "work:0", "again"])?;
        until_panes(&tab, "the first window", "'%0' in panes && '%1' in panes").await?;
        steering::until_shown(&tab, "[data-testid=tmux-tab][aria-selected=true]", "again").await?;

        // The window takes the size of the page, and only when asked.
        let size = ["display-message", "-p", "-t", "work:0", "#{window_width}"];
        ensure!(server.run(&size)? == "100", "the page has resized it");
        tab.click("[data-testid=fit]").await?;
        tab.until(
            "the pressed button",
            "document.querySelector('[data-testid=fit]').ariaPressed === 'true'",
        )
        .await?;
        ensure!(server.run(&size)? != "100", "it was not resized");
        tab.click("[data-testid=fit]").await?;
        tab.until(
            "the button",
            "document.querySelector('[data-testid=fit]').ariaPressed === 'false'",
        )
        .await?;

        // On a narrow page, one pane at a time.
        tab.resize(390, 780, true).await?;
        until_panes(&tab, "one pane", "Object.keys(panes).length === 1").await?;
        let fits = "document.documentElement.scrollWidth <= innerWidth && innerWidth === 390";
        tab.until("the page to fit", fits).await?;
        tab.click("[data-testid=pane-choice][aria-pressed=false]").await?;
        until_panes(&tab, "the other pane", "Object.keys(panes).length === 1").await?;
        tab.resize(1280, 800, false).await?;

        // The title follows the name of the tmux session.
        for name in ["play", "work"] {
            server.run(&["rename-session", "-t", "$0", name])?;
            tab.until("the title", &format!("document.title.startsWith('{name} pane')")).await?;
        }

        // The list has the panes together.
        tab.go_to(&format!("{}/sessions", relay.url())).await?;
        steering::until_shown(&tab, "[data-testid=tmux-group]", "work").await?;
        steering::until_shown(&tab, "[data-testid=tmux-group]", "3 panes").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_note_about_a_killed_host_goes_once_it_is_back() -> Result<()> {
    let server = DefaultServer::start()?;
    let mut relay = server.relay().await?;
    if relay.kind() == Kind::InProcess {
        return Ok(());
    }
    let tmux = TmuxSpec { pane: Some("%0".into()), ..TmuxSpec::default() };
    let wish = CreateSession { tmux: Some(tmux), ..CreateSession::default() };
    let id = relay.api().create(&wish).await?.session_id;
    Browser::run("the_note_about_a_killed_host", async |browser| {
        let tab = browser.open(&format!("{}/terminal/{id}", relay.url())).await?;
        until_panes(&tab, "both panes", "panes['%0']?.includes('$') && panes['%1']?.includes('$')")
            .await?;
        let note = "document.querySelector('[data-testid=host-note]:not([hidden])')";
        let pill = "document.querySelector('[data-testid=status]').dataset.tone";
        for round in 0..5 {
            relay.kill_host().await?;
            tab.until("the note", &format!("{note} !== null")).await?;
            relay.launch_host().await?;
            let is_back = format!("{note} === null && {pill} === 'live'");
            tab.until("the note to go", &is_back).await?;
            tab.type_text(&format!("echo ro''und{round}\n")).await?;
            let output = format!("panes['%0'].includes('\\nround{round}')");
            until_panes(&tab, "the output", &output).await?;
        }
        drop(tab.take_complaints());
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_one_session_sees_its_pane_alone() -> Result<()> {
    let server = DefaultServer::start()?;
    let relay = server.relay().await?;
    let tmux = TmuxSpec { pane: Some("%1".into()), ..TmuxSpec::default() };
    let wish = CreateSession { tmux: Some(tmux), ..CreateSession::default() };
    let id = relay.api().create(&wish).await?.session_id;
    let wish = json!({ "scope": format!("session:{id}:write") });
    let made = relay.api().expect(201, Method::POST, "/api/tokens", wish).await?;
    let token = made["token"].as_str().context("no token")?.to_owned();
    Browser::run("a_token_of_one_session", async |browser| {
        let address = format!("{}/terminal/{id}#token={token}", relay.url());
        let tab = browser.open_exactly(&address).await?;
        // Of two windows, the one of the pane, without a way to the panes beside it.
        let alone = "document.querySelectorAll('[data-testid=tmux-tab]').length === 1
            && document.querySelector('[data-testid=pane-switcher]') === null
            && document.querySelector('[data-testid=split-right]') === null";
        tab.until("a bar of its own", alone).await?;
        until_panes(&tab, "its pane", "Object.keys(panes).join() === '%1'").await?;
        tab.type_text("echo mi''ne\n").await?;
        until_panes(&tab, "its output", "panes['%1'].includes('\\nmine')").await?;
        // The browser says which connections were refused.
        drop(tab.take_complaints());
        Ok(())
    })
    .await
}
