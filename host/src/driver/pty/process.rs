//! Facts about a process, on systems that have `/proc`.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use nix::sys::signal::Signal;

/// The state of a process at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProcessStatus {
    name: String,
    /// The signals that it ignores: a bit for each, from signal 1.
    ignored: u64,
    /// The address at which its stack begins. It differs for each program that the process
    /// executes.
    stack: u64,
}

impl ProcessStatus {
    /// Reads the state of the process `pid`; `None` if it is gone, or the system does not report
    /// it.
    pub(super) fn read(pid: u32) -> Option<Self> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        // The name is in parentheses and may contain any character.
        let numbers = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let after_name = numbers.rsplit_once(") ")?.1;
        let stack = after_name.split(' ').nth(25)?.parse().ok()?;
        Some(Self { name: field(&text, "Name:")?.to_owned(), ignored: ignored(&text)?, stack })
    }

    /// Returns true if the process ignores the signals that job-control shells ignore.
    pub(super) fn ignores_job_control(&self) -> bool {
        [Signal::SIGTTOU, Signal::SIGTSTP].iter().all(|signal| has(self.ignored, *signal as i32))
    }

    /// Returns true if its program's name begins with `name`.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.name.starts_with(name)
    }

    /// Returns a number that only changes when the process executes another program.
    pub(super) fn image(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.name, self.stack).hash(&mut hasher);
        hasher.finish()
    }
}

/// Returns the signals that this process ignores, a bit for each; none if the system does not
/// report them.
pub(super) fn ignored_here() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored(&text).unwrap_or_default()
}

/// Returns true if the set contains the signal.
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
        let own = ProcessStatus::read(std::process::id()).unwrap();
        assert_eq!(own, ProcessStatus::read(std::process::id()).unwrap());
        assert!(!own.ignores_job_control());
        let other = ProcessStatus { stack: own.stack + 16, ..own.clone() };
        assert_ne!(own.image(), other.image());
        assert_eq!(ProcessStatus::read(u32::MAX), None);
        // Rust's runtime ignores it.
        assert!(has(ignored_here(), Signal::SIGPIPE as i32));
        assert!(!has(ignored_here(), Signal::SIGSTOP as i32));
    }
}
