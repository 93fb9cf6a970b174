//! Workspaces: files that a relay keeps.

mod rest;
