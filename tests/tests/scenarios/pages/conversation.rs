//! Long conversations: what is open stays open, and readers stay where they are.

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;
use moorline_tests::relay::Relay;
use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use super::agents::{agent, prompt, until_said};
use super::look;
use crate::chromium::{Browser, Tab};

fn tool(number: usize) -> String {
    let fields = json!({
        "title": format!("Read {number}"), "kind": "read", "status": "completed",
        "rawInput": { "file": format!("input of {number}") },
    });
    format!("tool {fields}")
}

fn tools(numbers: std::ops::Range<usize>) -> String {
    numbers.map(tool).collect::<Vec<_>>().join("\n")
}

async fn holds(tab: &Tab, what: &str, script: &str) -> Result<()> {
    ensure!(tab.evaluate::<bool>(script).await?, "{what}: not so");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_opened_stays_open_while_the_agent_works() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, folder) = agent(&relay).await?;
    let [three, six] = ["three", "six"].map(|name| folder.path().join(name));
    let script = format!(
        "{}\nwait {}\n{}\nwait {}\n{}\nsay end",
        tools(0..2),
        three.display(),
        tools(2..3),
        six.display(),
        tools(3..6)
    );
    prompt(&relay, &id, &script).await?;
    Browser::run("what_was_opened_stays_open", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        let tools = "document.querySelectorAll('[data-testid=tool]')";
        tab.until("two tool calls", &format!("{tools}.length === 2")).await?;
        tab.click("[data-testid=tool] summary").await?;
        until_said(&tab, "input of 0").await?;
        // The third makes them a group, which shows what was open.
        std::fs::write(&three, "")?;
        let group = "document.querySelector('[data-testid=tool-group]')";
        tab.until("a group", &format!("{group} !== null && {tools}.length === 3")).await?;
        until_said(&tab, "input of 0").await?;
        holds(&tab, "the group is open", &format!("{group}.open")).await?;
        tab.click("[data-testid=tool]:nth-of-type(2) summary").await?;
        until_said(&tab, "input of 1").await?;
        let mark = format!("{group}.is_the_same = {tools}[1].is_the_same = true");
        tab.evaluate::<bool>(&mark).await?;
        std::fs::write(&six, "")?;
        until_said(&tab, "end").await?;
        tab.until("six tool calls", &format!("{tools}.length === 6")).await?;
        let same = format!("{group}.is_the_same && {tools}[1].is_the_same");
        holds(&tab, "the elements are the same", &same).await?;
        holds(&tab, "both are open", &format!("{group}.open && {tools}[1].open")).await
    })
    .await
}

/// Paragraphs that each name their number.
fn paragraphs(numbers: std::ops::Range<usize>) -> String {
    let say = |number| format!("say \"Paragraph {number}.\\n\\nIt has two lines.\"");
    numbers.map(say).collect::<Vec<_>>().join("\n")
}

