//! Moorline in the browser.
//!
//! Four floors, each of which uses only those below it: `bindings` wraps the browser, `ui` has
//! elements that know nothing of sessions, `session` is what the page knows and does without
//! drawing anything, and `pages` draw. `cargo xtask test house` checks it.

pub mod app;
pub mod bindings;
pub mod pages;
pub mod session;
pub mod ui;
