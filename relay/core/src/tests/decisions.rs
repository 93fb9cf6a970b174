//! Decisions that do not fit their approval: they are refused, and decide nothing.

use http::Method;
use serde_json::{Value, json};

use super::agent::Disk;
use super::agent_requests::{asked, body, refusal, refused};

/// Returns a session with an open approval of these fields.
fn asking(fields: &Value) -> Disk {
    let mut disk = Disk::new();
    disk.link(1, 1);
    let options = json!([{ "optionId": "yes", "name": "Yes", "kind": "allow_once" }]);
    let mut request = json!({ "approvalId": "approval_1", "digest": "d1", "options": options });
    request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    disk.event("approval-request", request);
    disk
}

/// Decides with these fields, and returns the refusal's status, code and sentence.
fn decided(disk: &mut Disk, fields: &Value) -> Result<Value, (u16, String, String)> {
    let mut decision = json!({ "approved": true, "digest": "d1" });
    decision.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    match asked(disk, &Method::POST, "approvals/approval_1", &decision) {
        Ok(reply) => Ok(body(Ok(reply))),
        Err(error) => {
            let sentence = error.sentence().to_owned();
            let (status, code) = refusal(Err(error));
            Err((status, code, sentence))
        }
    }
}

/// Checks that each decision is refused with this code and a sentence that has these words, and
/// that a valid one then decides.
fn refuses(mut disk: Disk, cases: &[(Value, &str, &str)], valid: &Value) {
    for (fields, code, words) in cases {
        let (status, word, sentence) = decided(&mut disk, fields).expect_err(&fields.to_string());
        assert_eq!((status, &*word), (400, *code), "{fields}");
        assert!(sentence.contains(words), "{sentence}");
        let open = body(asked(&mut disk, &Method::GET, "approvals?state=open", &json!({})));
        assert_eq!(open["approvals"].as_array().unwrap().len(), 1, "{fields} has decided");
    }
    let decision = decided(&mut disk, valid).unwrap();
    assert_eq!(decision["state"], "decided", "{decision}");
}

#[test]
fn answers_that_do_not_fit_the_form_decide_nothing() {
    let form = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "maxLength": 8 },
            "colour": { "type": "string", "enum": ["red", "green"] },
        },
        "required": ["name"],
    });
    let cases = [
        (json!({}), "bad_answers", "`name` is required"),
        (json!({ "answers": "x" }), "bad_answers", "`answers` must be an object"),
        (json!({ "answers": { "name": 7 } }), "bad_answers", "`name` must be a text"),
        (json!({ "answers": { "name": "x".repeat(9) } }), "bad_answers", "at most 8 characters"),
        (json!({ "answers": { "name": "x", "colour": "blue" } }), "bad_answers", "`colour`"),
        (json!({ "answers": { "name": "x", "age": 7 } }), "bad_answers", "`age`"),
        (json!({ "answers": { "name": "x" }, "customCommand": "ls" }), "bad_request", "kind"),
    ];
    let asks = json!({ "kind": "form", "form": form });
    let valid = json!({ "answers": { "name": "x", "colour": "red" } });
    refuses(asking(&asks), &cases, &valid);
    // Whoever declines does not fill in the form.
    let declined = json!({ "approved": false, "answers": { "age": 7 } });
    assert_eq!(decided(&mut asking(&asks), &declined).unwrap()["decision"]["approved"], false);
}

#[test]
fn a_command_is_changed_only_where_there_is_one() {
    let tool = asking(&json!({ "kind": "tool", "command": "Edit a.rs" }));
    let cases = [
        (json!({ "customCommand": "ls" }), "bad_request", "of the kind `command`"),
        (json!({ "answers": { "prefix": ["Edit"] }, "optionId": "o" }), "bad_request", "optionId"),
        (json!({ "answers": { "name": "x" } }), "bad_answers", "`name`"),
    ];
    refuses(tool, &cases, &json!({}));
    let command = asking(&json!({ "kind": "command", "command": "make" }));
    let cases = [
        (json!({ "customCommand": "" }), "bad_request", "empty"),
        (json!({ "customCommand": " \n" }), "bad_request", "empty"),
        (json!({ "customCommand": "a\u{0}b" }), "bad_request", "NUL"),
        (json!({ "answers": ["make"] }), "bad_answers", "object"),
    ];
    refuses(command, &cases, &json!({ "customCommand": "make -n" }));
}

