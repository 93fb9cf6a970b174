//! Moorline's client for the browser.
//!
//! Four layers, each of which uses only those below it: `bindings` wraps the browser, `ui` has
//! elements that do not depend on sessions, `session` holds the page's state and logic without
//! drawing anything, and `pages` draw. `cargo xtask test house` checks it.

pub mod app;
pub mod bindings;
pub mod pages;
pub mod session;
pub mod ui;
