//! The relay's configuration, which the command line fills in.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use moorline_core::api::csp::FrameAncestors;
use moorline_host::driver::kubernetes::KubernetesConfig;

use super::own_host::Kind;
use super::proxies::TrustedProxies;
use super::tls::TlsSource;

/// The configuration of `moorline serve`.
#[derive(Clone)]
pub struct Config {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The relay's certificate; `None` for plain HTTP.
    pub tls: Option<TlsSource>,
    /// The proxies that say where a request comes from.
    pub proxies: TrustedProxies,
    /// The data folder: the database, the locks and the sockets are in it.
    pub data_dir: PathBuf,
    /// A fixed admin token, which is not stored.
    pub token: Option<String>,
    /// Further origins whose pages may use the relay.
    pub allow_origins: Vec<String>,
    /// Further host names by which browsers may address the relay.
    pub allow_hosts: Vec<String>,
    /// The pages that may show the client in a frame.
    pub frame_ancestors: FrameAncestors,
    /// The folder with the client's files; `None` for those in the binary.
    pub dist: Option<PathBuf>,
    /// The driver of sessions that `/api/terminal/ws/:id` starts; the default one if `None`.
    pub terminal_driver: Option<String>,
    /// Further origins of push services, beside those of browsers.
    pub push_services: Vec<String>,
    /// True if `/claude/api/claude/*` is served.
    pub legacy: bool,
    /// Time allowed for a peer to take what is sent to it; after that it is disconnected.
    pub take_deadline: Duration,
    /// The way in which the relay's own host runs.
    pub host: Kind,
    /// The settings of pods for a host in the relay's process.
    pub kubernetes: KubernetesConfig,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { listen, tls, proxies, data_dir, token, allow_origins, .. } = self;
        let Self { allow_hosts, frame_ancestors, dist, push_services, legacy, .. } = self;
        let Self { take_deadline, host, kubernetes, terminal_driver, .. } = self;
        f.debug_struct("Config")
            .field("listen", listen)
            .field("tls", tls)
            .field("proxies", proxies)
            .field("data_dir", data_dir)
            .field("token", &token.as_ref().map(|_| "…"))
            .field("allow_origins", allow_origins)
            .field("allow_hosts", allow_hosts)
            .field("frame_ancestors", frame_ancestors)
            .field("dist", dist)
            .field("terminal_driver", terminal_driver)
            .field("push_services", push_services)
            .field("legacy", legacy)
            .field("take_deadline", take_deadline)
            .field("host", host)
            .field("kubernetes", kubernetes)
            .finish()
    }
}
