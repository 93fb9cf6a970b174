//! Prompts, questions and interruptions, with one client and with several.

use moorline_shared::message::close;
use serde_json::{Value, json};

use super::bench::{AcpBench, SESSION, bound};
use crate::session::SessionInput;

fn attached(bench: &mut AcpBench) -> usize {
    let client = bench.client();
    bench.open(client, "session/load", &json!({}));
    bench.updates(client);
    client
}

fn turn(bench: &AcpBench, place: usize) -> String {
    bench.disk.session.agent(0).turns.entries()[place].turn_id.to_string()
}

fn texts(updates: Vec<(String, String)>) -> Vec<String> {
    updates.into_iter().map(|(_, text)| text).collect()
}

fn decide(bench: &mut AcpBench, client: usize, asked: &Value, option: &str) {
    let outcome = json!({ "outcome": { "outcome": "selected", "optionId": option } });
    bench.say(client, &json!({ "jsonrpc": "2.0", "id": asked["id"], "result": outcome }));
}

#[test]
fn a_prompt_is_shown_to_other_clients_only() {
    let mut bench = AcpBench::new();
    let (one, two) = (attached(&mut bench), attached(&mut bench));
    let prompt = bench.prompt(one, "hello");
    bench.says("m1", "hi");
    assert_eq!(texts(bench.updates(one)), ["hi"]);
    assert_eq!(texts(bench.updates(two)), ["hello", "hi"]);
    assert_eq!(bench.answer(one, prompt), None, "the turn runs");
    let id = turn(&bench, 0);
    bench.ends(&id, &json!({ "state": "done", "stopReason": "max_tokens" }));
    assert_eq!(bench.answer(one, prompt).unwrap()["result"]["stopReason"], "max_tokens");
    // Whoever asks for the whole history gets its own prompts, too.
    bench.open(one, "session/load", &json!({}));
    assert_eq!(texts(bench.updates(one)), ["hello", "hi"]);
}

#[test]
fn a_turn_that_fails_is_an_error_with_its_code() {
    let mut bench = AcpBench::new();
    let client = attached(&mut bench);
    let prompt = bench.prompt(client, "hello");
    let error = json!({ "code": "auth_required", "message": "Log in first." });
    let id = turn(&bench, 0);
    bench.ends(&id, &json!({ "state": "failed", "error": error }));
    let error = bench.answer(client, prompt).unwrap()["error"].clone();
    assert_eq!((&error["code"], &error["data"]["code"]), (&json!(-32000), &json!("auth_required")));
    assert_eq!(error["message"], "Log in first.");
}

#[test]
fn cancel_stops_only_the_client_s_own_turns() {
    let mut bench = AcpBench::new();
    let (one, two) = (attached(&mut bench), attached(&mut bench));
    let running = bench.prompt(one, "runs");
    let queued = bench.prompt(two, "waits");
    let cancel = json!({ "method": "session/cancel", "params": { "sessionId": SESSION } });
    bench.say(two, &cancel);
    assert_eq!(bench.answer(two, queued).unwrap()["result"]["stopReason"], "cancelled");
    assert_eq!(bench.answer(one, running), None, "it goes on");
    bench.say(one, &cancel);
    assert_eq!(bench.answer(one, running).unwrap()["result"]["stopReason"], "cancelled");
    assert_eq!(texts(bench.updates(two)), ["runs"], "what was withdrawn was never said");
}

#[test]
fn cancel_before_the_host_knows_the_prompt_withdraws_it() {
    let mut bench = AcpBench::new();
    let client = attached(&mut bench);
    bench.host_is_slow();
    let prompt = bench.prompt(client, "hello");
    bench.say(client, &json!({ "method": "$/cancel_request", "params": { "requestId": prompt } }));
    assert_eq!(bench.answer(client, prompt), None);
    // Meanwhile the agent has begun with it: the turn is stopped.
    bench.host_works();
    assert_eq!(bench.answer(client, prompt).unwrap()["result"]["stopReason"], "cancelled");
}

