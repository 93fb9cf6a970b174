//! Reads a [`ServerMessage`]: its type first, then the fields of that type.
//!
//! What serde derives for a tagged enum first copies each message into a tree of values, and is by
//! far the largest function of a browser's client. The two agree; a test holds them to it.

use std::borrow::Cow;

use serde::Deserialize;

use super::{ErrorCode, ExtendedMeta, ServerMessage, SessionMeta};
use crate::event::Event;
use crate::id::Seq;

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    name: String,
    created_at: String,
}

#[derive(Deserialize)]
struct State {
    value: String,
    tool: Option<String>,
    ts: String,
    seq: Option<Seq>,
}

#[derive(Deserialize)]
struct InputAck {
    seq: Seq,
}

#[derive(Deserialize)]
struct Told {
    seq: Seq,
    event: Event,
}

#[derive(Deserialize)]
struct Heartbeat {
    head: Seq,
}

#[derive(Deserialize)]
struct Pong {
    t: u64,
}

#[derive(Deserialize)]
struct Exit {
    seq: Seq,
    code: Option<i32>,
    signal: Option<String>,
}

#[derive(Deserialize)]
struct Fault {
    code: ErrorCode,
    message: String,
}

pub(super) fn server(text: &str) -> serde_json::Result<ServerMessage> {
    use serde_json::from_str;

    let Kind { kind } = from_str(text)?;
    Ok(match &*kind {
        "session-meta" => {
            let Meta { name, created_at } = from_str(text)?;
            // All of what `moorline.v1` adds, or nothing.
            let extended = from_str::<ExtendedMeta>(text).ok();
            ServerMessage::SessionMeta(Box::new(SessionMeta { name, created_at, extended }))
        }
        "state" => {
            let State { value, tool, ts, seq } = from_str(text)?;
            ServerMessage::State { value, tool, ts, seq }
        }
        "resumed" => ServerMessage::Resumed(from_str(text)?),
        "snapshot" => ServerMessage::Snapshot(from_str(text)?),
        "input-ack" => ServerMessage::InputAck { seq: from_str::<InputAck>(text)?.seq },
        "event" => {
            let Told { seq, event } = from_str(text)?;
            ServerMessage::Event { seq, event }
        }
        "heartbeat" => ServerMessage::Heartbeat { head: from_str::<Heartbeat>(text)?.head },
        "pong" => ServerMessage::Pong { t: from_str::<Pong>(text)?.t },
        "exit" => {
            let Exit { seq, code, signal } = from_str(text)?;
            ServerMessage::Exit { seq, code, signal }
        }
        "error" => {
            let Fault { code, message } = from_str(text)?;
            ServerMessage::Error { code, message }
        }
        _ => ServerMessage::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_read_as_serde_would() {
        let texts = [
            r#"{"type":"session-meta","name":"a","createdAt":"b"}"#,
            r#"{"type":"session-meta","name":"a","createdAt":"b","epoch":1}"#,
            r#"{"type":"session-meta","name":"a","createdAt":"b","epoch":1,"head":2,"tail":1,"cols":80,"rows":24,"driver":"pty","lifecycle":"live","scope":"read","more":[]}"#,
            r#"{"createdAt":"b","name":"a","type":"session-meta"}"#,
            r#"{"type":"state","value":"idle","tool":null,"ts":"t","seq":3}"#,
            r#"{"type":"state","value":"idle","ts":"t"}"#,
            r#"{"type":"resumed","outcome":"reset","epoch":9,"from":1,"head":2,"inputSeq":null}"#,
            r#"{"type":"snapshot","seq":4,"data":"G2Mh","cols":80}"#,
            r#"{"type":"snapshot","seq":4,"data":"!"}"#,
            r#"{"type":"input-ack","seq":1}"#,
            r#"{"type":"input\u002dack","seq":1}"#,
            r#"{"type":"event","seq":2,"event":{"sessionId":"session1","type":"x","timestamp":1,"a":{}}}"#,
            r#"{"type":"heartbeat","head":8}"#,
            r#"{"type":"heartbeat","head":"8"}"#,
            r#"{"type":"pong","t":5}"#,
            r#"{"type":"exit","seq":9,"code":-1}"#,
            r#"{"type":"exit","code":1}"#,
            r#"{"type":"error","code":"read_only","message":"m"}"#,
            r#"{"type":"error","code":"newer","message":"m"}"#,
            r#"{"type":"dance","seq":"x"}"#,
            r#"{"seq":1}"#,
            r#"{"type":1}"#,
            "[]",
            "",
            r#"{"type":"pong","t":5"#,
        ];
        for text in texts {
            let derived = serde_json::from_str::<ServerMessage>(text).ok();
            assert_eq!(server(text).ok(), derived, "{text}");
        }
    }
}
