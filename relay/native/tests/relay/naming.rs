//! Names: which are valid, and sessions with a name that is longer than an id.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::common::{Server, TOKEN};

const PATTERN: &str = "8-32 characters, alphanumeric, underscore, hyphen";
const LONG: &str = "user_1_ws_3f1c9a52-7c1f-4a53-9f0e-0d6a3c1b2e4f";

async fn get(server: &Server, head: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let (status, body) = server.request(head, &body).await;
    (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
}

#[tokio::test(flavor = "multi_thread")]
async fn names_hide_nothing_wherever_they_are_given() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let command = json!(["sleep", "1000"]);
    let (_, made) = get(&server, "POST /api/sessions", &json!({ "command": command })).await;
    let id = made["sessionId"].as_str().unwrap().to_owned();
    let (_, made) = get(&server, "POST /api/projects", &json!({"name": "p"})).await;
    let project = made["project"]["id"].as_str().unwrap().to_owned();
    let all = [
        ("POST /api/sessions".to_owned(), "name", "/session/name", json!({ "command": command })),
        (format!("PATCH /api/sessions/{id}"), "name", "/session/name", json!({})),
        (format!("POST /api/sessions/{id}/duplicate"), "name", "/session/name", json!({})),
        (format!("POST /api/sessions/{id}/fork"), "name", "/session/name", json!({})),
        (
            "POST /claude/api/claude/sessions".to_owned(),
            "name",
            "/session/name",
            json!({ "command": command }),
        ),
        ("POST /api/projects".to_owned(), "name", "/project/name", json!({})),
        (format!("PATCH /api/projects/{project}"), "name", "/project/name", json!({})),
        ("POST /api/tokens".to_owned(), "label", "/label", json!({"scope": "host"})),
    ];
    for (head, field, shown, wish) in all {
        let mut wish = wish;
        for (given, kept) in [
            (" b\u{202e}uil\u{200b}d\u{2066}\u{7} \n", "build"),
            ("one\ttwo\u{a0}\u{2028}three", "one two three"),
            ("👩\u{200d}💻 名前", "👩\u{200d}💻 名前"),
        ] {
            wish[field] = given.into();
            let (status, made) = get(&server, &head, &wish).await;
            assert!((200..300).contains(&status), "{head}: {made}");
            assert_eq!(made.pointer(shown).unwrap(), kept, "{head}");
        }
        for blank in [" ", "\t\r\n", "\u{200b}\u{200d}", "\u{202e}", "\u{3164}"] {
            wish[field] = blank.into();
            let (status, refused) = get(&server, &head, &wish).await;
            assert_eq!(
                (status, &refused["code"]),
                (400, &"bad_request".into()),
                "{head} {blank:?}"
            );
        }
    }
    let terminal = json!({"sessionId": id, "mode": "\u{202e}"});
    assert_eq!(get(&server, "POST /api/terminal", &terminal).await.0, 400);
    let long = json!({"name": "x".repeat(200)});
    get(&server, &format!("PATCH /api/sessions/{id}"), &long).await;
    let (_, copy) = get(&server, &format!("POST /api/sessions/{id}/duplicate"), &json!({})).await;
    let name = copy["session"]["name"].as_str().unwrap();
    assert!(name.len() <= 200 && name.ends_with("x (copy)"), "{name}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_goes_by_a_name_longer_than_an_id() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let connect = async |name: &str| {
        let url = format!("ws://{}/api/terminal/ws/{name}", server.address);
        let mut request = url.into_client_request().unwrap();
        let token = format!("Bearer {TOKEN}").parse().unwrap();
        request.headers_mut().insert("authorization", token);
        connect_async(request).await.unwrap().0
    };
    let mut first = connect(LONG).await;
    first.send(Message::text("echo $((40+2))-here\n")).await.unwrap();
    let mut text = String::new();
    while !text.contains("42-here") {
        text += first.next().await.unwrap().unwrap().to_text().unwrap();
    }
    // The same session, by the same name.
    let mut second = connect(LONG).await;
    let mut again = String::new();
    second.send(Message::text("echo $((40+3))-here\n")).await.unwrap();
    while !again.contains("43-here") {
        again += second.next().await.unwrap().unwrap().to_text().unwrap();
    }
    let (_, list) = get(&server, "GET /api/sessions", &Value::Null).await;
    assert_eq!(list["total"], 1, "{list}");
    assert_eq!(list["sessions"][0]["name"], LONG);
    let id = list["sessions"][0]["sessionId"].as_str().unwrap().to_owned();

    let (status, output) =
        get(&server, &format!("GET /api/terminal/{LONG}/output"), &Value::Null).await;
    assert_eq!((status, &output["terminalId"]), (200, &id.as_str().into()), "{output}");
    let input = json!({"data": "exit\n"});
    let typed = get(&server, &format!("POST /api/terminal/{LONG}/input"), &input).await;
    assert_eq!(typed.0, 200, "{typed:?}");
    let (status, head, _) = server.ask(&format!("GET /terminal/{LONG}"), &[], "").await;
    assert!(status == 307 && head.contains(&format!("/terminal/{}", id.to_lowercase())), "{head}");
    let scope = json!({"scope": format!("session:{LONG}:read")});
    let (_, token) = get(&server, "POST /api/tokens", &scope).await;
    assert_eq!(token["scope"], format!("session:{id}:read"));
    assert_eq!(get(&server, &format!("DELETE /api/terminal/{LONG}"), &Value::Null).await.0, 200);

    let mut none = connect(&"x".repeat(129)).await;
    let told = none.next().await.unwrap().unwrap();
    assert!(told.to_text().unwrap().starts_with("Error: Invalid session ID format"), "{told}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_id_and_no_number_is_as_the_seed_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let id = server.create("echo first; exec sleep 1000").await;
    let path = format!("GET /api/terminal/{id}/output");
    for (since, read) in [("", 0), ("abc", 0), ("-1", 0), ("1.5", 1), ("1x", 1), ("+1", 1)] {
        let (status, output) = get(&server, &format!("{path}?since={since}"), &Value::Null).await;
        assert_eq!((status, &output["since"]), (200, &read.into()), "{since:?}: {output}");
    }
    for bad in ["short", "dots.are.not.ids", "a%20b%20c%20d"] {
        for path in [
            format!("GET /api/session/{bad}/status"),
            format!("GET /api/session/{bad}/events"),
            format!("POST /api/session/{bad}/prompt"),
            format!("DELETE /api/session/{bad}"),
            format!("GET /api/terminal/{bad}/output"),
        ] {
            let (status, refused) = get(&server, &path, &Value::Null).await;
            assert_eq!(status, 400, "{path}: {refused}");
            assert_eq!(refused["pattern"], PATTERN, "{path}");
            assert_eq!(refused["error"], "Invalid session ID format", "{path}");
        }
    }
    for (path, body) in [
        ("POST /api/sessions", json!({"sessionId": "bad id"})),
        ("POST /api/sessions", json!({"sessionId": "short", "name": "x"})),
        ("POST /api/sessions", json!({"sessionId": "x".repeat(33)})),
        ("POST /api/sessions", json!({"project": "bad id"})),
        ("POST /api/sessions", json!({"host": "bad id"})),
        ("POST /claude/api/claude/sessions", json!({"sessionId": "bad id"})),
    ] {
        let (status, refused) = get(&server, path, &body).await;
        assert_eq!((status, &refused["code"]), (400, &json!("invalid_id")), "{body}: {refused}");
        assert_eq!(refused["pattern"], PATTERN, "{body}: {refused}");
        let given = body["sessionId"].as_str().map_or(Value::Null, Value::from);
        assert_eq!(refused["sessionId"], given, "{body}: {refused}");
    }
    server.stop().await;
}
