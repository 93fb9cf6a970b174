//! The process that has a terminal's foreground, according to the system. Unlike marks, this is
//! never missing.

use std::os::fd::AsFd;

use rustix::termios::{LocalModes, tcgetattr, tcgetpgrp};

use super::process;
use crate::marks::Foreground;

/// Programs that are not shells, although they ignore the signals of job control as shells do.
const NO_SHELLS: [&str; 2] = ["tmux", "screen"];

/// Returns who has the foreground of the terminal whose session `pid` leads; `None` if the system
/// does not report it.
pub(super) fn look(master: impl AsFd, pid: u32) -> Option<Foreground> {
    if !has_leader(&master, pid)? {
        return Some(Foreground::Child);
    }
    let process = process::ProcessStatus::read(pid)?;
    if !process.ignores_job_control() || NO_SHELLS.iter().any(|name| process.is_named(name)) {
        return Some(Foreground::Program);
    }
    // A line editor reads single keys, and restores the mode before a command runs.
    let editing = !tcgetattr(&master).ok()?.local_modes.contains(LocalModes::ICANON);
    Some(Foreground::Shell { editing, image: process.image() })
}

/// Returns whether the session's leader is in the foreground; `None` if no process is.
pub(super) fn has_leader(master: impl AsFd, pid: u32) -> Option<bool> {
    let group = tcgetpgrp(master).ok()?;
    Some(u32::try_from(group.as_raw_nonzero().get()).ok()? == pid)
}
