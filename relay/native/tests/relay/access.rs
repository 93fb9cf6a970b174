//! Tokens, and what stands for them, by raw HTTP requests.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use futures_util::future::join_all;
use moorline_relay::auth::Tokens;
use moorline_relay::command_socket::{SOCKET_NAME, ask_pass, ask_ticket};
use moorline_relay::store::Store;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::common::{Server, TOKEN};

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}")
}

/// Returns the cookie that an answer sets, as a request's header, and the whole `Set-Cookie` value.
fn cookie(head: &str, answer: &str) -> (String, String) {
    let set = answer.lines().find_map(|line| line.strip_prefix("set-cookie: "));
    let set = set.unwrap_or_else(|| panic!("{head}: {answer}")).to_owned();
    (format!("cookie: {}", set.split(';').next().unwrap()), set)
}

/// Returns the answer as it was sent: [`Server::ask`] would lower the case of the secret.
async fn log_in(server: &Server, headers: &[&str]) -> String {
    let headers = headers.join("\r\n");
    let head = format!("POST /api/login HTTP/1.1\r\n{headers}\r\nconnection: close\r\n\r\n");
    server.raw(&head).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_gets_no_cookie_over_plain_http_on_loopback() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let token = bearer(TOKEN);
    let port = server.address.rsplit(':').next().unwrap();
    for name in ["127.0.0.1", "localhost", "[::1]", "a.localhost"] {
        let host = format!("host: {name}:{port}");
        let origin = format!("origin: http://{name}:{port}");
        for headers in [&[&*host, &*token][..], &[&*host, &*token, &*origin]] {
            let (status, head, body) = server.ask("POST /api/login", headers, "").await;
            assert_eq!(status, 403, "{name}: {body}");
            assert!(body.contains("cookie_refused") && body.contains("/api/tickets"), "{body}");
            assert!(!head.contains("set-cookie"), "{name}: {head}");
        }
    }
    // No other request sets one either.
    for path in ["/api/sessions", "/api/openapi.json", "/sessions"] {
        let (_, head, _) = server.ask(&format!("GET {path}"), &[&token], "").await;
        assert!(!head.contains("set-cookie"), "{path}: {head}");
    }
    // A cookie of an earlier version, which the browser sends to every server of the machine, is
    // removed.
    let former = format!("cookie: moorline_token={TOKEN}");
    let (status, head, _) = server.ask("GET /api/sessions", &[&former], "").await;
    assert_eq!(status, 401);
    assert!(head.contains("set-cookie: moorline_token=; path=/; max-age=0"), "{head}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_is_a_secret_of_its_own_that_ends_with_its_token() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let (host, admin) = (format!("host: {}", server.address), bearer(TOKEN));
    let origin = format!("origin: https://{}", server.address);
    let port = server.address.rsplit(':').next().unwrap();
    let wish = "{\"scope\":\"admin\"}";
    let json = "content-type: application/json";
    let (_, _, made) = server.ask("POST /api/tokens", &[&admin, json], wish).await;
    let made: Value = serde_json::from_str(&made).unwrap();
    let token = made["token"].as_str().unwrap();

    let answer = log_in(&server, &[&host, &origin, &bearer(token)]).await;
    let (cookie, set) = cookie("log in", &answer);
    assert!(set.starts_with(&format!("moorline-{port}=")), "{set}");
    assert!(!answer.contains(token), "{answer}");
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/api;", "Max-Age=3600", "Secure"] {
        assert!(set.contains(attribute), "{attribute}: {set}");
    }
    let list = async |headers: &[&str]| server.ask("GET /api/sessions", headers, "").await.0;
    assert_eq!(list(&[&cookie]).await, 200);
    // The secret is neither another relay's cookie nor a token.
    let (_, secret) = cookie.split_once('=').unwrap();
    assert_eq!(list(&[&format!("cookie: moorline-1={secret}")]).await, 401);
    assert_eq!(list(&[&bearer(secret)]).await, 401);
    let foreign = [&*cookie, "origin: http://evil.example"];
    assert_eq!(server.ask("DELETE /api/session/abcdefgh", &foreign, "").await.0, 403);

    // A cookie that was deleted opens nothing, though its token still does.
    let (status, head, _) = server.ask("DELETE /api/login", &[&cookie, &origin], "").await;
    assert!(status == 200 && head.contains("max-age=0; httponly"), "{head}");
    assert_eq!(list(&[&cookie]).await, 401);
    assert_eq!(list(&[&bearer(token)]).await, 200);

    let answer = log_in(&server, &[&host, &origin, &bearer(token)]).await;
    let (again, _) = self::cookie("log in again", &answer);
    let ticket = async |headers: &[&str]| {
        let (_, _, body) = server.ask("POST /api/tickets", headers, "").await;
        let made: Value = serde_json::from_str(&body).unwrap();
        made["ticket"].as_str().unwrap().to_owned()
    };
    let ticket = ticket(&[&again, &origin]).await;
    // Another process revokes the token.
    let tokens = Tokens::new(Store::open(folder.path()).unwrap(), None);
    assert!(tokens.revoke(made["id"].as_str().unwrap()).unwrap());
    assert_eq!(list(&[&again]).await, 401);
    let path = format!("GET /api/events?ticket={ticket}");
    assert_eq!(server.ask(&path, &[], "").await.0, 401);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_relays_of_one_machine_keep_a_cookie_each() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let servers = [Server::start(folders[0].path()).await, Server::start(folders[1].path()).await];
    let mut cookies = Vec::new();
    for server in &servers {
        let host = format!("host: {}", server.address);
        let origin = format!("origin: https://{}", server.address);
        let answer = log_in(server, &[&host, &origin, &bearer(TOKEN)]).await;
        cookies.push(cookie("log in", &answer).0);
    }
    let names: Vec<_> = cookies.iter().map(|cookie| cookie.split('=').next().unwrap()).collect();
    assert_ne!(names[0], names[1]);
    // A browser sends both cookies to both relays.
    let both = cookies.join("; ").replace("; cookie: ", "; ");
    for server in &servers {
        assert_eq!(server.ask("GET /api/sessions", &[&both], "").await.0, 200, "{both}");
    }
    for server in servers {
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_is_slowed_down_and_nobody_is_locked_out() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let token = bearer(TOKEN);
    let guess = async |number: usize| {
        let wrong = bearer(&format!("wrong-{number}"));
        server.ask("GET /api/sessions", &[&wrong], "").await
    };
    let mut told = Vec::new();
    for number in 0..22 {
        let (status, head, body) = guess(number).await;
        assert_eq!(server.ask("GET /api/sessions", &[&token], "").await.0, 200);
        if status == 429 {
            assert!(head.contains("retry-after: 1"), "{head}");
            assert!(body.contains("too_many_attempts"), "{body}");
        }
        told.push(status);
    }
    assert_eq!(told[..10], [401; 10]);
    assert!(told.contains(&429), "{told:?}");
    // Guesses of a cookie's secret, a ticket, or a page's socket count as well.
    let host = format!("cookie: moorline-{}=x", server.address.rsplit(':').next().unwrap());
    let websocket = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
        sec-websocket-key: MDEyMzQ1Njc4OWFiY2RlZg==\r\norigin: http://";
    let websocket = format!("{websocket}{}", server.address);
    for (head, headers) in [
        ("GET /api/sessions", vec![&*host]),
        ("GET /api/events?ticket=x", vec![]),
        ("GET /sessions/abcdefgh/stream", vec![&*websocket, "authorization: Bearer x"]),
        ("GET /api/terminal/ws/abcdefgh", vec![&*websocket, "authorization: Bearer x"]),
    ] {
        // Some of the counted guesses expire meanwhile.
        let tries = (0..25).map(|_| server.ask(head, &headers, ""));
        let told = join_all(tries).await;
        assert!(told.iter().any(|(status, ..)| *status == 429), "{head}: {told:?}");
    }
    // A request without a token is not a guess.
    assert_eq!(server.ask("GET /api/sessions", &[], "").await.0, 401);
    server.stop().await;
}

/// Keeps tokens from being added and removed, as a full disk does.
fn lock_tokens(folder: &Path) {
    let database = rusqlite::Connection::open(folder.join("moorline.sqlite3")).unwrap();
    for change in ["INSERT", "DELETE"] {
        let no = format!("CREATE TRIGGER no_{change} BEFORE {change} ON tokens");
        let full = "BEGIN SELECT RAISE(FAIL, 'there is no room'); END";
        database.execute_batch(&format!("{no} {full}")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_on_the_machine_is_let_in_without_a_stored_token() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    lock_tokens(folder.path());
    let path = folder.path().to_owned();
    let ask = async || {
        let path = path.clone();
        tokio::task::spawn_blocking(move || ask_pass(&path)).await.unwrap().unwrap()
    };
    let list = async |secret: &str| server.ask("GET /api/sessions", &[&bearer(secret)], "").await.0;
    let (one, two) = (ask().await, ask().await);
    assert_eq!((list(one.secret()).await, list(two.secret()).await), (200, 200));
    let gone = one.secret().to_owned();
    drop(one);
    while list(&gone).await == 200 {}
    assert_eq!(list(two.secret()).await, 200);

    let from = path.clone();
    let ticket = tokio::task::spawn_blocking(move || ask_ticket(&from)).await.unwrap().unwrap();
    assert_eq!(list(&ticket).await, 401, "a ticket is no token");
    let once = format!("POST /api/tokens?ticket={ticket}");
    let json = "content-type: application/json";
    // The ticket is accepted, but the token cannot be stored.
    assert_eq!(server.ask(&once, &[json], "{\"scope\":\"admin\"}").await.0, 500);
    assert_eq!(server.ask(&once, &[json], "{\"scope\":\"admin\"}").await.0, 401);

    let held = two.secret().to_owned();
    server.stop().await;
    let server = Server::start(folder.path()).await;
    assert_eq!(server.ask("GET /api/sessions", &[&bearer(&held)], "").await.0, 401);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_socket_is_its_users_and_speaks_no_http() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let path = folder.path().join(SOCKET_NAME);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(folder.path())), (0o600, 0o700));
    for sent in [
        "GET / HTTP/1.1\r\nhost: localhost\r\n\r\nmoorline 1 pass  \n",
        "POST /moorline 1 pass  \n HTTP/1.0\r\n\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nmoorline 1 pass  \n",
        "moorline 2 pass  \n",
    ] {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A connection that is reset is closed as well.
        let _ = stream.read_to_end(&mut answer).await;
        assert_eq!(String::from_utf8_lossy(&answer), "", "{sent}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_cannot_be_removed_opens_nothing_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let (admin, json) = (bearer(TOKEN), "content-type: application/json");
    let wish = "{\"scope\":\"admin\"}";
    let (_, _, made) = server.ask("POST /api/tokens", &[&admin, json], wish).await;
    let made: Value = serde_json::from_str(&made).unwrap();
    let (id, token) = (made["id"].as_str().unwrap(), bearer(made["token"].as_str().unwrap()));
    lock_tokens(folder.path());
    assert_eq!(server.ask("GET /api/sessions", &[&token], "").await.0, 200);
    let revoke = format!("DELETE /api/tokens/{id}");
    assert_eq!(server.ask(&revoke, &[&admin], "").await.0, 500);
    assert_eq!(server.ask("GET /api/sessions", &[&token], "").await.0, 401);
    server.stop().await;
}
