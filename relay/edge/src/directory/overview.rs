//! `GET /api/events`: the list of sessions and projects, live.

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::stream;
use moorline_relay::core::events::RETRY_MS;
use moorline_relay::core::overview::OverviewStream;
use moorline_shared::limits::HEARTBEAT;
use moorline_shared::sse;
use worker::{Delay, ResponseBuilder, console_error};

use super::{Directory, now_ms};
use crate::reply::Answer;

/// Changes within this are told together.
const ROUND: Duration = Duration::from_millis(250);

pub(super) fn open(directory: &Rc<Directory>) -> Answer {
    let live = Live::new(directory);
    let chunks = stream::unfold(live, |mut live| async {
        let chunk = live.next().await;
        Some((Ok::<_, worker::Error>(chunk.into_bytes()), live))
    });
    let response = ResponseBuilder::new()
        .with_header("content-type", "text/event-stream")?
        .with_header("cache-control", "no-cache, no-transform")?
        .with_header("x-accel-buffering", "no")?;
    Ok(response.from_stream(chunks)?)
}

/// One reader.
struct Live {
    directory: Rc<Directory>,
    stream: OverviewStream,
    is_open: bool,
    /// Of the directory's bell, when the list was looked at last.
    seen: u64,
    looked_ms: u64,
    said_ms: u64,
}

impl Live {
    fn new(directory: &Rc<Directory>) -> Self {
        directory.streams.set(directory.streams.get() + 1);
        Self {
            directory: Rc::clone(directory),
            stream: OverviewStream::default(),
            is_open: false,
            seen: 0,
            looked_ms: 0,
            said_ms: 0,
        }
    }

    async fn next(&mut self) -> String {
        let chunk = if self.is_open {
            self.wait_for_change().await
        } else {
            self.is_open = true;
            sse::encode_retry(RETRY_MS) + &self.look()
        };
        self.said_ms = now_ms();
        chunk
    }

    async fn wait_for_change(&mut self) -> String {
        loop {
            let silence = until(self.said_ms, HEARTBEAT);
            let is_changed = {
                let changed = pin!(self.directory.changed.after(self.seen));
                matches!(select(changed, Delay::from(silence)).await, Either::Left(_))
            };
            if !is_changed {
                return sse::HEARTBEAT.to_owned();
            }
            Delay::from(until(self.looked_ms, ROUND)).await;
            let told = self.look();
            if !told.is_empty() {
                return told;
            }
        }
    }

    fn look(&mut self) -> String {
        self.seen = self.directory.changed.rung();
        self.looked_ms = now_ms();
        match self.directory.with(|known| Ok(known.overview())) {
            Ok(overview) => self.stream.update(overview),
            Err(failure) => {
                console_error!("the list cannot be read: {failure}");
                String::new()
            }
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.directory.streams.set(self.directory.streams.get().saturating_sub(1));
    }
}

/// What is left of a wait that began at some time.
fn until(since_ms: u64, wait: Duration) -> Duration {
    wait.saturating_sub(Duration::from_millis(now_ms().saturating_sub(since_ms)))
}
