//! What the relay is told when it starts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::own_host::Kind;

/// The configuration of `moorline serve`.
#[derive(Clone)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where it keeps everything.
    pub data_dir: PathBuf,
    /// A fixed admin token.
    pub token: Option<String>,
    /// Origins besides its own whose pages may use it.
    pub allow_origins: Vec<String>,
    /// Names by which browsers may address it, besides its addresses.
    pub allow_hosts: Vec<String>,
    /// Who may show the client in a frame, as CSP sources.
    pub frame_ancestors: Vec<String>,
    /// The client's files; without it those in the binary.
    pub dist: Option<PathBuf>,
    /// Whether `/claude/api/claude/*` is served.
    pub legacy: bool,
    /// Time for a peer to take what is sent to it, before it is disconnected.
    pub take_deadline: Duration,
    /// How its own host runs.
    pub host: Kind,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { listen, data_dir, token, allow_origins, .. } = self;
        let Self { allow_hosts, frame_ancestors, dist, legacy, take_deadline, host, .. } = self;
        f.debug_struct("Config")
            .field("listen", listen)
            .field("data_dir", data_dir)
            .field("token", &token.as_ref().map(|_| "…"))
            .field("allow_origins", allow_origins)
            .field("allow_hosts", allow_hosts)
            .field("frame_ancestors", frame_ancestors)
            .field("dist", dist)
            .field("legacy", legacy)
            .field("take_deadline", take_deadline)
            .field("host", host)
            .finish()
    }
}
