//! Files that are dragged onto a tab from elsewhere.

use std::path::PathBuf;

use anyhow::Result;
use chromiumoxide::cdp::browser_protocol::input::{
    DispatchDragEventReturns, DispatchDragEventType,
};
use chromiumoxide::types::{Command, Method, MethodId};
use serde::Serialize;

use super::Tab;

/// The protocol's number of a copy, the only thing that can be done with files of other programs.
const COPY: i64 = 1;

/// The crate's own command leaves an empty list of items out, which Chromium refuses.
#[derive(Debug, Serialize)]
struct DispatchDragEvent {
    #[serde(rename = "type")]
    kind: DispatchDragEventType,
    x: f64,
    y: f64,
    data: DraggedFiles,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct DraggedFiles {
    items: [(); 0],
    files: Vec<PathBuf>,
    drag_operations_mask: i64,
}

impl Method for DispatchDragEvent {
    fn identifier(&self) -> MethodId {
        "Input.dispatchDragEvent".into()
    }
}

impl Command for DispatchDragEvent {
    type Response = DispatchDragEventReturns;
}

impl Tab {
    /// Drags files over a point of the page, and holds them there.
    ///
    /// # Errors
    /// Where Chromium refuses.
    pub(crate) async fn drag_files(&self, at: (f64, f64), files: &[PathBuf]) -> Result<()> {
        self.drag(DispatchDragEventType::DragEnter, at, files).await?;
        self.drag(DispatchDragEventType::DragOver, at, files).await
    }

    /// Drops files on a point of the page, over which they were dragged.
    ///
    /// # Errors
    /// Where Chromium refuses.
    pub(crate) async fn drop_files(&self, at: (f64, f64), files: &[PathBuf]) -> Result<()> {
        // Chromium drops onto what was beneath the pointer when it last heard of it.
        self.drag(DispatchDragEventType::DragOver, at, files).await?;
        self.drag(DispatchDragEventType::Drop, at, files).await
    }

    async fn drag(
        &self,
        kind: DispatchDragEventType,
        (x, y): (f64, f64),
        files: &[PathBuf],
    ) -> Result<()> {
        let files = files.to_vec();
        let data = DraggedFiles { items: [], files, drag_operations_mask: COPY };
        self.page.execute(DispatchDragEvent { kind, x, y, data }).await?;
        Ok(())
    }
}