/// The first message in view, and how far below the view's upper edge it is.
const READING: &str = "(() => {
    const view = document.querySelector('.conversation-view').getBoundingClientRect();
    const all = [...document.querySelectorAll('[data-testid=agent-message]')];
    const first = all.find(it => it.getBoundingClientRect().top >= view.top);
    return [first.innerText, Math.round(first.getBoundingClientRect().top - view.top)];
})()";

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_stays_in_place_and_at_the_end_follows() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, folder) = agent(&relay).await?;
    let more = folder.path().join("more");
    let script = format!("{}\nwait {}\nsay later", paragraphs(0..300), more.display());
    prompt(&relay, &id, &script).await?;
    Browser::run("a_reader_stays_in_place", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        until_said(&tab, "Paragraph 299.").await?;
        let view = "document.querySelector('.conversation-view')";
        let at_end = format!("{view}.scrollHeight - {view}.scrollTop - {view}.clientHeight < 4");
        tab.until("the end", &at_end).await?;
        let count = "document.querySelectorAll('[data-testid=agent-message]').length";
        let shown: u64 = tab.evaluate(count).await?;
        ensure!(shown < 150, "{shown} messages at once");
        // To where more of the past is shown.
        let up = format!("{view}.scrollTop = 300; true");
        tab.evaluate::<bool>(&up).await?;
        let before: (String, i64) = tab.evaluate(READING).await?;
        tab.until("more messages", &format!("{count} > {shown}")).await?;
        let after: (String, i64) = tab.evaluate(READING).await?;
        ensure!(before.0 == after.0 && (before.1 - after.1).abs() <= 2, "{before:?} {after:?}");
        std::fs::write(&more, "")?;
        until_said(&tab, "later").await?;
        let now: (String, i64) = tab.evaluate(READING).await?;
        ensure!(now.0 == after.0 && (now.1 - after.1).abs() <= 2, "{after:?} {now:?}");
        // All of the past can be reached.
        let first = format!("{view}.scrollTop = 0; {view}.innerText.includes('Paragraph 0.')");
        tab.until("the first message", &first).await?;
        // At the end it follows.
        tab.click("[data-testid=to-end]").await?;
        tab.until("the end", &at_end).await?;
        prompt(&relay, &id, &paragraphs(300..320)).await?;
        // The prompt itself has the words, too.
        let last = |words: &str| {
            format!(
                "[...document.querySelectorAll('[data-testid=agent-message]')].pop()
                .innerText.includes('{words}')"
            )
        };
        tab.until("the last paragraph", &last("Paragraph 319.")).await?;
        tab.until("the new end", &at_end).await?;
        // The smallest step up leaves the end.
        let step = format!("{view}.scrollTop -= 8; true");
        tab.evaluate::<bool>(&step).await?;
        let left = format!("!{view}.classList.contains('following')");
        tab.until("that it follows no more", &left).await?;
        let before: (String, i64) = tab.evaluate(READING).await?;
        prompt(&relay, &id, &paragraphs(320..340)).await?;
        tab.until("more paragraphs", &last("Paragraph 339.")).await?;
        let after: (String, i64) = tab.evaluate(READING).await?;
        ensure!(before == after, "{before:?} {after:?}");
        Ok(())
    })
    .await
}

/// A scripted agent that does this at each prompt.
pub(super) async fn agent_of(relay: &Relay, script: &str) -> Result<(SessionId, TempDir)> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("script");
    std::fs::write(&file, script)?;
    let peer = env!("CARGO_BIN_EXE_moorline-acp-peer");
    let command = [peer, "agent", "--script", file.to_str().context("no path")?];
    let wish = json!({ "driver": "agent", "command": command, "cwd": folder.path() });
    let created = relay.api().expect(201, Method::POST, "/api/sessions", wish).await?;
    let id = created["sessionId"].as_str().context("no id")?.parse()?;
    Ok((id, folder))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_long_is_shown_in_part_and_says_so() -> Result<()> {
    let relay = Relay::start().await?;
    let code = format!("before\n\n```\n{}", "let x = 1;\n".repeat(10_000));
    let table = format!("| a | b |\n|---|---|\n{}", "| cell | cell |\n".repeat(7000));
    let lines: String = (0..20_000).map(|line| format!("{line}\n")).collect();
    let diff = json!({
        "title": "Write", "kind": "edit", "status": "completed",
        "content": [{ "type": "diff", "path": "/a", "oldText": null, "newText": lines }],
    });
    let script = format!(
        "say {}\nsay {}\ntool {diff}\nsay \"אחת שתיים\"\nflood 5000000\nsay end",
        json!(code),
        json!(table)
    );
    let (id, _folder) = agent_of(&relay, &script).await?;
    prompt(&relay, &id, "go").await?;
    Browser::run("what_is_long_is_shown_in_part", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        until_said(&tab, "end").await?;
        until_said(&tab, "Part of this was too large to store.").await?;
        let more = "[data-testid=show-more]";
        let count = format!("document.querySelectorAll('{more}').length");
        tab.until("what is not shown", &format!("{count} >= 2")).await?;
        let told = tab.until_there(more).await?;
        ensure!(told.contains("KB are not shown"), "{told}");
        // All of the code can be shown.
        let whole =
            "[...document.querySelectorAll('.said')][0].innerText.split('let x').length - 1";
        let shown: u64 = tab.evaluate(whole).await?;
        ensure!(shown > 100 && shown < 10_000, "{shown}");
        tab.until(
            "all of the code",
            &format!("document.querySelector('.said {more}')?.click(); {whole} === 10000"),
        )
        .await?;
        // A part of the difference, and how much is left.
        tab.click("[data-testid=more-lines]").await?;
        let rest = tab.until_there(&format!("[data-testid=diff] {more}")).await?;
        ensure!(rest.contains("19480 lines are not shown"), "{rest}");
        let rest = format!("[data-testid=diff] {more}");
        tab.click(&rest).await?;
        let told = format!("document.querySelector('{rest}').innerText.includes('18980 lines')");
        tab.until("the next step", &told).await?;
        let direction = "getComputedStyle([...document.querySelectorAll('.block')]
            .find(it => it.textContent.includes('אחת'))).direction";
        ensure!(tab.evaluate::<String>(direction).await? == "rtl");
        Ok(())
    })
    .await
}

