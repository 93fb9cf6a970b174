//! Watches: the changes of objects as they happen, one line of JSON each.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::unfold;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::query::QueryParameters;
use super::resource::{ResourcePath, ResourceType};
use super::selector::ObjectSelector;
use super::state::SharedState;
use super::status::ApiResult;
use super::store::ObjectChange;

/// Time between two bookmarks. A real server's are a minute apart.
const BOOKMARK_INTERVAL: Duration = Duration::from_secs(5);
/// How long a watch lasts that names no time.
const USUAL_DURATION: Duration = Duration::from_secs(30 * 60);

/// One watch.
struct ObjectWatch {
    state: SharedState,
    resource: &'static ResourceType,
    namespace: String,
    selector: ObjectSelector,
    changes: watch::Receiver<u64>,
    /// Changes up to this revision were sent.
    seen: u64,
    /// Lines to send.
    lines: VecDeque<Bytes>,
    with_bookmarks: bool,
    next_bookmark: Instant,
    end: Instant,
    is_over: bool,
}

/// Answers a watch.
pub(super) fn answer(
    state: &SharedState,
    path: &ResourcePath,
    query: &QueryParameters,
) -> ApiResult<Response> {
    let selector = ObjectSelector::parse(
        path.resource,
        query.get("labelSelector"),
        query.get("fieldSelector"),
    )?;
    let duration = query.number("timeoutSeconds").map_or(USUAL_DURATION, Duration::from_secs);
    let now = Instant::now();
    let mut watch = ObjectWatch {
        state: SharedState::clone(state),
        resource: path.resource,
        namespace: path.namespace.clone(),
        selector,
        changes: state.store.subscribe(),
        seen: query.number("resourceVersion").unwrap_or_default(),
        lines: VecDeque::new(),
        with_bookmarks: query.is_true("allowWatchBookmarks"),
        next_bookmark: now + BOOKMARK_INTERVAL,
        end: now + duration,
        is_over: false,
    };
    if watch.seen == 0 || query.is_true("sendInitialEvents") {
        watch.begin(query.is_true("sendInitialEvents"));
    }
    let lines = unfold(watch, |mut watch| async move {
        let line = watch.next().await?;
        Some((Ok::<_, Infallible>(line), watch))
    });
    Ok(([(CONTENT_TYPE, "application/json")], Body::from_stream(lines)).into_response())
}

impl ObjectWatch {
    /// Sends the objects as they are, and if asked a bookmark after the last one.
    fn begin(&mut self, with_end: bool) {
        let (objects, revision) = self.state.store.list(self.resource, &self.namespace);
        for object in objects.iter().filter(|object| self.selector.matches(object)) {
            self.lines.push_back(line("ADDED", object));
        }
        self.seen = revision;
        if with_end {
            let mut bookmark = self.bookmark();
            bookmark["metadata"]["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
            self.lines.push_back(line("BOOKMARK", &bookmark));
        }
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(line);
            }
            if self.is_over {
                return None;
            }
            self.changes.borrow_and_update();
            self.gather();
            if !self.lines.is_empty() {
                continue;
            }
            let wake =
                if self.with_bookmarks { self.next_bookmark.min(self.end) } else { self.end };
            tokio::select! {
                changed = self.changes.changed() => self.is_over = changed.is_err(),
                () = sleep_until(wake) => {
                    let now = Instant::now();
                    self.is_over = now >= self.end;
                    if self.with_bookmarks && now >= self.next_bookmark {
                        self.next_bookmark = now + BOOKMARK_INTERVAL;
                        let bookmark = self.bookmark();
                        self.lines.push_back(line("BOOKMARK", &bookmark));
                    }
                }
            }
        }
    }

    fn gather(&mut self) {
        match self.state.store.since(self.seen) {
            Ok(changes) => {
                for change in changes {
                    self.seen = change.revision;
                    self.lines.extend(self.told(&change));
                }
            }
            Err(error) => {
                self.lines.push_back(line("ERROR", &error.status()));
                self.is_over = true;
            }
        }
    }

    /// What a change means for this watch: an object that is not selected any more is deleted.
    fn told(&self, change: &ObjectChange) -> Option<Bytes> {
        if !change.key.is_of(self.resource, &self.namespace) {
            return None;
        }
        let was = change.before.as_ref().is_some_and(|before| self.selector.matches(before));
        let is = !change.removed && self.selector.matches(&change.after);
        let kind = match (was, is) {
            (false, false) => return None,
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
        };
        Some(line(kind, &change.after))
    }

    fn bookmark(&self) -> Value {
        json!({
            "kind": self.resource.kind,
            "apiVersion": self.resource.api_version(),
            "metadata": { "resourceVersion": self.seen.to_string(), "creationTimestamp": null },
        })
    }
}

fn line(kind: &str, object: &Value) -> Bytes {
    let mut line = json!({ "type": kind, "object": object }).to_string();
    line.push('\n');
    line.into()
}
