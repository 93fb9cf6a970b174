//! Turns: the queue, stopping, retrying.

use std::time::Duration;

use moorline_shared::agent::action::SessionAction;
use moorline_shared::agent::content::MessageRole;
use moorline_shared::agent::prompt::{Prompt, PromptImage};
use moorline_shared::event::{AgentImage, AgentMessage, AgentQueue, AgentState, AgentTurn};
use moorline_shared::limits::QUEUED_PROMPTS;
use serde_json::json;

use super::super::{AgentInput, AgentOutput};
use super::bench::{Bench, prompt, stop, turn};

#[test]
fn a_prompt_runs_to_its_end() {
    let mut bench = Bench::ready();
    bench.act(prompt("a"));
    assert_eq!(bench.turns(), ["a queued", "a running"]);
    let asked = bench.request("session/prompt");
    assert_eq!(asked["params"]["sessionId"], "s");
    assert_eq!(asked["params"]["prompt"], json!([{ "type": "text", "text": "do a" }]));
    let message = &bench.events::<AgentMessage>()[0];
    assert_eq!((message.role, message.turn_id.clone()), (MessageRole::User, Some(turn("a"))));
    let usage = json!({ "inputTokens": 5, "totalTokens": "many" });
    bench.answer("session/prompt", &json!({ "stopReason": "max_tokens", "usage": usage }));
    let last = bench.events::<AgentTurn>().pop().unwrap();
    let usage = last.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.total_tokens), (Some(5), None));
    assert_eq!(last.stop_reason.as_deref(), Some("max_tokens"));
    assert_eq!(bench.turns(), ["a queued", "a running", "a done"]);
    let states: Vec<_> = bench.events::<AgentState>().into_iter().map(|it| it.value).collect();
    assert_eq!(states, ["working", "idle"]);
    assert!(bench.transcript.contains("> do a"), "{}", bench.transcript);
}

#[test]
fn the_queue_can_be_changed_until_it_is_taken() {
    let mut bench = Bench::ready();
    for name in ["a", "b", "c", "d"] {
        bench.act(prompt(name));
    }
    bench.act(SessionAction::Reorder { order: vec![turn("d")] });
    bench.act(SessionAction::Withdraw { turn_id: turn("b") });
    let changed = Prompt::text("something else");
    bench.act(SessionAction::EditPrompt { turn_id: turn("d"), prompt: changed.clone() });
    // A turn that runs is not in the queue any more.
    bench.act(SessionAction::EditPrompt { turn_id: turn("a"), prompt: changed });
    bench.act(SessionAction::Withdraw { turn_id: turn("a") });
    bench.finish("end_turn");
    let sent = bench.request("session/prompt");
    assert_eq!(sent["params"]["prompt"][0]["text"], "something else");
    bench.finish("end_turn");
    bench.finish("end_turn");
    let ends: Vec<_> = bench
        .turns()
        .into_iter()
        .filter(|turn| turn.ends_with("done") || turn.ends_with("withdrawn"))
        .collect();
    assert_eq!(ends, ["b withdrawn", "a done", "d done", "c done"]);
}

#[test]
fn a_prompt_for_the_running_turn_is_the_next_one() {
    let mut bench = Bench::ready();
    bench.act(prompt("a"));
    bench.act(prompt("b"));
    let SessionAction::Prompt { turn_id, prompt, by, .. } = prompt("c") else { panic!() };
    bench.act(SessionAction::Prompt { turn_id, prompt, by, steer: true });
    assert_eq!(bench.events::<AgentQueue>()[0].order, [turn("c"), turn("b")]);
    assert!(bench.transcript.contains("it is the next one"));
}

#[test]
fn the_queue_has_a_bound() {
    let mut bench = Bench::ready();
    for number in 0..=QUEUED_PROMPTS + 1 {
        bench.act(prompt(&number.to_string()));
    }
    let last = bench.events::<AgentTurn>().pop().unwrap();
    assert_eq!(last.error.unwrap().code, "queue_full");
    assert!(last.prompt.is_some());
}

#[test]
fn a_prompt_is_queued_once() {
    let mut bench = Bench::ready();
    bench.act(prompt("a"));
    bench.act(prompt("a"));
    bench.finish("end_turn");
    bench.act(prompt("a"));
    assert_eq!(bench.turns(), ["a queued", "a running", "a done"]);
}

