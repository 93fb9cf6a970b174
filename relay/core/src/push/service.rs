//! The push services that a subscription may name.

use http::Uri;
use moorline_shared::limits::PUSH_ENDPOINT_BYTES;

/// Names of the push services of browsers. One that begins with a dot stands for all names below.
const KNOWN: [&str; 4] = [
    // Chrome, Edge on Android, Opera, Samsung Internet.
    "fcm.googleapis.com",
    // Firefox.
    ".push.services.mozilla.com",
    // Safari.
    ".push.apple.com",
    // Edge on Windows.
    ".notify.windows.com",
];

/// The push services that messages are sent to. Without such a list, anybody with a token could have
/// the relay send requests into its own network.
#[derive(Debug, Clone, Default)]
pub struct PushServices {
    /// Further origins, as `https://push.example.org`.
    added: Vec<String>,
}

impl PushServices {
    /// Accepts the services of browsers, and these origins.
    #[must_use]
    pub const fn new(added: Vec<String>) -> Self {
        Self { added }
    }

    /// Returns the origin of an endpoint, for the audience of a message's signature; `None` if
    /// nothing is sent there.
    #[must_use]
    pub fn origin(&self, endpoint: &str) -> Option<String> {
        if endpoint.len() > PUSH_ENDPOINT_BYTES {
            return None;
        }
        let address: Uri = endpoint.parse().ok()?;
        let (scheme, authority) = (address.scheme_str()?, address.authority()?);
        if authority.as_str().contains('@') {
            return None;
        }
        let host = authority.host().to_ascii_lowercase();
        let usual = if scheme == "https" { 443 } else { 80 };
        let origin = match authority.port_u16().filter(|port| *port != usual) {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        };
        let is_known = || {
            let names = KNOWN.iter().any(|known| match known.starts_with('.') {
                true => host.ends_with(known),
                false => host == *known,
            });
            names && origin == format!("https://{host}")
        };
        (self.added.contains(&origin) || is_known()).then_some(origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_push_services_are_sent_to() {
        let services = PushServices::new(vec!["http://127.0.0.1:4000".to_owned()]);
        for (endpoint, origin) in [
            ("https://fcm.googleapis.com/fcm/send/x", "https://fcm.googleapis.com"),
            ("https://FCM.googleapis.com:443/x", "https://fcm.googleapis.com"),
            (
                "https://updates.push.services.mozilla.com/wpush/v2/x",
                "https://updates.push.services.mozilla.com",
            ),
            ("https://web.push.apple.com/x", "https://web.push.apple.com"),
            ("https://db5p.notify.windows.com/w/?token=x", "https://db5p.notify.windows.com"),
            ("http://127.0.0.1:4000/x", "http://127.0.0.1:4000"),
        ] {
            assert_eq!(services.origin(endpoint).as_deref(), Some(origin), "{endpoint}");
        }
        let long = format!("https://fcm.googleapis.com/{}", "x".repeat(PUSH_ENDPOINT_BYTES));
        for other in [
            "",
            "/x",
            "fcm.googleapis.com",
            "http://fcm.googleapis.com/x",
            "https://fcm.googleapis.com:8443/x",
            "https://fcm.googleapis.com.example.org/x",
            "https://fcm.googleapis.com@10.0.0.1/x",
            "https://user:secret@fcm.googleapis.com/x",
            "https://push.apple.com/x",
            "https://evilpush.apple.com/x",
            "https://127.0.0.1:4000/x",
            "http://127.0.0.1:4001/x",
            "http://localhost:4000/x",
            "https://[::1]/x",
            "file:///etc/passwd",
            &long,
        ] {
            assert_eq!(services.origin(other), None, "{other}");
        }
    }
}
