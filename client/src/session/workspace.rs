//! The files of a workspace, as a page shows and changes them, without drawing anything.
//!
//! [`FileTree`] is what the relay has told, [`TextEdit`] one text while both sides may change it,
//! [`UploadQueue`] the files on their way to the relay, and [`FileContent`] what a content is. None of
//! them does I/O: the page passes in what happened, and does what they ask for.

mod content;
pub mod drafts;
mod edit;
mod request;
mod tree;
mod tree_keys;
mod uploads;

pub use content::{EDITED_BYTES, FileContent, SHOWN_BYTES};
pub use edit::{EditStep, EditView, SaveOrder, TextEdit};
pub use request::{FileRefusal, file_address, refusal};
pub use tree::{FileTree, TreeRow};
pub use tree_keys::{TreeKey, TypeAhead};
pub use uploads::{
    MOST_UPLOADS, UploadCounts, UploadItem, UploadOrder, UploadPhase, UploadQueue, WantedUpload,
};
