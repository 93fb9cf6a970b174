//! Moorline in the browser.
//!
//! `bindings` wraps the browser, `session` keeps one terminal's link alive, `pages` and
//! `components` draw.

pub mod access;
pub mod actions;
pub mod api;
pub mod app;
pub mod bindings;
pub mod catalogue;
pub mod code;
pub mod components;
pub mod look;
pub mod overview;
pub mod pages;
pub mod preferences;
pub mod route;
pub mod session;
pub mod sorting;
