//! The relay of one machine: axum, tokio, SQLite and the command line around `moorline-core`.

mod acp;
pub mod attach;
pub mod audit;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod command_socket;
pub mod config;
pub mod console;
pub mod data_folder;
pub mod host_links;
pub mod hosts;
pub mod http;
mod http_client;
pub mod listen;
pub mod local_socket;
pub mod log;
pub mod metrics;
pub mod own_host;
pub mod push;
pub mod registry;
pub mod serve;
pub mod session;
pub mod signals;
pub mod store;
pub mod stream;
mod websocket;
