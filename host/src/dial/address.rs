//! The address of a relay.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::str::FromStr;

use tokio_tungstenite::tungstenite::http::Uri;

/// A relay's address in the form in which users write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `http://host:port` or `https://host:port`, followed by a path if the relay is not at the
    /// root.
    Tcp {
        /// A host name or an IP address, without brackets.
        host: String,
        /// The TCP port.
        port: u16,
        /// True if the relay is reached by TLS.
        tls: bool,
        /// The prefix of all paths of the relay, without a slash at its end.
        prefix: String,
        /// Host and port as they were written.
        authority: String,
    },
    /// A Unix socket: `unix:/path`.
    Unix(PathBuf),
}

/// The error for a text that is not the address of a relay.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not the address of a relay, such as https://relay.example.org or unix:/run/relay.sock"
)]
pub struct BadAddress(String);

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        OsStr::new(text).try_into()
    }
}

/// The path of a socket may be other than UTF-8.
impl TryFrom<&OsStr> for Address {
    type Error = BadAddress;

    fn try_from(text: &OsStr) -> Result<Self, BadAddress> {
        let bad = || BadAddress(text.to_string_lossy().into_owned());
        if let Some(path) = text.as_bytes().strip_prefix(b"unix:") {
            let path = PathBuf::from(OsStr::from_bytes(path));
            return if path.is_absolute() { Ok(Self::Unix(path)) } else { Err(bad()) };
        }
        let text = text.to_str().ok_or_else(bad)?;
        let uri: Uri = text.parse().map_err(|_| bad())?;
        let tls = match uri.scheme_str() {
            Some("https" | "wss") => true,
            Some("http" | "ws") => false,
            _ => return Err(bad()),
        };
        let authority = uri.authority().ok_or_else(bad)?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(bad());
        }
        Ok(Self::Tcp {
            host: authority.host().trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            tls,
            prefix: uri.path().trim_end_matches('/').to_owned(),
            authority: authority.as_str().to_owned(),
        })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp { tls, prefix, authority, .. } => {
                write!(f, "http{}://{authority}{prefix}", if *tls { "s" } else { "" })
            }
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Address {
    /// Returns the address as a command-line argument, which [`Address::try_from`] parses back
    /// losslessly.
    #[must_use]
    pub fn argument(&self) -> OsString {
        match self {
            Self::Tcp { .. } => self.to_string().into(),
            Self::Unix(path) => {
                let mut argument = OsString::from("unix:");
                argument.push(path);
                argument
            }
        }
    }

    /// Returns the value of the header `Host`, and the target of a request for a path of the relay.
    #[must_use]
    pub fn target(&self, path: &str) -> (&str, String) {
        match self {
            Self::Tcp { prefix, authority, .. } => (authority, format!("{prefix}{path}")),
            Self::Unix(_) => ("localhost", path.to_owned()),
        }
    }

    /// Returns the WebSocket URL of a path of the relay.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        match self {
            Self::Tcp { tls, prefix, authority, .. } => {
                let scheme = if *tls { "wss" } else { "ws" };
                format!("{scheme}://{authority}{prefix}{path}")
            }
            Self::Unix(_) => format!("ws://localhost{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let address: Address = "https://relay.example.org/moor/".parse().unwrap();
        assert_eq!(address.url("/x"), "wss://relay.example.org/moor/x");
        let Address::Tcp { host, port, .. } = address else { panic!() };
        assert_eq!((host.as_str(), port), ("relay.example.org", 443));
        let address: Address = "http://[::1]:3010".parse().unwrap();
        assert_eq!(address.url("/x"), "ws://[::1]:3010/x");
        let Address::Tcp { ref host, port, tls, .. } = address else { panic!() };
        assert_eq!((host.as_str(), port, tls), ("::1", 3010, false));
        assert_eq!(address.to_string(), "http://[::1]:3010");
        assert_eq!("unix:/run/a".parse(), Ok(Address::Unix("/run/a".into())));
        let other = OsStr::from_bytes(b"unix:/a b/\xff");
        let address = Address::try_from(other).unwrap();
        assert_eq!(address, Address::Unix(OsStr::from_bytes(b"/a b/\xff").into()));
        assert_eq!(address.argument(), other);
        for bad in ["", "unix:a", "relay", "ftp://a", "http://u:p@a", "https://a/?token=b"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
