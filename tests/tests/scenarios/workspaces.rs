//! Workspaces: files that a relay keeps.

mod folders;
mod rest;
mod tools;
