//! An event stream read by hand, one connection at a time, as `EventSource` does.

use std::collections::VecDeque;

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use moorline_shared::id::{Cursor, SessionId};
use moorline_shared::sse::{Parser, SseItem};
use reqwest::{Method, Response};
use serde_json::Value;
use tokio::time::timeout;

use crate::api::Api;
use crate::wait::{PATIENCE, within};

/// An event of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Name of the event.
    pub kind: String,
    /// Position after this event; synthetic events have none.
    pub id: Option<Cursor>,
    /// The event's data, parsed as JSON.
    pub data: Value,
}

/// Item of an event stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// An event with its data.
    Event(Told),
    /// A comment, which only shows that the relay is alive.
    Comment,
    /// Time to wait before a reconnect, in milliseconds.
    Retry(u32),
    /// The relay ended the stream in good order.
    End,
    /// The connection broke without such an end.
    Broken,
}

/// A connection to an event stream.
#[derive(Debug)]
pub struct Sse {
    response: Response,
    parser: Parser,
    items: VecDeque<Item>,
    over: bool,
    /// Latest value of `retry:`, in milliseconds.
    pub retry: Option<u32>,
}

impl Sse {
    /// Follows a session from now on.
    ///
    /// # Errors
    /// If the answer is not an event stream.
    pub async fn live(api: &Api, session: &SessionId) -> Result<Self> {
        Self::open(api, &events_of(session), None).await
    }

    /// Follows a session from the entry after `cursor`.
    ///
    /// # Errors
    /// As [`Sse::live`].
    pub async fn after(api: &Api, session: &SessionId, cursor: Cursor) -> Result<Self> {
        Self::open(api, &events_of(session), Some(&cursor.to_string())).await
    }

    /// Replays all retained entries, with these query parameters.
    ///
    /// # Errors
    /// As [`Sse::live`].
    pub async fn replay(api: &Api, session: &SessionId, parameters: &str) -> Result<Self> {
        let path = format!("{}?lastEventId=0{parameters}", events_of(session));
        Self::open(api, &path, None).await
    }

    /// Opens an event stream at any path.
    ///
    /// # Errors
    /// As [`Sse::live`].
    pub async fn open(api: &Api, path: &str, last_event_id: Option<&str>) -> Result<Self> {
        let mut request = api.request(Method::GET, path).header("Accept", "text/event-stream");
        if let Some(id) = last_event_id {
            request = request.header("Last-Event-ID", id);
        }
        Self::of(within("the answer to an event stream", request.send()).await??).await
    }

    /// Reads the event stream of a response.
    ///
    /// # Errors
    /// If it is not an event stream.
    pub async fn of(response: Response) -> Result<Self> {
        let status = response.status();
        let kind = response.headers().get("content-type").cloned();
        let is_stream = kind.as_ref().is_some_and(|kind| is_event_stream(kind.as_bytes()));
        if status != 200 || !is_stream {
            bail!("{status}, {kind:?} instead of an event stream: {}", response.text().await?);
        }
        let (parser, items) = (Parser::new(), VecDeque::new());
        Ok(Self { response, parser, items, over: false, retry: None })
    }

    /// A header of the response.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// Returns the next item.
    ///
    /// # Errors
    /// If nothing arrives in time, the stream has ended before, or an event is malformed.
    pub async fn next(&mut self) -> Result<Item> {
        loop {
            if let Some(item) = self.items.pop_front() {
                if let Item::Retry(ms) = item {
                    self.retry = Some(ms);
                }
                return Ok(item);
            }
            if self.over {
                bail!("nothing comes after the end of a stream");
            }
            match within("something from an event stream", self.response.chunk()).await? {
                Ok(Some(bytes)) => self.parse(&bytes)?,
                end => {
                    self.over = true;
                    let broke = end.is_err();
                    self.items.push_back(if broke { Item::Broken } else { Item::End });
                }
            }
        }
    }

    /// Returns the next event; `None` once the stream has ended or broken.
    ///
    /// # Errors
    /// As [`Sse::next`].
    pub async fn event(&mut self) -> Result<Option<Told>> {
        loop {
            match self.next().await? {
                Item::Event(told) => return Ok(Some(told)),
                Item::End | Item::Broken => return Ok(None),
                Item::Comment | Item::Retry(_) => {}
            }
        }
    }

