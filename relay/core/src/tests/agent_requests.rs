//! Requests to agents by REST and on a client's socket.

use http::Method;
use moorline_shared::limits::STREAM_REQUESTS;
use moorline_shared::message::{CancelMessage, DecideMessage, DoneMessage, PromptMessage};
use moorline_shared::rest::{DecideApproval, SendPrompt};
use serde_json::{Value, json};

use super::agent::{AT, Disk, attached, turn};
use super::*;
use crate::api::ApiError;
use crate::routes::{Asked, Found, Handler, Reply, Request, find};

/// Makes a request to the session, and stores what it asks for.
pub(super) fn asked(
    disk: &mut Disk,
    method: &Method,
    path: &str,
    body: &Value,
) -> Result<Reply, ApiError> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let Found::Route(matched) = find(method, &format!("/api/session/session_1/{path}")) else {
        panic!("{method} {path} has no route");
    };
    let request = Request {
        id: matched.id,
        item: matched.item,
        grant: crate::auth::Grant::unstored(),
        query: query.into(),
        content_type: "application/json".into(),
        body: body.to_string().into(),
        now_ms: AT,
        random: 7,
    };
    let mut action = match matched.route.handler {
        Handler::Session(read) => return read(&disk.session, &request),
        Handler::Ask(ask) => {
            let (_, question) = crate::routes::ask_host(&disk.session, ask, &request)?;
            panic!("{question:?} is for the host");
        }
        Handler::Act(ask) => match ask(&disk.session, &request)? {
            Asked::Act(action) => action,
            Asked::Write(write) => return Ok(write.reply),
        },
        _ => panic!("{path} has another handler"),
    };
    if let Some(answer) = action.poll(&mut disk.session, AT) {
        return answer;
    }
    assert!(action.poll(&mut disk.session, AT).is_none(), "it is not stored");
    disk.store();
    action.poll(&mut disk.session, AT).expect("it is stored")
}

pub(super) fn body(reply: Result<Reply, ApiError>) -> Value {
    serde_json::from_slice(&reply.unwrap().body).unwrap()
}

pub(super) fn refusal(reply: Result<Reply, ApiError>) -> (u16, String) {
    let error = reply.unwrap_err();
    (error.status().as_u16(), error.body().code.clone())
}

pub(super) fn refused(code: u16, word: &str) -> (u16, String) {
    (code, word.to_owned())
}

#[test]
fn a_prompt_is_queued_though_the_host_is_away() {
    let mut disk = Disk::new();
    let prompt = json!({ "command": "go", "context": ["a.rs"] });
    let reply = body(asked(&mut disk, &Method::POST, "prompt", &prompt));
    assert_eq!((&reply["success"], &reply["queued"]), (&json!(true), &json!(true)));
    assert_eq!((&reply["message"], &reply["timestamp"]), (&json!("Command sent"), &json!(AT)));
    let list = body(asked(&mut disk, &Method::GET, "prompts", &json!({})));
    let turn = &list["turns"][0];
    assert_eq!((&turn["turnId"], &turn["pending"]), (&reply["turnId"], &json!(true)));
    assert_eq!((&turn["by"], &turn["prompt"]["files"]), (&json!("admin"), &json!(["a.rs"])));
    for (prompt, answer) in [
        (json!({}), refused(400, "bad_request")),
        (json!({ "command": "x".repeat(220_000) }), refused(413, "too_large")),
    ] {
        assert_eq!(refusal(asked(&mut disk, &Method::POST, "prompt", &prompt)), answer);
    }
}

#[test]
fn a_shell_is_typed_into() {
    let mut session = linked(&Profile::NATIVE);
    let Found::Route(found) = find(&Method::POST, "/api/session/session_1/prompt") else {
        panic!("no route");
    };
    let Handler::Act(ask) = found.route.handler else { panic!("another handler") };
    let body = json!({ "command": "ls" });
    let request = Request { id: found.id, ..support::request("", &body) };
    assert!(matches!(ask(&session, &request), Ok(Asked::Write(write)) if write.data == "ls\r"));
    session.delete();
}