#[test]
fn a_stopped_turn_is_cancelled_by_the_agent() {
    let mut bench = Bench::ready();
    bench.act(prompt("a"));
    bench.act(prompt("b"));
    bench.act(SessionAction::Stop { turn_id: Some(turn("b")), force: false });
    assert!(!bench.has_request("session/cancel"), "another turn runs");
    bench.act(SessionAction::Stop { turn_id: Some(turn("a")), force: false });
    bench.act(stop(false));
    let cancels = bench.lines().iter().filter(|it| it["method"] == "session/cancel").count();
    assert_eq!(cancels, 1);
    // What the agent still says belongs to the turn.
    bench.chunk("wait");
    bench.finish("cancelled");
    assert_eq!(bench.turns(), ["a queued", "a running", "b queued", "a cancelled", "b running"]);
    assert_eq!(bench.events::<AgentMessage>()[1].delta.as_deref(), Some("wait"));
}

#[test]
fn an_agent_that_does_not_stop_is_told_once_and_killed_on_demand() {
    let mut bench = Bench::ready();
    bench.act(prompt("a"));
    bench.act(stop(false));
    bench.pass(Duration::from_secs(60));
    assert_eq!(bench.errors(), ["not_stopping"]);
    bench.act(stop(true));
    assert!(bench.outputs().contains(&AgentOutput::Kill));
    bench.exit(1);
    assert_eq!(bench.turns().last().unwrap(), "a cancelled");
    assert_eq!(bench.shown.info.phase, "exited");
    assert_eq!(bench.events::<AgentState>().pop().unwrap().value, "idle");
}

#[test]
fn an_error_of_a_stopped_turn_is_no_failure() {
    let mut bench = Bench::ready();
    bench.act(prompt("a"));
    bench.act(stop(false));
    bench.refuse("session/prompt", -32603, "aborted");
    assert_eq!(bench.turns().last().unwrap(), "a cancelled");
}

#[test]
fn a_failed_turn_can_be_retried() {
    let mut bench = Bench::ready();
    let retry = |old: &str, new: &str| SessionAction::Retry {
        turn_id: turn(old),
        new_turn_id: turn(new),
        by: "you".into(),
    };
    bench.act(prompt("a"));
    bench.act(retry("a", "early"));
    assert_eq!(bench.errors(), ["unknown_turn"]);
    bench.refuse("session/prompt", -32603, "overloaded");
    let failed = bench.events::<AgentTurn>().pop().unwrap();
    assert_eq!(failed.error.unwrap().code, "agent_error");
    bench.act(retry("a", "b"));
    let queued = &bench.events::<AgentTurn>()[3];
    assert_eq!((&queued.retry_of, &queued.by), (&Some(turn("a")), &Some("you".into())));
    assert_eq!(bench.request("session/prompt")["params"]["prompt"][0]["text"], "do a");
    bench.finish("refusal");
    assert_eq!(bench.events::<AgentTurn>().pop().unwrap().error.unwrap().code, "refused");
}

