//! Options of `moorline serve` that say who can reach the relay, and how.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use anyhow::bail;
use ipnet::IpNet;

use super::listen;
use crate::proxies::TrustedProxies;
use crate::tls::TlsSource;

/// Where the relay listens, and what keeps others from reading along.
#[derive(Debug, clap::Args)]
pub(super) struct ReachOptions {
    /// The address or name, and the port, to listen on. Port 0 takes any free port. An address beyond
    /// this machine needs TLS, a proxy in front that has it, or --insecure.
    #[arg(
        long,
        env = "MOORLINE_LISTEN",
        value_name = "ADDR",
        default_value = "127.0.0.1:3010",
        value_parser = listen::address
    )]
    pub(super) listen: SocketAddr,

    /// Serve HTTPS with the certificate in this PEM file, followed by those of its authorities. It is
    /// read again when it changes.
    #[arg(long, env = "MOORLINE_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// The certificate's private key, a PEM file.
    #[arg(long, env = "MOORLINE_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Serve HTTPS with a certificate that is made at the first start and kept in the data folder.
    /// Browsers ask once whether to trust it; commands take its printed fingerprint.
    #[arg(
        long,
        env = "MOORLINE_TLS_SELF_SIGNED",
        value_parser = clap::builder::FalseyValueParser::new(),
        conflicts_with_all = ["tls_cert", "tls_key"]
    )]
    tls_self_signed: bool,

    /// A proxy in front of the relay that ends TLS: its address, or a network such as 10.0.0.0/8. Only
    /// it and programs of this machine may say in X-Forwarded-For and X-Forwarded-Proto who uses the
    /// relay. May be repeated.
    #[arg(
        long = "trust-proxy",
        env = "MOORLINE_TRUST_PROXY",
        value_name = "ADDR",
        value_delimiter = ',',
        value_parser = network
    )]
    trust_proxies: Vec<IpNet>,

    /// Listen beyond this machine without TLS: who is on the network between can read and change
    /// everything, tokens too.
    #[arg(long, env = "MOORLINE_INSECURE", value_parser = clap::builder::FalseyValueParser::new())]
    insecure: bool,
}

impl ReachOptions {
    /// Returns the origin of the certificate; `None` for plain HTTP.
    pub(super) fn tls(&self) -> Option<TlsSource> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => {
                Some(TlsSource::Files { certificate: certificate.clone(), key: key.clone() })
            }
            _ => self.tls_self_signed.then_some(TlsSource::SelfSigned),
        }
    }

    pub(super) fn proxies(&self) -> TrustedProxies {
        TrustedProxies::new(self.trust_proxies.clone())
    }

    /// Refuses an address beyond this machine if everything would cross the network in plain text.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let address = self.listen;
        let is_local = address.ip().to_canonical().is_loopback();
        if is_local || self.insecure || self.tls().is_some() || !self.trust_proxies.is_empty() {
            return Ok(());
        }
        bail!(
            "--listen {address} is beyond this machine, and without TLS everybody on the network could \
             read tokens and all that you type. Choose one:\n  \
             --tls-cert FILE --tls-key FILE   serve HTTPS with your certificate (or --tls-self-signed)\n  \
             --trust-proxy ADDR               a proxy at this address or network ends TLS\n  \
             --insecure                       do it without, such as within a VPN\n\
             Or listen on 127.0.0.1 and use an SSH tunnel."
        )
    }
}

/// Parses an address or a network.
fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.map_err(|_| {
        "it is neither an address, such as 10.0.0.7, nor a network, such as 10.0.0.0/8".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct ReachCommand {
        #[command(flatten)]
        reach: ReachOptions,
    }

    fn checked(arguments: &[&str]) -> Result<(), String> {
        let words = [&["serve"], arguments].concat();
        let parsed = ReachCommand::try_parse_from(words).map_err(|error| error.to_string())?;
        parsed.reach.check().map_err(|error| error.to_string())
    }

    #[test]
    fn an_address_beyond_this_machine_needs_tls_or_a_word() {
        for good in [
            &["--listen", "127.0.0.1:1"][..],
            &["--listen", "[::1]:1"],
            &["--listen", "[::ffff:127.0.0.1]:1"],
            &["--listen", "0.0.0.0:1", "--tls-self-signed"],
            &["--listen", "192.168.1.7:1", "--tls-cert", "c", "--tls-key", "k"],
            &["--listen", "[::]:1", "--trust-proxy", "10.0.0.0/8,fd00::1"],
            &["--listen", "0.0.0.0:1", "--insecure"],
        ] {
            assert_eq!(checked(good), Ok(()), "{good:?}");
        }
        for address in ["0.0.0.0:1", "192.168.1.7:1", "[::]:1", "[fe80::1]:1"] {
            let refused = checked(&["--listen", address]).unwrap_err();
            for way in ["--tls-cert", "--trust-proxy", "--insecure"] {
                assert!(refused.contains(way), "{refused}");
            }
        }
        for (bad, why) in [
            (&["--tls-cert", "c"][..], "--tls-key"),
            (&["--tls-key", "k"], "--tls-cert"),
            (&["--tls-self-signed", "--tls-cert", "c", "--tls-key", "k"], "cannot be used with"),
            (&["--trust-proxy", "proxy.example"], "10.0.0.0/8"),
            (&["--trust-proxy", "10.0.0.0/33"], "10.0.0.0/8"),
        ] {
            let refused = checked(bad).unwrap_err();
            assert!(refused.contains(why), "{bad:?}: {refused}");
        }
    }
}
