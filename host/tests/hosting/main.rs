//! Tests the host against a fake relay, which each test controls step by step.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod agents;
mod approvals;
mod changes;
mod drivers;
mod fake_relay;
mod journal;
mod line_driver;
mod links;
mod recorded;
mod sessions;
mod terminals;
mod websocket;

use std::future::Future;
use std::time::Duration;

use tokio::time::{sleep, timeout};

/// Far longer than anything in these tests takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for a future that must complete soon.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

/// Polls for a condition that nothing notifies about.
async fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let held = async {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    soon(what, held).await;
}
