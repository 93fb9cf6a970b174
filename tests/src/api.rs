//! A client of the relay's REST API.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use moorline_shared::id::SessionId;
use moorline_shared::rest::{
    CreateSession, Created, ErrorBody, SessionDetails, SessionList, SessionSummary,
};
use reqwest::{Method, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::wait::within;

/// Time after which an idle connection is not used again.
const IDLE: Duration = Duration::from_secs(2);

/// The API of one relay, called with one token.
#[derive(Debug, Clone)]
pub struct Api {
    base: String,
    token: Option<String>,
    http: reqwest::Client,
}

impl Api {
    /// Creates a client of the relay at `base`, such as `http://127.0.0.1:3010`.
    #[must_use]
    pub fn new(base: String, token: Option<String>) -> Self {
        // A relay closes idle connections after some seconds, possibly just as one is used again.
        let http = reqwest::Client::builder().pool_idle_timeout(IDLE);
        Self { base, token, http: http.build().expect("the system's TLS is not asked for") }
    }

    /// The relay's address, as a browser has it.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The same API with another token, or with none.
    #[must_use]
    pub fn with_token(&self, token: Option<&str>) -> Self {
        Self { token: token.map(str::to_owned), ..self.clone() }
    }

    /// Starts a request with this API's token.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Starts a session as described.
    ///
    /// # Errors
    /// If the answer is not 201.
    pub async fn create(&self, wish: &CreateSession) -> Result<SessionSummary> {
        let answer = self.request(Method::POST, "/api/sessions").json(wish).send().await?;
        let created: Created = expect(answer, StatusCode::CREATED).await?;
        ensure!(created.success && created.session_id == created.session.session_id, "{created:?}");
        Ok(created.session)
    }

    /// Starts a session that runs `command` in a terminal of 80 × 24.
    ///
    /// # Errors
    /// As [`Api::create`].
    pub async fn run(&self, command: Vec<String>) -> Result<SessionId> {
        let wish = CreateSession {
            command: Some(command),
            cols: Some(80),
            rows: Some(24),
            ..CreateSession::default()
        };
        Ok(self.create(&wish).await?.session_id)
    }

    /// Lists all sessions.
    ///
    /// # Errors
    /// If the answer is not 200.
    pub async fn list(&self) -> Result<Vec<SessionSummary>> {
        Ok(self.get::<SessionList>("/api/sessions").await?.sessions)
    }

    /// Gets the JSON at a path.
    ///
    /// # Errors
    /// If the answer is not 200 or has another shape.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        expect(self.request(Method::GET, path).send().await?, StatusCode::OK).await
    }

    /// Gets the status of one session.
    ///
    /// # Errors
    /// If the answer is not 200.
    pub async fn status(&self, id: &SessionId) -> Result<SessionDetails> {
        self.get(&format!("/api/session/{id}/status")).await
    }

    /// Creates a token of this scope.
    ///
    /// # Errors
    /// If the answer is not 201.
    pub async fn token(&self, scope: &str) -> Result<String> {
        let wish = json!({"scope": scope, "label": "a test", "expiresInMs": 600_000});
        let made = self.expect(201, Method::POST, "/api/tokens", wish).await?;
        Ok(made["token"].as_str().context("no token")?.to_owned())
    }

    /// Ends and removes a session.
    ///
    /// # Errors
    /// If the answer is not 200.
    pub async fn delete(&self, id: &SessionId) -> Result<()> {
        let path = format!("/api/session/{id}");
        let answer = self.request(Method::DELETE, &path).send().await?;
        expect::<Value>(answer, StatusCode::OK).await.map(|_| ())
    }

    /// Sends a request and returns its status and JSON, which is `null` for an empty answer. A body
    /// of `null` sends no body.
    ///
    /// # Errors
    /// If there is no answer, or it is not JSON.
    pub async fn call(&self, method: Method, path: &str, body: Value) -> Result<(u16, Value)> {
        let request = self.request(method, path);
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = within(&format!("an answer to {path}"), request.send()).await??;
        let (status, text) = (answer.status().as_u16(), answer.text().await?);
        if text.is_empty() {
            return Ok((status, Value::Null));
        }
        let json = serde_json::from_str(&text).with_context(|| format!("{status}: {text:?}"))?;
        Ok((status, json))
    }

    /// Gets a path and returns the status and text of the answer.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn get_text(&self, path: &str) -> Result<(u16, String)> {
        let request = self.request(Method::GET, path).send();
        let answer = within(&format!("an answer to {path}"), request).await??;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// Sends a request and returns the JSON of its answer, which must have this status.
    ///
    /// # Errors
    /// As [`Api::call`], and if the status is another.
    pub async fn expect(
        &self,
        status: u16,
        method: Method,
        path: &str,
        body: Value,
    ) -> Result<Value> {
        let (got, answer) = self.call(method.clone(), path, body).await?;
        ensure!(got == status, "{got} instead of {status} to {method} {path}: {answer}");
        Ok(answer)
    }

    /// Types a line into a session by `prompt`.
    ///
    /// # Errors
    /// If the answer is not 200.
    pub async fn prompt(&self, session: &SessionId, command: &str) -> Result<Value> {
        let path = format!("/api/session/{session}/prompt");
        self.expect(200, Method::POST, &path, json!({"command": command})).await
    }

    /// Sends a request that must fail, and returns the status and body of the error.
    ///
    /// # Errors
    /// If the body is not that of an error.
    pub async fn refusal(&self, method: Method, path: &str) -> Result<(u16, ErrorBody)> {
        refusal(self.request(method, path).send().await?).await
    }
}

/// Returns the status and the error body of an answer.
///
/// # Errors
/// If the body is not that of an error.
pub async fn refusal(answer: Response) -> Result<(u16, ErrorBody)> {
    let status = answer.status().as_u16();
    let text = answer.text().await?;
    let body = serde_json::from_str(&text).with_context(|| format!("{status} with {text:?}"))?;
    Ok((status, body))
}

async fn expect<T: DeserializeOwned>(answer: Response, status: StatusCode) -> Result<T> {
    let got = answer.status();
    let text = answer.text().await?;
    ensure!(got == status, "{got} instead of {status}: {text}");
    serde_json::from_str(&text).with_context(|| format!("an answer of another shape: {text}"))
}
