//! The output of a session whose folder is in sync: its end waits for its files.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::driver::{DriverOutput, OutputSource};
use crate::workspace::FolderSync;

/// The longest time for which the end of a session waits for its last files to reach the relay.
const LAST_FILES: Duration = Duration::from_secs(10);

/// Passes on a session's output. Holds its folder in sync until the end.
#[derive(Debug)]
pub(super) struct SyncedOutput {
    inner: Box<dyn OutputSource>,
    folder: Option<Arc<FolderSync>>,
}

impl SyncedOutput {
    pub(super) fn new(inner: Box<dyn OutputSource>, folder: Arc<FolderSync>) -> Self {
        Self { inner, folder: Some(folder) }
    }
}

impl OutputSource for SyncedOutput {
    fn next(&mut self) -> BoxFuture<'_, DriverOutput> {
        Box::pin(async {
            let output = self.inner.next().await;
            if matches!(output, DriverOutput::End(_))
                && let Some(folder) = self.folder.take()
                && !folder.settle_within(LAST_FILES).await
            {
                tracing::warn!("the last files of a session are not in its workspace");
            }
            output
        })
    }
}
