//! The HTTP client, which blocks.

mod tls_connector;

use std::time::Duration;

use moorline_host::dial::RelayTrust;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector as _, TcpConnector};

use tls_connector::TrustConnector;

/// Returns a client that follows no redirects and uses no proxy. `patience` is the time allowed for a
/// whole request. `trust` are the certificates that it accepts over TLS; without, it can only be used for
/// plain HTTP.
///
/// # Errors
/// The trusted certificates cannot be read.
pub(crate) fn agent(patience: Duration, trust: Option<&RelayTrust>) -> anyhow::Result<ureq::Agent> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .timeout_global(Some(patience))
        .build();
    let Some(trust) = trust else { return Ok(config.into()) };
    // ureq's own TLS cannot accept a certificate by its fingerprint.
    let connector = TcpConnector::default().chain(TrustConnector::new(trust.client_config()?));
    Ok(ureq::Agent::with_parts(config, connector, DefaultResolver::default()))
}
