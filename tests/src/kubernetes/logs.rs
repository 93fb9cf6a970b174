//! Logs of containers.

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::unfold;
use tokio::time::sleep;

use super::json::uid;
use super::query::QueryParameters;
use super::resource::ResourcePath;
use super::runtime::PodRuntime;
use super::state::SharedState;
use super::status::ApiResult;
use super::target::ContainerTarget;
use super::volumes::log_file;

/// Time between two looks at a log that is followed.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(20);

/// A log that is followed.
struct FollowedLog {
    file: PathBuf,
    /// Bytes that were sent.
    sent: usize,
    runtime: Option<std::sync::Arc<PodRuntime>>,
    container: String,
    is_over: bool,
}

/// Answers a request for a log.
pub(super) async fn answer(
    state: &SharedState,
    path: &ResourcePath,
    query: &QueryParameters,
) -> ApiResult<Response> {
    let target = ContainerTarget::find(state, path, query.get("container"))?;
    let pod_uid = uid(&target.pod);
    let file = log_file(&state.volumes.of_pod(pod_uid), &target.container);
    let content = tokio::fs::read(&file).await.unwrap_or_default();
    let sent = content.len();
    let shown = tail(&content, query.number("tailLines"));
    let limit = query.number("limitBytes").and_then(|limit| usize::try_from(limit).ok());
    let shown = &shown[..shown.len().min(limit.unwrap_or(usize::MAX))];
    let shown = Bytes::copy_from_slice(shown);
    let body = if query.is_true("follow") {
        let runtime = state.runtimes.get(pod_uid);
        let container = target.container;
        let log = FollowedLog { file, sent, runtime, container, is_over: false };
        let rest = unfold((Some(shown), log), |(first, mut log)| async move {
            let piece = match first {
                Some(first) => first,
                None => log.next().await?,
            };
            Some((Ok::<_, Infallible>(piece), (None, log)))
        });
        Body::from_stream(rest)
    } else {
        Body::from(shown)
    };
    Ok(([(CONTENT_TYPE, "text/plain")], body).into_response())
}

impl FollowedLog {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let runs =
                self.runtime.as_ref().is_some_and(|pod| pod.container(&self.container).is_some());
            let content = tokio::fs::read(&self.file).await.unwrap_or_default();
            if let Some(new) = content.get(self.sent..).filter(|new| !new.is_empty()) {
                self.sent = content.len();
                return Some(Bytes::copy_from_slice(new));
            }
            if self.is_over {
                return None;
            }
            // What was written before the end is read once more after it.
            self.is_over = !runs;
            sleep(FOLLOW_INTERVAL).await;
        }
    }
}

fn tail(content: &[u8], lines: Option<u64>) -> &[u8] {
    let Some(lines) = lines.and_then(|lines| usize::try_from(lines).ok()) else { return content };
    let ends = content.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    // The end of the last line is not before it.
    let skipped = usize::from(content.ends_with(b"\n"));
    match ends.map(|(place, _)| place + 1).nth((lines + skipped).saturating_sub(1)) {
        Some(start) if lines > 0 => &content[start..],
        None if lines > 0 => content,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tail_has_the_last_lines() {
        for (content, lines, expected) in [
            ("a\nb\nc\n", 2, "b\nc\n"),
            ("a\nb\nc", 2, "b\nc"),
            ("a\nb\n", 5, "a\nb\n"),
            ("a\n", 0, ""),
            ("", 1, ""),
        ] {
            assert_eq!(tail(content.as_bytes(), Some(lines)), expected.as_bytes(), "{content:?}");
        }
    }
}
