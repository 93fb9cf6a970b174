//! Runs sessions.