/// Presses Control and F.
async fn press_find(tab: &Tab) -> Result<()> {
    tab.chord("f", "KeyF", 70, 2).await
}

async fn until_found(tab: &Tab, status: &str) -> Result<()> {
    let is = format!("document.querySelector('[data-testid=found]').textContent === {status:?}");
    tab.until(&format!("{status} hits"), &is).await
}

/// The row of the marked hit, if it is in view.
const HIT: &str = "(() => {
    const hit = [...(CSS.highlights.get('found') ?? [])][0];
    if (!hit) return '';
    const view = document.querySelector('.conversation-view').getBoundingClientRect();
    const { top, bottom } = hit.getBoundingClientRect();
    const part = hit.startContainer.parentElement.closest('[data-place], [data-row]');
    return top >= view.top && bottom <= view.bottom && bottom > top ? part.textContent : '';
})()";

async fn until_hit(tab: &Tab, text: &str) -> Result<()> {
    tab.until(&format!("the hit in {text:?}"), &format!("{HIT}.includes({text:?})")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_was_said_and_done_is_found() -> Result<()> {
    let relay = Relay::start().await?;
    let lines: String = (0..3000).map(|line| format!("line {line}\n")).collect();
    let diff = json!({
        "title": "Write", "kind": "edit", "status": "completed",
        "content": [{ "type": "diff", "path": "/a", "oldText": null, "newText": format!("{lines}Needle 4") }],
    });
    let tools = "tool {\"title\":\"x\",\"status\":\"completed\",\"rawOutput\":\"a needle 2\"}\n\
        tool {\"title\":\"y\",\"status\":\"completed\"}\ntool {\"title\":\"z\",\"status\":\"completed\"}";
    let script = format!(
        "say \"The **nee**dle 0\"\n{}\nthink \"a needle 1 thought\"\n{tools}\n{}\nsay \"needle\\n3\"\n\
         tool {diff}\nsay end",
        paragraphs(0..250),
        paragraphs(250..260)
    );
    let (id, _folder) = agent_of(&relay, &script).await?;
    prompt(&relay, &id, "go").await?;
    let axe = look::axe()?;
    Browser::run("everything_is_found", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        until_said(&tab, "end").await?;
        tab.resize(320, 640, true).await?;
        // Also while somebody types a prompt.
        tab.click_into("[data-testid=composer]").await?;
        press_find(&tab).await?;
        tab.until_there("[data-testid=find-field]").await?;
        let focused = "document.activeElement.dataset.testid === 'find-field'";
        tab.until("the focus", focused).await?;
        tab.type_text("needle").await?;
        until_found(&tab, "5/5").await?;
        until_hit(&tab, "Needle 4").await?;
        for (status, text) in
            [("4/5", "needle"), ("3/5", "needle 2"), ("2/5", "needle 1"), ("1/5", "needle 0")]
        {
            tab.chord("Enter", "Enter", 13, 8).await?;
            until_found(&tab, status).await?;
            until_hit(&tab, text).await?;
        }
        // The others in view are marked, too: here, none but the first.
        let others = "CSS.highlights.get('also-found')?.size === 1";
        tab.until("the mark of what is in view", others).await?;
        // Around the end, and back.
        tab.chord("Enter", "Enter", 13, 8).await?;
        until_hit(&tab, "Needle 4").await?;
        tab.click("[data-testid=find-next]").await?;
        until_hit(&tab, "needle 0").await?;
        let overflow: i64 =
            tab.evaluate("document.documentElement.scrollWidth - innerWidth").await?;
        ensure!(overflow <= 0, "{overflow} too wide");
        let found = look::scan(&tab, "the search", &axe).await?;
        ensure!(found.is_empty(), "{}", found.join("\n"));
        // From there, everything up to the end can be read.
        let down = "(() => { const view = document.querySelector('.conversation-view');
            view.scrollTop = view.scrollHeight; return view.innerText.includes('end'); })()";
        tab.until("the end", down).await?;
        tab.click_into("[data-testid=find-field]").await?;
        tab.type_text(" of hay").await?;
        until_found(&tab, "none").await?;
        tab.press("Escape").await?;
        tab.until_gone("[data-testid=find]").await?;
        tab.until("no marks", "!CSS.highlights.has('found') && !CSS.highlights.has('also-found')")
            .await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_counts_what_is_said_while_it_is_open() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, _folder) = agent(&relay).await?;
    prompt(&relay, &id, "say a needle\nsay end").await?;
    Browser::run("a_search_counts_what_is_said", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        until_said(&tab, "end").await?;
        press_find(&tab).await?;
        tab.until_there("[data-testid=find-field]").await?;
        tab.type_text("needle").await?;
        // The prompt has one, too.
        until_found(&tab, "2/2").await?;
        // The shown one stays.
        prompt(&relay, &id, "say \"needle needle\"\nmore \" needle\"").await?;
        until_found(&tab, "2/8").await?;
        tab.click("[data-testid=find-next]").await?;
        until_found(&tab, "3/8").await?;
        // What is typed next is searched in all of it.
        tab.click_into("[data-testid=find-field]").await?;
        tab.type_text("s").await?;
        until_found(&tab, "none").await?;
        prompt(&relay, &id, "say \"nee\"\nmore \"dles\"").await?;
        until_found(&tab, "1").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_are_relative_to_the_sessions_folder() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, folder) = agent(&relay).await?;
    let full = folder.path().join("lib.rs").display().to_string();
    let read = json!({
        "title": format!("Read {full}"), "kind": "read", "status": "completed",
        "locations": [{ "path": full, "line": 7 }],
    });
    let lines: String = (0..40).map(|line| format!("line {line}\n")).collect();
    prompt(&relay, &id, &format!("tool {read}\nedit lib.rs {}", json!(lines))).await?;
    Browser::run("paths_are_relative", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        let shown = |selector: &str, text: &str| {
            let all = format!("[...document.querySelectorAll({selector:?})]");
            format!("{all}.some(it => it.textContent === {text:?})")
        };
        tab.until("the title", &shown(".tool-title", "Read lib.rs")).await?;
        tab.click("[data-testid=tool] summary").await?;
        tab.until("the place", &shown(".tool-places", "lib.rs:7")).await?;
        let diff = "[data-testid=approval] figcaption";
        tab.until("the path", &shown(&format!("{diff} code"), "lib.rs")).await?;
        let title: String =
            tab.evaluate(&format!("document.querySelector('{diff}').title")).await?;
        ensure!(title == full, "{title}");
        tab.go_to(&format!("{}/approvals", relay.url())).await?;
        tab.until("the path of all", &shown(&format!("{diff} code"), "lib.rs")).await?;
        // All of what will be done can be seen there.
        tab.click("[data-testid=more-lines]").await?;
        let last = format!("[...document.querySelectorAll({:?})]", "[data-testid=diff] span");
        tab.until("the last line", &format!("{last}.some(it => it.textContent === '+ line 39\\n')"))
            .await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_terminal_of_a_tool_is_live_in_its_card() -> Result<()> {
    let relay = Relay::start().await?;
    let (id, _folder) = agent(&relay).await?;
    let script = "echo first; read line; echo then $line; read line";
    let terminal = relay.api().run(vec!["/bin/sh".into(), "-c".into(), script.into()]).await?;
    let tool = json!({
        "title": "Run", "kind": "execute", "status": "in_progress",
        "content": [{ "type": "terminal", "terminalId": terminal }],
    });
    prompt(&relay, &id, &format!("tool {tool}\nsay end")).await?;
    Browser::run("the_terminal_of_a_tool", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        until_said(&tab, "end").await?;
        // Its code is loaded when it is needed.
        let loaded =
            "performance.getEntriesByType('resource').some(it => it.name.includes('xterm'))";
        ensure!(!tab.evaluate::<bool>(loaded).await?, "the emulator is loaded");
        tab.click("[data-testid=tool] summary").await?;
        tab.until_text("first").await?;
        relay.api().prompt(&terminal, "that").await?;
        tab.until_text("then that").await?;
        relay.api().prompt(&terminal, "end").await?;
        let note = "document.querySelector('[data-testid=terminal-card-note]').textContent";
        tab.until("how it ended", &format!("{note} !== ''")).await?;
        tab.until_text("then that").await?;
        let address = "document.querySelector('[data-testid=tool-terminal]').pathname";
        ensure!(tab.evaluate::<String>(address).await? == format!("/terminal/{terminal}"));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn items_that_the_snapshot_leaves_out_are_loaded_from_the_log() -> Result<()> {
    let relay = Relay::start().await?;
    let say = |number| format!("say \"Message {number}. {}\"", "word ".repeat(400));
    let script = (0..800).map(say).collect::<Vec<_>>().join("\n");
    let (id, _folder) = agent_of(&relay, &format!("{script}\nsay end")).await?;
    prompt(&relay, &id, "go").await?;
    Browser::run("items_are_loaded_from_the_log", async |browser| {
        let tab = browser.open(&format!("{}/session/{id}", relay.url())).await?;
        until_said(&tab, "end").await?;
        // A page that comes later gets a snapshot.
        tab.reload().await?;
        until_said(&tab, "end").await?;
        let view = "document.querySelector('.conversation-view')";
        let note = "document.querySelector('[data-testid=omitted]')";
        // They come when they are scrolled to, and what is read stays in its place.
        let first = format!("{view}.innerText.includes('Message 0.')");
        let at_start = format!("{view}.scrollTop = 0; {note} !== null || {first}");
        tab.until("the first items of the snapshot", &at_start).await?;
        let place = format!(
            "(() => {{
                const edge = {view}.getBoundingClientRect().top;
                const box = it => it.getBoundingClientRect();
                const rows = [...document.querySelectorAll('[data-row]')];
                const row = rows.find(it => box(it).bottom > edge);
                return [row.dataset.row, box(row).top];
            }})()"
        );
        let (row, top): (String, f64) = tab.evaluate(&place).await?;
        tab.until("the items", &format!("{note} === null")).await?;
        tab.until("earlier rows", &format!("{view}.scrollTop > 600")).await?;
        let place =
            format!("document.querySelector('[data-row=\"{row}\"]').getBoundingClientRect().top");
        let after: f64 = tab.evaluate(&place).await?;
        ensure!((after - top).abs() < 4.0, "it has moved from {top} to {after}");
        let up = format!("{view}.scrollTop = 0; {first}");
        tab.until("the first message", &up).await?;
        let rows = "document.querySelectorAll('.conversation-row').length";
        let rows: u64 = tab.evaluate(rows).await?;
        ensure!(rows < 1000, "{rows} rows are on the page");
        ensure!(tab.evaluate::<bool>(&format!("{note} === null")).await?, "the note stays");
        Ok(())
    })
    .await
}
