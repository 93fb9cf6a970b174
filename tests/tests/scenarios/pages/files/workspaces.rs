//! The list of workspaces, the keys of the tree, and what a page must be: usable by all, at any width.

use anyhow::{Context as _, Result, ensure};
use moorline_tests::relay::Relay;
use reqwest::Method;
use serde_json::{Value, json};

use super::super::access::pick;
use super::super::look;
use super::super::steering::until_shown;
use super::{open, open_file, put_all, row, type_at_end, until_text, until_view, workspace};
use crate::chromium::{Browser, Tab};

/// Starts a session by the form, with the workspace `notes`, and returns its id.
async fn start_by_form(tab: &Tab) -> Result<String> {
    super::super::steering::press_with_control(tab, "k").await?;
    tab.type_into("[data-testid=palette-field]", "run a command").await?;
    tab.press("Enter").await?;
    let offered = "[...document.querySelector('[data-testid=workspace]')?.options ?? []]
        .map(option => option.text).join() === 'None,notes'";
    tab.until("the workspaces in the form", offered).await?;
    let choose = "(() => {
        const select = document.querySelector('[data-testid=workspace]');
        select.value = select.options[1].value;
        return select.dispatchEvent(new Event('change', { bubbles: true }));
    })()";
    tab.evaluate::<bool>(choose).await?;
    tab.type_into("[data-testid=name]", "fresh").await?;
    tab.press("Enter").await?;
    tab.until_state("live").await?;
    tab.until_there("[data-testid=files-button]").await?;
    tab.evaluate("location.pathname.split('/')[2]").await
}

