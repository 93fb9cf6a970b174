//! The HTTP client, which blocks.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// Returns a client that follows no redirects and uses no proxy. `patience` is the time allowed for a
/// whole request. Without `with_tls` it can only be used for plain HTTP.
///
/// # Errors
/// The certificates that the system trusts cannot be read.
pub(crate) fn agent(patience: Duration, with_tls: bool) -> anyhow::Result<ureq::Agent> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .timeout_global(Some(patience));
    if !with_tls {
        return Ok(config.build().into());
    }
    // The certificates that the system trusts: a private relay often has a certificate of a private
    // authority.
    let found = rustls_native_certs::load_native_certs();
    if let Some(error) = found.errors.first().filter(|_| found.certs.is_empty()) {
        bail!("this system's certificates cannot be read: {error}");
    }
    let roots: Vec<_> = found
        .certs
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    Ok(config.tls_config(tls).build().into())
}
