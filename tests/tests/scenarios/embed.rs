//! Sessions in frames of pages of another site, which have neither cookies nor storage there.

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;
use moorline_tests::expected;
use moorline_tests::host_page::HostPage;
use moorline_tests::proxy::Proxy;
use moorline_tests::random::Random;
use moorline_tests::relay::{Relay, Setup, TOKEN};
use moorline_tests::wait::wait_until;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::chromium::{Browser, NOTES, STRANGER, Tab};
use super::pages::agents::{EDIT, agent, prompt};

pub(super) const PROBE: &str = include_str!("embed/probe.js");
const DOCS: &str = include_str!("../../../docs/EMBED.md");

/// A relay that lets a page of another site embed its sessions.
struct Embedding {
    relay: Relay,
    /// The port of the page, whose server starts once the relay is there.
    listener: Option<tokio::net::TcpListener>,
}

impl Embedding {
    async fn start() -> Result<Self> {
        let (listener, port) = HostPage::reserve().await?;
        let ancestor = format!("http://{NOTES}:{port}");
        let variables = vec![("MOORLINE_FRAME_ANCESTOR".to_owned(), ancestor)];
        let relay = Relay::start_with(Setup { variables, ..Setup::default() }).await?;
        Ok(Self { relay, listener: Some(listener) })
    }

    /// Serves the page of the documentation as it is written, for this relay and session.
    fn page(&mut self, base: &str, session: &SessionId) -> Result<HostPage> {
        let pages = DOCS.split("```html\n").skip(1).filter_map(|rest| rest.split("```").next());
        let page = pages.filter(|page| page.starts_with("<!doctype html>")).last();
        let page = page.context("docs/EMBED.md has no page")?;
        let page = page
            .replace("https://moorline.example.org", base)
            .replace("SESSION_ID", session.as_str());
        self.serve(page)
    }

    fn serve(&mut self, page: String) -> Result<HostPage> {
        HostPage::serve(self.listener.take().context("one page a test")?, page)
    }
}

/// Opens the page of another site.
async fn open(browser: &Browser, page: &HostPage) -> Result<Tab> {
    let tab = browser.open_in_profile("about:blank").await?;
    tab.run_first(PROBE).await?;
    tab.go_to(&page.url(NOTES)).await?;
    Ok(tab)
}

/// Opens the page of the documentation, and gives it a token as a person does.
async fn open_with(browser: &Browser, page: &HostPage, token: &str) -> Result<Tab> {
    let tab = open(browser, page).await?;
    tab.click_into("#token").await?;
    tab.type_text(token).await?;
    tab.press("Enter").await?;
    Ok(tab)
}

async fn until_state(tab: &Tab, state: &str) -> Result<()> {
    let script = format!("document.getElementById('state').textContent.startsWith({state:?})");
    let waited = tab.until(&format!("a frame that is {state}"), &script).await;
    let seen: Value = tab.evaluate("document.body.innerText").await?;
    waited.with_context(|| seen.to_string())
}

/// Gives the element a size.
async fn resize(tab: &Tab, width: u32, height: u32) -> Result<()> {
    let script = format!(
        "Object.assign(document.querySelector('moorline-session').style,
            {{ width: '{width}px', height: '{height}px' }}).width !== ''"
    );
    tab.evaluate::<bool>(&script).await?;
    tab.until_in_frame("the frame's size", &format!("Math.abs(innerWidth - {width}) <= 2")).await
}