#[test]
fn images_and_files_are_only_sent_if_they_can_be() {
    let image = PromptImage { mime_type: "image/png".into(), data: "AAAA".into() };
    let with_image = |name: &str| {
        let prompt = Prompt { images: vec![image.clone()], ..Prompt::text("see") };
        SessionAction::Prompt { turn_id: turn(name), prompt, by: "me".into(), steer: false }
    };
    let mut bench = Bench::ready();
    bench.act(with_image("a"));
    assert_eq!(bench.events::<AgentTurn>().pop().unwrap().error.unwrap().code, "no_images");
    assert!(!bench.has_request("session/prompt"));
    let prompt = Prompt { files: vec!["../x".into()], ..Prompt::text("see") };
    let by = "me".to_owned();
    bench.act(SessionAction::Prompt { turn_id: turn("b"), prompt, by, steer: false });
    assert_eq!(bench.events::<AgentTurn>().pop().unwrap().error.unwrap().code, "bad_file");

    let prompt = Prompt { files: vec!["link".into()], ..Prompt::text("see") };
    let (turn_id, by) = (turn("c"), "me".to_owned());
    let action = SessionAction::Prompt { turn_id, prompt, by, steer: false };
    bench.handle(AgentInput::Action { action, linked: Some("link".into()) });
    let error = bench.events::<AgentTurn>().pop().unwrap().error.unwrap();
    assert!(error.code == "bad_file" && error.message.contains("link"), "{error:?}");
    let (turn_id, by) = (turn("c"), "me".to_owned());
    let action = SessionAction::Retry { turn_id, new_turn_id: turn("d"), by };
    assert_eq!(bench.machine.files_of(&action), ["link"]);
    // The link has become a file meanwhile.
    bench.act(action);
    assert!(bench.request("session/prompt").to_string().contains("link"));

    let mut bench = Bench::new();
    bench.start(&json!({ "promptCapabilities": { "image": true } }));
    bench.act(with_image("a"));
    let sent = bench.request("session/prompt");
    assert_eq!(sent["params"]["prompt"][1]["data"], "AAAA");
    let events = serde_json::to_string(&bench.events::<AgentTurn>()).unwrap();
    assert!(!events.contains("AAAA"), "a turn's events have no images");
}

/// Sends a prompt with these images.
fn with_images(name: &str, data: &[&str]) -> SessionAction {
    let image = |data: &&str| PromptImage { mime_type: "image/png".into(), data: (*data).into() };
    let prompt = Prompt { images: data.iter().map(image).collect(), ..Prompt::text("see") };
    SessionAction::Prompt { turn_id: turn(name), prompt, by: "me".into(), steer: false }
}

/// Returns the images of a turn as its events have them, joined from their pieces.
fn reported(bench: &Bench, name: &str) -> Vec<String> {
    let mut all = Vec::new();
    for AgentImage { turn_id, image, piece, data, .. } in bench.events::<AgentImage>() {
        if turn_id == turn(name) {
            if piece == 0 {
                all.truncate(image);
                all.push(String::new());
            }
            all[image].push_str(&data);
        }
    }
    all
}

#[test]
fn the_log_has_the_images_of_prompts() {
    let mut bench = Bench::new();
    bench.start(&json!({ "promptCapabilities": { "image": true } }));
    let large = "AbC0".repeat(50 * 1024);
    bench.act(with_images("a", &[&large, "BBBB"]));
    assert_eq!(reported(&bench, "a"), [&*large, "BBBB"]);
    assert!(bench.events::<AgentImage>().len() > 2, "a large one is cut in pieces");
    assert!(bench.events::<AgentImage>().iter().all(|image| image.images == 2));
    // The conversation only has where they are.
    let first = bench.shown.images_of(&turn("a")).expect("they are in the log");
    assert!(bench.shown.snapshot().unwrap().len() < 10_000);
    bench.restore();
    assert_eq!(bench.shown.images_of(&turn("a")), Some(first));

    // Those of a queued prompt are reported while it waits, and again if they are changed.
    bench.act(with_images("b", &["CCCC", "DDDD"]));
    assert_eq!(reported(&bench, "b"), ["CCCC", "DDDD"]);
    let events = bench.events::<AgentImage>().len();
    let mut edit = |data: &[&str]| {
        let SessionAction::Prompt { turn_id, prompt, .. } = with_images("b", data) else { return };
        bench.act(SessionAction::EditPrompt { turn_id, prompt });
    };
    edit(&["", ""]);
    edit(&["EEEE"]);
    assert_eq!(reported(&bench, "b"), ["EEEE"]);
    assert_eq!(bench.events::<AgentImage>().len(), events + 1, "unchanged ones are not repeated");
}

#[test]
fn what_is_typed_is_a_prompt() {
    let mut bench = Bench::ready();
    bench.handle(AgentInput::Typed(b"hello\rand more\r".to_vec()));
    let turns = bench.events::<AgentTurn>();
    assert_eq!(turns[0].prompt.as_ref().unwrap().text, "hello");
    assert_eq!(turns.len(), 3, "the second waits");
    assert_ne!(turns[0].turn_id, turns[1].turn_id);
    bench.handle(AgentInput::Typed(b"\x03".to_vec()));
    assert!(bench.has_request("session/cancel"));
}
