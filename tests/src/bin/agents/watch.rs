//! The events of a session, folded into its conversation.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use moorline_shared::event::Event;
use moorline_shared::fold::Conversation;
use moorline_shared::id::{Cursor, SessionId};
use moorline_tests::api::Api;
use moorline_tests::sse::{Sse, Told};
use serde_json::Value;
use tokio::time::timeout;

/// Time allowed for each thing that is waited for. Agents are slow to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A follower of a session's events.
#[derive(Debug)]
pub(crate) struct EventWatch {
    api: Api,
    id: SessionId,
    events: Sse,
    last: Option<Cursor>,
    /// What pages show.
    pub(crate) shown: Conversation,
    /// The codes of the errors that were reported.
    pub(crate) errors: Vec<String>,
}

impl EventWatch {
    /// Follows a session from its beginning.
    pub(crate) async fn start(api: Api, id: SessionId) -> Result<Self> {
        let events = Sse::replay(&api, &id, "").await?;
        let shown = Conversation::default();
        Ok(Self { api, id, events, last: None, shown, errors: Vec::new() })
    }

    /// Connects again after the relay has ended, and goes on where it was.
    pub(crate) async fn reconnect(&mut self) -> Result<()> {
        let last = self.last.context("no event came")?;
        self.events = Sse::after(&self.api, &self.id, last).await?;
        Ok(())
    }

    /// Waits for an event from which `find` returns something.
    ///
    /// # Errors
    /// If it does not come, or `find` fails.
    pub(crate) async fn until<T>(
        &mut self,
        what: &str,
        mut find: impl FnMut(&Told) -> Result<Option<T>>,
    ) -> Result<T> {
        let mut seen = Vec::new();
        let search = async {
            loop {
                let told = self.next().await?;
                seen.push(told.kind.clone());
                if let Some(found) = find(&told)? {
                    return anyhow::Ok(found);
                }
            }
        };
        match timeout(PATIENCE, search).await {
            Ok(found) => found.with_context(|| format!("while waiting for {what}")),
            Err(_) => bail!("waited {PATIENCE:?} in vain for {what}; last came {seen:?}"),
        }
    }

    async fn next(&mut self) -> Result<Told> {
        let told = self.events.event().await?.context("the event stream has ended")?;
        if let (Some(cursor), Value::Object(fields)) = (told.id, &told.data) {
            let event = Event::of_kind(self.id.clone(), &told.kind, timestamp(&told.data), fields);
            self.shown.apply(cursor.seq, &event);
            self.last = Some(cursor);
        }
        if told.kind == "session-error" {
            self.errors.push(format!("{}: {}", told.data["code"], told.data["error"]));
        }
        Ok(told)
    }
}

fn timestamp(data: &Value) -> u64 {
    data["timestamp"].as_u64().unwrap_or_default()
}
