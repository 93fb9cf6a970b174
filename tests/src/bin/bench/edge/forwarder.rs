//! A Durable Object that only forwards, in a workerd of its own: the least that an object does.

use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use moorline_tests::programs;
use moorline_tests::relay::{Usage, local_address, usage};

const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bin/bench/edge/forwarder.capnp");
/// Time allowed for workerd to start.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running workerd with the forwarding object. Dropping it ends workerd.
pub(crate) struct Forwarder {
    child: Child,
    address: SocketAddr,
}

impl Forwarder {
    pub(crate) fn start() -> Result<Self> {
        let address = local_address()?;
        let mut command = Command::new(programs::workerd()?);
        command.arg("serve").arg(format!("--socket-addr=http={address}")).arg(CONFIG);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let mut forwarder = Self { child, address };
        forwarder.listens()?;
        Ok(forwarder)
    }

    fn listens(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if TcpStream::connect(self.address).is_ok() {
                return Ok(());
            }
            let ended = self.child.try_wait()?;
            ensure!(ended.is_none(), "workerd ended: {ended:?}");
            thread::sleep(Duration::from_millis(5));
        }
        bail!("workerd does not listen")
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn usage(&self) -> Result<Usage> {
        usage(i32::try_from(self.child.id())?)
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
