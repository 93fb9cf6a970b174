//! The only place that touches the browser's own interfaces: everything here hands out plain
//! values and guards that undo what they did when they are dropped.

mod addons;
pub mod clipboard;
pub mod clock;
pub mod dialog;
pub mod fetch;
pub mod gesture;
mod handlers;
pub mod history;
mod key_modes;
pub mod keyboard;
pub mod look;
pub mod measure;
pub mod media;
pub mod observe;
mod options;
mod overscroll;
pub mod page;
pub mod part;
mod queries;
pub mod screen;
mod screen_event;
mod search;
pub mod socket;
pub mod storage;
mod touch;
mod xterm;
