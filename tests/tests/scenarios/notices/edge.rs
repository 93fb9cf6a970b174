//! The edge has none, and says so.

use anyhow::{Result, ensure};
use moorline_tests::relay::{Kind, Relay, Setup};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn notices_for_closed_pages_are_refused_by_a_code() -> Result<()> {
    let relay = Relay::start_as(Kind::Edge, Setup::default()).await?;
    let api = relay.api();
    let none = api.expect(200, Method::GET, "/api/push", Value::Null).await?;
    ensure!(none == json!({ "publicKey": null }), "{none}");
    let body = json!({ "endpoint": "https://fcm.googleapis.com/x" });
    let refused = api.expect(404, Method::POST, "/api/push/subscriptions", body).await?;
    ensure!(refused["code"] == "push_unavailable", "{refused}");
    let path = "/api/push/subscriptions/0123456789abcdef01234567";
    let refused = api.expect(404, Method::DELETE, path, Value::Null).await?;
    ensure!(refused["code"] == "push_unavailable", "{refused}");
    Ok(())
}
