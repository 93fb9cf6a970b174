//! A run of steps: the parts that all steps use.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

use crate::content::PromptContent;
use crate::context::PeerContext;
use crate::dialect::{PeerDialect, PeerFeature};
use crate::history::HistoryEntry;
use crate::rpc::{Answered, RpcFailure};
use crate::session::PeerSession;
use crate::updates;

/// The message of the agent.
pub(crate) const MESSAGE: &str = "agent_message_chunk";
/// A thought of the agent.
pub(crate) const THOUGHT: &str = "agent_thought_chunk";

/// Why the steps end before the last one.
#[derive(Debug)]
pub(crate) enum StepsEnd {
    /// The client cancelled the turn.
    Cancelled,
    /// The request is answered with this error.
    Refused(RpcFailure),
}

impl From<anyhow::Error> for StepsEnd {
    fn from(error: anyhow::Error) -> Self {
        Self::Refused(error.into())
    }
}

/// What a step comes to.
pub(crate) type Stepped<T = ()> = Result<T, StepsEnd>;

/// The steps of a prompt, or of a moment outside of prompts.
pub(crate) struct PeerTurn {
    pub(crate) context: Arc<PeerContext>,
    pub(crate) dialect: PeerDialect,
    /// Empty at moments without a session.
    session: Option<Arc<PeerSession>>,
    /// Id of the request that the steps answer.
    pub(crate) request: Value,
    pub(crate) prompt: PromptContent,
    cancelled: watch::Receiver<bool>,
    /// Number of parts in which a text is sent.
    pub(crate) chunks: usize,
    /// The message that was said last.
    message: Option<String>,
    /// Answers to permission requests that were not waited for.
    pub(crate) asked: Vec<oneshot::Receiver<Answered>>,
}

impl PeerTurn {
    pub(crate) fn new(
        context: Arc<PeerContext>,
        dialect: PeerDialect,
        session: Option<Arc<PeerSession>>,
        request: Value,
        cancelled: watch::Receiver<bool>,
    ) -> Self {
        Self {
            context,
            dialect,
            session,
            request,
            prompt: PromptContent::default(),
            cancelled,
            chunks: 1,
            message: None,
            asked: Vec::new(),
        }
    }

    /// The session.
    ///
    /// # Errors
    /// At a moment without one.
    pub(crate) fn session(&self) -> anyhow::Result<Arc<PeerSession>> {
        let session = self.session.clone();
        session.ok_or_else(|| anyhow::anyhow!("there is no session at this moment"))
    }

    /// Sends an update and keeps it in the history.
    pub(crate) async fn update(&self, update: Value) -> Stepped {
        self.session()?.record(HistoryEntry::Update(update.clone()))?;
        self.update_unkept(update).await
    }

    /// Sends an update that is not replayed.
    pub(crate) async fn update_unkept(&self, update: Value) -> Stepped {
        let params = json!({"sessionId": self.session()?.id, "update": update});
        Ok(self.context.wire.notify("session/update", params).await?)
    }

    /// Sends a new message of this kind, in as many parts as `chunks` says.
    pub(crate) async fn say(&mut self, kind: &str, text: &str) -> Stepped {
        let id = self.session()?.new_id("msg");
        if kind == MESSAGE {
            self.message = Some(id.clone());
        }
        self.send_chunks(kind, &id, text).await
    }

    /// Adds to the message that was said last; without one it is a new message.
    pub(crate) async fn say_more(&mut self, text: &str) -> Stepped {
        match self.message.clone() {
            Some(id) => self.send_chunks(MESSAGE, &id, text).await,
            None => self.say(MESSAGE, text).await,
        }
    }

    /// The id as updates of this connection carry it: version 1 may leave it out.
    pub(crate) fn message_id<'id>(&self, id: &'id str) -> Option<&'id str> {
        let carried = self.dialect.version > 1 || self.dialect.has(PeerFeature::MessageIds);
        Some(id).filter(|_| carried)
    }

    async fn send_chunks(&self, kind: &str, id: &str, text: &str) -> Stepped {
        for part in parts(text, self.chunks) {
            let content = updates::text(&part);
            self.update(updates::chunk(kind, self.message_id(id), &content)).await?;
        }
        Ok(())
    }

    /// Sends a request about the session.
    pub(crate) async fn ask(
        &self,
        method: &str,
        mut params: Value,
    ) -> Stepped<oneshot::Receiver<Answered>> {
        params["sessionId"] = self.session()?.id.clone().into();
        Ok(self.context.wire.request(method, params).await?)
    }

    /// Waits for an answer that the client has to give even after a cancel.
    pub(crate) async fn answer(&self, receiver: oneshot::Receiver<Answered>) -> Stepped<Answered> {
        receiver.await.map_err(|_| anyhow::anyhow!("the request was forgotten").into())
    }

    /// Waits for the future, at most until the turn is cancelled.
    pub(crate) async fn unless_cancelled<T>(
        &mut self,
        future: impl Future<Output = T>,
    ) -> Stepped<T> {
        tokio::select! {
            biased;
            // The sender is gone only after the turn.
            Ok(_) = self.cancelled.wait_for(|cancelled| *cancelled) => Err(StepsEnd::Cancelled),
            output = future => Ok(output),
        }
    }

    /// Sends a request about the session and waits for the answer, at most until the turn is
    /// cancelled.
    pub(crate) async fn ask_and_wait(&mut self, method: &str, params: Value) -> Stepped<Answered> {
        let receiver = self.ask(method, params).await?;
        let answer = self.unless_cancelled(receiver).await?;
        answer.map_err(|_| anyhow::anyhow!("the request was forgotten").into())
    }

    /// Ends the steps if the turn was cancelled.
    pub(crate) fn check(&self) -> Stepped {
        if *self.cancelled.borrow() { Err(StepsEnd::Cancelled) } else { Ok(()) }
    }

    /// The path as the protocol wants it: absolute, from the session's folder on.
    pub(crate) fn absolute(&self, path: &str) -> Stepped<String> {
        let folder = self.session()?.cwd();
        let path = std::path::Path::new(&folder).join(path);
        Ok(path.to_string_lossy().into_owned())
    }
}

/// Cuts a text into this many parts of about the same length; fewer if it is shorter.
fn parts(text: &str, count: usize) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let size = chars.len().div_ceil(count.max(1)).max(1);
    chars.chunks(size).map(|part| part.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(parts("äöüß", 2), ["äö", "üß"]);
        assert_eq!(parts("abcde", 2), ["abc", "de"]);
        assert_eq!(parts("ab", 5), ["a", "b"]);
        assert_eq!(parts("ab", 0), ["ab"]);
    }
}
