//! Event streams over a WebSocket, as the page reads them.

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::{Cursor, SessionId};
use moorline_shared::sse::{Parser, SseEvent, SseItem};
use moorline_tests::expected::{self, Flood};
use moorline_tests::relay::{Relay, TOKEN};
use moorline_tests::sse::events_of;
use moorline_tests::wire::{Greeting, Wire};

/// A page of this relay, with a token.
fn page(relay: &Relay, token: &str) -> Greeting {
    Greeting {
        extended: true,
        bearer: None,
        subprotocol_token: Some(token.to_owned()),
        cookie: None,
        origin: Some(relay.url()),
    }
}

/// A reader that answers what it gets.
struct Reader {
    wire: Wire,
    parser: Parser,
}

impl Reader {
    async fn open(relay: &Relay, path: &str) -> Result<Self> {
        let wire = Wire::knock(relay, path, &page(relay, TOKEN)).await?;
        let wire = wire.ok().context("the relay accepts no WebSocket here")?;
        ensure!(wire.chosen.as_deref() == Some("moorline.v1"), "it chose {:?}", wire.chosen);
        Ok(Self { wire, parser: Parser::new() })
    }

    /// The events of the next message; `None` once the stream is closed.
    async fn next(&mut self) -> Result<Option<Vec<SseEvent>>> {
        let Some(bytes) = self.wire.next_bytes().await? else { return Ok(None) };
        self.wire.send_text("taken").await?;
        let mut events = Vec::new();
        self.parser.push(&bytes, |item| {
            if let SseItem::Event(event) = item {
                events.push(event);
            }
        })?;
        Ok(Some(events))
    }

    /// Reads until an event is right.
    async fn until(&mut self, right: impl Fn(&SseEvent) -> bool) -> Result<SseEvent> {
        loop {
            let events = self.next().await?.context("the stream ended before")?;
            if let Some(event) = events.into_iter().find(|event| right(event)) {
                return Ok(event);
            }
        }
    }

    /// Everything up to the end, and its close code.
    async fn rest(mut self) -> Result<(Vec<SseEvent>, u16)> {
        let mut all = Vec::new();
        while let Some(events) = self.next().await? {
            all.extend(events);
        }
        Ok((all, self.wire.close_code().await?))
    }
}

fn after(session: &SessionId, id: &str) -> String {
    format!("{}?lastEventId={id}", events_of(session))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_carries_what_the_stream_says_and_goes_on_by_id() -> Result<()> {
    let relay = Relay::start().await?;
    let api = relay.api();
    let session = api.run_ready(expected::counter()).await?;
    let mut reader = Reader::open(&relay, &after(&session, "0")).await?;
    let ready = reader.until(|event| event.kind == "session-output").await?;
    ensure!(ready.data.contains("ready"), "{ready:?}");
    api.prompt(&session, "one").await?;
    let one = reader.until(|event| event.data.contains("1:one")).await?;
    drop(reader);
    api.prompt(&session, "two").await?;
    let id = one.id.context("output has an id")?;
    let mut reader = Reader::open(&relay, &after(&session, &id)).await?;
    reader.until(|event| event.data.contains("2:two")).await?;

    // The list of sessions comes in the same way.
    let mut list = Reader::open(&relay, "/api/events").await?;
    let all = list.until(|event| event.kind == "sessions").await?;
    ensure!(all.data.contains(session.as_str()), "{all:?}");

    api.delete(&session).await?;
    list.until(|event| event.kind == "session-deleted").await?;
    let (events, code) = reader.rest().await?;
    ensure!(events.iter().any(|event| event.kind == "session-deleted"), "{events:?}");
    ensure!(code == 1000, "it ended with {code}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_everything_of_what_is_over_is_told_so() -> Result<()> {
    let relay = Relay::start().await?;
    let command = ["sh", "-c", "echo bye"].map(str::to_owned).to_vec();
    let session = relay.api().run(command).await?;
    let (events, code) = Reader::open(&relay, &after(&session, "0")).await?.rest().await?;
    ensure!(code == 1000, "it ended with {code}");
    let last = events.iter().rev().find_map(|event| event.id.clone()).context("no id")?;
    let greeting = page(&relay, TOKEN);
    let code = Wire::refusal(&relay, &after(&session, &last), &greeting).await?;
    ensure!(code == 4204, "it ended with {code}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_refused_by_close_codes_and_programs_by_statuses() -> Result<()> {
    let relay = Relay::start().await?;
    let session = relay.api().run_ready(expected::counter()).await?;
    let of_it = events_of(&session);
    let none = events_of(&"nosuchsession".parse()?);
    let good = page(&relay, TOKEN);
    let wrong = page(&relay, "a-wrong-token-that-is-long-enough-0123456789");
    let foreign = Greeting { origin: Some("https://elsewhere.example".into()), ..good.clone() };
    for (path, greeting, code, status) in [
        (of_it.as_str(), &wrong, 4401, 401),
        ("/api/events", &wrong, 4401, 401),
        (&none, &good, 4404, 404),
        ("/api/session/x/events", &good, 4404, 400),
        (&of_it, &foreign, 4403, 403),
        (&format!("{of_it}?lastEventId=x"), &good, 4400, 400),
    ] {
        // An id that is none is no such address to a page.
        let codes = if code == 4404 { [4404, 4400] } else { [code; 2] };
        let told = Wire::refusal(&relay, path, greeting).await?;
        ensure!(codes.contains(&told), "{path}: {told} for {greeting:?}");
        if code != 4403 {
            let program = Greeting { origin: None, ..greeting.clone() };
            let told = Wire::refusal(&relay, path, &program).await?;
            ensure!(told == status, "{path}: {told} for {program:?}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_answers_nothing_is_sent_no_more() -> Result<()> {
    const FLOOD: Flood = Flood { lines: 400_000 };
    let relay = Relay::start().await?;
    let api = relay.api();
    let session = api.run_ready(FLOOD.command()).await?;
    let wire = Wire::knock(&relay, &events_of(&session), &page(&relay, TOKEN)).await?;
    let mut wire = wire.ok().context("no WebSocket")?;
    let mut reader = Reader::open(&relay, &events_of(&session)).await?;
    api.prompt(&session, "go").await?;
    reader.until(|event| event.data.contains(Flood::END)).await?;
    // What waits for an answer is some messages; the flood is a hundred and more.
    let sent = wire.sent_so_far().await?;
    let bytes: usize = sent.iter().map(|message| message.len()).sum();
    ensure!((1..=8).contains(&sent.len()), "{} messages without an answer", sent.len());
    ensure!(bytes < 2 << 20, "{bytes} bytes without an answer");
    // It goes on where it was once it answers.
    let mut parser = Parser::new();
    let mut last = 0;
    let mut pending = sent;
    loop {
        let mut over = false;
        for message in std::mem::take(&mut pending) {
            wire.send_text("taken").await?;
            parser.push(&message, |item| {
                let SseItem::Event(event) = item else { return };
                let id = event.id.as_deref().and_then(|id| id.parse::<Cursor>().ok());
                let seq = id.map_or(last, |id| id.seq.0);
                let in_order = event.kind == "session-status" || seq == last + 1 || last == 0;
                assert!(in_order, "{seq} came after {last}");
                last = seq;
                over |= event.data.contains(Flood::END);
            })?;
        }
        if over {
            return Ok(());
        }
        pending.extend(wire.next_bytes().await?);
    }
}
