//! The only module that touches browser APIs. Everything here returns plain values, or guards that
//! undo their effect when dropped.

mod addons;
pub mod clipboard;
pub mod clock;
pub mod dialog;
pub mod drops;
pub mod failure;
pub mod fetch;
pub mod gesture;
mod handlers;
pub mod highlight;
pub mod history;
pub mod images;
mod key_modes;
pub mod keyboard;
pub mod look;
pub mod marks;
pub mod measure;
pub mod media;
pub mod notices;
pub mod observe;
mod options;
mod overscroll;
pub mod page;
pub mod part;
pub mod push;
mod queries;
pub mod screen;
mod screen_event;
pub mod scrolling;
mod search;
pub mod socket;
pub mod storage;
pub mod text_field;
mod touch;
mod xterm;
