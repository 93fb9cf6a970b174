//! Messages that are refused, settings, and limits.

use moorline_shared::limits::{ACP_MESSAGE_BYTES, ACP_SESSIONS};
use serde_json::{Value, json};

use super::bench::{AcpBench, SESSION, bound, free, modes};
use crate::acp::AcpTerms;

#[test]
fn what_is_no_request_is_refused() {
    let mut bench = AcpBench::new();
    let client = bench.client();
    for (method, params, code) in [
        ("session/fly", json!({}), -32601),
        ("authenticate", json!({ "methodId": "x" }), -32601),
        ("initialize", json!({ "protocolVersion": "one" }), -32602),
        ("session/load", json!({}), -32602),
        ("session/load", json!({ "sessionId": "?" }), -32002),
        ("session/prompt", json!({ "sessionId": SESSION, "prompt": [] }), -32002),
    ] {
        let answer = bench.ask(client, method, &params);
        assert_eq!(answer["error"]["code"], code, "{method}: {answer}");
        assert!(answer["error"]["data"]["code"].is_string(), "{answer}");
    }
    bench.open(client, "session/load", &json!({}));
    let answer = bench.ask(client, "session/prompt", &json!({ "sessionId": SESSION }));
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
}

#[test]
fn many_prompts_at_once_all_reach_the_session() {
    let mut bench = AcpBench::new();
    let client = bench.client();
    bench.open(client, "session/load", &json!({}));
    for request in bench.burst(client, 50) {
        assert_eq!(bench.answer(client, request), None, "its turn is not over");
    }
    assert_eq!(bench.turns(), 50);
}

#[test]
fn a_version_is_agreed_on() {
    let mut bench = AcpBench::new();
    let client = bench.client();
    let answer = bench.ask(client, "initialize", &json!({ "protocolVersion": 9 }));
    assert_eq!(answer["result"]["protocolVersion"], 1, "the newest that is spoken");
    assert_eq!(answer["result"]["agentInfo"]["version"], "1.2.3");
}

#[test]
fn nothing_but_initialize_comes_first() {
    use crate::acp::{AcpInput, AcpOutput, AcpServer};
    let mut server = AcpServer::new(bound("admin"), 1);
    let mut say = |text: &str| {
        server.handle(super::super::NOW, AcpInput::Client(text.to_owned()));
        let output = server.poll_output();
        let Some(AcpOutput::Client(answer)) = output else { panic!("{text}: {output:?}") };
        let answer: Value = serde_json::from_str(&answer).unwrap();
        (answer["id"].clone(), answer["error"]["code"].as_i64())
    };
    assert_eq!(say(r#"{"id":"a","method":"session/list"}"#), (json!("a"), Some(-32600)));
    assert_eq!(say("{"), (Value::Null, Some(-32700)));
    assert_eq!(say("[]"), (Value::Null, Some(-32600)));
    assert_eq!(say(&" ".repeat(ACP_MESSAGE_BYTES + 1)), (Value::Null, Some(-32600)));
    for ignored in ["", r#"{"method":"session/cancel"}"#, r#"{"id":"x","result":1}"#] {
        server.handle(super::super::NOW, AcpInput::Client(ignored.to_owned()));
        assert_eq!(server.poll_output(), None, "{ignored}");
    }
}

#[test]
fn a_setting_is_answered_once_the_agent_has_made_it() {
    let mut bench = AcpBench::new();
    bench.event("agent-config", modes("ask"));
    let client = bench.client();
    bench.open(client, "session/load", &json!({}));
    let wish = json!({ "sessionId": SESSION, "configId": "mode", "value": "act" });
    bench.host_is_slow();
    let id = bench.send(client, "session/set_config_option", &wish);
    assert_eq!(bench.answer(client, id), None);
    bench.host_works();
    let answer = bench.answer(client, id).unwrap();
    assert_eq!(answer["result"]["configOptions"][0]["currentValue"], "act", "{answer}");
    // What is so already needs no agent, and an agent has only so much time.
    bench.host_is_slow();
    let wish = json!({ "sessionId": SESSION, "modeId": "act" });
    assert_eq!(bench.ask(client, "session/set_mode", &wish)["result"], json!({}));
    let wish = json!({ "sessionId": SESSION, "modeId": "ask" });
    let id = bench.send(client, "session/set_mode", &wish);
    bench.wait(20_000);
    let answer = bench.answer(client, id).unwrap();
    assert_eq!(answer["error"]["data"]["code"], "not_confirmed", "{answer}");
    for wrong in [
        json!({ "sessionId": SESSION, "configId": "mood", "value": "act" }),
        json!({ "sessionId": SESSION, "configId": "mode", "value": "fly" }),
        json!({ "sessionId": SESSION, "configId": "mode" }),
    ] {
        let answer = bench.ask(client, "session/set_config_option", &wrong);
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
}

#[test]
fn a_reader_is_told_and_asked_nothing() {
    let mut bench = AcpBench::new();
    let client = bench.client_with(&bound("session:session_1:read"), &json!({}));
    bench.open(client, "session/load", &json!({}));
    bench.asks("approval_1");
    assert_eq!(bench.told(client, "session/request_permission").len(), 0);
    let prompt = bench.prompt(client, "hello");
    let answer = bench.answer(client, prompt).unwrap();
    assert_eq!(answer["error"]["data"]["code"], "read_only", "{answer}");
    bench.says("m1", "hi");
    assert_eq!(bench.updates(client).len(), 1);
}

#[test]
fn a_connection_has_only_so_many_sessions() {
    let mut bench = AcpBench::new();
    let client = bench.client_with(&free("admin"), &json!({}));
    bench.is_up = false;
    for place in 0..ACP_SESSIONS {
        let params = json!({ "sessionId": format!("session_a{place}"), "cwd": "/" });
        bench.send(client, "session/load", &params);
    }
    let answer = bench.open(client, "session/load", &json!({}));
    assert_eq!(answer["error"]["data"]["code"], "overloaded", "{answer}");
}

#[test]
fn a_client_that_confirms_nothing_gets_no_more() {
    let mut bench = AcpBench::new();
    let terms = AcpTerms { receipts: true, ..bound("admin") };
    let client = bench.client_with(&terms, &json!({}));
    bench.open(client, "session/load", &json!({}));
    let piece = "x".repeat(60_000);
    for _ in 0..30 {
        bench.says("m1", &piece);
    }
    let told = bench.updates(client).len();
    assert!((10..30).contains(&told), "{told}");
    let mut receipts = bench.told(client, "_moorline/received");
    assert_eq!(receipts.len(), 1);
    // Any answer is one. Clients do not know the method.
    while let Some(receipt) = receipts.pop() {
        let error = json!({ "code": -32601, "message": "unknown" });
        bench.say(client, &json!({ "jsonrpc": "2.0", "id": receipt["id"], "error": error }));
        receipts = bench.told(client, "_moorline/received");
    }
    assert_eq!(bench.updates(client).len() + told, 30);
    assert_eq!(bench.clients[client].closed, None);
    for _ in 0..30 {
        bench.says("m1", &piece);
    }
    bench.wait(46_000);
    assert_eq!(bench.clients[client].closed, Some(1002));
}