#[test]
fn a_prefix_is_the_first_words_of_the_command_that_will_run() {
    let options = json!([
        { "optionId": "once", "name": "Once", "kind": "allow_once" },
        { "optionId": "always", "name": "Always", "kind": "allow_always" },
    ]);
    let always = |prefix: Value| json!({ "optionId": "always", "answers": { "prefix": prefix } });
    let wrong = |prefix| (always(prefix), "bad_answers", "`prefix`");
    let cases = [
        wrong(json!([])),
        wrong(json!("cargo")),
        wrong(json!(["cargo", 7])),
        wrong(json!(["cargo", "build"])),
        wrong(json!(["cargo", "test", "-p", "a", "b"])),
        (json!({ "answers": { "prefix": ["cargo"] } }), "bad_answers", "`optionId`"),
        (
            json!({ "optionId": "always", "customCommand": "ls", "answers": { "prefix": ["cargo"] } }),
            "bad_answers",
            "first words",
        ),
    ];
    let command = "cargo test -p a";
    let asks = asking(&json!({ "kind": "command", "command": command, "options": options }));
    refuses(asks, &cases, &always(json!(["cargo", "test"])));
    // What an agent runs is in the input of its tool.
    let subject = json!({ "tool": "execute", "input": { "command": "make all" } });
    let asks = json!({
        "kind": "tool", "command": "Build", "options": options, "subject": subject,
    });
    refuses(asking(&asks), &[wrong(json!(["Build"]))], &always(json!(["make"])));
    let piped = asking(&json!({ "kind": "command", "command": "a | b", "options": options }));
    let splits = (always(json!(["a"])), "bad_answers", "only splits");
    refuses(piped, &[splits], &json!({ "optionId": "always" }));
}

#[test]
fn an_option_is_named_unless_one_is_usual() {
    let option = |kind| json!([{ "optionId": "o", "name": "O", "kind": kind }]);
    for kind in ["allow_always", "later"] {
        let mut disk = asking(&json!({ "kind": "tool", "options": option(kind) }));
        let (status, code, sentence) = decided(&mut disk, &json!({})).unwrap_err();
        assert_eq!((status, &*code), (400, "bad_request"), "{kind}");
        assert!(sentence.contains("`optionId`"), "{sentence}");
    }
    let mut disk = asking(&json!({ "kind": "tool", "options": option("allow_always") }));
    let no = json!({ "approved": false, "optionId": "o" });
    assert_eq!(decided(&mut disk, &no).unwrap_err().1, "bad_request", "it allows");
    decided(&mut disk, &json!({ "optionId": "o" })).unwrap();
}

#[test]
fn a_decision_has_a_size() {
    let mut disk = asking(&json!({ "kind": "command", "command": "make" }));
    let large = json!({ "customCommand": "x".repeat(40_000) });
    let (status, code, sentence) = decided(&mut disk, &large).unwrap_err();
    assert_eq!((status, &*code), (413, "too_large"), "{sentence}");
    let other = asked(&mut disk, &Method::GET, "approvals/approval_9", &json!({}));
    assert_eq!(refusal(other), refused(404, "approval_not_found"));
    decided(&mut disk, &json!({})).unwrap();
}

#[test]
fn what_has_no_answer_that_allows_can_only_be_denied() {
    let option = |id: &str, kind: &str| json!({ "optionId": id, "name": id, "kind": kind });
    let denied = json!({ "approved": false });
    let only_deniable = [
        json!([]),
        json!([option("no", "reject_once")]),
        json!([option("no", "reject_once"), option("never", "reject_always")]),
    ];
    for options in only_deniable {
        let disk = asking(&json!({ "kind": "tool", "options": options }));
        let cases = [
            (json!({}), "not_approvable", "false"),
            (json!({ "optionId": "no" }), "not_approvable", "false"),
            (json!({ "optionId": "other" }), "not_approvable", "false"),
        ];
        refuses(disk, &cases, &denied);
    }
    // Whoever asks need not offer a "no": then nothing is done.
    let asks = json!({ "kind": "tool", "options": [option("yes", "allow_once")] });
    assert!(decided(&mut asking(&asks), &denied).is_ok());
}
