//! The client's files, with the headers that make them safe and fast.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{ACCEPT, IF_NONE_MATCH};
use http::{Method, StatusCode};
use moorline_core::api::ApiError;
use moorline_core::api::csp;
use moorline_core::api::docs;
use moorline_core::api::paths::{
    ELEMENT, ELEMENT_HEADERS, is_hashed, is_reader, is_route, of_long_name,
};
use sha2::{Digest as _, Sha256};
use worker::{Request, Response, ResponseBuilder, Result};

use super::Gateway;
use crate::files::content_type;
use crate::reply::Answer;

const PAGE: &str = "index.html";
/// The API's description, first with the deprecated routes, then without them.
const DESCRIPTIONS: [&str; 2] = ["openapi.json", "openapi-current.json"];
/// For files whose name has a hash of their content, as Trunk names them.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// For files that a browser revalidates each time; the ETag makes that cheap.
const EACH_TIME: &str = "no-cache";

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
    <title>Moorline</title><p>This relay runs, but it was deployed without its page.</p>\
    <p>Run <code>cargo xtask edge</code>, which builds both. The command line works without: \
    <code>moorline attach &lt;session&gt;</code>.</p></html>";

/// A file of the client, with its entity tag.
struct FoundFile {
    content: Vec<u8>,
    etag: String,
}

impl Gateway {
    /// Answers a path that the API does not have: with the page or another file.
    pub(super) async fn file(&self) -> Answer {
        if !matches!(self.method, Method::GET | Method::HEAD) {
            return Err(ApiError::method_not_allowed(&self.method, &self.uri()).into());
        }
        let path = self.path.trim_start_matches('/');
        if path.is_empty() {
            return redirect("/sessions");
        }
        if let Some(page) = of_long_name(path) {
            return redirect(&page);
        }
        if is_route(path) {
            return match self.find(PAGE).await? {
                Some(page) => self.page(page),
                None => not_built(),
            };
        }
        if let Some(file) = docs::files().find(|file| file.path == self.path) {
            return self.docs(file);
        }
        match self.find(path).await? {
            Some(_) if path == PAGE => redirect("/sessions"),
            Some(found) => {
                let lasting = if is_hashed(path) { FOREVER } else { EACH_TIME };
                let response = self.send(found, path, lasting)?;
                if path == ELEMENT {
                    for (name, value) in ELEMENT_HEADERS {
                        response.headers().set(name, value)?;
                    }
                }
                Ok(response)
            }
            None => self.nowhere().await,
        }
    }

    /// Answers a path that does not exist: with the page for a browser, else with JSON.
    async fn nowhere(&self) -> Answer {
        let accept = self.headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
        let page = if is_reader(accept) { self.find(PAGE).await? } else { None };
        let Some(page) = page else { return Err(ApiError::no_route(&self.uri()).into()) };
        let response = self.page(page)?;
        let is_whole = response.status_code() == StatusCode::OK.as_u16();
        Ok(if is_whole { response.with_status(StatusCode::NOT_FOUND.as_u16()) } else { response })
    }

    /// Answers with the API's description, which is a file here.
    pub(super) async fn description(&self) -> Answer {
        let [all, current] = DESCRIPTIONS;
        let description = if self.has_legacy() { all } else { current };
        match self.find(description).await? {
            Some(found) => Ok(self.send(found, description, EACH_TIME)?),
            None => Err(ApiError::no_route(&self.uri()).into()),
        }
    }

    /// Answers with a file of the page that shows the API's description.
    fn docs(&self, file: docs::File) -> Answer {
        let response = ResponseBuilder::new()
            .with_header("content-type", &format!("text/{}; charset=utf-8", file.kind))?
            .with_header("cache-control", EACH_TIME)?
            .with_header("x-content-type-options", "nosniff")?
            .with_header("referrer-policy", "no-referrer")?;
        let mut response = response.fixed(file.content.as_bytes().to_vec());
        set_policy(&mut response, docs::POLICY)?;
        Ok(response)
    }

    fn page(&self, page: FoundFile) -> Answer {
        let text = String::from_utf8_lossy(&page.content).into_owned();
        let path = self.path.trim_start_matches('/');
        let mut response = self.send(page, PAGE, EACH_TIME)?;
        set_policy(&mut response, &csp::policy(&text, path, &self.frame_ancestors()))?;
        Ok(response)
    }

    async fn find(&self, path: &str) -> Result<Option<FoundFile>> {
        let assets = self.env.assets("ASSETS")?;
        let wanted = Request::new(&format!("https://assets.internal/{path}"), worker::Method::Get)?;
        let mut response = assets.fetch_request(wanted).await?;
        // On a local machine, a folder is answered with a JSON list of its files.
        let kind = response.headers().get("content-type")?.unwrap_or_default();
        let is_list = kind.starts_with("application/json") && !path.ends_with(".json");
        if response.status_code() != 200 || is_list {
            return Ok(None);
        }
        let content = response.bytes().await?;
        let etag = match response.headers().get("etag")? {
            Some(etag) => etag.trim_start_matches("W/").to_owned(),
            None => etag(&content),
        };
        Ok(Some(FoundFile { content, etag }))
    }

    fn send(&self, found: FoundFile, path: &str, lasting: &str) -> Result<Response> {
        let known = self.headers.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
        let is_known = known.is_some_and(|tags| {
            tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == found.etag)
        });
        // A weak tag survives compression on the way.
        let response = ResponseBuilder::new()
            .with_header("etag", &format!("W/{}", found.etag))?
            .with_header("cache-control", lasting)?
            .with_header("x-content-type-options", "nosniff")?
            .with_header("referrer-policy", "no-referrer")?;
        if is_known {
            return Ok(response.with_status(304).empty());
        }
        Ok(response.with_header("content-type", content_type(path))?.fixed(found.content))
    }
}

fn redirect(to: &str) -> Answer {
    let response = ResponseBuilder::new().with_status(307).with_header("location", to)?;
    Ok(response.empty())
}

fn not_built() -> Answer {
    let response = ResponseBuilder::new()
        .with_status(503)
        .with_header("content-type", "text/html; charset=utf-8")?
        .with_header("cache-control", "no-store")?;
    let mut response = response.fixed(NOT_BUILT.as_bytes().to_vec());
    set_policy(&mut response, "default-src 'none'; frame-ancestors 'none'")?;
    Ok(response)
}

fn set_policy(response: &mut Response, policy: &str) -> Result<()> {
    response.headers_mut().set("content-security-policy", policy)
}

fn etag(content: &[u8]) -> String {
    let hash = Sha256::digest(content);
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(hash.get(..12).unwrap_or_default()))
}
