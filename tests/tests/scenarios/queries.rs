//! What a program asks its terminal is answered once, whoever is there.

use anyhow::{Result, ensure};
use moorline_shared::id::SessionId;
use moorline_tests::attach::OnTerminal;
use moorline_tests::plain::Plain;
use moorline_tests::relay::{Relay, TOKEN};
use moorline_tests::wire::{Greeting, Wire};
use reqwest::Method;
use serde_json::{Value, json};

use super::chromium::{Browser, Tab};

/// `<first>` and `<other>` as they travel.
const FIRST: &str = "PGZpcnN0Pg==";
const OTHER: &str = "PG90aGVyPg==";

/// What the host answers to [`asker`].
const OF_HOST: &str = "^[[?1;2c";

/// A program that prints `ready`, waits for a key, asks what its terminal is, and from then on shows
/// what it reads.
fn asker() -> Vec<String> {
    let script =
        "stty raw -echo; printf ready; head -c 1 > /dev/null; printf '\\033[casked'; cat -v";
    ["sh", "-c", script].map(str::to_owned).to_vec()
}

async fn client(relay: &Relay, session: &SessionId, id: &str, greeting: &Greeting) -> Result<Wire> {
    let mut wire = Wire::connect(relay, session, greeting).await?;
    wire.send(json!({"type": "resume", "lastSeq": null, "clientId": id, "answers": true})).await?;
    wire.skip_to("resumed").await?;
    Ok(wire)
}

fn reply(seq: u64, data: &str) -> Value {
    json!({"type": "reply", "seq": seq, "data": data})
}

/// A client that types last of all, and the entry in which the program has asked.
async fn asked(relay: &Relay, session: &SessionId, id: &str) -> Result<(Wire, u64)> {
    let mut wire = client(relay, session, id, &Greeting::extended()).await?;
    wire.send_input(1, b"x").await?;
    let (seq, _) = wire.read_until("asked").await?;
    Ok((wire, seq))
}

/// What the program has read since it asked, up to what this client types now.
async fn read_by_program(wire: &mut Wire, piece: u64) -> Result<String> {
    wire.send_input(piece, b"END").await?;
    let (_, output) = wire.read_until("END").await?;
    Ok(output)
}

#[tokio::test]
async fn a_program_that_asks_at_its_start_is_answered_though_nobody_is_there() -> Result<()> {
    let relay = Relay::start().await?;
    let script = "stty raw -echo; printf '\\033[c\\033[6n\\033[18t'; head -c 23 | cat -v; \
                  printf END; cat";
    let session = relay.api().run(["sh", "-c", script].map(str::to_owned).to_vec()).await?;
    let mut reader = Wire::connect(&relay, &session, &Greeting::ic1()).await?;
    reader.expect("session-meta").await?;
    reader.resume(None).await?;
    let (_, output) = reader.read_until("END").await?;
    ensure!(output.contains("^[[?1;2c^[[1;1R^[[8;24;80tEND"), "{output:?}");
    Ok(())
}

#[tokio::test]
async fn the_client_that_typed_last_answers_and_its_answer_is_no_typing() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(asker()).await?;
    let mut other = client(&relay, &session, "other-client", &Greeting::extended()).await?;
    other.send(json!({"type": "resize", "cols": 100, "rows": 30})).await?;
    let (mut first, seq) = asked(&relay, &session, "first-client").await?;
    other.send(reply(seq, OTHER)).await?;
    first.send(reply(seq, FIRST)).await?;
    first.send(reply(seq, FIRST)).await?;
    let output = read_by_program(&mut first, 2).await?;
    ensure!(output == "<first>END", "{output:?}");
    let status = relay.api().status(&session).await?;
    ensure!((status.cols, status.rows) == (100, 30), "an answer claimed a size: {status:?}");
    Ok(())
}

#[tokio::test]
async fn a_client_that_only_watches_does_not_answer() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(asker()).await?;
    let token = relay.api().token(&format!("session:{session}:read")).await?;
    let greeting = Greeting { bearer: Some(token), ..Greeting::extended() };
    let mut reader = client(&relay, &session, "first-client", &greeting).await?;
    let input = format!("/api/terminal/{session}/input");
    relay.api().expect(200, Method::POST, &input, json!({"data": "x"})).await?;
    let (seq, mut output) = reader.read_until("asked").await?;
    reader.send(reply(seq, FIRST)).await?;
    if !output.contains(OF_HOST) {
        output.push_str(&reader.read_until(OF_HOST).await?.1);
    }
    relay.api().expect(200, Method::POST, &input, json!({"data": "END"})).await?;
    output.push_str(&reader.read_until("END").await?.1);
    ensure!(output.ends_with(&format!("asked{OF_HOST}END")), "{output:?}");
    Ok(())
}

