//! A text that somebody edits while others change the file: nothing that was written is lost.

use anyhow::{Result, ensure};
use moorline_shared::rest::CreateSession;
use moorline_tests::expected;
use moorline_tests::proxy::Proxy;
use moorline_tests::relay::Relay;
use moorline_tests::wait::wait_until;
use tempfile::TempDir;

use super::super::steering::until_shown;
use super::{
    TEXT, open, open_file, row, save, type_at_end, until_live, until_text, until_view, workspace,
};
use crate::chromium::Browser;

#[tokio::test(flavor = "multi_thread")]
async fn a_text_follows_its_file_until_it_is_edited() -> Result<()> {
    let relay = Relay::start().await?;
    let files = workspace(&relay, &[("notes.md", "one\n")]).await?;
    Browser::run("a_text_follows_its_file", async |browser| {
        let tab = open(browser, &relay.url(), &files).await?;
        open_file(&tab, "notes.md").await?;
        until_text(&tab, "one\n").await?;
        // Unedited, it is what the file is.
        files.put("notes.md", "one\ntwo\n").await?;
        until_text(&tab, "one\ntwo\n").await?;
        until_view(&tab, "saved").await?;
        type_at_end(&tab, "three").await?;
        until_view(&tab, "edited").await?;
        save(&tab).await?;
        until_view(&tab, "saved").await?;
        files.until_content("notes.md", b"one\ntwo\nthree").await?;
        // It goes away and comes back.
        files.delete("notes.md").await?;
        until_view(&tab, "text-gone").await?;
        files.put("notes.md", "new\n").await?;
        until_text(&tab, "new\n").await?;
        // A new file and a new folder appear, and what is in it.
        files.put("src/main.rs", "fn main() {}\n").await?;
        tab.click(&row("src")).await?;
        tab.until_there(&row("src/main.rs")).await?;
        files.delete("src").await?;
        tab.until_gone(&row("src")).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_save_shows_both_versions_and_saves_a_merge() -> Result<()> {
    let relay = Relay::start().await?;
    let files = workspace(&relay, &[("list.txt", "milk\nbread\neggs\n")]).await?;
    Browser::run("a_stale_save_shows_both", async |browser| {
        // The relay's refusal of the stale save is on the console.
        browser.expect_bad_network();
        let tab = open(browser, &relay.url(), &files).await?;
        tab.resize(1280, 800, false).await?;
        open_file(&tab, "list.txt").await?;
        until_text(&tab, "milk\nbread\neggs\n").await?;
        type_at_end(&tab, "tea").await?;
        until_view(&tab, "edited").await?;
        files.put("list.txt", "oat milk\nbread\neggs\n").await?;
        until_view(&tab, "conflict").await?;
        // Both are there, side by side, and saving does not overwrite.
        save(&tab).await?;
        until_shown(&tab, "[data-testid=editor] .cm-merge-a", "oat milk").await?;
        until_shown(&tab, "[data-testid=editor] .cm-merge-b", "tea").await?;
        files.until_content("list.txt", b"oat milk\nbread\neggs\n").await?;
        // The other's change is taken over, and the merge saved.
        tab.click("[data-testid=editor] .cm-merge-revert button").await?;
        until_shown(&tab, "[data-testid=editor] .cm-merge-b", "oat milk").await?;
        tab.click("[data-testid=save-merge]").await?;
        files.until_content("list.txt", b"oat milk\nbread\neggs\ntea").await?;
        until_view(&tab, "saved").await?;
        until_text(&tab, "oat milk\nbread\neggs\ntea").await?;
        tab.until_gone("[data-testid=file-conflict]").await?;

        // Or mine is given up.
        type_at_end(&tab, "\ncoffee").await?;
        until_view(&tab, "edited").await?;
        files.put("list.txt", "nothing").await?;
        until_view(&tab, "conflict").await?;
        tab.click("[data-testid=take-theirs]").await?;
        until_text(&tab, "nothing").await?;
        until_view(&tab, "saved").await?;
        files.until_content("list.txt", b"nothing").await?;

        // A file that is deleted leaves the text that somebody has typed.
        type_at_end(&tab, "ness").await?;
        until_view(&tab, "edited").await?;
        files.delete("list.txt").await?;
        until_view(&tab, "deleted").await?;
        until_text(&tab, "nothingness").await?;
        tab.click("[data-testid=save-anyway]").await?;
        files.until_content("list.txt", b"nothingness").await?;
        until_view(&tab, "saved").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_survives_a_reload_and_the_end_of_its_file() -> Result<()> {
    let relay = Relay::start().await?;
    let files = workspace(&relay, &[("a.txt", "a"), ("b.txt", "b\r\n")]).await?;
    Browser::run("a_draft_survives", async |browser| {
        let tab = open(browser, &relay.url(), &files).await?;
        open_file(&tab, "a.txt").await?;
        until_text(&tab, "a").await?;
        type_at_end(&tab, " draft").await?;
        until_view(&tab, "edited").await?;
        // Another file is opened, and this one again.
        open_file(&tab, "b.txt").await?;
        until_text(&tab, "b\n").await?;
        tab.until_there(&format!("{} .files-mark", row("a.txt"))).await?;
        open_file(&tab, "a.txt").await?;
        until_text(&tab, "a draft").await?;
        tab.reload().await?;
        // The address names the open file.
        until_text(&tab, "a draft").await?;
        until_view(&tab, "edited").await?;
        // It was changed while the page was away.
        tab.go_to("about:blank").await?;
        files.put("a.txt", "a of somebody else").await?;
        tab.go_to(&format!("{}/workspace/{}?file=a.txt", relay.url(), files.id)).await?;
        until_view(&tab, "conflict").await?;
        tab.go_to("about:blank").await?;
        files.delete("a.txt").await?;
        tab.go_to(&format!("{}/workspace/{}", relay.url(), files.id)).await?;
        tab.click("[data-testid=lost-draft]").await?;
        until_view(&tab, "deleted").await?;
        until_text(&tab, "a draft").await?;
        tab.click("[data-testid=discard-mine]").await?;
        tab.until_gone("[data-testid=lost-drafts]").await?;
        // Lines end as they did.
        open_file(&tab, "b.txt").await?;
        until_text(&tab, "b\n").await?;
        type_at_end(&tab, "c\n").await?;
        until_view(&tab, "edited").await?;
        save(&tab).await?;
        files.until_content("b.txt", b"b\r\nc\r\n").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_saved_once_the_relay_is_back() -> Result<()> {
    let relay = Relay::start().await?;
    let files = workspace(&relay, &[("a.txt", "one")]).await?;
    let tunnel = Proxy::start(relay.address()).await?;
    Browser::run("a_text_is_saved_once_the_relay_is_back", async |browser| {
        browser.expect_bad_network();
        let tab = open(browser, &tunnel.url(), &files).await?;
        open_file(&tab, "a.txt").await?;
        until_text(&tab, "one").await?;
        type_at_end(&tab, " two").await?;
        until_view(&tab, "edited").await?;
        tunnel.refuse(true);
        save(&tab).await?;
        until_view(&tab, "waiting").await?;
        until_shown(&tab, "[data-testid=file-state]", "the relay is away").await?;
        files.until_content("a.txt", b"one").await?;
        // What is typed meanwhile is kept, too.
        type_at_end(&tab, " three").await?;
        until_text(&tab, "one two three").await?;
        tunnel.refuse(false);
        until_live(&tab).await?;
        wait_until("the text in the workspace", async || {
            files
                .read("a.txt")
                .await
                .is_ok_and(|now| now.is_some_and(|now| now.starts_with(b"one two")))
        })
        .await?;
        // A change that nobody could tell this page is found.
        tunnel.refuse(true);
        files.put("b.txt", "b").await?;
        tunnel.refuse(false);
        tab.until_there(&row("b.txt")).await.map(drop)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_beside_the_terminal_and_follow_it() -> Result<()> {
    let relay = Relay::start().await?;
    let files = workspace(&relay, &[("read me.txt", "hello\n")]).await?;
    let folder = TempDir::new()?;
    let wish = CreateSession {
        command: Some(expected::shell()),
        cwd: Some(folder.path().to_string_lossy().into_owned()),
        workspace: Some(files.id.parse()?),
        ..CreateSession::default()
    };
    let session = relay.api().create(&wish).await?.session_id;
    Browser::run("files_are_beside_the_terminal", async |browser| {
        let tab = browser.open(&format!("{}/terminal/{session}", relay.url())).await?;
        tab.resize(1280, 800, false).await?;
        tab.until_state("live").await?;
        tab.click("[data-testid=files-button]").await?;
        tab.until_there(&row("read me.txt")).await?;
        until_live(&tab).await?;
        // What the program writes is there, and what is saved here is in its folder.
        tab.click("[data-testid=terminal]").await?;
        tab.type_text("echo made > made.txt; mkdir d; echo in > d/in.txt\n").await?;
        tab.until_there(&row("made.txt")).await?;
        open_file(&tab, "made.txt").await?;
        until_text(&tab, "made\n").await?;
        tab.click("[data-testid=terminal]").await?;
        tab.type_text("echo more >> made.txt\n").await?;
        until_text(&tab, "made\nmore\n").await?;
        type_at_end(&tab, "mine\n").await?;
        save(&tab).await?;
        let path = folder.path().join("made.txt");
        wait_until("the text in the folder", async || {
            std::fs::read(&path).is_ok_and(|now| now == b"made\nmore\nmine\n")
        })
        .await?;
        // The terminal and the tree are side by side, and on a phone one covers the other.
        let beside = "(() => {
            const [stage, files] = ['main.stage', '[data-testid=files-beside]'].map(selector =>
                document.querySelector(selector).getBoundingClientRect());
            return stage.width > 300 && files.width > 300 && stage.right <= files.left + 1;
        })()";
        ensure!(tab.evaluate::<bool>(beside).await?, "they are not side by side");
        // The panel is still there after a reload.
        tab.reload().await?;
        tab.until_there(&row("made.txt")).await?;
        tab.resize(390, 780, true).await?;
        let covers =
            "document.querySelector('[data-testid=files-beside]').offsetWidth >= innerWidth - 1";
        tab.until("the files over the terminal", covers).await?;
        tab.click("[data-testid=hide-files]").await?;
        tab.until_gone("[data-testid=files-beside]").await?;
        ensure!(tab.evaluate::<String>(TEXT).await?.is_empty());
        Ok(())
    })
    .await
}
