//! The origins of pages.

/// The parts of an origin that was loaded from a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageOrigin<'a> {
    /// True for HTTPS.
    pub is_tls: bool,
    /// The server's name or address, without brackets and port.
    pub name: &'a str,
}

impl<'a> PageOrigin<'a> {
    /// Reads an origin as browsers write it. `None` if it is neither of HTTP nor of HTTPS.
    #[must_use]
    pub fn read(origin: &'a str) -> Option<Self> {
        let (scheme, host) = origin.split_once("://")?;
        let is_tls = match scheme {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let name = match host.strip_prefix('[') {
            Some(inner) => inner.split(']').next(),
            None => host.split(':').next(),
        };
        Some(Self { is_tls, name: name.unwrap_or_default() })
    }

    /// Returns true for this machine: its loopback addresses and their names.
    #[must_use]
    pub fn is_loopback(self) -> bool {
        let Self { name, .. } = self;
        let is_name = name == "localhost" || name.ends_with(".localhost");
        is_name || name == "::1" || name.starts_with("127.") || name == "0.0.0.0"
    }

    /// Returns true if it is an IP address.
    #[must_use]
    pub fn is_address(self) -> bool {
        let last = self.name.rsplit('.').next().unwrap_or_default();
        self.name.contains(':') || last.bytes().all(|byte| byte.is_ascii_digit())
    }
}
