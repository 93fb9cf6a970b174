//! The REST API and the client's files, by raw HTTP requests.

use super::common::{Server, TOKEN};

/// Sends a request. Returns the status, the head in lower case, and the body.
async fn send(server: &Server, head: &str, headers: &[&str], body: &str) -> (u16, String, String) {
    let mut request = format!("{head} HTTP/1.1\r\nhost: {}\r\n", server.address);
    for header in headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    let length = body.len();
    request.push_str(&format!("content-length: {length}\r\nconnection: close\r\n\r\n{body}"));
    let answer = server.raw(&request).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_lowercase(), body.to_owned())
}

const JSON: &str = "content-type: application/json";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_request_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let auth = format!("authorization: Bearer {TOKEN}");
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(256 * 1024));
    let cases: [(&str, &[&str], &str, u16, &str); 20] = [
        ("GET /api/sessions", &[], "", 401, "Token required"),
        ("GET /api/sessions", &["authorization: Bearer no"], "", 401, "Token not valid"),
        ("GET /api/sessions?token=a-token-for-tests-only", &[], "", 401, "Token required"),
        ("GET /api/session/abcdefgh/status", &[&auth], "", 404, "Session not found"),
        ("GET /api/session/short/status", &[&auth], "", 400, "Invalid session ID format"),
        ("GET /api/session/a%20b%20c%20d/status", &[&auth], "", 400, "Invalid session ID format"),
        ("DELETE /api/session/abcdefgh", &[&auth], "", 404, "\"sessionId\":\"abcdefgh\""),
        ("PUT /api/sessions", &[&auth], "", 405, "method_not_allowed"),
        ("GET /api/nothing", &[&auth], "", 404, "Route not found"),
        ("POST /api/sessions", &[&auth, JSON], "{", 400, "EOF while parsing"),
        (
            "POST /api/sessions",
            &[&auth, JSON],
            "{\"cols\":\"80\"}",
            400,
            "expected a whole number from 0 to 65535",
        ),
        ("POST /api/sessions", &[&auth, JSON], "{\"cols\":1}", 400, "2 to 1000 columns"),
        ("POST /api/sessions", &[&auth], "{}", 415, "application/json"),
        ("POST /api/sessions", &[&auth, JSON], &large, 413, "256 KiB"),
        (
            "POST /api/sessions",
            &[&auth, JSON],
            "{\"driver\":\"x\"}",
            400,
            "not have the driver `x`",
        ),
        ("POST /api/sessions", &[&auth, JSON], "{\"command\":[]}", 400, "login shell"),
        ("POST /api/sessions", &[&auth, JSON, "origin: http://evil"], "", 403, "--allow-origin"),
        ("GET /api/session/%ff%fe/status", &[&auth], "", 400, "Invalid session ID format"),
        ("GET /sessions/unknown12/stream", &[&auth], "", 404, "Session not found"),
        ("POST /api/sessions/unknown12/move", &[&auth, JSON], "{}", 400, "projectId"),
    ];
    for (head, headers, body, status, says) in cases {
        let (got, answer, text) = send(&server, head, headers, body).await;
        assert_eq!(got, status, "{head} {text}");
        assert!(text.contains(says), "{head}: {text}");
        assert!(answer.contains("content-type: application/json"), "{head}: {answer}");
        assert_eq!(answer.contains("www-authenticate: bearer"), status == 401, "{head}");
    }
    let (_, _, text) = send(&server, "GET /api/sessions", &[&auth], "").await;
    assert_eq!(text, r#"{"sessions":[],"total":0,"nextCursor":null}"#);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_not_its_own_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let get = async |path: &str, host: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let answer = server.raw(&head).await;
        answer.split(' ').nth(1).unwrap().parse::<u16>().unwrap()
    };
    for path in ["/sessions", "/api/openapi.json", "/docs/api", "/nothing"] {
        assert_eq!(get(path, "rebound.example:3010").await, 403, "{path}");
    }
    assert_eq!(get("/healthz", "rebound.example:3010").await, 200);
    assert_eq!(get("/docs/api", "localhost:3010").await, 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_safe_and_its_files_last() {
    let folder = tempfile::tempdir().unwrap();
    let dist = folder.path().join("dist");
    let server = Server::start(folder.path()).await;
    let (status, head, body) = send(&server, "GET /sessions", &[], "").await;
    assert!(status == 503 && body.contains("cargo xtask run"), "{status} {body}");
    assert!(head.contains("cache-control: no-store"), "{head}");

    std::fs::create_dir(&dist).unwrap();
    std::fs::write(dist.join("index.html"), "<script>go()</script>").unwrap();
    std::fs::write(dist.join("client-0123456789abcdef.js"), "go").unwrap();
    for route in ["/sessions", "/terminal/abcdefgh", "/session/abcdefgh"] {
        let (status, head, body) = send(&server, &format!("GET {route}"), &[], "").await;
        assert_eq!((status, body.as_str()), (200, "<script>go()</script>"));
        for header in [
            "content-type: text/html; charset=utf-8",
            "cache-control: no-cache",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "'sha256-",
            "frame-ancestors 'self'",
        ] {
            assert!(head.contains(header), "{route} {header}: {head}");
        }
    }
    let (_, head, _) = send(&server, "GET /embed/terminal/abcdefgh", &[], "").await;
    assert!(head.contains("frame-ancestors 'self' app://obsidian.md"), "{head}");
    std::fs::write(dist.join("moorline-session.js"), "go").unwrap();
    let from = "origin: https://notes.example";
    let (status, head, _) = send(&server, "GET /moorline-session.js", &[from], "").await;
    assert_eq!(status, 200);
    for header in ["access-control-allow-origin: *", "cache-control: public, max-age=3600"] {
        assert!(head.contains(header), "{header}: {head}");
    }
    let script = "GET /client-0123456789abcdef.js";
    let (status, head, _) = send(&server, script, &[], "").await;
    assert!(status == 200 && head.contains("immutable"), "{head}");
    assert!(head.contains("content-type: text/javascript"), "{head}");
    let answer = server.raw(&format!("{script} HTTP/1.0\r\n\r\n")).await;
    let etag = answer.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let known = format!("if-none-match: {etag}");
    assert_eq!(send(&server, script, &[&known], "").await.0, 304);
    let (status, head, _) = send(&server, "GET /", &[], "").await;
    assert!(status == 307 && head.contains("location: /sessions"), "{head}");
    for missing in ["/nothing.js", "/../Cargo.toml", "/%2e%2e/moorline.sqlite3"] {
        assert_eq!(send(&server, &format!("GET {missing}"), &[], "").await.0, 404, "{missing}");
    }
    // A browser gets the client's page, which says that the address does not exist.
    let reader = "accept: text/html,application/xhtml+xml";
    for nowhere in ["/nonsense", "/terminal/", "/docs"] {
        let (status, head, body) = send(&server, &format!("GET {nowhere}"), &[reader], "").await;
        assert!(status == 404 && head.contains("content-type: text/html"), "{nowhere}: {head}");
        assert!(head.contains("content-security-policy") && body.contains("<script>"), "{body}");
    }
    let (_, head, _) = send(&server, "GET /api/nothing", &[reader], "").await;
    assert!(head.contains("application/json"), "{head}");
    assert_eq!(send(&server, "GET /healthz", &[], "").await.0, 200);
    server.stop().await;
}
