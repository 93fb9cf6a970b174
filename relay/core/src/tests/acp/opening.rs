//! Attaching: new, load and resume, with and without a cursor.

use serde_json::{Value, json};

use super::bench::{AcpBench, SESSION, bound, free, modes};

fn pair(kind: &str, text: &str) -> (String, String) {
    (kind.to_owned(), text.to_owned())
}

fn cursor_of(answer: &Value) -> Value {
    answer["result"]["_meta"]["moorline"]["cursor"].clone()
}

/// Returns a session in which something was said, asked and decided.
fn told() -> AcpBench {
    let mut bench = AcpBench::new();
    let writer = bench.client();
    bench.open(writer, "session/load", &json!({}));
    bench.event("agent-config", modes("ask"));
    let prompt = bench.prompt(writer, "hello");
    bench.says("m1", "one ");
    bench.says("m1", "two");
    bench.event("agent-tool", json!({ "toolCallId": "tool_1", "title": "Edit a", "kind": "edit" }));
    bench.asks("approval_1");
    let asked = bench.told(writer, "session/request_permission");
    let id = &asked[0]["id"];
    let outcome = json!({ "outcome": "selected", "optionId": "yes" });
    bench.say(writer, &json!({ "jsonrpc": "2.0", "id": id, "result": { "outcome": outcome } }));
    let turn = bench.disk.session.agent(0).turns.entries()[0].turn_id.to_string();
    bench.ends(&turn, &json!({ "state": "done", "stopReason": "end_turn" }));
    let answer = bench.answer(writer, prompt).expect("the turn is over");
    assert_eq!(answer["result"]["stopReason"], "end_turn", "{answer}");
    assert_eq!(answer["result"]["_meta"]["moorline"]["turnId"], json!(turn));
    bench
}

#[test]
fn the_history_follows_the_answer_to_new_and_precedes_that_to_load() {
    for method in ["session/new", "session/load"] {
        let mut bench = told();
        let client = bench.client();
        let answer_id = {
            let params = json!({ "sessionId": SESSION, "cwd": "/", "mcpServers": [] });
            bench.send(client, method, &params)
        };
        let told = &bench.clients[client].told;
        let place = told.iter().position(|it| it["id"] == answer_id).unwrap();
        assert_eq!(place, if method == "session/new" { 0 } else { told.len() - 1 });
        let answer = bench.answer(client, answer_id).unwrap();
        let result = &answer["result"];
        assert_eq!(result["modes"]["currentModeId"], "ask", "{answer}");
        assert_eq!(result["configOptions"][0]["currentValue"], "ask", "{answer}");
        assert_eq!(result.get("sessionId").is_some(), method == "session/new");
        let history = [
            pair("user_message_chunk", "hello"),
            pair("agent_message_chunk", "one two"),
            pair("tool_call", "Edit a"),
            pair("current_mode_update", ""),
            pair("config_option_update", ""),
        ];
        assert_eq!(bench.updates(client), history);
        assert_eq!(bench.clients[client].told, [] as [Value; 0], "what is decided is not asked");
    }
}

#[test]
fn resume_tells_only_the_state_and_what_comes() {
    let mut bench = told();
    let client = bench.client();
    let answer = bench.open(client, "session/resume", &json!({}));
    assert_eq!(answer["result"]["modes"]["currentModeId"], "ask", "{answer}");
    let state = [pair("current_mode_update", ""), pair("config_option_update", "")];
    assert_eq!(bench.updates(client), state);
    bench.says("m2", "more");
    assert_eq!(bench.updates(client), [pair("agent_message_chunk", "more")]);
}

#[test]
fn a_cursor_gives_only_what_follows() {
    for method in ["session/resume", "session/load"] {
        let mut bench = told();
        let client = bench.client();
        let answer = bench.open(client, "session/resume", &json!({}));
        let mut cursor = cursor_of(&answer);
        bench.updates(client);
        bench.says("m2", "seen");
        for it in &bench.clients[client].told {
            cursor = it["params"]["_meta"]["moorline"]["cursor"].clone();
        }
        bench.says("m2", " missed");
        bench.event("agent-tool", json!({ "toolCallId": "tool_1", "status": "completed" }));
        let client = bench.client();
        let answer = bench.open(client, method, &json!({ "moorline": { "cursor": cursor } }));
        let meta = &answer["result"]["_meta"]["moorline"];
        assert_eq!(meta["history"], "continued", "{answer}");
        let updates = bench.updates(client);
        let missed = [pair("agent_message_chunk", " missed"), pair("tool_call_update", "tool_1")];
        assert_eq!(updates[..2], missed, "{method}");
        let state = [pair("current_mode_update", ""), pair("config_option_update", "")];
        assert_eq!(updates[2..], state, "{method}");
        bench.says("m2", "!");
        assert_eq!(bench.updates(client), [pair("agent_message_chunk", "!")]);
        // It knows the state from before the cursor.
        let wish = json!({ "sessionId": SESSION, "modeId": "act" });
        let answer = bench.ask(client, "session/set_mode", &wish);
        assert_eq!(answer["result"], json!({}), "{answer}");
    }
}