    /// Skips to the next event of a kind.
    ///
    /// # Errors
    /// If the stream ends first.
    pub async fn skip_to(&mut self, kind: &str) -> Result<Told> {
        let mut skipped = Vec::new();
        // Other events may arrive again and again.
        let skip = timeout(PATIENCE, async {
            while let Some(told) = self.event().await? {
                if told.kind == kind {
                    return Ok(Some(told));
                }
                skipped.push(told.kind);
            }
            Ok::<_, anyhow::Error>(None)
        });
        let found = skip.await.ok().transpose()?.flatten();
        found.with_context(|| format!("`{kind}` did not come, but {skipped:?}"))
    }

    /// Reads output until it contains `text`, or to the end of the stream if there is no `text`.
    ///
    /// # Errors
    /// If positions do not rise, an event is malformed, or the stream ends before `text`.
    pub async fn output(&mut self, until: Option<&str>) -> Result<Output> {
        let mut output = Output::default();
        while let Some(told) = self.event().await? {
            output.take(&told)?;
            if until.is_some_and(|text| output.contains(text)) {
                return Ok(output);
            }
        }
        match until {
            None => Ok(output),
            Some(text) => bail!("the stream ended before {text:?} came, after {output:?}"),
        }
    }

    fn parse(&mut self, bytes: &[u8]) -> Result<()> {
        let mut found = Vec::new();
        self.parser.push(bytes, |item| found.push(item))?;
        for item in found {
            self.items.push_back(match item {
                SseItem::Comment => Item::Comment,
                SseItem::Retry(ms) => Item::Retry(ms),
                SseItem::Event(event) => {
                    let data = serde_json::from_str(&event.data)
                        .with_context(|| format!("the data of an event is {:?}", event.data))?;
                    let id = event.id.as_deref().map(str::parse).transpose()?;
                    Item::Event(Told { kind: event.kind, id, data })
                }
            });
        }
        Ok(())
    }
}

/// The output within a series of events, and the position that they reach.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// All bytes of the output.
    pub bytes: Vec<u8>,
    /// Position of the last event that has one.
    pub last: Option<Cursor>,
    /// Kinds of the events other than output.
    pub others: Vec<String>,
    /// End of each piece of output: its position, and the number of bytes up to it.
    pub marks: Vec<(Cursor, usize)>,
    /// Number of bytes that were already searched for a text.
    searched: usize,
}

impl Output {
    /// Adds an event.
    ///
    /// # Errors
    /// If its position does not follow the last one, or it lacks a field of its kind.
    pub fn take(&mut self, told: &Told) -> Result<()> {
        let Told { kind, id, data } = told;
        ensure!(data["type"] == kind.as_str(), "{data} is named {kind}");
        ensure!(data["timestamp"].is_u64() && data["sessionId"].is_string(), "{data}");
        if let (Some(last), Some(id)) = (self.last, id) {
            // A status may repeat an entry's position: it describes the session as it is there.
            let follows = id.seq > last.seq || (kind == "session-status" && *id == last);
            ensure!(id.epoch == last.epoch && follows, "{kind} at {id} came after {last}");
        }
        self.last = id.or(self.last);
        if kind != "session-output" {
            self.others.push(kind.clone());
            return Ok(());
        }
        let id = id.with_context(|| format!("output without an id: {data}"))?;
        ensure!(data["stream"] == "stdout" && data["seq"] == id.seq.0, "{id}: {data}");
        let content = data["content"].as_str().with_context(|| format!("no content: {data}"))?;
        match data["encoding"].as_str() {
            None => self.bytes.extend_from_slice(content.as_bytes()),
            Some("base64") => self.bytes.extend(STANDARD.decode(content)?),
            Some(other) => bail!("an encoding of {other:?}"),
        }
        self.marks.push((id, self.bytes.len()));
        Ok(())
    }

    /// The output as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Returns true if `text` is in the output since the last call.
    fn contains(&mut self, text: &str) -> bool {
        let from = self.searched.saturating_sub(text.len());
        self.searched = self.bytes.len();
        self.bytes[from..].windows(text.len()).any(|window| window == text.as_bytes())
    }
}

impl Api {
    /// Starts a session, and waits for its program's first output. The program is then ready for
    /// input, and a new client gets that output in its snapshot.
    ///
    /// # Errors
    /// As [`Api::create`], and if there is no output.
    pub async fn run_ready(&self, command: Vec<String>) -> Result<SessionId> {
        let id = self.run(command).await?;
        Sse::replay(self, &id, "").await?.skip_to("session-output").await?;
        Ok(id)
    }
}

/// The path of a session's events.
#[must_use]
pub fn events_of(session: &SessionId) -> String {
    format!("/api/session/{session}/events")
}

/// Parameters such as the character set may follow the type.
fn is_event_stream(kind: &[u8]) -> bool {
    kind.split(|&byte| byte == b';').next() == Some(b"text/event-stream")
}
