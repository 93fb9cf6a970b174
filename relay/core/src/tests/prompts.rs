//! Prompts that cannot be sent: they are refused, and begin no turn.

use http::Method;
use moorline_shared::message::{ClientMessage, DoneMessage, PromptMessage};
use moorline_shared::rest::SendPrompt;
use serde_json::{Value, json};

use super::agent::{AT, Disk, attached, turn};
use super::agent_requests::{asked, refusal, refused};
use super::*;

/// The first bytes of a PNG.
const PNG: &str = "iVBORw0KGgo=";

fn image(mime_type: &str, data: &str) -> Value {
    json!({ "mimeType": mime_type, "data": data })
}

#[test]
fn an_image_that_agents_do_not_take_is_refused() {
    let mut disk = Disk::new();
    let good = image("image/png", PNG);
    for (bad, words) in [
        (image("image/svg+xml", "PHN2Zz4="), "`mimeType` must be"),
        (image("image/png", ""), "`data` is empty"),
        (json!({ "mimeType": "image/png" }), "`data` is empty"),
        (image("image/png", "no base64"), "`data` must be base64"),
        (image("image/jpeg", PNG), "`data` is not of its `mimeType`"),
    ] {
        let prompt = json!({ "command": "look", "images": [good, bad] });
        let error = asked(&mut disk, &Method::POST, "prompt", &prompt).unwrap_err();
        assert_eq!((error.status().as_u16(), &*error.body().code), (400, "bad_image"));
        let sentence = error.sentence();
        assert!(sentence.contains("images[1]") && sentence.contains(words), "{sentence}");
        // A client's stream is told the same.
        let mut peer = attached(&mut disk.session);
        let prompt: SendPrompt = serde_json::from_value(prompt).unwrap();
        let sent = PromptMessage { request: 1, turn_id: turn(1), prompt };
        peer.text(&mut disk.session, NOW, AT, &ClientMessage::Prompt(sent).to_json());
        let said = std::iter::from_fn(|| peer.poll_output(&mut disk.session, NOW));
        let mut done = said.filter_map(|output| match message(&output)? {
            ServerMessage::Done(DoneMessage { code, .. }) => code,
            _ => None,
        });
        assert_eq!(done.next().as_deref(), Some("bad_image"));
    }
    assert_eq!(disk.session.agent(AT).turns.entries(), []);
    asked(&mut disk, &Method::POST, "prompt", &json!({ "images": [good] })).unwrap();
}

#[test]
fn a_changed_prompt_keeps_images_of_the_same_place_and_type() {
    let mut disk = Disk::new();
    disk.link(1, 1);
    let prompt = json!({ "text": "look", "images": [{ "mimeType": "image/png" }] });
    disk.event("agent-turn", json!({ "turnId": turn(1), "state": "queued", "prompt": prompt }));
    let path = format!("prompts/{}", turn(1));
    let mut change = |body: Value| asked(&mut disk, &Method::PATCH, &path, &body);
    let kept = json!({ "mimeType": "image/png" });
    change(json!({ "command": "look again" })).unwrap();
    change(json!({ "images": [kept, image("image/png", PNG)] })).unwrap();
    for images in [json!([{ "mimeType": "image/gif" }]), json!([kept, kept, kept])] {
        assert_eq!(refusal(change(json!({ "images": images }))), refused(400, "bad_image"));
    }
    assert_eq!(refusal(change(json!({ "command": " \n", "images": [] }))).0, 400);
}

#[test]
fn white_space_is_no_prompt() {
    let mut disk = Disk::new();
    for command in ["", " ", "\n\t \u{3000}"] {
        let prompt = json!({ "command": command, "context": ["a"] });
        let refusal = refusal(asked(&mut disk, &Method::POST, "prompt", &prompt));
        assert_eq!(refusal, refused(400, "bad_request"), "{command:?}");
    }
    assert_eq!(disk.session.agent(AT).turns.entries(), []);
}

#[test]
fn what_is_for_agents_only_is_not_typed_into_a_shell() {
    let mut disk = Disk::new();
    disk.session = linked(&Profile::NATIVE);
    for fields in [json!({ "images": [image("image/png", PNG)] }), json!({ "steer": true })] {
        let mut prompt = json!({ "command": "ls" });
        prompt.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let refusal = refusal(asked(&mut disk, &Method::POST, "prompt", &prompt));
        assert_eq!(refusal, refused(409, "not_an_agent"), "{fields}");
    }
    asked(&mut disk, &Method::POST, "prompt", &json!({ "command": "ls", "images": [] })).unwrap();
}

#[test]
fn a_turn_that_does_not_exist_is_not_found_wherever_it_is_named() {
    let mut disk = Disk::new();
    disk.link(1, 2);
    disk.event("agent-turn", json!({ "turnId": turn(1), "state": "queued" }));
    disk.event("agent-turn", json!({ "turnId": turn(2), "state": "running" }));
    let path = format!("prompts/{}", turn(1));
    for unknown in ["turn_0099", "no/id", ""] {
        let stop = asked(&mut disk, &Method::POST, "stop", &json!({ "turnId": unknown }));
        assert_eq!(refusal(stop), refused(404, "turn_not_found"), "{unknown:?}");
        let moved = asked(&mut disk, &Method::PATCH, &path, &json!({ "before": unknown }));
        assert_eq!(refusal(moved), refused(404, "turn_not_found"), "{unknown:?}");
    }
    let long = json!({ "turnId": "é".repeat(1000) });
    let error = asked(&mut disk, &Method::POST, "stop", &long).unwrap_err();
    assert!(error.sentence().len() < 200, "{}", error.sentence());
    let stop = asked(&mut disk, &Method::POST, "stop", &json!({ "turnId": turn(2) }));
    assert!(stop.is_ok());
    // An id that is none is not found even while the host is away.
    disk.session.handle(NOW, SessionInput::HostLeft);
    for (unknown, answer) in
        [("turn_0099", refused(503, "host_offline")), ("no/id", refused(404, "turn_not_found"))]
    {
        let stop = asked(&mut disk, &Method::POST, "stop", &json!({ "turnId": unknown }));
        assert_eq!(refusal(stop), answer);
    }
}
