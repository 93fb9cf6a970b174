//! Requests to an agent whose host is away.

use std::path::Path;

use serde_json::{Value, json};

use super::common::Server;

async fn ask(server: &Server, head: &str, body: &Value) -> (u16, Value) {
    let (status, body) = server.request(head, &body.to_string()).await;
    (status, serde_json::from_str(&body).unwrap())
}

/// Changes the relay's database while no relay has it open, or against its will.
fn change(folder: &Path, statement: &str) {
    let database = rusqlite::Connection::open(folder.join("moorline.sqlite3")).unwrap();
    database.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    database.execute_batch(statement).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_is_asked_waits_for_its_host_in_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let id = server.create("read end").await;
    let shell = ask(&server, &format!("POST /api/session/{id}/stop"), &json!({})).await;
    assert_eq!((shell.0, &shell.1["code"]), (409, &json!("not_an_agent")));
    server.stop().await;
    // A session of another host, which is not connected.
    let of_agent =
        "UPDATE sessions SET driver = 'agent', host = 'elsewhere', lifecycle = '\"live\"'";
    change(folder.path(), of_agent);
    let server = Server::start(folder.path()).await;
    let prompt = format!("POST /api/session/{id}/prompt");
    let (status, sent) = ask(&server, &prompt, &json!({ "command": "go" })).await;
    assert_eq!((status, &sent["queued"]), (200, &json!(true)), "{sent}");
    server.stop().await;
    let server = Server::start(folder.path()).await;
    let prompts = format!("GET /api/session/{id}/prompts");
    let (_, list) = ask(&server, &prompts, &json!({})).await;
    let turn = &list["turns"][0];
    assert_eq!((&turn["turnId"], &turn["pending"]), (&sent["turnId"], &json!(true)), "{list}");
    assert_eq!((&turn["by"], &turn["prompt"]["text"]), (&json!("admin"), &json!("go")));
    let (_, status) = ask(&server, &format!("GET /api/session/{id}/status"), &json!({})).await;
    assert_eq!(status["agent"]["queued"], 1, "{status}");
    // What cannot be stored is refused.
    let full = "CREATE TRIGGER full BEFORE INSERT ON session_notes
        BEGIN SELECT RAISE(FAIL, 'there is no room'); END";
    change(folder.path(), full);
    let (status, refused) = ask(&server, &prompt, &json!({ "command": "more" })).await;
    assert_eq!((status, &refused["code"]), (503, &json!("not_stored")), "{refused}");
    let (_, list) = ask(&server, &prompts, &json!({})).await;
    assert_eq!(list["turns"].as_array().unwrap().len(), 1);
    change(folder.path(), "DROP TRIGGER full");
    let turn = sent["turnId"].as_str().unwrap();
    let withdraw = format!("DELETE /api/session/{id}/prompts/{turn}");
    assert_eq!(ask(&server, &withdraw, &json!({})).await.0, 200);
    let (status, again) = ask(&server, &withdraw, &json!({})).await;
    assert_eq!((status, &again["code"]), (409, &json!("not_queued")));
    let approvals = format!("/api/session/{id}/approvals");
    for path in ["/api/approvals", &approvals] {
        let (status, list) = ask(&server, &format!("GET {path}"), &json!({})).await;
        assert_eq!((status, &list["approvals"]), (200, &json!([])), "{path}");
    }
    let decide = format!("POST {approvals}/approval_1");
    let (status, missing) = ask(&server, &decide, &json!({ "approved": false })).await;
    assert_eq!((status, &missing["code"]), (503, &json!("host_offline")), "its host may know it");
    server.stop().await;
}
