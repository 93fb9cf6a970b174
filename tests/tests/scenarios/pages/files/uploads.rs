//! Files that are dropped, picked, downloaded, and refused.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use moorline_tests::proxy::Proxy;
use moorline_tests::relay::Relay;
use moorline_tests::wait::wait_until;
use tempfile::TempDir;

use super::super::steering::until_shown;
use super::{open, open_file, row, until_text, until_view, workspace};
use crate::chromium::{Browser, Tab};

/// A point over the tree.
const TREE: (f64, f64) = (120.0, 300.0);

async fn drop_there(tab: &Tab, files: &[PathBuf]) -> Result<()> {
    // A person's pointer is never still: what is drawn anew beneath it hears of it again.
    wait_until("the hint where they would go", async || {
        let is_there = "document.querySelector('[data-testid=drop-hint]') !== null";
        tab.drag_files(TREE, files).await.is_ok()
            && tab.evaluate::<bool>(is_there).await.is_ok_and(|there| there)
    })
    .await?;
    tab.drop_files(TREE, files).await?;
    tab.until_gone("[data-testid=drop-hint]").await
}

async fn until_uploaded(tab: &Tab, text: &str) -> Result<()> {
    until_shown(tab, "[data-testid=upload-state]", text).await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_folders_are_dropped_and_never_replace_others_unasked() -> Result<()> {
    let relay = Relay::start().await?;
    let files = workspace(&relay, &[("taken.txt", "theirs")]).await?;
    let folder = TempDir::new()?;
    let path = |name: &str| folder.path().join(name);
    fs::create_dir_all(path("pack/deep/er"))?;
    fs::create_dir(path("pack/empty"))?;
    fs::write(path("pack/deep/er/x.bin"), [0_u8, 159, 1])?;
    fs::write(path("pack/ä b#c.txt"), "text")?;
    fs::write(path("taken.txt"), "mine")?;
    Browser::run("files_and_folders_are_dropped", async |browser| {
        // The relay's refusals are on the console.
        browser.expect_bad_network();
        let tab = open(browser, &relay.url(), &files).await?;
        drop_there(&tab, &[path("pack"), path("taken.txt")]).await?;
        until_shown(&tab, "[data-testid=uploads-taken]", "taken.txt is there already").await?;
        files.until_content("pack/deep/er/x.bin", &[0, 159, 1]).await?;
        files.until_content("pack/%C3%A4%20b%23c.txt", b"text").await?;
        wait_until("the empty folder", async || {
            files.listing().await.is_ok_and(|all| all.contains_key("pack/empty"))
        })
        .await?;
        files.until_content("taken.txt", b"theirs").await?;
        tab.click("[data-testid=rename-taken]").await?;
        until_uploaded(&tab, "4 of 4 uploaded").await?;
        files.until_content("taken%20(2).txt", b"mine").await?;
        files.until_content("taken.txt", b"theirs").await?;
        tab.click("[data-testid=close-uploads]").await?;
        tab.until_gone("[data-testid=uploads]").await?;
        // Replaced only if somebody says so.
        drop_there(&tab, &[path("taken.txt")]).await?;
        tab.click("[data-testid=replace-taken]").await?;
        files.until_content("taken.txt", b"mine").await?;
        // The folder that was dropped is shown with what is in it.
        tab.click(&row("pack")).await?;
        tab.until_there(&row("pack/empty")).await?;
        open_file(&tab, "pack/ä b#c.txt").await?;
        until_text(&tab, "text").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_upload_says_which_file_and_what_to_do() -> Result<()> {
    let relay = Relay::start().await?;
    let files = workspace(&relay, &[("Readme.md", "r")]).await?;
    let limit = files.details().await?.limit_bytes;
    let most = 16 * 1024 * 1024;
    let room = 1024;
    let folder = TempDir::new()?;
    let path = |name: &str| folder.path().join(name);
    // Sparse.
    fs::File::create(path("huge.bin"))?.set_len(most + 1)?;
    fs::write(path("README.md"), "R")?;
    fs::write(path("good.txt"), "g")?;
    fs::write(path("more.bin"), vec![7_u8; 2 * room as usize])?;
    for number in 0..limit / most {
        let bytes = if number == 0 { most - room } else { most };
        let content: Vec<u8> = (0..bytes).map(|at| (at / 4096 + number) as u8).collect();
        files.put(&format!("full-{number}"), content).await?;
    }
    Browser::run("a_refused_upload_says", async |browser| {
        browser.expect_bad_network();
        let tab = open(browser, &relay.url(), &files).await?;
        drop_there(&tab, &["huge.bin", "README.md", "good.txt", "more.bin"].map(path)).await?;
        files.until_content("good.txt", b"g").await?;
        for (code, name, advice) in [
            ("file_too_large", "huge.bin", "16 MiB"),
            ("path_collision", "README.md", "another name"),
            ("workspace_full", "more.bin", "Delete something"),
        ] {
            let refused = format!("[data-testid=upload-refused][data-code={code}]");
            until_shown(&tab, &refused, name).await?;
            until_shown(&tab, &refused, advice).await?;
        }
        until_uploaded(&tab, "1 of 4 uploaded").await?;
        until_shown(&tab, "[data-testid=workspace-full]", "full").await?;
        // There is room again.
        files.delete("full-1").await?;
        tab.click("[data-testid=retry-uploads]").await?;
        until_uploaded(&tab, "2 of 4 uploaded").await?;
        tab.until_gone("[data-testid=workspace-full]").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_given_up_or_tried_again() -> Result<()> {
    let relay = Relay::start().await?;
    let files = workspace(&relay, &[]).await?;
    let tunnel = Proxy::start(relay.address()).await?;
    let folder = TempDir::new()?;
    let large = folder.path().join("large.bin");
    fs::write(&large, vec![1_u8; 8 * 1024 * 1024])?;
    Browser::run("an_upload_is_given_up", async |browser| {
        browser.expect_bad_network();
        let tab = open(browser, &tunnel.url(), &files).await?;
        tab.until_there("[data-testid=new-file]").await?;
        tunnel.silence(true);
        drop_there(&tab, std::slice::from_ref(&large)).await?;
        until_uploaded(&tab, "Uploading: 0 of 1").await?;
        tab.click("[data-testid=cancel-uploads]").await?;
        until_uploaded(&tab, "0 of 1 uploaded").await?;
        tunnel.silence(false);
        // Without the relay, it is said and can be repeated.
        tunnel.refuse(true);
        drop_there(&tab, &[large]).await?;
        until_shown(&tab, "[data-testid=upload-refused]", "does not answer").await?;
        tunnel.refuse(false);
        tab.click("[data-testid=retry-uploads]").await?;
        until_uploaded(&tab, "1 of 1 uploaded").await?;
        ensure!(files.listing().await?.len() == 1);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_the_whole_workspace_are_downloaded() -> Result<()> {
    let relay = Relay::start().await?;
    let files =
        workspace(&relay, &[("d/a.html", "<script>document.title = 'run'</script>")]).await?;
    Browser::run("files_are_downloaded", async |browser| {
        let tab = open(browser, &relay.url(), &files).await?;
        // What the browser would store.
        let watch = "window.saved = [];
            HTMLAnchorElement.prototype.click = function () {
                window.saved.push([this.download, this.href]);
            };
            true";
        tab.evaluate::<bool>(watch).await?;
        tab.click(&row("d")).await?;
        open_file(&tab, "d/a.html").await?;
        tab.click("[data-testid=download-file]").await?;
        tab.until("a download", "window.saved.length === 1").await?;
        let read = "fetch(window.saved[0][1]).then(() => true, () => false)";
        ensure!(
            !tab.evaluate::<bool>(read).await?,
            "the page's policy lets it read addresses of files"
        );
        ensure!(tab.evaluate::<String>("window.saved[0][0]").await? == "a.html");
        tab.click("[data-testid=download-all]").await?;
        tab.until("the archive", "window.saved[1]?.[0].endsWith('.tar')").await?;
        // It is shown as text, and never run.
        until_view(&tab, "saved").await?;
        ensure!(tab.evaluate::<String>("document.title").await? != "run");
        drop(tab.take_complaints());
        Ok(())
    })
    .await
}
