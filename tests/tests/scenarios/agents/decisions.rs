//! Decisions that do not fit what was asked: they are refused, and decide nothing.

use anyhow::{Context as _, Result, ensure};
use moorline_tests::relay::Relay;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Agent, said_until_done};

#[tokio::test]
async fn a_form_is_filled_in_as_it_asks() -> Result<()> {
    let relay = Relay::start().await?;
    let agent = Agent::start(&relay).await?;
    let mut events = agent.events().await?;
    let form = json!({ "requestedSchema": {
        "type": "object",
        "properties": {
            "name": { "type": "string", "maxLength": 8 },
            "age": { "type": "integer", "minimum": 0 },
            "colour": { "type": "string", "enum": ["red", "green"] },
        },
        "required": ["name"],
    }});
    let turn = agent.prompt(&format!("form {form}")).await?;
    let asked = events.skip_to("approval-request").await?.data;
    ensure!(asked["kind"] == "form", "{asked}");
    let path = format!("approvals/{}", asked["approvalId"].as_str().context("no approval")?);
    let path = agent.path(&path);
    let decision = |answers: &Value| json!({ "approved": true, "digest": asked["digest"], "answers": answers });
    for (answers, words) in [
        (json!({}), "`name` is required"),
        (json!({ "name": 7 }), "`name` must be a text"),
        (json!({ "name": "a name that is long" }), "`name` must have at most 8"),
        (json!({ "name": "ann", "age": 1.5 }), "`age` must be a whole number"),
        (json!({ "name": "ann", "age": -1 }), "`age` must be at least 0"),
        (json!({ "name": "ann", "colour": "blue" }), "`colour` must be one of"),
        (json!({ "name": "ann", "size": 3 }), "`size` is not a field"),
        (json!(["ann"]), "`answers` must be an object"),
    ] {
        let refused = agent.api.expect(400, Method::POST, &path, decision(&answers)).await?;
        let message = refused["message"].as_str().unwrap_or_default();
        ensure!(refused["code"] == "bad_answers" && message.contains(words), "{refused}");
    }
    let mut other = decision(&json!({ "name": "ann" }));
    other["customCommand"] = json!("ls");
    let refused = agent.api.expect(400, Method::POST, &path, other).await?;
    ensure!(refused["code"] == "bad_request", "{refused}");
    ensure!(agent.approvals().await?.len() == 1, "a refused answer has decided");
    let answers = json!({ "name": "ann", "age": 7, "colour": "red" });
    agent.api.expect(200, Method::POST, &path, decision(&answers)).await?;
    let said = said_until_done(&mut events, &turn).await?;
    ensure!(said.contains("form: accept") && said.contains("\"colour\":\"red\""), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_question_without_an_answer_that_allows_it_can_only_be_denied() -> Result<()> {
    let relay = Relay::start().await?;
    let agent = Agent::start(&relay).await?;
    let mut events = agent.events().await?;
    // The second is one for which the host would offer answers of its own.
    for options in ["[]", "[\"reject_once\"],\"kind\":\"edit\""] {
        let turn = agent.prompt(&format!("ask {{\"options\":{options}}}")).await?;
        let asked = events.skip_to("approval-request").await?.data;
        let id = asked["approvalId"].as_str().context("no approval")?;
        let path = agent.path(&format!("approvals/{id}"));
        let yes = json!({ "approved": true, "digest": asked["digest"] });
        let refused = agent.api.expect(400, Method::POST, &path, yes).await?;
        ensure!(refused["code"] == "not_approvable", "{refused}");
        let offered = asked["options"].as_array().context("no options")?.iter();
        let mut kinds = offered.filter_map(|option| option["kind"].as_str());
        ensure!(kinds.all(|kind| kind.starts_with("reject")), "{asked}");
        agent.api.expect(200, Method::POST, &path, json!({ "approved": false })).await?;
        events.skip_to("approval-confirmed").await?;
        while !super::is_over(&events.skip_to("agent-turn").await?.data, &turn) {}
        let seen = agent.api.expect(200, Method::POST, &format!("{path}/seen"), json!({})).await?;
        ensure!(seen["state"] == "delivered", "{seen}");
    }
    Ok(())
}