async fn no_overflow(tab: &Tab) -> Result<()> {
    let overflow: i64 = tab
        .in_frame("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        .await?;
    let high: i64 = tab
        .in_frame("document.documentElement.scrollHeight - document.documentElement.clientHeight")
        .await?;
    ensure!(overflow <= 0 && high <= 0, "{overflow} too wide, {high} too high");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_the_documentation_shows_a_shell() -> Result<()> {
    let mut embedding = Embedding::start().await?;
    let session = embedding.relay.api().run_ready(expected::shell()).await?;
    let token = embedding.relay.api().token(&format!("session:{session}:write")).await?;
    let page = embedding.page(&embedding.relay.url(), &session)?;
    Browser::run_with_frames("the_page_of_the_documentation", async |browser| {
        let tab = open_with(browser, &page, &token).await?;
        until_state(&tab, "live").await?;
        tab.until_framed_text("moor>").await?;
        let storage = "(() => { try { return typeof localStorage; } catch (error) { return error.name; } })()";
        let storage: String = tab.in_frame(storage).await?;
        ensure!(storage == "SecurityError", "the frame has storage: {storage}");
        let address: String = tab.in_frame("location.href").await?;
        ensure!(!address.contains('#'), "{address}");
        // The focus stays in the page until somebody wants to type.
        ensure!(tab.evaluate::<bool>("document.activeElement.localName !== 'moorline-session'").await?);
        tab.click_in_frame(".xterm-screen").await?;
        tab.type_text("echo $((6*7))\n").await?;
        tab.until_framed_text("42").await?;
        for (width, height) in [(200, 120), (320, 240), (1280, 400)] {
            resize(&tab, width, height).await?;
            no_overflow(&tab).await?;
            tab.type_text("\n").await?;
            tab.until_framed_text("moor>").await?;
        }
        // The key that leaves the frame.
        let leave = "document.activeElement.dispatchEvent(new KeyboardEvent('keydown',
            { key: 'L', code: 'KeyL', keyCode: 76, ctrlKey: true, shiftKey: true, bubbles: true }))";
        tab.in_frame::<bool>(leave).await?;
        tab.until("the focus after the session", "document.activeElement.id === 'after'").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_in_a_frame_on_a_phone() -> Result<()> {
    let mut embedding = Embedding::start().await?;
    let (id, folder) = agent(&embedding.relay).await?;
    let token = embedding.relay.api().token(&format!("session:{id}:write")).await?;
    let page = embedding.page(&embedding.relay.url(), &id)?;
    Browser::run_with_frames("a_question_is_answered_in_a_frame", async |browser| {
        let tab = open_with(browser, &page, &token).await?;
        tab.resize(390, 844, true).await?;
        until_state(&tab, "live").await?;
        prompt(&embedding.relay, &id, EDIT).await?;
        tab.until("the count", "document.getElementById('asks').textContent.startsWith('1 ')")
            .await?;
        for width in [200, 320, 358] {
            resize(&tab, width, 420).await?;
            no_overflow(&tab).await?;
        }
        tab.until_framed_text("1 + 2").await?;
        tab.click_in_frame("[data-testid=allow]").await?;
        tab.until_in_frame("the decision", "!!document.querySelector('[data-testid=decided]')")
            .await?;
        tab.until("no more questions", "document.getElementById('asks').textContent === ''")
            .await?;
        let file = || std::fs::read_to_string(folder.path().join("lib.rs")).unwrap_or_default();
        wait_until("the file", async || file().contains("1 + 2")).await?;
        // A new frame has the conversation before it is connected.
        tab.until("a position", "customElements.get('moorline-session').store.size === 1").await?;
        tab.evaluate::<bool>("document.getElementById('rebuild').click() ?? true").await?;
        tab.until_in_frame(
            "the decision again",
            "!!document.querySelector('[data-testid=decided]')",
        )
        .await?;
        let element = "document.querySelector('moorline-session')";
        tab.evaluate::<bool>(&format!("{element}.insert('say by') ?? true")).await?;
        until_state(&tab, "live").await?;
        tab.evaluate::<bool>(&format!("{element}.insert(' hand') ?? true")).await?;
        let draft = "document.querySelector('[data-testid=composer]').value.endsWith(' hand')";
        tab.until_in_frame("the draft", draft).await?;
        tab.evaluate::<bool>(&format!("{element}.prompt('say from around') ?? true")).await?;
        tab.until_framed_text("from around").await
    })
    .await
}

/// The parts of a question that must be seen to answer it, and the size of the frame.
#[derive(Debug, Deserialize)]
struct SeenQuestion {
    /// The top and the bottom of the question's first line.
    line: [f64; 2],
    /// The edges of each answer: left, top, right and bottom.
    answers: Vec<[f64; 4]>,
    size: [f64; 2],
}

const SEEN_QUESTION: &str = "(() => {
    const edges = (it) => { const at = it.getBoundingClientRect(); return [at.left, at.top, at.right, at.bottom]; };
    const question = document.querySelector('.approval-title, .approval-command');
    const text = document.createRange();
    text.selectNodeContents(question);
    const line = text.getClientRects()[0] ?? question.getBoundingClientRect();
    return { line: [line.top, line.bottom], size: [innerWidth, innerHeight],
        answers: [...document.querySelectorAll('.approval-answers button')].map(edges) };
})()";

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_in_the_smallest_frame_without_scrolling() -> Result<()> {
    let mut embedding = Embedding::start().await?;
    let (id, _folder) = agent(&embedding.relay).await?;
    let token = embedding.relay.api().token(&format!("session:{id}:write")).await?;
    let page = embedding.page(&embedding.relay.url(), &id)?;
    Browser::run_with_frames("a_question_in_the_smallest_frame", async |browser| {
        let tab = open_with(browser, &page, &token).await?;
        until_state(&tab, "live").await?;
        resize(&tab, 200, 160).await?;
        prompt(&embedding.relay, &id, EDIT).await?;
        tab.until_in_frame("the question", "!!document.querySelector('.approval-answers button')")
            .await?;
        for (width, height) in [(200, 160), (320, 120), (280, 200), (200, 160)] {
            resize(&tab, width, height).await?;
            no_overflow(&tab).await?;
            let mut seen = None;
            let all = wait_until("the question and its answers", async || {
                let Ok(now) = tab.in_frame::<SeenQuestion>(SEEN_QUESTION).await else {
                    return false;
                };
                let [wide, high] = now.size;
                let is_in = |[left, top, right, bottom]: [f64; 4]| {
                    left >= 0.0 && top >= 0.0 && right <= wide && bottom <= high && bottom > top
                };
                let [top, bottom] = now.line;
                let has_line = top >= 0.0 && now.answers.iter().all(|answer| bottom <= answer[1]);
                let has_all =
                    has_line && now.answers.len() > 1 && now.answers.iter().all(|it| is_in(*it));
                seen = Some(now);
                has_all
            })
            .await;
            all.with_context(|| format!("{width} by {height}: {seen:?}"))?;
        }
        // What does not fit is there, too.
        let scrolls = "(() => { const it = document.querySelector('.approval-question');
            it.scrollTop = it.scrollHeight; return it.scrollTop > 0; })()";
        tab.until_in_frame("the rest of the question", scrolls).await?;
        tab.click_in_frame("[data-testid=allow]").await?;
        tab.until_in_frame("the decision", "!!document.querySelector('[data-testid=decided]')")
            .await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_goes_on_in_the_next_frame() -> Result<()> {
    let mut embedding = Embedding::start().await?;
    let (id, _folder) = agent(&embedding.relay).await?;
    let token = embedding.relay.api().token(&format!("session:{id}:write")).await?;
    let page = embedding.page(&embedding.relay.url(), &id)?;
    Browser::run_with_frames("a_draft_goes_on", async |browser| {
        let tab = open_with(browser, &page, &token).await?;
        until_state(&tab, "live").await?;
        prompt(&embedding.relay, &id, "say begun").await?;
        tab.until_framed_text("begun").await?;
        let rebuild = "document.getElementById('rebuild').click() ?? true";
        let drafted = |text: &str| {
            format!("document.querySelector('[data-testid=composer]')?.value === {text:?}")
        };
        tab.click_in_frame("[data-testid=composer]").await?;
        tab.type_text("say half a sen").await?;
        tab.until_in_frame("the draft", &drafted("say half a sen")).await?;
        let all = "!!document.querySelector('[data-testid=pick-image]')";
        let kept = "[...customElements.get('moorline-session').store.values()][0]?.draft.text";
        tab.until("the draft outside", &format!("{kept} === 'say half a sen'")).await?;
        for _ in 0..3 {
            tab.evaluate::<bool>(rebuild).await?;
            tab.until_in_frame("the draft again", &drafted("say half a sen")).await?;
            // A frame that goes while it loads says so on the console.
            tab.until_in_frame("all of the frame", all).await?;
        }
        tab.click_in_frame("[data-testid=composer]").await?;
        tab.press("End").await?;
        tab.type_text("tence").await?;
        tab.click_in_frame("[data-testid=send-prompt]").await?;
        tab.until_framed_text("half a sentence").await?;
        // What was sent is no draft any more.
        tab.until_in_frame("no draft", &drafted("")).await?;
        tab.evaluate::<bool>(rebuild).await?;
        tab.until_in_frame("no draft again", &drafted("")).await
    })
    .await
}

/// What a frame was seen to show: see `probe.js`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Probe {
    samples: u64,
    blanks: u64,
    broken: Vec<String>,
    snapshot: bool,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_is_rebuilt_again_and_again_shows_the_session_all_along() -> Result<()> {
    const LINES: u64 = 6_000;
    let mut embedding = Embedding::start().await?;
    let script = format!(
        "stty -echo; echo ready; read go; n=0; while [ $n -lt {LINES} ]; do n=$((n+1)); echo line $n; \
         [ $((n % 20)) = 0 ] && sleep 0.05; done; read end"
    );
    let command = ["sh", "-c", &script].map(str::to_owned).to_vec();
    let session = embedding.relay.api().run_ready(command).await?;
    let page = embedding.page(&embedding.relay.url(), &session)?;
    Browser::run_with_frames("a_frame_that_is_rebuilt", async |browser| {
        let tab = open_with(browser, &page, TOKEN).await?;
        tab.until_framed_text("ready").await?;
        until_state(&tab, "live").await?;
        tab.until("a position", "customElements.get('moorline-session').store.size === 1").await?;
        tab.evaluate::<bool>("document.querySelector('moorline-session').prompt('go') ?? true")
            .await?;
        let mut random = Random::new(5);
        let mut line = 0;
        for _ in 0..20 {
            line += random.between(20, 220);
            let reached = format!("probes.some(({{ last }}) => last >= {line})");
            tab.until(&format!("line {line}"), &reached).await?;
            // Some are replaced before they have begun.
            for _ in 0..random.between(1, 3) {
                tab.evaluate::<bool>("document.getElementById('rebuild').click() ?? true").await?;
            }
        }
        tab.until("the last line", &format!("probes.some(({{ last }}) => last === {LINES})"))
            .await?;
        let probes: Vec<Probe> = tab.evaluate("probes").await?;
        let handed = probes.iter().filter(|probe| probe.snapshot).count();
        ensure!(handed + 1 >= probes.len(), "{handed} of {} began with a snapshot", probes.len());
        for probe in &probes {
            ensure!(probe.samples > 0 && probe.blanks == 0, "empty in between: {probe:?}");
            ensure!(probe.broken.is_empty(), "output is missing or came twice: {probe:?}");
        }
        // All of it is there, exactly: the last frame's terminal is what the log draws.
        let head = embedding.relay.api().status(&session).await?.head.0.to_string();
        let applied = "document.querySelector('[data-testid=terminal]').dataset.appliedSeq";
        tab.until_in_frame("the last entry", &format!("{applied} === {head:?}")).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_the_page_around_is_heard() -> Result<()> {
    let mut embedding = Embedding::start().await?;
    let session = embedding.relay.api().run_ready(expected::counter()).await?;
    let (listener, port) = HostPage::reserve().await?;
    let evil = format!(
        "<script>const evil = {{ type: 'moorline.hello', version: 1, token: '{TOKEN}' }};
            setInterval(() => parent.frames[0].postMessage(evil, '*'), 20);
            setInterval(() => parent.frames[0].postMessage({{ type: 'moorline.insert', text: 'evil' }}, '*'), 20);
            addEventListener('message', () => parent.postMessage('overheard', '*'));</script>"
    );
    let _stranger = HostPage::serve(listener, evil)?;
    let base = embedding.relay.url();
    let page = embedding.serve(format!(
        "<iframe src='{base}/embed/terminal/{session}' width=600 height=300></iframe>
        <iframe src='http://{STRANGER}:{port}/'></iframe>
        <script>const heard = []; addEventListener('message', ({{ data, origin }}) => heard.push([origin, data]));
            const frame = document.querySelector('iframe');
            const say = (message) => frame.contentWindow.postMessage(message, '{base}');</script>"
    ))?;
    Browser::run_with_frames("nobody_but_the_page_around", async |browser| {
        let tab = open(browser, &page).await?;
        let ignored = "Number(document.querySelector('[data-testid=embed]').dataset.ignored)";
        tab.until_in_frame("messages that are ignored", &format!("{ignored} > 10")).await?;
        tab.until_in_frame("no session", "!!document.querySelector('[data-testid=embed-waiting]')")
            .await?;
        let hello = json!({ "type": "moorline.hello", "version": 1, "token": TOKEN });
        tab.evaluate::<bool>(&format!("say({hello}) ?? true")).await?;
        tab.until_framed_text("ready").await?;
        let before: u64 = tab.in_frame(ignored).await?;
        tab.until_in_frame("more that are ignored", &format!("{ignored} > {}", before + 10))
            .await?;
        tab.evaluate::<bool>("say({ type: 'moorline.insert', text: 'good\\n' }) ?? true").await?;
        tab.until_framed_text("1:good").await?;
        let text: String =
            tab.in_frame("document.querySelector('.xterm-rows').textContent").await?;
        ensure!(!text.contains("evil"), "{text}");
        // What the frame says goes to the page around, and from nowhere else.
        let origins: Vec<String> =
            tab.evaluate("heard.filter(([, data]) => data.type).map(([origin]) => origin)").await?;
        ensure!(!origins.is_empty() && origins.iter().all(|origin| *origin == base), "{origins:?}");
        ensure!(!tab.evaluate::<bool>("heard.some(([, data]) => data === 'overheard')").await?);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_shows_nothing_once_its_token_is_revoked() -> Result<()> {
    let mut embedding = Embedding::start().await?;
    let proxy = Proxy::start(embedding.relay.address()).await?;
    let session = embedding.relay.api().run_ready(expected::counter()).await?;
    let api = embedding.relay.api();
    let wish = json!({ "scope": format!("session:{session}:write"), "label": "a note", "expiresInMs": 600_000 });
    let created = api.expect(201, Method::POST, "/api/tokens", wish).await?;
    let (token, id) = (created["token"].as_str(), created["id"].as_str());
    let (token, id) = token.zip(id).with_context(|| created.to_string())?;
    let page = embedding.page(&proxy.url(), &session)?;
    Browser::run_with_frames("a_frame_shows_nothing", async |browser| {
        browser.expect_bad_network();
        let tab = open_with(browser, &page, token).await?;
        tab.until_framed_text("ready").await?;
        tab.until("a position", "customElements.get('moorline-session').store.size === 1").await?;
        api.expect(200, Method::DELETE, &format!("/api/tokens/{id}"), json!({})).await?;
        // Whether or not the relay ends the stream, the next connection is refused.
        proxy.cut();
        tab.until_framed_text("Access has ended").await?;
        let terminal = "document.querySelector('.xterm') === null && !document.body.innerText.includes('ready')";
        tab.until_in_frame("no terminal", terminal).await?;
        tab.until("nothing kept", "customElements.get('moorline-session').store.size === 0").await?;
        until_state(&tab, "Not allowed").await?;
        // Another token shows it again, in the same frame.
        let token = api.token(&format!("session:{session}:write")).await?;
        let give = format!("(document.querySelector('moorline-session').token = {token:?}) !== ''");
        tab.evaluate::<bool>(&give).await?;
        tab.until_framed_text("ready").await?;
        until_state(&tab, "live").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_to_read_cannot_type_in_a_frame() -> Result<()> {
    let mut embedding = Embedding::start().await?;
    let session = embedding.relay.api().run_ready(expected::counter()).await?;
    let token = embedding.relay.api().token(&format!("session:{session}:read")).await?;
    let page = embedding.page(&embedding.relay.url(), &session)?;
    Browser::run_with_frames("a_token_to_read_cannot_type", async |browser| {
        let tab = open_with(browser, &page, &token).await?;
        tab.until_framed_text("ready").await?;
        until_state(&tab, "live").await?;
        tab.click_in_frame(".xterm-screen").await?;
        tab.type_text("typed\n").await?;
        tab.until_in_frame("a notice", "!!document.querySelector('[data-testid=notice]')").await?;
        tab.evaluate::<bool>(
            "document.querySelector('moorline-session').prompt('prompted') ?? true",
        )
        .await?;
        until_state(&tab, "The token only allows to watch").await?;
        // Somebody who may type does, so everything before would be there by now.
        embedding.relay.api().prompt(&session, "allowed").await?;
        tab.until_framed_text("1:allowed").await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_embedded_pages_are_for_frames_and_the_element_is_for_all() -> Result<()> {
    let relay = Relay::start().await?;
    let client = reqwest::Client::new();
    for (path, ancestors) in [
        ("/embed/terminal/abcdefgh", "'self' app://obsidian.md capacitor://localhost"),
        ("/embed/session/abcdefgh", "'self' app://obsidian.md capacitor://localhost"),
        ("/terminal/abcdefgh", "'self'"),
        ("/sessions", "'self'"),
        ("/docs/api", "'self'"),
    ] {
        let answer = client.get(format!("{}{path}", relay.url())).send().await?;
        let policy =
            answer.headers().get("content-security-policy").context("no policy")?.to_str()?;
        ensure!(policy.ends_with(&format!("frame-ancestors {ancestors}")), "{path}: {policy}");
    }
    let element = client.get(format!("{}/moorline-session.js", relay.url()));
    let answer = element.header("origin", "https://notes.example").send().await?;
    for (name, value) in [
        ("access-control-allow-origin", "*"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("cache-control", "public, max-age=3600"),
    ] {
        let said = answer.headers().get(name).and_then(|said| said.to_str().ok());
        ensure!(said == Some(value), "{name}: {said:?}");
    }
    ensure!(answer.headers()["content-type"].to_str()?.starts_with("text/javascript"));
    ensure!(answer.text().await?.contains("customElements.define"));
    Ok(())
}
