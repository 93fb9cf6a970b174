//! What the system tells of a process, where it has `/proc`.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use nix::sys::signal::Signal;

/// What a process is at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Status {
    name: String,
    /// A bit for each signal that it ignores, from signal 1.
    ignored: u64,
    /// Where its stack begins: another place with each program that it executes.
    stack: u64,
}

impl Status {
    /// Of the process `pid`; `None` where it is gone or the system does not tell.
    pub(super) fn read(pid: u32) -> Option<Self> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        // The name stands in brackets and may have any character in it.
        let numbers = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let after_name = numbers.rsplit_once(") ")?.1;
        let stack = after_name.split(' ').nth(25)?.parse().ok()?;
        Some(Self { name: field(&text, "Name:")?.to_owned(), ignored: ignored(&text)?, stack })
    }

    /// Whether it does what shells do that give their terminal to one job after the other.
    pub(super) fn ignores_job_control(&self) -> bool {
        [Signal::SIGTTOU, Signal::SIGTSTP].iter().all(|signal| has(self.ignored, *signal as i32))
    }

    /// Whether its program's name begins so.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.name.starts_with(name)
    }

    /// The same as long as it executes no other program.
    pub(super) fn image(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.name, self.stack).hash(&mut hasher);
        hasher.finish()
    }
}

/// The signals that this process ignores, a bit for each; none where the system does not tell.
pub(super) fn ignored_here() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored(&text).unwrap_or_default()
}

/// Whether a signal is in such a set.
pub(super) const fn has(signals: u64, number: i32) -> bool {
    signals & (1 << (number - 1)) != 0
}

fn ignored(status: &str) -> Option<u64> {
    u64::from_str_radix(field(status, "SigIgn:")?, 16).ok()
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_apart_from_the_program_before_it() {
        let own = Status::read(std::process::id()).unwrap();
        assert_eq!(own, Status::read(std::process::id()).unwrap());
        assert!(!own.ignores_job_control());
        let other = Status { stack: own.stack + 16, ..own.clone() };
        assert_ne!(own.image(), other.image());
        assert_eq!(Status::read(u32::MAX), None);
        // Rust ignores it.
        assert!(has(ignored_here(), Signal::SIGPIPE as i32));
        assert!(!has(ignored_here(), Signal::SIGSTOP as i32));
    }
}
