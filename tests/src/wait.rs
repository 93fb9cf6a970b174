//! Waiting for something to become true.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::time::{Instant, sleep, timeout};

/// Time after which a scenario gives up waiting. Far longer than anything takes, because the
/// machine may be busy with the other half of the suite.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Interval between two checks of a condition.
const INTERVAL: Duration = Duration::from_millis(5);

/// Waits until the predicate holds.
///
/// # Errors
/// If it does not within [`PATIENCE`]; names `what`.
pub async fn wait_until(what: &str, mut predicate: impl AsyncFnMut() -> bool) -> Result<()> {
    wait_for(what, async || predicate().await.then_some(())).await
}

/// Waits until `ask` returns a value.
///
/// # Errors
/// If it does not within [`PATIENCE`]; names `what`.
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

/// Awaits a future that must finish within [`PATIENCE`].
///
/// # Errors
/// If it does not; names `what`.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> Result<T> {
    let done = timeout(PATIENCE, future).await;
    done.ok().with_context(|| format!("waited {PATIENCE:?} in vain for {what}"))
}