#[test]
fn a_shell_is_no_agent() {
    let mut disk = Disk::new();
    disk.session = linked(&Profile::NATIVE);
    let empty = json!({});
    let set = json!({ "option": "mode", "value": "plan" });
    for (method, path, body) in [
        (Method::GET, "prompts", &empty),
        (Method::PATCH, "prompts/turn_0001", &json!({ "command": "go" })),
        (Method::DELETE, "prompts/turn_0001", &empty),
        (Method::POST, "prompts/turn_0001/retry", &empty),
        (Method::POST, "stop", &empty),
        (Method::POST, "config", &set),
        (Method::POST, "login", &json!({ "method": "key" })),
        (Method::GET, "changes", &empty),
        (Method::POST, "changes", &empty),
    ] {
        let refusal = refusal(asked(&mut disk, &method, path, body));
        assert_eq!(refusal, refused(409, "not_an_agent"), "{method} {path}");
    }
}

#[test]
fn what_only_the_host_can_know_is_not_called_missing() {
    let mut disk = Disk::new();
    let (get, post) = (Method::GET, Method::POST);
    let no = json!({ "approved": false });
    let requests = [
        (&get, "approvals/approval_9", &no),
        (&post, "approvals/approval_9", &no),
        (&post, "approvals/approval_9/seen", &no),
        (&Method::DELETE, "prompts/turn_0099", &no),
        (&post, "prompts/turn_0099/retry", &no),
    ];
    let answers = |disk: &mut Disk| {
        let answers = requests.map(|(method, path, body)| refusal(asked(disk, method, path, body)));
        answers.map(|(status, code)| format!("{status} {code}"))
    };
    assert_eq!(answers(&mut disk), ["503 host_offline"; 5], "the host is away");
    disk.link(1, 1);
    assert_eq!(answers(&mut disk), ["503 host_offline"; 5], "an entry has not come");
    disk.asks();
    let missing = [["404 approval_not_found"; 3].as_slice(), &["404 turn_not_found"; 2]].concat();
    assert_eq!(answers(&mut disk).as_slice(), missing);
    // What is known is answered, wherever the host is.
    disk.session.handle(NOW, SessionInput::HostLeft);
    asked(&mut disk, &get, "approvals/approval_1", &no).unwrap();
    disk.session.handle(NOW, SessionInput::HostLost);
    assert_eq!(answers(&mut disk)[0], "404 approval_not_found", "nobody has it any more");
}

#[test]
fn a_prompt_that_is_shown_in_part_is_changed_as_a_whole() {
    let mut disk = Disk::new();
    disk.link(1, 1);
    let prompt = json!({ "text": "the beginning" });
    let queued = json!({
        "turnId": turn(1), "state": "queued", "prompt": prompt, "truncated": true,
    });
    disk.event("agent-turn", queued);
    let path = format!("prompts/{}", turn(1));
    for change in [json!({ "context": ["a"] }), json!({ "command": "all" })] {
        let change = asked(&mut disk, &Method::PATCH, &path, &change);
        assert_eq!(refusal(change), refused(400, "bad_request"));
    }
    let change = json!({ "command": "all", "context": [] });
    asked(&mut disk, &Method::PATCH, &path, &change).unwrap();
}

