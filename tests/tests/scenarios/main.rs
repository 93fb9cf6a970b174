//! What must work, against the program as users run it. One binary: the browser's protocol is
//! large, and is linked once.

mod access;
mod acp;
mod agents;
mod agreement;
mod api;
mod asking;
mod attach;
mod browser;
mod changes;
mod chaos;
mod chromium;
mod command_line;
mod edge;
mod embed;
mod events;
mod fairness;
mod firefox;
mod hosts;
mod input;
mod legacy;
mod notices;
mod obsidian;
mod openapi;
mod operations;
mod pages;
mod passkeys;
mod protocol;
mod proxies;
mod queries;
mod refusals;
mod resilience;
mod restart;
mod security;
mod serving;
mod walkthrough;
