//! Steps that send what no agent should send, or too much of it.

use serde_json::{Map, Value};

use crate::turn::{MESSAGE, PeerTurn, Stepped};
use crate::updates;

/// Bytes of text in one message of a flood.
const FLOOD_CHUNK: usize = 1024;
/// What a flood repeats.
const FLOOD_TEXT: &str = "0123456789abcdef";

/// Sends a line as it is, with the ids of the session and the request filled in.
pub(crate) async fn raw(turn: &PeerTurn, line: &str) -> Stepped {
    let session = turn.session().map(|session| session.id.clone()).unwrap_or_default();
    let line = line.replace("$SESSION", &session).replace("$REQUEST", &turn.request.to_string());
    Ok(turn.context.wire.line(&line).await?)
}

/// Sends an update of a kind that no version has.
pub(crate) async fn unknown_update(turn: &PeerTurn, fields: Map<String, Value>) -> Stepped {
    turn.update(updates::of_fields("peer_unknown", fields)).await
}

/// Sends the first half of a message and ends the process.
pub(crate) async fn half(turn: &PeerTurn) -> Stepped {
    let half = r#"{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":""#;
    turn.context.wire.part(half).await?;
    std::process::exit(1)
}

/// Sends one message of this many bytes of text in many small parts. It is not kept in the history.
pub(crate) async fn flood(turn: &mut PeerTurn, bytes: usize) -> Stepped {
    let id = turn.session()?.new_id("msg");
    let chunk = FLOOD_TEXT.repeat(FLOOD_CHUNK / FLOOD_TEXT.len());
    let mut left = bytes;
    while left > 0 {
        let size = left.min(FLOOD_CHUNK);
        let content = updates::text(&chunk[..size]);
        turn.update_unkept(updates::chunk(MESSAGE, turn.message_id(&id), &content)).await?;
        turn.check()?;
        left -= size;
    }
    Ok(())
}

/// Sends a message of this many bytes of text in one line. It is not kept in the history.
pub(crate) async fn huge_line(turn: &PeerTurn, bytes: usize) -> Stepped {
    let id = turn.session()?.new_id("msg");
    let mut text = FLOOD_TEXT.repeat(bytes.div_ceil(FLOOD_TEXT.len()));
    text.truncate(bytes);
    let content = updates::text(&text);
    turn.update_unkept(updates::chunk(MESSAGE, turn.message_id(&id), &content)).await
}
