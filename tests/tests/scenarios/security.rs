//! Attacks, as docs/SECURITY.md lists them, each against a whole relay.

mod bombs;
mod crossing;
mod floods;
mod frames;
mod headers;
mod markup;
mod native;
mod paths;
mod rates;
mod reading;
mod terminal;

use anyhow::{Context as _, Result, ensure};
use moorline_core::routes::{Route, Subject};
use moorline_tests::api::Api;
use moorline_tests::relay::Relay;
use moorline_tests::wait::within;
use reqwest::Method;
use reqwest::header::{ORIGIN, SET_COOKIE};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The path of a route about this session or project.
fn path_of(route: &Route, session: &str, project: &str) -> String {
    let id = match route.subject {
        Subject::Project => project,
        _ => session,
    };
    route.path.replace("{id}", id).replace("{item}", "no-such-item-0001")
}

/// Makes a token, and returns its id and its secret.
async fn token(api: &Api, scope: &str) -> Result<(String, String)> {
    let wish = json!({"scope": scope, "label": "a test"});
    let made = api.expect(201, Method::POST, "/api/tokens", wish).await?;
    let text = |name: &str| made[name].as_str().map(str::to_owned).context("a text");
    Ok((text("id")?, text("token")?))
}

/// Creates a project.
async fn project(api: &Api) -> Result<String> {
    let wish = json!({"name": "notes"});
    let made = api.expect(201, Method::POST, "/api/projects", wish).await?;
    Ok(made["project"]["id"].as_str().context("an id")?.to_owned())
}

/// Logs a browser in, as if over TLS, and returns its cookie.
async fn cookie(relay: &Relay, api: &Api) -> Result<String> {
    let tls = relay.url().replace("http://", "https://");
    let answer = api.request(Method::POST, "/api/login").header(ORIGIN, tls).send().await?;
    ensure!(answer.status() == 200, "{}", answer.status());
    let set = answer.headers().get(SET_COOKIE).context("no cookie")?.to_str()?;
    Ok(set.split(';').next().context("it is not empty")?.to_owned())
}

/// Gets a path as it is, which no HTTP client would, with these lines of the head. Returns the head of the answer.
async fn head_of(relay: &Relay, path: &str, more: &str) -> Result<String> {
    let mut stream = TcpStream::connect(relay.address()).await?;
    let host = relay.address();
    let head = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{more}\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = within("the head of an answer", stream.read_buf(&mut answer)).await??;
        ensure!(read > 0, "the connection was closed");
    }
    let text = String::from_utf8_lossy(&answer).into_owned();
    Ok(text.split("\r\n\r\n").next().unwrap_or_default().to_owned())
}
