//! The first process of a container.

use std::io;
use std::process::Command;
use std::thread;

use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitStatus, wait};
use nix::unistd::Pid;

/// Does what the first process of a container must do: runs this program again as a child, passes
/// on signals to end, and waits for all processes whose parents have ended. Returns the exit code of
/// the child. Blocks. Must be called before other threads are started.
///
/// # Errors
/// The system's error; then the child does not run.
pub(super) fn run_as_init() -> io::Result<i32> {
    let mut ending = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT] {
        ending.add(signal);
    }
    let program = std::env::current_exe()?;
    // The child begins with signals unblocked: it is started before they are.
    let child = Command::new(program).args(std::env::args_os().skip(1)).spawn()?;
    let child = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
    ending.thread_block()?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        while ending.wait().is_ok() {
            // The program is asked to end, whatever the signal.
            let _ = kill(child, Signal::SIGTERM);
        }
    })?;
    loop {
        match wait() {
            Ok(WaitStatus::Exited(pid, code)) if pid == child => return Ok(code),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => {
                return Ok(128 + signal as i32);
            }
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
