//! HTTPS with a certificate of the relay's own and with one from files, and who says that a client uses it.

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use moorline_host::dial::{Address, Connector, Fingerprint, RelayStream, RelayTrust};
use moorline_relay::config::Config;
use moorline_relay::proxies::TrustedProxies;
use moorline_relay::tls::{TlsServer, TlsSource, published_fingerprint};
use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::common::{Server, TOKEN};

/// Writes a new certificate for `localhost` and its key.
fn write_pair(certificate: &Path, key: &Path) {
    let pair = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    std::fs::write(certificate, params.self_signed(&pair).unwrap().pem()).unwrap();
    std::fs::write(key, pair.serialize_pem()).unwrap();
}

async fn connect(server: &Server, trust: &RelayTrust) -> std::io::Result<RelayStream> {
    let port = server.address.rsplit_once(':').unwrap().1;
    let address: Address = format!("https://localhost:{port}").parse().unwrap();
    Connector::new(&address, trust).unwrap().connect(&address).await
}

/// Sends a request over TLS, and returns the whole answer in lower case.
async fn ask(server: &Server, trust: &RelayTrust, request: &str) -> String {
    let mut stream = connect(server, trust).await.unwrap();
    let request = format!("{request}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).to_lowercase()
}

fn self_signed(config: &mut Config) {
    config.tls = Some(TlsSource::SelfSigned);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relays_own_certificate_stays_and_is_verified_by_its_fingerprint() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), self_signed).await;
    let fingerprint = published_fingerprint(folder.path()).unwrap();
    let own = RelayTrust::Certificate(fingerprint);
    let bearer = format!("host: localhost\r\nauthorization: Bearer {TOKEN}");
    let answer = ask(&server, &own, &format!("GET /api/sessions HTTP/1.1\r\n{bearer}")).await;
    assert!(answer.starts_with("http/1.1 200"), "{answer}");
    // No browser trusts the certificate, so none is told to insist on HTTPS.
    assert!(!answer.contains("strict-transport-security"), "{answer}");
    let login = format!("POST /api/login HTTP/1.1\r\n{bearer}\r\ncontent-length: 0");
    let answer = ask(&server, &own, &login).await;
    assert!(answer.contains("set-cookie: moorline-") && answer.contains("; secure"), "{answer}");

    let stream = connect(&server, &own).await.unwrap();
    let mut request = "wss://localhost/api/events".into_client_request().unwrap();
    let bearer = format!("Bearer {TOKEN}");
    request.headers_mut().insert("authorization", bearer.parse().unwrap());
    let (mut socket, _) = client_async(request, stream).await.unwrap();
    let mut text = String::new();
    while !text.contains("data: ") {
        text += &String::from_utf8_lossy(&socket.next().await.unwrap().unwrap().into_data());
    }

    // The certificate itself is as good as an authority's; others are refused.
    let file = folder.path().join("self-signed.pem");
    connect(&server, &RelayTrust::Authority(file.clone())).await.unwrap();
    let other: Fingerprint = "00".repeat(32).parse().unwrap();
    let refused = connect(&server, &RelayTrust::Certificate(other)).await.err().unwrap();
    assert!(refused.to_string().contains(&fingerprint.to_string()), "{refused}");
    let (certificate, key) = (folder.path().join("c"), folder.path().join("k"));
    write_pair(&certificate, &key);
    connect(&server, &RelayTrust::Authority(certificate)).await.err().unwrap();
    server.stop().await;

    for name in ["self-signed.pem", "self-signed.key", "certificate.sha256"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let again = TlsServer::open(&TlsSource::SelfSigned, folder.path()).unwrap();
    assert_eq!(again.fingerprint(), fingerprint);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_certificate_is_served_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
    write_pair(&certificate, &key);
    let source = TlsSource::Files { certificate: certificate.clone(), key: key.clone() };
    let data = folder.path().join("data");
    let server = Server::start_with(&data, |config| config.tls = Some(source)).await;
    let current = || RelayTrust::Certificate(published_fingerprint(&data).unwrap());
    let first = current();
    let request = "GET /healthz HTTP/1.1\r\nhost: moor.example";
    let answer = ask(&server, &first, request).await;
    assert!(answer.contains("strict-transport-security: max-age="), "{answer}");
    let answer = ask(&server, &first, "GET /healthz HTTP/1.1\r\nhost: localhost").await;
    assert!(!answer.contains("strict-transport-security"), "{answer}");

    // Each connection looks at the files, but at most once a second.
    let until = async |trust: &RelayTrust, expected: bool| {
        let changed = async {
            while connect(&server, trust).await.is_ok() != expected {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), changed).await.expect("no change");
    };
    write_pair(&certificate, &key);
    let second = RelayTrust::Authority(certificate.clone());
    until(&second, true).await;
    assert_ne!(current(), first);
    connect(&server, &first).await.err().unwrap();
    connect(&server, &current()).await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_speak_tls_is_disconnected() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), self_signed).await;
    let mut plain = TcpStream::connect(&server.address).await.unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // A reset is an end as well.
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_says_that_the_browser_uses_tls() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), |config| {
        config.proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
    })
    .await;
    let token = format!("authorization: Bearer {TOKEN}");
    for (headers, status) in [
        (vec![], 403),
        (vec!["x-forwarded-proto: http"], 403),
        (vec!["x-forwarded-proto: https"], 200),
    ] {
        let headers: Vec<&str> = [&*token].into_iter().chain(headers).collect();
        let (got, answer, _) = server.ask("POST /api/login", &headers, "").await;
        assert_eq!((got, answer.contains("; secure")), (status, status == 200), "{answer}");
    }
    server.stop().await;
}