#[test]
fn a_question_that_is_decided_elsewhere_is_cancelled() {
    let mut bench = AcpBench::new();
    let (one, two) = (attached(&mut bench), attached(&mut bench));
    bench.asks("approval_1");
    let of_one = bench.told(one, "session/request_permission").remove(0);
    let of_two = bench.told(two, "session/request_permission").remove(0);
    decide(&mut bench, one, &of_one, "yes");
    let cancelled = bench.told(two, "$/cancel_request");
    assert_eq!(cancelled[0]["params"]["requestId"], of_two["id"]);
    assert_eq!(bench.told(one, "$/cancel_request"), [] as [Value; 0]);
    // A late answer changes nothing.
    decide(&mut bench, two, &of_two, "no");
    let view = bench.disk.session.agent(0);
    let decision = view.approvals.entries()[0].decision.clone().unwrap();
    assert_eq!((decision.approved, decision.option_id.as_deref()), (true, Some("yes")));
}

#[test]
fn a_question_is_asked_once_though_its_decision_is_on_its_way() {
    let mut bench = AcpBench::new();
    let (one, two) = (attached(&mut bench), attached(&mut bench));
    bench.asks("approval_1");
    let of_one = bench.told(one, "session/request_permission").remove(0);
    bench.told(two, "session/request_permission");
    bench.host_is_slow();
    decide(&mut bench, one, &of_one, "yes");
    assert_eq!(bench.told(two, "$/cancel_request").len(), 1, "it is decided");
    bench.host_works();
    for client in [one, two] {
        assert_eq!(bench.told(client, "session/request_permission").len(), 0);
        assert_eq!(bench.told(client, "$/cancel_request").len(), 0);
    }
}

#[test]
fn an_answer_that_chooses_nothing_leaves_the_question_open() {
    let mut bench = AcpBench::new();
    let client = attached(&mut bench);
    for (place, answer) in [
        json!({ "result": { "outcome": { "outcome": "cancelled" } } }),
        json!({ "error": { "code": -32601, "message": "What?" } }),
    ]
    .into_iter()
    .enumerate()
    {
        bench.asks(&format!("approval_{place}"));
        let asked = bench.told(client, "session/request_permission").remove(0);
        let mut message = json!({ "jsonrpc": "2.0", "id": asked["id"] });
        message.as_object_mut().unwrap().extend(answer.as_object().unwrap().clone());
        bench.say(client, &message);
        assert_eq!(bench.disk.session.agent(0).approvals.open(0).count(), place + 1);
        assert_eq!(bench.told(client, "session/request_permission").len(), 0, "asked again");
    }
    // A client that comes later is asked all of them.
    let later = attached(&mut bench);
    assert_eq!(bench.told(later, "session/request_permission").len(), 2);
}

#[test]
fn an_answer_that_does_not_fit_is_asked_for_again_a_few_times() {
    let mut bench = AcpBench::new();
    let client = attached(&mut bench);
    bench.asks("approval_1");
    for answer in [
        json!({ "outcome": { "outcome": "selected", "optionId": "perhaps" } }),
        json!({ "outcome": { "outcome": "selected" } }),
        json!(7),
    ] {
        let asked = bench.told(client, "session/request_permission");
        assert_eq!(asked.len(), 1, "before {answer}");
        bench.say(client, &json!({ "jsonrpc": "2.0", "id": asked[0]["id"], "result": answer }));
        assert_eq!(bench.disk.session.agent(0).approvals.open(0).count(), 1);
    }
    assert_eq!(bench.told(client, "session/request_permission").len(), 0, "it was asked enough");
    let later = attached(&mut bench);
    let asked = bench.told(later, "session/request_permission").remove(0);
    assert_eq!(asked["params"]["_meta"]["moorline"]["refused"], Value::Null);
    decide(&mut bench, later, &asked, "perhaps");
    let again = bench.told(later, "session/request_permission").remove(0);
    assert_eq!(again["params"]["_meta"]["moorline"]["refused"]["code"], "bad_request");
    decide(&mut bench, later, &asked, "yes");
    assert_eq!(bench.disk.session.agent(0).approvals.open(0).count(), 1, "an old request");
    decide(&mut bench, later, &again, "yes");
    assert_eq!(bench.disk.session.agent(0).approvals.open(0).count(), 0);
    assert_eq!(bench.told(later, "session/request_permission").len(), 0);
}

