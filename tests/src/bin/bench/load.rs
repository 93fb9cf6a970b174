//! Other work on the machine. On a quiet virtual machine, cores sleep and every wake-up costs; on a
//! busy one, programs wait for each other. A figure can be good in one state and bad in the other.

use std::hint::black_box;
use std::process::{Child, Command};

use anyhow::Result;

use super::stage::itself;

/// The state of the machine during a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MachineState {
    /// Nothing else runs.
    Quiet,
    /// One core computes all the time.
    Busy,
}

impl MachineState {
    /// Both states.
    pub(crate) const BOTH: [Self; 2] = [Self::Quiet, Self::Busy];

    /// Names a figure that was measured in this state.
    pub(crate) fn name(self, figure: &str) -> String {
        match self {
            Self::Quiet => figure.to_owned(),
            Self::Busy => format!("{figure}, one core busy"),
        }
    }

    /// Brings the machine into this state until the guard is dropped.
    ///
    /// # Errors
    /// If the program that computes cannot be started.
    pub(crate) fn enter(self) -> Result<Load> {
        let spin = |()| Command::new(itself()?).arg("spin").spawn().map_err(anyhow::Error::from);
        Ok(Load((self == Self::Busy).then_some(()).map(spin).transpose()?))
    }
}

/// Work that ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Load(Option<Child>);

impl Drop for Load {
    fn drop(&mut self) {
        if let Some(spinning) = &mut self.0 {
            drop(spinning.kill());
            drop(spinning.wait());
        }
    }
}

/// Computes until the process is killed.
pub(crate) fn spin() -> Result<()> {
    let mut number = 0u64;
    loop {
        number = black_box(number.wrapping_add(1));
    }
}
