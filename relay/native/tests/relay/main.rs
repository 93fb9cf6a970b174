//! A whole relay on its own port, tested over HTTP, WebSockets and real terminals.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod access;
mod agents;
mod asking;
mod common;
mod history;
mod http;
mod naming;
mod rest;
mod serving;
mod storing;
mod stream;
mod tls;
