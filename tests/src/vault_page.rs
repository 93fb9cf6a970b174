//! A web server with the stand-in for Obsidian, which loads the plugin.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::programs;

/// The files of the page, in the folder of the built plugin.
const FILES: [(&str, &str, &str); 4] = [
    ("/main.js", "main.js", "text/javascript"),
    ("/styles.css", "styles.css", "text/css"),
    ("/stand-in.js", "tests/stand-in.js", "text/javascript"),
    ("/stand-in.css", "tests/stand-in.css", "text/css"),
];

/// A page on a port of its own. Dropping it ends the server.
#[derive(Debug)]
pub struct VaultPage {
    port: u16,
    server: JoinHandle<()>,
}

/// A request that Obsidian sends for a plugin, from outside of its window.
#[derive(Debug, Deserialize)]
struct SentRequest {
    url: String,
    #[serde(default = "get_method")]
    method: String,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, String>,
    body: Option<String>,
}

fn get_method() -> String {
    "GET".to_owned()
}

impl VaultPage {
    /// Serves the page.
    ///
    /// # Errors
    /// If the plugin is not built.
    pub async fn serve(listener: TcpListener) -> Result<Self> {
        let port = listener.local_addr()?.port();
        let folder = programs::obsidian()?;
        let page = read(&folder, "tests/index.html").await?;
        let mut router = Router::new()
            .route("/", get(async move || Html(page)))
            // Browsers ask for an icon, and report it if there is none.
            .route("/favicon.ico", get(async || StatusCode::NO_CONTENT))
            .route("/request", post(request));
        for (path, file, kind) in FILES {
            let content = read(&folder, file).await?;
            let answer = async move || ([(header::CONTENT_TYPE, kind)], content);
            router = router.route(path, get(answer));
        }
        let router = router.with_state(Arc::new(reqwest::Client::new()));
        let server = tokio::spawn(async move {
            // It ends with the test.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { port, server })
    }

    /// Returns the page's address under this name.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("http://{name}:{}/", self.port)
    }
}

impl Drop for VaultPage {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn read(folder: &Path, file: &str) -> Result<String> {
    let path = folder.join(file);
    let content = tokio::fs::read_to_string(&path).await;
    content.with_context(|| format!("can't read {}", path.display()))
}

/// Sends a request without an `Origin`, as Obsidian does.
async fn request(State(client): State<Arc<reqwest::Client>>, body: String) -> Response {
    match send(&client, &body).await {
        Ok((status, text)) => Json(json!({ "status": status, "text": text })).into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

async fn send(client: &reqwest::Client, body: &str) -> Result<(u16, String)> {
    let SentRequest { url, method, headers, body } = serde_json::from_str(body)?;
    let mut request = client.request(Method::from_bytes(method.as_bytes())?, url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let answer = request.body(body.unwrap_or_default()).send().await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}
