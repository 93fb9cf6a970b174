//! Options that say how a relay is verified over TLS.

use std::path::PathBuf;

use moorline_host::dial::{Fingerprint, RelayTrust};

/// The certificates that a relay over https:// may have.
#[derive(Debug, clap::Args)]
pub(super) struct TrustOptions {
    /// Accept exactly the certificate with this SHA-256, whatever names it has, as `serve` prints it
    /// for its own [default: what the system's authorities have signed].
    #[arg(
        long,
        env = "MOORLINE_TLS_FINGERPRINT",
        value_name = "SHA256",
        conflicts_with = "tls_ca"
    )]
    tls_fingerprint: Option<Fingerprint>,

    /// Accept what the authorities in this PEM file have signed.
    #[arg(long, env = "MOORLINE_TLS_CA", value_name = "FILE")]
    tls_ca: Option<PathBuf>,
}

impl TrustOptions {
    pub(super) fn trust(&self) -> RelayTrust {
        match (self.tls_fingerprint, &self.tls_ca) {
            (Some(fingerprint), _) => RelayTrust::Certificate(fingerprint),
            (None, Some(path)) => RelayTrust::Authority(path.clone()),
            (None, None) => RelayTrust::System,
        }
    }
}