#[test]
fn queued_prompts_are_changed_moved_and_withdrawn() {
    let mut disk = Disk::new();
    disk.link(1, 5);
    for number in 1..=3 {
        let prompt = json!({ "text": "go" });
        let fields = json!({ "turnId": turn(number), "state": "queued", "prompt": prompt });
        disk.event("agent-turn", fields);
    }
    disk.event("agent-turn", json!({ "turnId": turn(4), "state": "running" }));
    disk.event("agent-turn", json!({ "turnId": turn(5), "state": "failed" }));
    let queue = |disk: &Disk| {
        let view = disk.session.agent(AT);
        view.turns.queued().map(|turn| turn.turn_id.as_str().to_owned()).collect::<Vec<_>>()
    };
    let path = |number, rest: &str| format!("prompts/{}{rest}", turn(number));
    let change = json!({ "command": "stay", "before": turn(1) });
    asked(&mut disk, &Method::PATCH, &path(3, ""), &change).unwrap();
    assert_eq!(queue(&disk), ["turn_0003", "turn_0001", "turn_0002"]);
    assert_eq!(disk.session.agent(AT).turns.get(&turn(3)).unwrap().prompt.text, "stay");
    asked(&mut disk, &Method::PATCH, &path(3, ""), &json!({ "before": null })).unwrap();
    asked(&mut disk, &Method::PATCH, &path(1, ""), &json!({ "before": turn(1) })).unwrap();
    assert_eq!(queue(&disk), ["turn_0001", "turn_0002", "turn_0003"]);
    asked(&mut disk, &Method::DELETE, &path(1, ""), &json!({})).unwrap();
    assert_eq!(queue(&disk), ["turn_0002", "turn_0003"]);
    let retried = body(asked(&mut disk, &Method::POST, &path(5, "/retry"), &json!({})));
    assert_eq!(queue(&disk)[2], retried["turnId"]);
    for (method, path, word) in [
        (Method::DELETE, path(4, ""), "not_queued"),
        (Method::PATCH, path(1, ""), "not_queued"),
        (Method::POST, path(4, "/retry"), "not_retryable"),
    ] {
        assert_eq!(refusal(asked(&mut disk, &method, &path, &json!({}))), refused(409, word));
    }
    let missing = refusal(asked(&mut disk, &Method::DELETE, "prompts/turn_0099", &json!({})));
    assert_eq!(missing, refused(404, "turn_not_found"));
    for (before, status, word) in [(turn(99), 404, "turn_not_found"), (turn(4), 409, "not_queued")]
    {
        let moved = asked(&mut disk, &Method::PATCH, &path(2, ""), &json!({ "before": before }));
        assert_eq!(refusal(moved), refused(status, word));
    }
    let nothing = refusal(asked(&mut disk, &Method::PATCH, &path(2, ""), &json!({})));
    assert_eq!(nothing, refused(400, "bad_request"));
    assert_eq!(queue(&disk).len(), 2 + 1, "nothing of it was done");
    let stop = |disk: &mut Disk, body| asked(disk, &Method::POST, "stop", &body);
    assert_eq!(body(stop(&mut disk, json!({})))["turnId"], json!(turn(4)));
    assert_eq!(refusal(stop(&mut disk, json!({ "turnId": turn(2) }))), refused(409, "not_running"));
    let config = json!({ "option": "mode", "value": "plan" });
    asked(&mut disk, &Method::POST, "config", &config).unwrap();
    asked(&mut disk, &Method::POST, "login", &json!({ "method": "key" })).unwrap();
}

#[test]
fn a_decision_is_answered_with_the_approval() {
    let mut disk = Disk::new();
    disk.link(1, 1);
    disk.asks();
    let decide = |disk: &mut Disk, body| asked(disk, &Method::POST, "approvals/approval_1", &body);
    for (wanted, answer) in [
        (json!({ "digest": "d1" }), refused(400, "bad_request")),
        (json!({ "approved": true }), refused(400, "bad_request")),
        (json!({ "approved": true, "digest": "x" }), refused(409, "digest_mismatch")),
        (json!({ "approved": false, "optionId": "x" }), refused(400, "bad_request")),
    ] {
        assert_eq!(refusal(decide(&mut disk, wanted.clone())), answer, "{wanted}");
    }
    asked(&mut disk, &Method::POST, "approvals/approval_1/seen", &json!({})).unwrap();
    asked(&mut disk, &Method::POST, "approvals/approval_1/seen", &json!({})).unwrap();
    let appended = commands(&mut disk.session);
    let seen = |command: &&HostCommand| matches!(command, HostCommand::Append { .. });
    assert_eq!(appended.iter().filter(seen).count(), 1);
    let yes = json!({ "approved": true, "digest": "d1", "key": "k" });
    let decided = body(decide(&mut disk, yes.clone()));
    assert_eq!(
        (&decided["state"], &decided["decision"]["by"]),
        (&json!("decided"), &json!("admin"))
    );
    assert_eq!(body(decide(&mut disk, yes)), decided, "the same request again");
    let late = decide(&mut disk, json!({ "approved": false })).unwrap_err();
    assert_eq!((late.status().as_u16(), late.body().code.as_str()), (409, "already_decided"));
    let approval = late.body().approval.as_ref().unwrap();
    assert!(approval["decision"]["approved"] == true && late.sentence().contains("admin"));
    let list = |disk: &mut Disk, query: &str| {
        let reply = asked(disk, &Method::GET, &format!("approvals{query}"), &json!({}));
        body(reply)["approvals"].as_array().unwrap().len()
    };
    assert_eq!((list(&mut disk, "?state=open"), list(&mut disk, "")), (0, 1));
    let unknown = asked(&mut disk, &Method::GET, "approvals/approval_9", &json!({}));
    assert_eq!(refusal(unknown), refused(404, "approval_not_found"));
    disk.event("approval-request", json!({ "approvalId": "approval_2", "digest": "d" }));
    let progress = json!({ "approvalId": "approval_2", "state": "withdrawn" });
    disk.event("approval-progress", progress);
    let gone =
        asked(&mut disk, &Method::POST, "approvals/approval_2", &json!({ "approved": false }));
    assert_eq!(refusal(gone), refused(410, "approval_withdrawn"));
}

