//! Waiting for something to become true.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::time::{Instant, sleep, timeout};

/// How long a scenario waits for anything before it fails. Far longer than anything takes: the
/// machine may be busy with the other half of the suite.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How often a condition is asked for.
const INTERVAL: Duration = Duration::from_millis(5);

/// Asks until the predicate holds.
///
/// # Errors
/// Names `what` where it does not within [`PATIENCE`].
pub async fn wait_until(what: &str, mut predicate: impl AsyncFnMut() -> bool) -> Result<()> {
    wait_for(what, async || predicate().await.then_some(())).await
}

/// Asks until there is an answer.
///
/// # Errors
/// Names `what` where there is none within [`PATIENCE`].
pub async fn wait_for<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return Ok(answer);
        }
        if Instant::now() >= deadline {
            bail!("waited {PATIENCE:?} in vain for {what}");
        }
        sleep(INTERVAL).await;
    }
}

/// Awaits a future that must be done within [`PATIENCE`].
///
/// # Errors
/// Names `what` where it is not.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> Result<T> {
    let done = timeout(PATIENCE, future).await;
    done.ok().with_context(|| format!("waited {PATIENCE:?} in vain for {what}"))
}
