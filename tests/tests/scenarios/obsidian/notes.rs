//! Sessions in notes and in files of the vault.

use anyhow::{Result, ensure};
use moorline_tests::expected;
use moorline_tests::random::Random;
use moorline_tests::relay::TOKEN;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Vault, choose, draw, run, select, unload, until_notice, until_shown};
use crate::chromium::Browser;
use crate::pages::agents::{agent, prompt};

#[tokio::test(flavor = "multi_thread")]
async fn a_block_shows_the_last_screen_and_is_live_after_a_click() -> Result<()> {
    let vault = Vault::start().await?;
    let session = vault.relay.api().run_ready(expected::shell()).await?;
    vault.relay.api().prompt(&session, "echo before-$((6*7))").await?;
    let note = format!(
        "# Work\nSome text.\n```moorline\nsession: {session}\nheight: 260\n```\nMore text.\n"
    );
    Browser::run_with_frames("a_block_shows_the_last_screen", async |browser| {
        let tab = vault.open(browser, TOKEN).await?;
        draw(&tab, &note).await?;
        until_shown(&tab, ".moorline-screen", "before-42").await?;
        let frames: u64 = tab.evaluate("document.querySelectorAll('iframe').length").await?;
        ensure!(frames == 0, "{frames} frames before anybody wants one");
        tab.click(".moorline-preview").await?;
        tab.until_framed_text("before-42").await?;
        tab.until_there(".moorline-panel.is-drawn").await?;
        // The click took the keyboard along.
        tab.until("the focus in the frame", "document.activeElement.localName === 'iframe'")
            .await?;
        tab.type_text("echo typed-$((6*7))\n").await?;
        tab.until_framed_text("typed-42").await?;
        let height: u64 =
            tab.evaluate("document.querySelector('.moorline-block').offsetHeight").await?;
        ensure!(height == 260, "{height} pixels high");
        // The look follows Obsidian's.
        let background = "getComputedStyle(document.body).backgroundColor";
        for (scheme, colour) in [("dark", "rgb(30, 30, 30)"), ("light", "rgb(255, 255, 255)")] {
            tab.evaluate::<bool>(&format!("standIn.scheme({scheme:?})")).await?;
            tab.until_in_frame(scheme, &format!("{background} === {colour:?}")).await?;
        }
        unload(&tab).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_say_what_is_wrong_and_find_sessions_by_name() -> Result<()> {
    let vault = Vault::start().await?;
    let session = vault.relay.api().run_ready(expected::counter()).await?;
    let path = format!("/api/sessions/{session}");
    let name = json!({ "name": "The counter" });
    vault.relay.api().expect(200, reqwest::Method::PATCH, &path, name).await?;
    Browser::run_with_frames("blocks_say_what_is_wrong", async |browser| {
        let tab = vault.open(browser, TOKEN).await?;
        for (block, said) in [
            ("height: 3", "session: my-shell"),
            ("session: no-such-session", "no session with the id or name"),
            ("session: x\nheight: tall", "number of pixels"),
            ("nonsense", "is not understood"),
        ] {
            draw(&tab, &format!("```moorline\n{block}\n```\n")).await?;
            until_shown(&tab, ".moorline-block", said).await?;
        }
        // A block that reads only, of a session that goes by its name.
        draw(&tab, "```moorline\nsession: The counter\nreadonly: true\n```\n").await?;
        until_shown(&tab, ".moorline-screen", "ready").await?;
        tab.click(".moorline-preview").await?;
        tab.until_framed_text("ready").await?;
        tab.click_in_frame(".xterm-screen").await?;
        tab.type_text("typed\n").await?;
        vault.relay.api().prompt(&session, "allowed").await?;
        tab.until_framed_text("1:allowed").await?;
        unload(&tab).await?;
        // The browser reports the session that does not exist.
        tab.take_complaints();
        Ok(())
    })
    .await
}

/// What a frame was seen to show: see `embed/probe.js`.
#[derive(Debug, Deserialize)]
struct FrameProbe {
    broken: Vec<String>,
}

/// What the page itself was seen to show: see `sampler.js`.
#[derive(Debug, Deserialize)]
struct Sampled {
    samples: u64,
    texts: u64,
    frames: u64,
    blanks: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_is_rebuilt_again_and_again_is_never_empty() -> Result<()> {
    const LINES: u64 = 4_000;
    const REBUILDS: usize = 20;
    let vault = Vault::start().await?;
    let script = format!(
        "stty -echo; echo line 0; read go; n=0; while [ $n -lt {LINES} ]; do n=$((n+1)); echo line $n; \
         [ $((n % 20)) = 0 ] && sleep 0.08; done; read end"
    );
    let command = ["sh", "-c", &script].map(str::to_owned).to_vec();
    let session = vault.relay.api().run(command).await?;
    let block = |round: usize| format!("Edit {round}.\n```moorline\nsession: {session}\n```\n");
    Browser::run_with_frames("a_block_that_is_rebuilt", async |browser| {
        let tab = vault.open(browser, TOKEN).await?;
        draw(&tab, &block(0)).await?;
        until_shown(&tab, ".moorline-screen", "line 0").await?;
        tab.click(".moorline-preview").await?;
        tab.until_framed_text("line 0").await?;
        tab.until_there(".moorline-panel.is-drawn").await?;
        tab.evaluate::<bool>(include_str!("sampler.js")).await?;
        vault.relay.api().prompt(&session, "go").await?;
        let mut random = Random::new(7);
        let mut line = 0;
        for round in 1..=REBUILDS {
            line += random.between(10, 150);
            let reached = format!("probes.some(({{ last }}) => last >= {line})");
            tab.until(&format!("line {line}"), &reached).await?;
            draw(&tab, &block(round)).await?;
        }
        tab.until_framed_text(&format!("line {LINES}")).await?;
        tab.until_there(".moorline-panel.is-drawn").await?;
        let probes: Vec<FrameProbe> = tab.evaluate("probes").await?;
        for probe in &probes {
            ensure!(probe.broken.is_empty(), "output is missing or came twice: {probe:?}");
        }
        let sampled: Sampled = tab.evaluate("sampled").await?;
        ensure!(sampled.samples > 100 && sampled.texts > 0 && sampled.frames > 0, "{sampled:?}");
        ensure!(sampled.blanks.is_empty(), "{:?}", sampled.blanks);
        // All of it is there, exactly: the last frame's terminal is what the log draws.
        let head = vault.relay.api().status(&session).await?.head.0.to_string();
        let applied = "document.querySelector('[data-testid=terminal]').dataset.appliedSeq";
        tab.until_in_frame("the last entry", &format!("{applied} === {head:?}")).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_outlives_the_block_in_which_it_was_begun() -> Result<()> {
    let vault = Vault::start().await?;
    let (session, _folder) = agent(&vault.relay).await?;
    let block = |round: usize| format!("Edit {round}.\n```moorline\nsession: {session}\n```\n");
    let drafted = |text: &str| {
        format!("document.querySelector('[data-testid=composer]')?.value === {text:?}")
    };
    Browser::run_with_frames("a_draft_outlives_the_block", async |browser| {
        let tab = vault.open(browser, TOKEN).await?;
        draw(&tab, &block(0)).await?;
        prompt(&vault.relay, &session, "say begun").await?;
        tab.click(".moorline-preview").await?;
        tab.until_framed_text("begun").await?;
        // The note hears of a draft a moment after the frame shows it.
        let hear = "(addEventListener('message', window.hearDraft = ({ data }) => { \
                    if (data?.type === 'moorline.draft') window.heardDraft = data.draft.text; \
                    }), true)";
        ensure!(tab.evaluate::<bool>(hear).await?);
        tab.click_in_frame("[data-testid=composer]").await?;
        tab.type_text("say half a sen").await?;
        tab.until_in_frame("the draft", &drafted("say half a sen")).await?;
        tab.until("the note to hear of it", "window.heardDraft === 'say half a sen'").await?;
        // A frame that goes while it loads says so on the console.
        let all = "!!document.querySelector('[data-testid=pick-image]')";
        for round in 1..=3 {
            draw(&tab, &block(round)).await?;
            tab.until_there(".moorline-panel.is-drawn").await?;
            tab.until_in_frame("the draft again", &drafted("say half a sen")).await?;
            tab.until_in_frame("all of the frame", all).await?;
        }
        tab.click_in_frame("[data-testid=composer]").await?;
        tab.press("End").await?;
        tab.type_text("tence").await?;
        tab.click_in_frame("[data-testid=send-prompt]").await?;
        tab.until_framed_text("half a sentence").await?;
        // What was sent is no draft any more.
        tab.until_in_frame("no draft", &drafted("")).await?;
        draw(&tab, &block(4)).await?;
        tab.until_in_frame("no draft again", &drafted("")).await?;
        tab.until_in_frame("all of the last frame", all).await?;
        let deaf = "(removeEventListener('message', window.hearDraft), true)";
        ensure!(tab.evaluate::<bool>(deaf).await?);
        unload(&tab).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_stands_for_a_session_and_output_is_inserted() -> Result<()> {
    let vault = Vault::start().await?;
    let session = vault.relay.api().run_ready(expected::shell()).await?;
    vault.adopt(&session).await?;
    vault.relay.api().prompt(&session, "printf '%s\\n' '```' out-$((6*7))").await?;
    Browser::run_with_frames("a_file_stands_for_a_session", async |browser| {
        let tab = vault.open(browser, TOKEN).await?;
        draw(&tab, "# Work\n").await?;
        select(&tab, "Before. HERE After.", "HERE").await?;
        run(&tab, "insert-output").await?;
        choose(&tab, "env").await?;
        let field = "document.querySelector('#editor').value";
        tab.until("the output", &format!("{field}.includes('out-42\\n')")).await?;
        let text: String = tab.evaluate(field).await?;
        ensure!(
            text.starts_with("Before. ````text\n") && text.ends_with("\n````\n After."),
            "{text}"
        );

        run(&tab, "create-session-file").await?;
        choose(&tab, "env").await?;
        tab.until_framed_text("out-42").await?;
        let files: Value = tab.evaluate("Object.fromEntries(standIn.app.vault.contents)").await?;
        let files = files.as_object().filter(|files| files.len() == 1);
        let (path, content) =
            files.and_then(|files| files.iter().next()).unwrap_or_else(|| panic!("no file"));
        ensure!(path.starts_with("Notes/") && path.ends_with(".session"), "{path}");
        let content: Value = serde_json::from_str(content.as_str().unwrap_or_default())?;
        ensure!(content["session"] == json!(session) && content["kind"] == "terminal", "{content}");

        // A file that was written by hand, and one that is none.
        let write = |path: &str, content: &Value| {
            format!(
                "(standIn.app.vault.contents.set({path:?}, {}), standIn.openFile({path:?}))",
                json!(content.to_string())
            )
        };
        tab.evaluate::<bool>(&write("bad.session", &json!({ "session": "../../x" }))).await?;
        until_shown(&tab, ".moorline-failure", "does not name a session").await?;
        unload(&tab).await?;
        until_notice(&tab, "").await
    })
    .await
}