#[tokio::test(flavor = "multi_thread")]
async fn workspaces_are_made_renamed_used_and_deleted() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    Browser::run("workspaces_are_made_and_deleted", async |browser| {
        // A refused deletion is on the console.
        browser.expect_bad_network();
        let tab = browser.open(&format!("{}/sessions", relay.url())).await?;
        pick(&tab, "workspaces").await?;
        tab.until_there("[data-testid=no-workspaces]").await?;
        tab.click("[data-testid=new-workspace]").await?;
        tab.type_into("[data-testid=workspace-name-field]", "notes").await?;
        tab.press("Enter").await?;
        until_shown(&tab, "[data-testid=workspace-name]", "notes").await?;
        tab.until_there("[data-testid=files-empty]").await?;
        // A file is made, and a shell that has it.
        tab.click("[data-testid=new-file]").await?;
        tab.type_into("[data-testid=file-name]", "docs/hello.txt").await?;
        tab.press("Enter").await?;
        until_view(&tab, "saved").await?;
        type_at_end(&tab, "hello").await?;
        until_view(&tab, "edited").await?;
        tab.click("[data-testid=save-file]").await?;
        until_view(&tab, "saved").await?;
        tab.click("[data-testid=start-here]").await?;
        tab.until_state("live").await?;
        tab.type_text("cat docs/hello.txt; echo; echo de''livered\n").await?;
        tab.until_text("hello").await?;

        tab.go_to(&format!("{}/workspaces", relay.url())).await?;
        until_shown(&tab, "[data-testid=workspace-row]", "1 session uses it").await?;
        tab.click("[data-testid=delete-workspace]").await?;
        until_shown(&tab, "dialog[open]", "End or delete that session first").await?;
        tab.press("Escape").await?;
        tab.until_gone("dialog[open]").await?;
        let list: Value = api.get("/api/sessions").await?;
        let session = list["sessions"][0]["sessionId"].as_str().context("no session")?.to_owned();
        api.delete(&session.parse()?).await?;
        tab.go_to(&format!("{}/sessions", relay.url())).await?;
        tab.until_there("[data-testid=from-tmux]").await?;
        let session = start_by_form(&tab).await?;
        api.delete(&session.parse()?).await?;
        tab.go_to(&format!("{}/workspaces", relay.url())).await?;
        tab.until_there("[data-testid=workspace-row]").await?;
        let notes = "[...document.querySelectorAll('[data-testid=workspace-row]')]
            .find(row => row.textContent.includes('notes'))";
        tab.evaluate::<bool>(&format!(
            "{notes}.querySelector('[data-testid=rename-workspace]').click(); true"
        ))
        .await?;
        tab.type_into("[data-testid=workspace-name-field]", " of mine").await?;
        tab.press("Enter").await?;
        until_shown(&tab, "[data-testid=workspaces-note]", "notes of mine").await?;
        tab.evaluate::<bool>(&format!(
            "{notes}.querySelector('[data-testid=delete-workspace]').click(); true"
        ))
        .await?;
        tab.click("[data-testid=confirm-delete-workspace]").await?;
        tab.until_there("[data-testid=no-workspaces]").await.map(drop)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tree_is_used_by_keys_alone() -> Result<()> {
    let relay = Relay::start().await?;
    let files = workspace(&relay, &[("a/x.txt", "x"), ("b.txt", "b"), ("c.txt", "c")]).await?;
    Browser::run("the_tree_is_used_by_keys", async |browser| {
        browser.expect_bad_network();
        let tab = open(browser, &relay.url(), &files).await?;
        tab.until_there("[data-testid=new-file]").await?;
        tab.evaluate::<bool>("document.querySelector('[data-testid=files-tree]').focus(); true")
            .await?;
        let cursor = async |path: &str| {
            tab.until_there(&format!("{}.cursor[aria-selected=true]", row(path))).await.map(drop)
        };
        cursor("a").await?;
        for (key, path) in [
            ("ArrowRight", "a"),
            ("ArrowRight", "a/x.txt"),
            ("ArrowDown", "b.txt"),
            ("End", "c.txt"),
            ("Home", "a"),
            ("c", "c.txt"),
            ("ArrowUp", "b.txt"),
            ("ArrowUp", "a/x.txt"),
            ("ArrowLeft", "a"),
        ] {
            tab.press(key).await?;
            cursor(path).await?;
        }
        tab.until_there(&format!("{}[aria-expanded=true]", row("a"))).await?;
        tab.press("ArrowLeft").await?;
        tab.until_gone(&row("a/x.txt")).await?;
        let active =
            "document.getElementById(document.activeElement.getAttribute('aria-activedescendant'))
            ?.dataset.path === 'a'";
        ensure!(tab.evaluate::<bool>(active).await?, "the tree does not say where its cursor is");
        tab.press("ArrowDown").await?;
        tab.press("Enter").await?;
        until_text(&tab, "b").await?;
        tab.press("F2").await?;
        tab.until_there("dialog[open] [data-testid=file-path]").await?;
        tab.evaluate::<bool>(
            "document.querySelector('[data-testid=file-path]').value = 'a/moved.txt'; true",
        )
        .await?;
        tab.press("Enter").await?;
        files.until_content("a/moved.txt", b"b").await?;
        until_shown(&tab, "[data-testid=open-path]", "a/moved.txt").await?;
        cursor("a/moved.txt").await?;
        // The tree has the focus again.
        let focused = "document.activeElement?.dataset.testid === 'files-tree'";
        tab.until("the focus in the tree", focused).await?;
        tab.press("Delete").await?;
        tab.until_there("dialog[open] [data-testid=confirm-delete-file]").await?;
        tab.click("[data-testid=confirm-delete-file]").await?;
        files.until_gone("a/moved.txt").await?;
        tab.until_gone(&row("a/moved.txt")).await?;
        until_view(&tab, "text-gone").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_sees_and_cannot_change() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let project = api.expect(201, Method::POST, "/api/projects", json!({"name": "p"})).await?;
    let project = project["project"]["id"].as_str().context("no id")?.to_owned();
    let made = json!({"project": project, "name": "shared"});
    let made = api.expect(201, Method::POST, "/api/workspaces", made).await?;
    let id = made["workspace"]["id"].as_str().context("no id")?.to_owned();
    let files = moorline_tests::workspaces::Workspace { api: api.clone(), id };
    files.put("a.txt", "text").await?;
    let token = api.token(&format!("project:{project}:read")).await?;
    Browser::run("a_reader_sees", async |browser| {
        browser.expect_bad_network();
        let address = format!("{}/workspace/{}#token={token}", relay.url(), files.id);
        let tab = browser.open_exactly(&address).await?;
        until_shown(&tab, "[data-testid=files-read-only]", "may only read").await?;
        open_file(&tab, "a.txt").await?;
        until_text(&tab, "text").await?;
        until_shown(&tab, "[data-testid=file-state]", "Read only").await?;
        for absent in ["new-file", "pick-files", "delete-file", "save-file", "delete-workspace", "start-here"] {
            tab.until_gone(&format!("[data-testid={absent}]")).await?;
        }
        let locked = "document.querySelector('[data-testid=editor] .cm-content').contentEditable === 'false'";
        tab.until("a text that cannot be changed", locked).await?;
        tab.evaluate::<bool>("document.querySelector('[data-testid=files-tree]').focus(); true").await?;
        tab.press("Delete").await?;
        until_shown(&tab, "[data-testid=files-problem]", "may only read").await?;
        // It still follows the file.
        files.put("a.txt", "another").await?;
        until_text(&tab, "another").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_versions_of_a_file_are_decided_between() -> Result<()> {
    let relay = Relay::start().await?;
    let files = workspace(&relay, &[("plan.txt", "one\ntwo\nthree\n")]).await?;
    // As a sync does whose folder has another version.
    let other = "plan.conflict-laptop-1.txt".to_owned();
    put_all(&files, &[(other, Some("plan.txt"), b"one\n2\nthree\nfour\n")]).await?;
    let axe = look::axe()?;
    Browser::run("two_versions_are_decided_between", async |browser| {
        let tab = open(browser, &relay.url(), &files).await?;
        tab.resize(1280, 800, false).await?;
        until_shown(&tab, "[data-testid=conflicts]", "plan.conflict-laptop-1.txt").await?;
        tab.click("[data-testid=conflict]").await?;
        until_shown(&tab, "[data-testid=second-version]", "is a second version of plan.txt")
            .await?;
        tab.click("[data-testid=compare-versions]").await?;
        until_shown(&tab, "[data-testid=merge] .cm-merge-a", "two").await?;
        until_shown(&tab, "[data-testid=merge] .cm-merge-b", "four").await?;
        let found = look::scan(&tab, "two versions", &axe).await?;
        ensure!(found.is_empty(), "{}", found.join("\n"));
        tab.resize(1280, 800, false).await?;
        tab.click("[data-testid=merge] .cm-merge-revert button").await?;
        until_shown(&tab, "[data-testid=merge] .cm-merge-b", "two").await?;
        tab.click("[data-testid=keep-merge]").await?;
        files.until_content("plan.txt", b"one\ntwo\nthree\nfour\n").await?;
        files.until_gone("plan.conflict-laptop-1.txt").await?;
        tab.until_gone("[data-testid=conflicts]").await?;
        until_shown(&tab, "[data-testid=open-path]", "plan.txt").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_files_are_accessible_at_every_width() -> Result<()> {
    let relay = Relay::start().await?;
    let files = workspace(
        &relay,
        &[
            ("a folder/with a long name that does not fit into a narrow column.txt", "x"),
            ("main.rs", "// A comment.\nfn main() {\n    println!(\"{}\", 1 + 2);\n}\n"),
            ("other.txt", "x"),
        ],
    )
    .await?;
    let axe = look::axe()?;
    Browser::run("the_pages_of_files_are_accessible", async |browser| {
        let list = browser.open(&format!("{}/workspaces", relay.url())).await?;
        list.until_there("[data-testid=workspace-row]").await?;
        let mut found = look::scan(&list, "/workspaces", &axe).await?;
        let tab = open(browser, &relay.url(), &files).await?;
        tab.resize(1280, 800, false).await?;
        tab.until_there("[data-testid=new-file]").await?;
        found.extend(look::scan(&tab, "/workspace", &axe).await?);
        tab.resize(1280, 800, false).await?;
        open_file(&tab, "main.rs").await?;
        until_shown(&tab, "[data-testid=editor]", "println").await?;
        found.extend(look::scan(&tab, "an open file", &axe).await?);
        tab.resize(1280, 800, false).await?;
        type_at_end(&tab, "x").await?;
        files.put("main.rs", "fn main() {}\n").await?;
        until_view(&tab, "conflict").await?;
        tab.until_there("[data-testid=editor] .cm-merge-b").await?;
        found.extend(look::scan(&tab, "a conflict", &axe).await?);
        for width in [320, 390, 1280] {
            for tab in [&tab, &list] {
                tab.resize(width, 780, width < 500).await?;
                let fits = "document.documentElement.scrollWidth <= innerWidth";
                tab.until(&format!("the page to fit into {width}"), fits).await?;
            }
        }
        // On a phone the open file covers the tree, and a button leads back.
        tab.resize(320, 700, true).await?;
        tab.click("[data-testid=close-file]").await?;
        tab.until_there(&row("other.txt")).await?;
        let seen = "document.querySelector('[data-testid=files-tree]').offsetHeight > 100";
        tab.until("the tree", seen).await?;
        ensure!(found.is_empty(), "{}", found.join("\n"));
        Ok(())
    })
    .await
}
