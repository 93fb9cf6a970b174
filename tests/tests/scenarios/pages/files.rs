//! The pages of workspaces: their files, as several people and programs change them.

mod changes;
mod hostile;
mod uploads;
mod workspaces;

use anyhow::{Context as _, Result, ensure};
use moorline_shared::limits::WORKSPACE_CHANGES;
use moorline_shared::workspace::FileEntry;
use moorline_shared::workspace::wire::{PathChange, WorkspaceRequest};
use moorline_tests::relay::{Relay, TOKEN};
use moorline_tests::workspaces::Workspace;
use reqwest::Method;
use serde_json::Value;

use crate::chromium::{Browser, Tab};

/// The text in the editor.
const TEXT: &str = "[...document.querySelectorAll('[data-testid=editor] .cm-line')]
    .map(line => line.textContent).join('\\n')";
/// Control.
const CONTROL: i64 = 2;

/// Creates a workspace with these files.
async fn workspace(relay: &Relay, files: &[(&str, &str)]) -> Result<Workspace> {
    let workspace = Workspace::create(&relay.api()).await?;
    for (path, content) in files {
        workspace.put(path, (*content).to_owned()).await?;
    }
    Ok(workspace)
}

/// Puts files as a sync does, of which each that names another path is a second version of the file there.
async fn put_all(workspace: &Workspace, files: &[(String, Option<&str>, &[u8])]) -> Result<()> {
    for some in files.chunks(WORKSPACE_CHANGES) {
        let change = |(path, of, content): &(String, Option<&str>, &[u8])| -> Result<PathChange> {
            Ok(PathChange {
                path: path.parse()?,
                base: None,
                to: Some(FileEntry::file(0o644, content)),
                conflict_of: of.map(str::parse).transpose()?,
                content: Some(content.to_vec().into()),
            })
        };
        let changes = some.iter().map(change).collect::<Result<_>>()?;
        let message = WorkspaceRequest::Apply { changes }.encode();
        let request = workspace.api.request(Method::POST, &workspace.path("/sync")).body(message);
        let answer = request.send().await?;
        ensure!(answer.status().is_success(), "{}", answer.text().await?);
    }
    Ok(())
}

/// Opens the page of a workspace, at an address of the relay or of what is before it.
async fn open(browser: &Browser, base: &str, workspace: &Workspace) -> Result<Tab> {
    let tab =
        browser.open_exactly(&format!("{base}/workspace/{}#token={TOKEN}", workspace.id)).await?;
    tab.until_there("[data-testid=files-tree]").await?;
    until_live(&tab).await?;
    Ok(tab)
}

/// Waits until changes of others arrive.
async fn until_live(tab: &Tab) -> Result<()> {
    tab.until_gone("[data-testid=files] [data-testid=stream]").await
}

/// The selector of a row of the tree.
fn row(path: &str) -> String {
    format!("[data-testid=file-row][data-path={}]", Value::from(path))
}

/// Opens a file by a click.
async fn open_file(tab: &Tab, path: &str) -> Result<()> {
    tab.click(&row(path)).await?;
    let shown = format!(
        "document.querySelector('[data-testid=open-path]')?.textContent === {}",
        Value::from(path)
    );
    tab.until(path, &shown).await
}

/// Waits until the open file is in this state.
async fn until_view(tab: &Tab, view: &str) -> Result<()> {
    let now = "document.querySelector('[data-testid=file-view]')?.dataset.view";
    let waited = tab.until(&format!("a file that is {view}"), &format!("{now} === '{view}'")).await;
    let instead: Option<String> = tab.evaluate(&format!("{now} ?? null")).await?;
    waited.with_context(|| format!("it is {instead:?}"))
}

/// Waits until the editor has this text.
async fn until_text(tab: &Tab, text: &str) -> Result<()> {
    let is = format!("({TEXT}) === {}", Value::from(text));
    let waited = tab.until("the text in the editor", &is).await;
    let instead: String = tab.evaluate(TEXT).await?;
    waited.with_context(|| format!("it is {instead:?}"))
}

/// Types at the end of the text in an editor.
async fn type_at_end(tab: &Tab, text: &str) -> Result<()> {
    tab.click("[data-testid=editor] .cm-content").await?;
    tab.chord("End", "End", 35, CONTROL).await?;
    tab.type_text(text).await
}

/// Presses the keys that save.
async fn save(tab: &Tab) -> Result<()> {
    tab.chord("s", "KeyS", 83, CONTROL).await
}