#[test]
fn a_void_cursor_gives_the_whole_history_and_says_so() {
    for method in ["session/resume", "session/load"] {
        let mut bench = told();
        let client = bench.client();
        let cursor = json!({ "moorline": { "cursor": { "epoch": 9, "seq": 2 } } });
        let answer = bench.open(client, method, &cursor);
        assert_eq!(answer["result"]["_meta"]["moorline"]["history"], "replayed", "{answer}");
        let updates = bench.updates(client);
        assert_eq!(updates.len(), 5, "{updates:?}");
        assert_eq!(updates[1], pair("agent_message_chunk", "one two"));
    }
    let mut bench = told();
    let client = bench.client();
    let wrong = json!({ "moorline": { "cursor": { "epoch": "x" } } });
    assert_eq!(bench.open(client, "session/load", &wrong)["error"]["code"], -32602);
}

#[test]
fn each_last_update_of_an_entry_names_its_cursor() {
    let mut bench = told();
    let client = bench.client();
    bench.open(client, "session/load", &json!({}));
    let told = std::mem::take(&mut bench.clients[client].told);
    let cursors: Vec<_> =
        told.iter().map(|it| &it["params"]["_meta"]["moorline"]["cursor"]).collect();
    let (last, first) = cursors.split_last().unwrap();
    assert!(first.iter().all(|cursor| cursor.is_null()), "the history is one step");
    let head = bench.disk.session.log().head();
    assert_eq!(**last, json!({ "epoch": 1, "seq": head }));
    bench.event("agent-config", modes("act"));
    let told = std::mem::take(&mut bench.clients[client].told);
    let meta = |place: usize| &told[place]["params"]["_meta"]["moorline"]["cursor"]["seq"];
    assert_eq!((meta(0), meta(1)), (&Value::Null, &json!(head.0 + 1)), "{told:?}");
}

#[test]
fn an_open_question_is_asked_after_the_answer() {
    let mut bench = told();
    bench.asks("approval_2");
    let client = bench.client();
    bench.open(client, "session/load", &json!({}));
    bench.updates(client);
    let asked = bench.told(client, "session/request_permission");
    assert_eq!(asked.len(), 1);
    let params = &asked[0]["params"];
    assert_eq!(params["toolCall"]["toolCallId"], "tool_1");
    assert_eq!(
        params["options"][0],
        json!({ "optionId": "yes", "name": "Yes", "kind": "allow_once" })
    );
    assert_eq!(params["_meta"]["moorline"]["digest"], "d1");
}

#[test]
fn a_session_is_listed_started_and_loaded() {
    let mut bench = told();
    let client = bench.client_with(&free("admin"), &json!({}));
    let list = bench.ask(client, "session/list", &json!({}));
    assert_eq!(list["result"]["sessions"][0]["sessionId"], SESSION, "{list}");
    let list = bench.ask(client, "session/list", &json!({ "cwd": "/else" }));
    assert_eq!(list["result"]["sessions"], json!([]), "{list}");
    assert_eq!(
        bench.ask(client, "session/list", &json!({ "cursor": "?&" }))["error"]["code"],
        -32602
    );
    let wish = json!({ "cwd": "/home/me", "mcpServers": [] });
    assert_eq!(bench.ask(client, "session/new", &wish)["error"]["code"], -32602, "no agent");
    let wish =
        json!({ "cwd": "/home/me", "mcpServers": [], "_meta": { "moorline": { "agent": "pi" } } });
    let answer = bench.ask(client, "session/new", &wish);
    assert_eq!(answer["result"]["sessionId"], SESSION, "{answer}");
    let call =
        bench.clients[client].calls.iter().find(|call| call.path == "/api/sessions").unwrap();
    let body: Value = serde_json::from_str(call.body.as_ref().unwrap()).unwrap();
    assert_eq!((&body["cwd"], &body["agent"]["agent"]), (&json!("/home/me"), &json!("pi")));
    // A connection that is bound to it lists only it.
    let client = bench.client();
    let list = bench.ask(client, "session/list", &json!({ "cwd": "/home/me" }));
    assert_eq!(list["result"]["sessions"].as_array().unwrap().len(), 1, "{list}");
}

#[test]
fn a_session_that_a_token_is_not_for_does_not_exist() {
    let mut bench = told();
    let other = "session:session_2:write";
    let client = bench.client_with(&free(other), &json!({}));
    let answer = bench.open(client, "session/load", &json!({}));
    assert_eq!(answer["error"]["code"], -32002, "{answer}");
    assert_eq!(answer["error"]["data"]["code"], "not_found");
    let wish = json!({ "sessionId": "session_2", "cwd": "/", "mcpServers": [] });
    assert_eq!(bench.ask(client, "session/load", &wish)["error"]["code"], -32002);
    assert_eq!(bench.ask(client, "session/list", &json!({}))["error"]["data"]["code"], "forbidden");
    let client = bench.client_with(&bound("admin"), &json!({}));
    assert_eq!(bench.ask(client, "session/load", &wish)["error"]["code"], -32002, "it is bound");
}

#[test]
fn a_relay_that_does_not_answer_is_asked_again_for_a_while() {
    let mut bench = told();
    bench.is_up = false;
    let client = bench.client();
    let params = json!({ "sessionId": SESSION, "cwd": "/", "mcpServers": [] });
    let id = bench.send(client, "session/load", &params);
    bench.wait(1_000);
    assert_eq!(bench.answer(client, id), None);
    bench.is_up = true;
    bench.wait(1_000);
    assert!(bench.answer(client, id).unwrap()["result"].is_object());
    bench.is_up = false;
    let client = bench.client();
    let id = bench.send(client, "session/load", &params);
    bench.wait(31_000);
    let answer = bench.answer(client, id).unwrap();
    assert_eq!(answer["error"]["data"]["code"], "unreachable", "{answer}");
}
