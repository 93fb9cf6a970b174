//! Prompts: from the request to the turn that runs its steps.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::Result;
use serde_json::{Value, json};

use crate::content::PromptContent;
use crate::context::PeerContext;
use crate::dialect::{PeerDialect, PeerFeature};
use crate::history::HistoryEntry;
use crate::play::{PlayedRequest, ScriptPlayer};
use crate::rpc::{INVALID_PARAMS, INVALID_REQUEST, RpcFailure};
use crate::script::{ScriptFile, ScriptStep, parse_prompt};
use crate::session::PeerSession;
use crate::turn::PeerTurn;
use crate::updates;

/// A prompt that has arrived.
pub(crate) struct ArrivedPrompt {
    pub(crate) context: Arc<PeerContext>,
    pub(crate) session: Arc<PeerSession>,
    /// Id of the request.
    pub(crate) id: Value,
}

impl ArrivedPrompt {
    /// Starts the turn, and answers when its steps are done; in version 2 before they start.
    ///
    /// # Errors
    /// If the client has closed the pipe.
    pub(crate) async fn start(
        self,
        dialect: &PeerDialect,
        script: &ScriptFile,
        params: &Value,
    ) -> Result<()> {
        let key = params["idempotencyKey"].as_str().filter(|_| dialect.version > 1);
        if let Some(message_id) = key.and_then(|key| self.session.accepted(key)) {
            let result = json!({"messageId": message_id});
            return self.context.wire.answer(&self.id, &Ok(result)).await;
        }
        let (content, steps) = match read(dialect, script, params) {
            Ok(read) => read,
            Err(error) => return self.context.wire.answer(&self.id, &Err(error)).await,
        };
        let Some(cancelled) = self.session.start_turn() else {
            let what = "Invalid request: a turn of this session is running";
            let error = RpcFailure::new(INVALID_REQUEST, what);
            return self.context.wire.answer(&self.id, &Err(error)).await;
        };
        let session = Some(self.session.clone());
        let (context, id) = (self.context.clone(), self.id.clone());
        let mut turn = PeerTurn::new(context, dialect.clone(), session, id, cancelled);
        turn.prompt = content;
        let is_refused = dialect.version > 1 && self.is_refused(&steps);
        if !is_refused {
            self.accept(&turn, key).await?;
        }
        ScriptPlayer::new(turn, PlayedRequest::Prompt { is_refused }).start(steps).await
    }

    /// Whether the first step is the error that answers the prompt itself.
    fn is_refused(&self, steps: &[ScriptStep]) -> bool {
        match steps.first() {
            Some(ScriptStep::Error { .. }) => true,
            Some(ScriptStep::Auth) => !self.context.authenticated.load(Ordering::Relaxed),
            _ => false,
        }
    }

    /// Adds the user's message to the history. In version 2, this answers the prompt.
    async fn accept(&self, turn: &PeerTurn, key: Option<&str>) -> Result<()> {
        let id = self.session.new_id("msg");
        if turn.dialect.version == 1 {
            for block in &turn.prompt.blocks {
                let update = updates::chunk("user_message_chunk", turn.message_id(&id), block);
                self.session.record(HistoryEntry::Update(update))?;
            }
            return Ok(());
        }
        if let Some(key) = key {
            let accepted = HistoryEntry::Accepted { key: key.to_owned(), message_id: id.clone() };
            self.session.record(accepted)?;
        }
        self.context.wire.answer(&self.id, &Ok(json!({"messageId": id}))).await?;
        let kind = "user_message";
        let message =
            json!({"sessionUpdate": kind, "messageId": id, "content": turn.prompt.blocks});
        self.session.record(HistoryEntry::Update(message.clone()))?;
        let running = json!({"sessionUpdate": "state_update", "state": "running"});
        for update in [message, running] {
            let params = json!({"sessionId": self.session.id, "update": update});
            self.context.wire.notify("session/update", params).await?;
        }
        Ok(())
    }
}

/// Reads the content of a prompt and the steps that it starts.
fn read(
    dialect: &PeerDialect,
    script: &ScriptFile,
    params: &Value,
) -> Result<(PromptContent, Vec<ScriptStep>), RpcFailure> {
    let content = PromptContent::read(&params["prompt"])?;
    let invalid = |what: String| RpcFailure::new(INVALID_PARAMS, format!("Invalid params: {what}"));
    for (kind, feature) in
        [("image", PeerFeature::Images), ("resource", PeerFeature::EmbeddedContext)]
    {
        if !dialect.has(feature) && content.blocks.iter().any(|block| block["type"] == kind) {
            return Err(invalid(format!("prompts take no {kind}")));
        }
    }
    if !script.prompt.is_empty() {
        return Ok((content, script.prompt.clone()));
    }
    let steps = parse_prompt(&content.text).map_err(invalid)?;
    Ok((content, steps))
}
