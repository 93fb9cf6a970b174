//! Golden bytes of the messages, and defaults of their fields.

use super::*;
use crate::change::{ChangesAnswer, ChangesQuestion};
use crate::failure::HostFailure;

fn text(wire: &str) -> Packet {
    Packet::Text(wire.to_owned().into())
}

fn to_relay(message: &ToRelay, wire: &str) {
    assert_eq!(message.clone().encode(), text(wire));
    assert_eq!(&ToRelay::decode(text(wire)).unwrap(), message);
}

fn to_host(message: &ToHost, wire: &str) {
    assert_eq!(message.clone().encode(), text(wire));
    assert_eq!(&ToHost::decode(text(wire)).unwrap(), message);
}

fn facts() -> Facts {
    Facts { driver: "pty".into(), command: vec!["vi".into()], ..Facts::default() }
}

#[test]
fn messages_have_these_wire_forms() {
    let hosted = Hosted {
        session_id: "session1".parse().unwrap(),
        epoch: Epoch(5),
        facts: facts(),
        cwd: "/tmp".into(),
        pid: Some(7),
        created_at: 4,
    };
    let session = r#"{"sessionId":"session1","epoch":5,"driver":"pty","command":["vi"],"env":{},"size":{"cols":80,"rows":24},"cwd":"/tmp","pid":7,"createdAt":4}"#;
    let hello = Hello {
        protocol: PROTOCOL,
        version: "0.1.0".into(),
        name: "box".into(),
        drivers: vec!["pty".into()],
        missing: vec![],
        sessions: vec![hosted.clone()],
    };
    to_relay(
        &ToRelay::Hello(Box::new(hello.clone())),
        &format!(
            r#"{{"type":"hello","protocol":1,"version":"0.1.0","name":"box","drivers":["pty"],"sessions":[{session}]}}"#
        ),
    );
    let reason = "tmux is not installed".to_owned();
    let hello = Hello {
        missing: vec![MissingDriver { driver: "tmux".into(), reason }],
        sessions: vec![],
        ..hello
    };
    to_relay(
        &ToRelay::Hello(Box::new(hello)),
        r#"{"type":"hello","protocol":1,"version":"0.1.0","name":"box","drivers":["pty"],"missing":[{"driver":"tmux","reason":"tmux is not installed"}],"sessions":[]}"#,
    );
    to_relay(
        &ToRelay::Started { request: RequestId(1), session: Box::new(hosted.clone()) },
        &format!(r#"{{"type":"started","request":1,"session":{session}}}"#),
    );
    to_relay(
        &ToRelay::PodMetrics { metrics: serde_json::json!({ "reconnects": 2 }) },
        r#"{"type":"pod-metrics","metrics":{"reconnects":2}}"#,
    );
    let beside = Some("session0".parse().unwrap());
    let opened = Hosted { facts: Facts { beside, ..facts() }, ..hosted };
    to_relay(
        &ToRelay::Opened { session: Box::new(opened) },
        &format!(
            r#"{{"type":"opened","session":{}}}"#,
            session.replace(r#""cwd""#, r#""beside":"session0","cwd""#)
        ),
    );
    to_relay(
        &ToRelay::Failed { request: RequestId(1), code: "x".into(), message: "y".into() },
        r#"{"type":"failed","request":1,"code":"x","message":"y"}"#,
    );
    let file = r#"{"path":"/a","size":1,"modified":2,"source":"folder"}"#;
    to_relay(
        &ToRelay::Files { request: RequestId(1), files: vec![serde_json::from_str(file).unwrap()] },
        &format!(r#"{{"type":"files","request":1,"files":[{file}]}}"#),
    );
    let found = FoundFiles { files: vec!["a/b".into()], truncated: true };
    to_relay(
        &ToRelay::FoundFiles { request: RequestId(1), found },
        r#"{"type":"found-files","request":1,"found":{"files":["a/b"],"truncated":true}}"#,
    );
    to_host(
        &ToHost::FindFiles { request: RequestId(1), folder: None, query: "b".into() },
        r#"{"type":"find-files","request":1,"folder":null,"query":"b"}"#,
    );
    let preview = r#"{"type":"delete","path":"a","before":"00","diff":"-b\n"}"#;
    to_relay(
        &ToRelay::Operations {
            request: RequestId(1),
            answer: Box::new(OperationsAnswer::Previewed {
                operations: vec![serde_json::from_str(preview).unwrap()],
                omitted: 2,
            }),
        },
        &format!(
            r#"{{"type":"operations","request":1,"answer":{{"previewed":{{"operations":[{preview}],"omitted":2}}}}}}"#
        ),
    );
    let result = r#"{"success":true,"operation":"delete","path":"a"}"#;
    to_relay(
        &ToRelay::Operations {
            request: RequestId(1),
            answer: Box::new(OperationsAnswer::Executed {
                results: vec![serde_json::from_str(result).unwrap()],
            }),
        },
        &format!(
            r#"{{"type":"operations","request":1,"answer":{{"executed":{{"results":[{result}]}}}}}}"#
        ),
    );
    to_relay(
        &ToRelay::Operations {
            request: RequestId(1),
            answer: Box::new(OperationsAnswer::Failed(HostFailure::new("x", "y"))),
        },
        r#"{"type":"operations","request":1,"answer":{"failed":{"code":"x","message":"y"}}}"#,
    );
    to_relay(
        &ToRelay::Changes {
            request: RequestId(1),
            answer: Box::new(ChangesAnswer::Settled { results: vec![] }),
        },
        r#"{"type":"changes","request":1,"answer":{"settled":{"results":[]}}}"#,
    );
    to_host(
        &ToHost::Changes {
            request: RequestId(1),
            session_id: "session1".parse().unwrap(),
            question: Box::new(ChangesQuestion::List),
        },
        r#"{"type":"changes","request":1,"sessionId":"session1","question":"list"}"#,
    );
    let agent = KnownAgent { id: "a".into(), name: "A".into(), ..KnownAgent::default() };
    to_relay(
        &ToRelay::Agents { request: RequestId(1), agents: vec![agent] },
        r#"{"type":"agents","request":1,"agents":[{"id":"a","name":"A","install":"","login":""}]}"#,
    );
    to_host(&ToHost::Agents { request: RequestId(1) }, r#"{"type":"agents","request":1}"#);
    let rule = r#"{"id":"r","scope":"always","effect":"allow","matcher":{"type":"tool","tool":"edit"},"folder":"/a","createdAt":7,"by":"me"}"#;
    to_relay(
        &ToRelay::Rules { request: RequestId(1), rules: vec![serde_json::from_str(rule).unwrap()] },
        &format!(r#"{{"type":"rules","request":1,"rules":[{rule}]}}"#),
    );
    for (question, json) in [
        (RulesQuestion::List, r#""list""#),
        (RulesQuestion::Revoke { id: "r".into() }, r#"{"revoke":{"id":"r"}}"#),
    ] {
        to_host(
            &ToHost::Rules { request: RequestId(1), question },
            &format!(r#"{{"type":"rules","request":1,"question":{json}}}"#),
        );
    }
    let start =
        Start { session_id: "session1".parse().unwrap(), facts: facts(), cwd: None, fork: None };
    to_host(
        &ToHost::Start { request: RequestId(1), session: Box::new(start) },
        r#"{"type":"start","request":1,"session":{"sessionId":"session1","driver":"pty","command":["vi"],"env":{},"size":{"cols":80,"rows":24}}}"#,
    );
    to_host(
        &ToHost::Forget { session_id: "session1".parse().unwrap() },
        r#"{"type":"forget","sessionId":"session1"}"#,
    );
    to_host(
        &ToHost::Files {
            request: RequestId(1),
            folder: Some("/a".into()),
            top: None,
            named: vec!["b".into()],
        },
        r#"{"type":"files","request":1,"folder":"/a","top":null,"named":["b"]}"#,
    );
    let planned = r#"{"type":"delete","path":"a","before":"00"}"#;
    to_host(
        &ToHost::Operations {
            request: RequestId(1),
            folder: Some("/a".into()),
            question: Box::new(OperationsQuestion::Execute {
                operations: vec![serde_json::from_str(planned).unwrap()],
                all_or_nothing: true,
            }),
        },
        &format!(
            r#"{{"type":"operations","request":1,"folder":"/a","question":{{"execute":{{"operations":[{planned}],"allOrNothing":true}}}}}}"#
        ),
    );
    to_host(
        &ToHost::Operations {
            request: RequestId(1),
            folder: None,
            question: Box::new(OperationsQuestion::Preview { text: "b".into() }),
        },
        r#"{"type":"operations","request":1,"folder":null,"question":{"preview":{"text":"b"}}}"#,
    );
    to_host(
        &ToHost::Refused { code: "x".into(), message: "y".into() },
        r#"{"type":"refused","code":"x","message":"y"}"#,
    );
    to_host(
        &ToHost::Welcome { version: "0.1.0".into() },
        r#"{"type":"welcome","version":"0.1.0"}"#,
    );
    assert_eq!(ToHost::decode(text(r#"{"type":"dance"}"#)).unwrap(), ToHost::Unknown);
    assert_eq!(ToRelay::decode(text(r#"{"type":"dance"}"#)).unwrap(), ToRelay::Unknown);
}

#[test]
fn a_fork_has_events_only_if_it_continues_a_conversation() {
    let from = ForkedFrom { session_id: "session1".parse().unwrap(), epoch: Epoch(5), seq: Seq(2) };
    let fork = Fork {
        epoch: Epoch(6),
        from,
        snapshot: None,
        output: vec![],
        events: vec![],
        approvals: vec![],
    };
    let begin = r#"{"epoch":6,"from":{"sessionId":"session1","epoch":5,"seq":2},"picture":null"#;
    let wire = format!(r#"{begin},"output":[]}}"#);
    assert_eq!(serde_json::to_string(&fork).unwrap(), wire);
    assert_eq!(serde_json::from_str::<Fork>(&wire).unwrap(), fork);
    let id = "session1".parse().unwrap();
    let event = Event::of_kind(id, "agent-usage", 7, serde_json::json!({"used": 1}));
    let fork = Fork { events: vec![ForkedEvent { seq: Seq(2), event }], ..fork };
    let wire = format!(
        r#"{begin},"output":[],"events":[{{"seq":2,"event":{{"sessionId":"session1","type":"agent-usage","timestamp":7,"used":1}}}}]}}"#
    );
    assert_eq!(serde_json::to_string(&fork).unwrap(), wire);
    assert_eq!(serde_json::from_str::<Fork>(&wire).unwrap(), fork);
}

#[test]
fn what_a_host_does_not_say_of_a_session_is_the_default() {
    let least = r#"{"sessionId":"session1","epoch":5,"cwd":"/tmp","createdAt":4,"more":[]}"#;
    let hosted: Hosted = serde_json::from_str(least).unwrap();
    assert_eq!(hosted.facts, Facts::default());
    for lacking in ["sessionId", "epoch", "cwd", "createdAt"] {
        let bad = least.replace(lacking, "x");
        assert!(serde_json::from_str::<Hosted>(&bad).is_err(), "{bad}");
    }
}

#[test]
fn the_sign_of_life_is_that_of_all_links() {
    use crate::message::{KEEPALIVE_PING, KEEPALIVE_PONG};
    to_relay(&ToRelay::Ping { t: 0 }, KEEPALIVE_PING);
    to_host(&ToHost::Pong { t: 0 }, KEEPALIVE_PONG);
}