#[test]
fn a_form_that_is_filled_in_wrongly_is_asked_again_with_the_reason() {
    let mut bench = AcpBench::new();
    let client = bench.client_with(&bound("admin"), &json!({ "elicitation": { "form": {} } }));
    bench.open(client, "session/load", &json!({}));
    let properties = json!({ "age": { "type": "integer" } });
    let form = json!({ "type": "object", "properties": properties, "required": ["age"] });
    let request = json!({
        "approvalId": "approval_1", "command": "Who?", "kind": "form", "form": form, "digest": "d2",
    });
    bench.event("approval-request", request);
    for content in [json!({ "age": "old" }), json!({}), json!({ "age": 7 })] {
        let asked = bench.told(client, "elicitation/create");
        assert_eq!(asked.len(), 1, "before {content}");
        let answer = json!({ "action": "accept", "content": content });
        bench.say(client, &json!({ "jsonrpc": "2.0", "id": asked[0]["id"], "result": answer }));
    }
    assert_eq!(bench.told(client, "elicitation/create").len(), 0);
    let view = bench.disk.session.agent(0);
    let decision = view.approvals.entries()[0].decision.clone().unwrap();
    assert_eq!(decision.answers, Some(json!({ "age": 7 })));
}

#[test]
fn a_session_that_is_over_asks_nothing() {
    let mut bench = AcpBench::new();
    let early = attached(&mut bench);
    bench.asks("approval_1");
    assert_eq!(bench.told(early, "session/request_permission").len(), 1);
    bench.disk.session.handle(super::super::NOW, SessionInput::HostLost);
    bench.run();
    assert_eq!(bench.told(early, "$/cancel_request").len(), 1);
    let late = attached(&mut bench);
    for client in [early, late] {
        assert_eq!(bench.told(client, "session/request_permission").len(), 0);
        assert_eq!(bench.told(client, "$/cancel_request").len(), 0);
    }
}

#[test]
fn a_form_is_an_elicitation_for_clients_that_have_it() {
    let mut bench = AcpBench::new();
    let plain = attached(&mut bench);
    let abilities = json!({ "elicitation": { "form": {}, "url": {} } });
    let able = bench.client_with(&bound("admin"), &abilities);
    bench.open(able, "session/load", &json!({}));
    let form = json!({ "type": "object", "properties": { "name": { "type": "string" } } });
    let options = json!([
        { "optionId": "accept", "name": "Send", "kind": "allow_once" },
        { "optionId": "decline", "name": "Decline", "kind": "reject_once" },
    ]);
    let request = |id: &str, explanation: &str, form: &Value| {
        json!({
            "approvalId": id, "command": "Who?", "explanation": explanation, "kind": "form",
            "form": form, "digest": "d2", "options": options,
        })
    };
    bench.event("approval-request", request("approval_1", "", &form));
    let page = json!({ "type": "object", "properties": {} });
    bench.event("approval-request", request("approval_2", "https://x.example/login", &page));
    assert_eq!(bench.told(plain, "elicitation/create").len(), 0);
    let asked = bench.told(able, "elicitation/create");
    assert_eq!(asked[0]["params"]["requestedSchema"], form);
    assert_eq!(asked[1]["params"]["url"], "https://x.example/login");
    let answer = json!({ "action": "accept", "content": { "name": "Ann" } });
    bench.say(able, &json!({ "jsonrpc": "2.0", "id": asked[0]["id"], "result": answer }));
    bench.say(
        able,
        &json!({ "jsonrpc": "2.0", "id": asked[1]["id"], "result": { "action": "decline" } }),
    );
    let view = bench.disk.session.agent(0);
    let decisions: Vec<_> =
        view.approvals.entries().iter().map(|it| it.decision.clone().unwrap()).collect();
    assert_eq!(decisions[0].answers, Some(json!({ "name": "Ann" })));
    assert!(decisions[0].approved && !decisions[1].approved);
}