#[tokio::test]
async fn a_client_that_leaves_or_says_nothing_is_not_waited_for() -> Result<()> {
    let relay = Relay::start().await?;
    for leaves in [true, false] {
        let session = relay.api().run_ready(asker()).await?;
        let mut watcher = Wire::connect(&relay, &session, &Greeting::ic1()).await?;
        watcher.expect("session-meta").await?;
        watcher.resume(None).await?;
        let (mut first, seq) = asked(&relay, &session, "first-client").await?;
        if leaves {
            drop(first);
            watcher.read_until(OF_HOST).await?;
            continue;
        }
        watcher.read_until(OF_HOST).await?;
        first.send(reply(seq, FIRST)).await?;
        let output = read_by_program(&mut first, 2).await?;
        ensure!(output == format!("{OF_HOST}END"), "too late: {output:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_was_asked_before_a_client_came_is_not_its_to_answer() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(asker()).await?;
    let (mut first, seq) = asked(&relay, &session, "first-client").await?;
    first.send(reply(seq, FIRST)).await?;
    first.read_until("<first>").await?;
    let mut again = client(&relay, &session, "first-client", &Greeting::extended()).await?;
    again.send(reply(seq, FIRST)).await?;
    ensure!(first.close_code().await? == 4409, "its place was taken");
    let output = read_by_program(&mut again, 2).await?;
    ensure!(output.matches("<first>").count() == 1, "{output:?}");
    Ok(())
}

#[tokio::test]
async fn a_plain_text_client_does_not_answer_though_its_terminal_does() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(asker()).await?;
    let path = format!("/api/terminal/ws/{session}");
    let mut plain = Plain::connect(relay.address(), &path, &Greeting::extended()).await?;
    plain.read_until("ready").await?;
    plain.send("x").await?;
    plain.send("\x1b[?1;2c").await?;
    let mut output = plain.read_until(OF_HOST).await?;
    plain.send("END").await?;
    output.push_str(&plain.read_until("END").await?);
    ensure!(output.ends_with(&format!("asked{OF_HOST}END")), "{output:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_and_a_terminal_answer_once() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(asker()).await?;
    let again = relay.api().run_ready(asker()).await?;
    let variables = [("MOORLINE_TOKEN", TOKEN.to_owned()), ("MOORLINE_URL", relay.url())];
    Browser::run("two_tabs_and_a_terminal_answer_once", async |browser| {
        let address = format!("{}/terminal/{session}", relay.url());
        let first = browser.open(&address).await?;
        first.until_text("ready").await?;
        let second = browser.open(&address).await?;
        second.until_text("ready").await?;
        second.type_text("x").await?;
        second.until_text(OF_HOST).await?;
        second.reload().await?;
        second.until_text(OF_HOST).await?;
        first.until_text(OF_HOST).await?;
        second.type_text("END").await?;
        second.until_text("END").await?;
        let text = second.text().await?;
        ensure!(text == format!("readyasked{OF_HOST}END"), "{text:?}");

        // A page that watches, and a terminal that is typed into and says what it is.
        let page = browser.open(&format!("{}/terminal/{again}", relay.url())).await?;
        page.until_text("ready").await?;
        let arguments = ["attach", again.as_str()];
        let mut attached = OnTerminal::start(relay.program(), &arguments, &variables)?;
        attached.until_shown("ready").await?;
        attached.type_input(b"x").await?;
        attached.until_shown("asked").await?;
        attached.type_input(b"\x1b[?62;4c").await?;
        page.until_text("^[[?").await?;
        attached.type_input(b"END").await?;
        page.until_text("END").await?;
        let text = page.text().await?;
        ensure!(text.matches("^[[?").count() == 1, "{text:?}");
        Ok(())
    })
    .await
}

/// What happens to a key in the terminal, as the browser tells it.
async fn key(tab: &Tab, fields: &str) -> Result<()> {
    let script = format!(
        "document.querySelector('.xterm-helper-textarea').dispatchEvent(new KeyboardEvent(\
         'keydown', {{bubbles: true, cancelable: true, {fields}}}))"
    );
    tab.evaluate::<bool>(&script).await.map(|_| ())
}

const SHIFT_ENTER: &str = "key: 'Enter', code: 'Enter', keyCode: 13, shiftKey: true";
const CYRILLIC_CONTROL_C: &str = "key: '\u{441}', code: 'KeyC', ctrlKey: true";

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_sent_as_the_program_asks() -> Result<()> {
    let relay = Relay::start().await?;
    let shows = |asks: &str| {
        let script = format!("stty raw -echo; printf '{asks}ready'; cat -v");
        ["sh", "-c", &script].map(str::to_owned).to_vec()
    };
    let plain = relay.api().run_ready(shows("")).await?;
    let kitty = relay.api().run_ready(shows("\\033[>1u")).await?;
    let xterm = relay.api().run_ready(shows("\\033[>4;2m")).await?;
    Browser::run("keys_are_sent_as_the_program_asks", async |browser| {
        let open = async |session: &SessionId| {
            let tab = browser.open(&format!("{}/terminal/{session}", relay.url())).await?;
            tab.until_text("ready").await?;
            tab.until_state("live").await?;
            anyhow::Ok(tab)
        };
        let tab = open(&plain).await?;
        key(&tab, "key: '/', code: 'Slash', keyCode: 191, ctrlKey: true").await?;
        key(&tab, CYRILLIC_CONTROL_C).await?;
        key(&tab, SHIFT_ENTER).await?;
        tab.until_text("ready^_^C^M").await?;

        let tab = open(&xterm).await?;
        key(&tab, SHIFT_ENTER).await?;
        tab.until_text("ready^[[27;2;13~").await?;

        let tab = open(&kitty).await?;
        key(&tab, SHIFT_ENTER).await?;
        key(&tab, CYRILLIC_CONTROL_C).await?;
        tab.until_text("ready^[[13;2u^[[1089;5u").await?;
        // What the program asked for is in the snapshot.
        tab.reload().await?;
        tab.until_text("ready^[[13;2u^[[1089;5u").await?;
        tab.until_state("live").await?;
        key(&tab, SHIFT_ENTER).await?;
        tab.until_text("ready^[[13;2u^[[1089;5u^[[13;2u").await
    })
    .await
}
