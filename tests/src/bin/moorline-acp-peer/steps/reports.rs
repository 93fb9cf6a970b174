//! Steps that report something: messages, tool calls, plans, settings.

use serde_json::{Map, Value};

use crate::history::HistoryEntry;
use crate::rpc::{INVALID_PARAMS, RpcFailure};
use crate::turn::{PeerTurn, Stepped, StepsEnd};
use crate::updates;

/// Reports a tool call.
pub(crate) async fn tool(turn: &PeerTurn, mut fields: Map<String, Value>) -> Stepped {
    let session = turn.session()?;
    fields.entry("toolCallId").or_insert_with(|| session.new_id("call").into());
    fields.entry("title").or_insert_with(|| "Tool".into());
    turn.update(updates::tool(turn.dialect.version, fields)).await
}

/// Changes a tool call: the last one, if none is named.
pub(crate) async fn tool_update(turn: &PeerTurn, mut fields: Map<String, Value>) -> Stepped {
    let last = turn.session()?.last_tool();
    fields.entry("toolCallId").or_insert_with(|| last.into());
    turn.update(updates::of_fields("tool_call_update", fields)).await
}

/// Changes a setting and reports it.
pub(crate) async fn setting(turn: &PeerTurn, id: &str, value: Value) -> Stepped {
    let session = turn.session()?;
    let refused = |what| StepsEnd::Refused(RpcFailure::new(INVALID_PARAMS, what));
    session.settings().set(id, &value).map_err(refused)?;
    session.record(HistoryEntry::Setting { id: id.to_owned(), value })?;
    // Replays leave these out: the answer to the request has the current values.
    for update in session.settings().updates(&turn.dialect, id) {
        turn.update_unkept(update).await?;
    }
    Ok(())
}
