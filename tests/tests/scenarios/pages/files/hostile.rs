//! Files that are not what they seem, and very many of them.

use anyhow::{Result, ensure};
use moorline_tests::relay::Relay;
use serde_json::Value;

use super::super::steering::until_shown;
use super::{open, open_file, put_all, row, until_text, until_view, workspace};
use crate::chromium::Browser;

/// A drawing that would say so if it was run.
const DRAWING: &str = "<svg xmlns='http://www.w3.org/2000/svg' width='40' height='20' \
    onload='parent.document.title = \"run\"'><script>parent.document.title = 'run'; \
    fetch('/api/login')</script><rect width='40' height='20' fill='teal'/></svg>";
/// A page that says to be an image.
const FALSE_IMAGE: &str = "<html><script>document.title = 'run'</script></html>";
/// An image of one pixel.
const PIXEL: &[u8] =
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\
    \x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_in_a_workspace_runs_in_the_page() -> Result<()> {
    let relay = Relay::start().await?;
    let files = workspace(
        &relay,
        &[("drawing.svg", DRAWING), ("false.png", FALSE_IMAGE), ("page.html", FALSE_IMAGE)],
    )
    .await?;
    files.put("pixel.txt", PIXEL).await?;
    files.put("program", vec![0x7f, b'E', b'L', b'F', 0, 0]).await?;
    Browser::run("nothing_in_a_workspace_runs", async |browser| {
        let tab = open(browser, &relay.url(), &files).await?;
        tab.evaluate::<bool>("window.requests = performance.getEntriesByType('resource').length >= 0")
            .await?;
        // The content decides, and not the name.
        open_file(&tab, "pixel.txt").await?;
        until_view(&tab, "image").await?;
        let drawn = "document.querySelector('[data-testid=file-image]')?.naturalWidth === 1";
        tab.until("the image", drawn).await?;
        for path in ["false.png", "page.html"] {
            open_file(&tab, path).await?;
            until_text(&tab, FALSE_IMAGE).await?;
        }
        open_file(&tab, "program").await?;
        until_view(&tab, "other").await?;
        // A drawing is shown as an image at an address of its own origin.
        open_file(&tab, "drawing.svg").await?;
        let drawn = "(() => {
            const image = document.querySelector('[data-testid=drawing]');
            return image?.naturalWidth === 40 && image.src.startsWith('data:image/svg+xml');
        })()";
        tab.until("the drawing", drawn).await?;
        ensure!(tab.evaluate::<String>("document.title").await? != "run", "a file was run");
        let elements = "document.querySelectorAll('[data-testid=files] :is(script, iframe, object, embed, svg rect)').length";
        ensure!(tab.evaluate::<u32>(elements).await? == 0, "a file became a part of the page");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_shown_as_they_are() -> Result<()> {
    let relay = Relay::start().await?;
    let names = [
        ("invoice\u{202e}txt.exe", "invoice⟨U+202E⟩txt.exe"),
        ("a\u{200b}b", "a⟨U+200B⟩b"),
        ("line\nbreak", "line⟨U+000A⟩break"),
        ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
        ("שלום.txt", "שלום.txt"),
        ("a b?c#d%41&e", "a b?c#d%41&e"),
    ];
    let files = workspace(&relay, &[]).await?;
    for (name, _) in names {
        let address: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
        files.put(&address, format!("text of {name}")).await?;
    }
    Browser::run("names_are_shown_as_they_are", async |browser| {
        let tab = open(browser, &relay.url(), &files).await?;
        for (name, shown) in names {
            let script = format!(
                "[...document.querySelectorAll('[data-testid=file-row]')]
                    .find(row => row.dataset.path === {})?.querySelector('bdi').textContent === {}",
                Value::from(name),
                Value::from(shown)
            );
            tab.until(shown, &script).await?;
            let click = format!(
                "[...document.querySelectorAll('[data-testid=file-row]')]
                    .find(row => row.dataset.path === {}).click(); true",
                Value::from(name)
            );
            tab.evaluate::<bool>(&click).await?;
            until_shown(&tab, "[data-testid=open-path]", shown).await?;
            until_shown(&tab, "[data-testid=editor]", "text of").await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_of_ten_thousand_files_stays_quick() -> Result<()> {
    let relay = Relay::start().await?;
    let files = workspace(&relay, &[]).await?;
    let many = (0..10_000).map(|number| (format!("many/file-{number:05}.txt"), None, &b"x"[..]));
    put_all(&files, &many.collect::<Vec<_>>()).await?;
    Browser::run("a_tree_of_ten_thousand_files", async |browser| {
        let tab = open(browser, &relay.url(), &files).await?;
        tab.click(&row("many")).await?;
        tab.until_there(&row("many/file-00000.txt")).await?;
        let rows = "document.querySelectorAll('[data-testid=file-row]').length";
        ensure!(tab.evaluate::<u32>(rows).await? < 100, "rows are drawn that nobody sees");
        tab.evaluate::<bool>("document.querySelector('[data-testid=files-tree]').focus(); true")
            .await?;
        tab.press("End").await?;
        tab.until_there(&row("many/file-09999.txt")).await?;
        // Typing goes to a name, however far it is.
        tab.type_text("file-04711").await?;
        tab.until_there(&format!("{}.cursor", row("many/file-04711.txt"))).await?;
        ensure!(tab.evaluate::<u32>(rows).await? < 100, "rows are drawn that nobody sees");
        Ok(())
    })
    .await
}
