//! The files of a workspace, by the REST API.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use moorline_shared::rest::{WorkspaceDetails, WorkspaceTree};
use reqwest::{Method, Response};
use serde_json::json;

use crate::api::Api;
use crate::wait::wait_until;

/// A workspace of a relay.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// The relay.
    pub api: Api,
    /// The workspace's id.
    pub id: String,
}

impl Workspace {
    /// Creates a workspace.
    ///
    /// # Errors
    /// If the answer is not 201.
    pub async fn create(api: &Api) -> Result<Self> {
        let made = api.expect(201, Method::POST, "/api/workspaces", json!({})).await?;
        let id = made["workspace"]["id"].as_str().context("no id")?.to_owned();
        Ok(Self { api: api.clone(), id })
    }

    /// Returns the path of something of the workspace.
    #[must_use]
    pub fn path(&self, rest: &str) -> String {
        format!("/api/workspaces/{}{rest}", self.id)
    }

    /// Sends a request about a file.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn send(
        &self,
        method: Method,
        file: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Result<Response> {
        let path = self.path(&format!("/files/{file}"));
        let request = self.api.request(method, &path).body(body);
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        Ok(request.send().await?)
    }

    /// Puts a file.
    ///
    /// # Errors
    /// If the answer is not a success.
    pub async fn put(&self, file: &str, content: impl Into<reqwest::Body>) -> Result<()> {
        let answer = self.send(Method::PUT, file, &[], content).await?;
        let status = answer.status();
        ensure!(status.is_success(), "{status} to {file}: {}", answer.text().await?);
        Ok(())
    }

    /// Deletes a file.
    ///
    /// # Errors
    /// If the answer is not a success.
    pub async fn delete(&self, file: &str) -> Result<()> {
        let answer = self.send(Method::DELETE, file, &[], "").await?;
        let status = answer.status();
        ensure!(status.is_success(), "{status} to {file}: {}", answer.text().await?);
        Ok(())
    }

    /// Reads a file; `None` if it is not there.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn read(&self, file: &str) -> Result<Option<Vec<u8>>> {
        let answer = self.send(Method::GET, file, &[], "").await?;
        let found = answer.status().is_success();
        let content = answer.bytes().await?;
        Ok(found.then(|| content.to_vec()))
    }

    /// Lists everything.
    ///
    /// # Errors
    /// If the answer is not 200.
    pub async fn tree(&self) -> Result<WorkspaceTree> {
        self.api.get(&self.path("/files")).await
    }

    /// Returns how full it is.
    ///
    /// # Errors
    /// If the answer is not 200.
    pub async fn details(&self) -> Result<WorkspaceDetails> {
        self.api.get(&self.path("")).await
    }

    /// Returns the paths of everything, each with its mode and size.
    ///
    /// # Errors
    /// If the answer is not 200.
    pub async fn listing(&self) -> Result<BTreeMap<String, (u32, u64)>> {
        let files = self.tree().await?.files.into_iter();
        Ok(files.map(|file| (file.path.to_string(), (file.mode, file.size))).collect())
    }

    /// Waits until a file has this content.
    ///
    /// # Errors
    /// If it does not get it in time.
    pub async fn until_content(&self, file: &str, content: &[u8]) -> Result<()> {
        wait_until(&format!("the content of {file}"), async || {
            self.read(file).await.is_ok_and(|now| now.as_deref() == Some(content))
        })
        .await
    }

    /// Waits until a file is gone.
    ///
    /// # Errors
    /// If it stays.
    pub async fn until_gone(&self, file: &str) -> Result<()> {
        wait_until(&format!("the end of {file}"), async || {
            self.read(file).await.is_ok_and(|now| now.is_none())
        })
        .await
    }
}