#[test]
fn a_client_s_requests_are_answered_once_they_are_stored() {
    let mut disk = Disk::new();
    disk.link(1, 1);
    disk.asks();
    let mut peer = attached(&mut disk.session);
    let prompt = SendPrompt { command: Some("go".into()), ..SendPrompt::default() };
    let prompt = PromptMessage { request: 1, turn_id: turn(1), prompt };
    let decision = DecideApproval {
        approved: Some(true),
        digest: Some("d1".into()),
        ..DecideApproval::default()
    };
    let decide = |request| {
        let (approval_id, decision) = ("approval_1".parse().unwrap(), decision.clone());
        ClientMessage::Decide(DecideMessage { request, approval_id, decision })
    };
    let cancel = CancelMessage { request: 4, ..CancelMessage::default() };
    let messages = [
        ClientMessage::Prompt(prompt.clone()),
        decide(2),
        decide(3),
        ClientMessage::Cancel(cancel),
    ];
    messages.iter().for_each(|it| peer.text(&mut disk.session, NOW, AT, &it.to_json()));
    let mut done = |disk: &mut Disk| {
        let said = std::iter::from_fn(|| peer.poll_output(&mut disk.session, NOW));
        let done = said.filter_map(|output| match message(&output)? {
            ServerMessage::Done(DoneMessage { request, code, .. }) => Some((request, code)),
            _ => None,
        });
        done.collect::<Vec<_>>()
    };
    let code = |code: &str| Some(code.to_owned());
    assert_eq!(done(&mut disk), [(4, code("not_running"))], "the others are not stored");
    disk.store();
    assert_eq!(done(&mut disk), [(1, None), (2, None), (3, code("already_decided"))]);
    // The answer was lost, and the client asks again.
    let mut again = attached(&mut disk.session);
    again.text(&mut disk.session, NOW, AT, &ClientMessage::Prompt(prompt).to_json());
    let said: Vec<_> = std::iter::from_fn(|| again.poll_output(&mut disk.session, NOW))
        .filter_map(|it| message(&it))
        .collect();
    assert!(
        said.iter().any(|it| matches!(it, ServerMessage::Done(DoneMessage { code: None, .. })))
    );
    assert_eq!(disk.session.agent(AT).turns.queued().count(), 1);
}

#[test]
fn a_client_that_ignores_the_limit_of_requests_is_refused_and_then_closed() {
    let mut disk = Disk::new();
    disk.link(1, 1);
    disk.asks();
    let mut peer = attached(&mut disk.session);
    let most = STREAM_REQUESTS as u64;
    let mut ask = |disk: &mut Disk, requests: std::ops::RangeInclusive<u64>| {
        for request in requests {
            let prompt = SendPrompt { command: Some("go".into()), ..SendPrompt::default() };
            let prompt = PromptMessage { request, turn_id: turn(request), prompt };
            peer.text(&mut disk.session, NOW, AT, &ClientMessage::Prompt(prompt).to_json());
        }
        let (mut refused, mut closed) = (Vec::new(), None);
        while let Some(output) = peer.poll_output(&mut disk.session, NOW) {
            match (message(&output), output) {
                (Some(ServerMessage::Done(done)), _) => {
                    assert_eq!(done.code.as_deref(), Some("overloaded"));
                    refused.push(done.request);
                }
                (_, PeerOutput::Close { code, .. }) => closed = Some(code),
                _ => {}
            }
        }
        (refused, closed)
    };
    assert_eq!(ask(&mut disk, 1..=most), (vec![], None));
    // It reads that it is refused, and may go on.
    let next: Vec<u64> = (most + 1..=3 * most).collect();
    assert_eq!(ask(&mut disk, most + 1..=3 * most), (next.clone(), None));
    assert_eq!(ask(&mut disk, most + 1..=3 * most), (next.clone(), None));
    // It does not even read that.
    assert_eq!(ask(&mut disk, most + 1..=9 * most), (next, Some(close::OVERLOADED)));
}
