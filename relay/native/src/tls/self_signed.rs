//! The certificate that the relay makes for itself.

use std::collections::BTreeSet;
use std::path::Path;

use moorline_host::marks::this_host;
use nix::ifaddrs::getifaddrs;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};

use super::files::{CertificateFiles, TlsError, replace};

/// The certificate in the data folder.
const CERTIFICATE_NAME: &str = "self-signed.pem";
/// Its key.
const KEY_NAME: &str = "self-signed.key";

/// Returns the files of the folder's self-signed certificate, and makes them if one is missing. The certificate does
/// not expire, so that its fingerprint stays the same until its owner deletes it.
pub(super) fn keep(folder: &Path) -> Result<CertificateFiles, TlsError> {
    let files =
        CertificateFiles { certificate: folder.join(CERTIFICATE_NAME), key: folder.join(KEY_NAME) };
    if files.certificate.is_file() && files.key.is_file() {
        return Ok(files);
    }
    let not_made = |why: String| TlsError::NotMade { path: files.certificate.clone(), why };
    let (certificate, key) = make(&names()).map_err(|error| not_made(error.to_string()))?;
    replace(&files.key, &key)
        .and_then(|()| replace(&files.certificate, &certificate))
        .map_err(|error| not_made(error.to_string()))?;
    Ok(files)
}

fn make(names: &[String]) -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "Moorline");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// Returns the names and addresses by which this machine can be reached now.
fn names() -> Vec<String> {
    let mut names = BTreeSet::from(["localhost".to_owned(), "127.0.0.1".into(), "::1".into()]);
    let host = this_host();
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    if !host.is_empty() && host.bytes().all(is_name) {
        names.insert(host);
    }
    for interface in getifaddrs().into_iter().flatten() {
        let Some(address) = interface.address else { continue };
        if let Some(v4) = address.as_sockaddr_in() {
            names.insert(v4.ip().to_string());
        } else if let Some(v6) = address.as_sockaddr_in6() {
            names.insert(v6.ip().to_string());
        }
    }
    names.into_iter().collect()
}
