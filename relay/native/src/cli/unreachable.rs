//! The sentence about a relay that does not answer.

use std::io::ErrorKind;

use anyhow::anyhow;

/// Returns the error for a request to the relay at `url` that got no answer.
pub(super) fn unreachable(url: &str, error: ureq::Error) -> anyhow::Error {
    if url.starts_with("https://") {
        return anyhow!(error).context(format!(
            "no relay that can be verified answers at {url}: name one with --url, and its \
             certificate with --tls-fingerprint or --tls-ca if the system's authorities have not \
             signed it"
        ));
    }
    if is_no_http(&error) {
        return anyhow!(
            "{url} answers, but not in plain HTTP: if it serves TLS, its address begins with \
             https://"
        );
    }
    anyhow!(error).context(format!(
        "no relay answers at {url}: start one with `moorline serve`, or name one with --url"
    ))
}

/// Returns true if something answers that is no HTTP server.
fn is_no_http(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Io(error) => matches!(
            error.kind(),
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::Other
        ),
        ureq::Error::Protocol(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_speaks_tls_is_told_from_none() {
        let told = |url: &str, kind: ErrorKind| {
            format!("{:#}", unreachable(url, ureq::Error::Io(kind.into())))
        };
        let tls = told("http://relay:1", ErrorKind::UnexpectedEof);
        assert!(tls.contains("begins with https://"), "{tls}");
        let none = told("http://relay:1", ErrorKind::ConnectionRefused);
        assert!(none.contains("moorline serve"), "{none}");
        let unverified = told("https://relay:1", ErrorKind::Other);
        assert!(unverified.contains("--tls-fingerprint"), "{unverified}");
    }
}
