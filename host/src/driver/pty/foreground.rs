//! Who has a terminal, as the system tells: marks can be missing, and this can not.

use std::os::fd::AsFd;

use rustix::termios::{LocalModes, tcgetattr, tcgetpgrp};

use super::process;
use crate::marks::Foreground;

/// Multiplexers ignore the signals of job control as shells do.
const NO_SHELLS: [&str; 2] = ["tmux", "screen"];

/// Who has the terminal in which `pid` leads the session; `None` where the system does not tell.
pub(super) fn look(master: impl AsFd, pid: u32) -> Option<Foreground> {
    if !has_leader(&master, pid)? {
        return Some(Foreground::Child);
    }
    let process = process::Status::read(pid)?;
    if !process.ignores_job_control() || NO_SHELLS.iter().any(|name| process.is_named(name)) {
        return Some(Foreground::Program);
    }
    // A line editor reads single keys, and gives the terminal back before a command runs.
    let editing = !tcgetattr(&master).ok()?.local_modes.contains(LocalModes::ICANON);
    Some(Foreground::Shell { editing, image: process.image() })
}

/// Whether the process that leads the session has the terminal; `None` where nobody does.
pub(super) fn has_leader(master: impl AsFd, pid: u32) -> Option<bool> {
    let group = tcgetpgrp(master).ok()?;
    Some(u32::try_from(group.as_raw_nonzero().get()).ok()? == pid)
}
