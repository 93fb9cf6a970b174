//! Permissions, forms and cancels.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::pipes::PeerOnPipes;

fn selected(option: &str) -> Value {
    json!({"outcome": {"outcome": "selected", "optionId": option}})
}

fn cancelled() -> Value {
    json!({"outcome": {"outcome": "cancelled"}})
}

#[tokio::test]
async fn a_permission_is_asked_for_and_its_answer_said() -> Result<()> {
    let mut peer = PeerOnPipes::start(&[]).await?;
    let id = peer.begin("ask {\"title\":\"Run it\",\"options\":[\"reject_once\"]}\nsay on").await?;
    let request = peer.request("session/request_permission").await?;
    ensure!(request["params"]["toolCall"]["title"] == "Run it", "{request}");
    let option = json!({"optionId": "reject_once", "name": "Reject once", "kind": "reject_once"});
    ensure!(request["params"]["options"] == json!([option]), "{request}");
    peer.reply(&request, selected("reject_once")).await?;
    let turn = peer.until_answer(id).await?;
    ensure!(turn.said() == ["answer: reject_once", "on"], "{turn:#?}");

    let id = peer.begin("ask").await?;
    let request = peer.request("session/request_permission").await?;
    peer.refuse(&request).await?;
    let turn = peer.until_answer(id).await?;
    ensure!(turn.said() == ["answer: error -32601 Method not found"], "{turn:#?}");
    Ok(())
}

#[tokio::test]
async fn permissions_can_be_open_together() -> Result<()> {
    let mut peer = PeerOnPipes::start(&[]).await?;
    let id = peer.begin("ask! {\"title\":\"one\"}\nask! {\"title\":\"two\"}\nanswers").await?;
    let one = peer.request("session/request_permission").await?;
    let two = peer.request("session/request_permission").await?;
    ensure!(two["params"]["toolCall"]["title"] == "two", "{two}");
    peer.reply(&two, selected("reject_once")).await?;
    peer.reply(&one, selected("allow_once")).await?;
    let turn = peer.until_answer(id).await?;
    ensure!(turn.said() == ["answer: allow_once", "answer: reject_once"], "{turn:#?}");
    Ok(())
}

#[tokio::test]
async fn a_file_is_written_only_if_that_is_allowed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("file");
    std::fs::write(&file, "old\n")?;
    let mut peer = PeerOnPipes::bare(&[])?;
    peer.initialize(1).await?;
    peer.create(folder.path()).await?;
    let (failed, completed) = (["pending", "failed"], ["pending", "in_progress", "completed"]);
    for (option, expected, content) in
        [("reject_once", &failed[..], "old\n"), ("allow_once", &completed[..], "new\n")]
    {
        let id = peer.begin("edit file \"new\\n\"").await?;
        let request = peer.request("session/request_permission").await?;
        let diff = json!([{"type": "diff", "path": file, "oldText": "old\n", "newText": "new\n"}]);
        ensure!(request["params"]["toolCall"]["content"] == diff, "{request}");
        ensure!(std::fs::read_to_string(&file)? == "old\n");
        peer.reply(&request, selected(option)).await?;
        let turn = peer.until_answer(id).await?;
        let statuses: Vec<&Value> = turn
            .updates
            .iter()
            .map(|update| &update["status"])
            .filter(|it| it.is_string())
            .collect();
        ensure!(statuses == expected, "{turn:#?}");
        ensure!(turn.said() == [format!("answer: {option}")], "{turn:#?}");
        ensure!(std::fs::read_to_string(&file)? == content);
    }
    Ok(())
}

#[tokio::test]
async fn a_form_is_filled_in_or_not() -> Result<()> {
    let mut peer = PeerOnPipes::start(&[]).await?;
    let id = peer.begin("form {\"message\":\"Name?\"}\nform {\"mode\":\"url\"}\nform").await?;
    let request = peer.request("elicitation/create").await?;
    ensure!(request["params"]["mode"] == "form", "{request}");
    ensure!(request["params"]["message"] == "Name?", "{request}");
    ensure!(request["params"]["requestedSchema"]["type"] == "object", "{request}");
    peer.reply(&request, json!({"action": "accept", "content": {"answer": "x"}})).await?;
    let request = peer.request("elicitation/create").await?;
    ensure!(request["params"]["url"].is_string(), "{request}");
    ensure!(request["params"]["elicitationId"].is_string(), "{request}");
    peer.reply(&request, json!({"action": "decline"})).await?;
    let request = peer.request("elicitation/create").await?;
    peer.refuse(&request).await?;
    let turn = peer.until_answer(id).await?;
    let said =
        [r#"form: accept {"answer":"x"}"#, "form: decline", "form: error -32601 Method not found"];
    ensure!(turn.said() == said, "{turn:#?}");
    Ok(())
}

#[tokio::test]
async fn a_cancel_ends_what_waits() -> Result<()> {
    let mut peer = PeerOnPipes::start(&[]).await?;
    for step in ["sleep 600000", "wait /does/not/exist", "read a"] {
        let id = peer.begin(&format!("say {step}\n{step}\nsay never")).await?;
        let update = peer.update().await?;
        ensure!(update["content"]["text"] == step, "{update}");
        if step == "read a" {
            peer.request("fs/read_text_file").await?;
        }
        peer.cancel().await?;
        let turn = peer.until_answer(id).await?;
        ensure!(turn.stop_reason() == "cancelled" && turn.said().is_empty(), "{step}: {turn:#?}");
    }
    Ok(())
}

/// The client may answer the open request before or after its cancel.
#[tokio::test]
async fn a_cancelled_turn_waits_for_the_answers_to_its_questions() -> Result<()> {
    let mut peer = PeerOnPipes::start(&[]).await?;
    for cancels_first in [true, false] {
        let id = peer.begin("ask\nsay never").await?;
        let request = peer.request("session/request_permission").await?;
        if cancels_first {
            peer.cancel().await?;
        }
        peer.reply(&request, cancelled()).await?;
        if !cancels_first {
            peer.cancel().await?;
        }
        let turn = peer.until_answer(id).await?;
        ensure!(turn.said() == ["answer: cancelled"], "{turn:#?}");
        ensure!(turn.stop_reason() == "cancelled", "{turn:#?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_session_runs_one_turn_and_its_end_cancels_it() -> Result<()> {
    let mut peer = PeerOnPipes::start(&[]).await?;
    let first = peer.begin("say on\nsleep 600000").await?;
    peer.update().await?;
    let second = peer.prompt("say no").await?;
    ensure!(second.answer["error"]["code"] == -32600, "{second:#?}");
    let closing = peer.ask("session/close", json!({"sessionId": peer.session})).await?;
    let turn = peer.until_answer(first).await?;
    ensure!(turn.stop_reason() == "cancelled", "{turn:#?}");
    let closed = peer.until_answer(closing).await?;
    ensure!(closed.answer["result"] == json!({}), "{closed:#?}");
    ensure!(peer.prompt("say no").await?.answer["error"]["code"] == -32002);
    Ok(())
}
