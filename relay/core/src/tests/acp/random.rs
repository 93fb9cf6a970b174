//! Any messages of a client and of a relay, in any order: nothing panics, and each input comes to
//! rest.

use moorline_shared::event::Event;
use moorline_shared::link::Generation;
use moorline_shared::message::ServerMessage;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::*;
use super::bench::{SESSION, bound, id, modes};
use crate::acp::{AcpInput, AcpOutput, AcpServer, AcpTerms, ApiAnswer, StreamNews};

/// Far more outputs than one input can cause.
const MOST_OUTPUTS: usize = 10_000;

fn params() -> impl Strategy<Value = Value> {
    let prompt = json!([{ "type": "text", "text": "go" }, { "type": "resource_link", "uri": "x" }]);
    let cursor = json!({ "moorline": { "cursor": { "epoch": 1, "seq": 3 } } });
    prop_oneof![
        Just(json!({ "sessionId": SESSION })),
        Just(json!({ "sessionId": SESSION, "_meta": cursor })),
        Just(json!({ "sessionId": SESSION, "prompt": prompt })),
        Just(json!({ "sessionId": SESSION, "modeId": "act", "configId": "mode", "value": "act" })),
        Just(json!({ "requestId": 3, "protocolVersion": 1, "cwd": "/" })),
        Just(json!({ "sessionId": 7, "prompt": {}, "cwd": [], "protocolVersion": {} })),
        Just(Value::Null),
    ]
}

fn client_message() -> impl Strategy<Value = String> {
    let methods = prop::sample::select(vec![
        "initialize",
        "session/new",
        "session/load",
        "session/resume",
        "session/list",
        "session/prompt",
        "session/cancel",
        "session/set_mode",
        "session/set_config_option",
        "session/close",
        "$/cancel_request",
        "fly",
    ]);
    let outcome = json!({ "outcome": { "outcome": "selected", "optionId": "yes" } });
    prop_oneof![
        6 => (methods, params(), any::<bool>(), 0_u8..9).prop_map(|(method, params, asks, id)| {
            let mut message = json!({ "method": method, "params": params });
            if asks {
                message["id"] = json!(id);
            }
            message.to_string()
        }),
        1 => (0_u8..9).prop_map(move |id| json!({ "id": id, "result": outcome }).to_string()),
        1 => ".{0,20}",
    ]
}

fn events() -> impl Strategy<Value = (&'static str, Value)> {
    let asks = json!({
        "approvalId": "approval_1", "command": "x", "digest": "d",
        "options": [{ "optionId": "yes", "name": "Yes", "kind": "allow_once" }],
    });
    prop_oneof![
        Just(("agent-message", json!({ "messageId": "m", "role": "agent", "delta": "é" }))),
        Just((
            "agent-message",
            json!({ "messageId": "m", "content": [{ "type": "text", "text": "x" }] })
        )),
        Just((
            "agent-tool",
            json!({ "toolCallId": "t", "title": "T", "content": [{ "type": "odd" }] })
        )),
        Just(("agent-turn", json!({ "turnId": "turn_0001", "state": "done" }))),
        Just(("agent-config", modes("ask"))),
        Just(("approval-request", asks)),
        Just(("approval-expired", json!({ "approvalId": "approval_1" }))),
        Just(("agent-usage", json!({ "used": 1, "size": 2, "cost": "1e999", "currency": "USD" }))),
        Just(("weather", json!(7))),
    ]
}

fn stream_news() -> impl Strategy<Value = StreamNews> {
    let message =
        |text: Value| StreamNews::Message(ServerMessage::from_json(&text.to_string()).unwrap());
    let outcome = prop::sample::select(vec!["continue", "snapshot", "reset", "ended"]);
    prop_oneof![
        2 => Just(StreamNews::Opened),
        1 => prop::sample::select(vec![1000_u16, 1001, 1006, 4404]).prop_map(StreamNews::Closed),
        2 => (0_u64..9, 0_usize..9).prop_map(|(seq, bytes)| StreamNews::Frame(Seq(seq), bytes)),
        4 => (outcome, 1_u64..3, 0_u64..5).prop_map(move |(outcome, epoch, seq)| message(json!({
            "type": "resumed", "outcome": outcome, "epoch": epoch, "from": seq, "head": seq + 1,
            "inputSeq": null,
        }))),
        6 => (events(), 0_u64..9).prop_map(move |((kind, fields), seq)| {
            let event = Event::of_kind(id(), kind, 1, fields);
            message(json!({ "type": "event", "seq": seq, "event": event }))
        }),
        1 => (0_u64..9).prop_map(move |seq| message(json!({
            "type": "snapshot", "seq": seq, "data": "e30=", "reason": "requested",
        }))),
        1 => (0_u64..9).prop_map(move |request| message(json!({ "type": "done", "request": request }))),
        1 => Just(message(json!({ "type": "pending", "pending": { "order": 7 } }))),
        1 => Just(message(json!({ "type": "exit", "seq": 1, "code": 0, "signal": null }))),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    Client(String),
    Stream(StreamNews),
    /// Answers the oldest request to the API with this status.
    Answer(u16),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => client_message().prop_map(Step::Client),
        6 => stream_news().prop_map(Step::Stream),
        2 => prop::sample::select(vec![0_u16, 200, 404]).prop_map(Step::Answer),
        1 => (0_u64..50_000).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..60)
}

fn answer(status: u16) -> ApiAnswer {
    let summary = json!({
        "sessionId": SESSION, "name": "a", "project": null, "driver": "agent", "command": [],
        "cwd": "/a", "lifecycle": "live", "status": "idle", "running": null, "lastExitCode": null,
        "exitCode": null, "exitSignal": null, "createdAt": "", "lastActivity": "", "clients": 0,
    });
    match status {
        0 => ApiAnswer::Unreachable,
        status => ApiAnswer::Answered { status, body: summary.to_string().into_bytes() },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_comes_the_connection_comes_to_rest(receipts: bool, steps in steps()) {
        let mut server = AcpServer::new(AcpTerms { receipts, ..bound("admin") }, 5);
        let hello = r#"{"id":0,"method":"initialize","params":{"protocolVersion":1}}"#;
        server.handle(NOW, AcpInput::Client(hello.to_owned()));
        let (mut now, mut generation, mut calls) = (NOW, Generation(0), Vec::new());
        for step in steps {
            match step {
                Step::Client(text) => server.handle(now, AcpInput::Client(text)),
                Step::Stream(news) => {
                    server.handle(now, AcpInput::Stream(id(), generation, news));
                }
                Step::Answer(status) => {
                    if !calls.is_empty() {
                        server.handle(now, AcpInput::Answer(calls.remove(0), answer(status)));
                    }
                }
                Step::Wait(ms) => {
                    now = Time::from_ms(now.ms + ms);
                    server.tick(now);
                }
            }
            let mut outputs = 0;
            while let Some(output) = server.poll_output() {
                outputs += 1;
                prop_assert!(outputs < MOST_OUTPUTS);
                match output {
                    AcpOutput::Dial(_, new) => generation = new,
                    AcpOutput::Call(call) => calls.push(call.number),
                    AcpOutput::Client(text) => prop_assert!(!text.contains('\n'), "{}", text),
                    _ => {}
                }
            }
            let _ = (server.poll_timeout(), server.takes_news());
        }
    }
}