#[test]
fn a_connection_that_breaks_loses_and_repeats_nothing() {
    let mut bench = AcpBench::new();
    let client = attached(&mut bench);
    let first = bench.prompt(client, "one");
    bench.says("m1", "a");
    bench.asks("approval_1");
    let asked = bench.told(client, "session/request_permission").remove(0);
    // The relay is gone; meanwhile the agent goes on, and the client prompts and decides.
    bench.is_up = false;
    bench.cut(client, close::ABNORMAL);
    bench.says("m1", "b");
    let second = bench.prompt(client, "two");
    decide(&mut bench, client, &asked, "yes");
    bench.wait(40_000);
    assert_eq!(texts(bench.updates(client)), ["a"]);
    bench.is_up = true;
    bench.wait(40_000);
    assert_eq!(texts(bench.updates(client)), ["b"]);
    assert_eq!(bench.disk.session.agent(0).turns.entries().len(), 2, "each prompt counts once");
    assert_eq!(bench.disk.session.agent(0).approvals.open(0).count(), 0);
    assert_eq!(bench.told(client, "session/request_permission").len(), 0);
    let id = turn(&bench, 0);
    bench.ends(&id, &json!({ "state": "done" }));
    assert_eq!(bench.answer(client, first).unwrap()["result"]["stopReason"], "end_turn");
    assert_eq!(bench.answer(client, second), None, "it waits for its turn");
}

#[test]
fn a_prompt_that_is_repeated_with_its_turn_counts_once() {
    let mut bench = AcpBench::new();
    let prompt = json!({
        "sessionId": SESSION, "prompt": [{ "type": "text", "text": "hello" }],
        "_meta": { "moorline": { "turnId": "turn_0001" } },
    });
    let client = attached(&mut bench);
    bench.send(client, "session/prompt", &prompt);
    let again = bench.ask(client, "session/prompt", &prompt);
    assert_eq!(again["error"]["code"], -32602, "{again}");
    // The connection is gone, and the client sends it again on another one.
    let client = attached(&mut bench);
    let id = bench.send(client, "session/prompt", &prompt);
    assert_eq!(bench.disk.session.agent(0).turns.entries().len(), 1);
    bench.ends("turn_0001", &json!({ "state": "done" }));
    assert_eq!(bench.answer(client, id).unwrap()["result"]["stopReason"], "end_turn");
    let answer = bench.ask(client, "session/prompt", &prompt);
    assert_eq!(answer["result"]["stopReason"], "end_turn", "it is over: {answer}");
}

#[test]
fn a_new_life_of_the_session_is_told_where_it_differs() {
    let mut bench = AcpBench::new();
    let client = attached(&mut bench);
    bench.says("m1", "one");
    bench.says("m2", "half");
    bench.updates(client);
    bench.restart_in_epoch(2);
    bench.wait(5_000);
    bench.says("m2", " and half");
    assert_eq!(texts(bench.updates(client)), [" and half"]);
}

#[test]
fn a_session_that_is_deleted_answers_what_is_open() {
    let mut bench = AcpBench::new();
    let client = attached(&mut bench);
    let prompt = bench.prompt(client, "hello");
    bench.asks("approval_1");
    bench.told(client, "session/request_permission");
    bench.disk.session.delete();
    bench.run();
    let answer = bench.answer(client, prompt).unwrap();
    assert_eq!(answer["error"]["data"]["code"], "not_found", "{answer}");
    assert_eq!(bench.told(client, "$/cancel_request").len(), 1);
    let id = bench.prompt(client, "more");
    assert_eq!(bench.answer(client, id).unwrap()["error"]["code"], -32002);
}

#[test]
fn close_stops_the_turns_and_detaches() {
    let mut bench = AcpBench::new();
    let client = attached(&mut bench);
    let prompt = bench.prompt(client, "hello");
    let answer = bench.ask(client, "session/close", &json!({ "sessionId": SESSION }));
    assert_eq!(answer["result"], json!({}), "{answer}");
    assert_eq!(bench.answer(client, prompt).unwrap()["result"]["stopReason"], "cancelled");
    bench.says("m1", "more");
    assert_eq!(bench.updates(client), []);
    bench.open(client, "session/load", &json!({}));
    assert_eq!(texts(bench.updates(client)), ["hello", "more"]);
}
