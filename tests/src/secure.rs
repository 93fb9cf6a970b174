//! A native relay that serves HTTPS with a certificate of its own, and clients of it.

use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use axum::body::Body;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::Child;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::programs;
use crate::relay::TOKEN;
use crate::served::{moorline, serve};
use crate::wait::{wait_for, within};

/// A relay over TLS, with its host in the same process. Dropping it ends both.
#[derive(Debug)]
pub struct SecureRelay {
    child: Child,
    data: TempDir,
    port: u16,
}

impl SecureRelay {
    /// Starts the relay and waits until it listens.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start() -> Result<Self> {
        let data = TempDir::new()?;
        let mut command = moorline()?;
        serve(&mut command, data.path()).args(["--tls-self-signed", "--in-process"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        if let Ok(dist) = programs::dist() {
            command.env("MOORLINE_DIST", dist);
        }
        let child = command.spawn()?;
        let port = wait_for("the relay to listen", async || {
            let text = std::fs::read(data.path().join("relay.lock")).ok()?;
            let serving: Value = serde_json::from_slice(&text).ok()?;
            serving["address"].as_str()?.rsplit(':').next()?.parse().ok()
        });
        let port = port.await?;
        Ok(Self { child, data, port })
    }

    /// Its address for browsers, by a name that has passkeys.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.authority())
    }

    /// Its name and port.
    #[must_use]
    pub fn authority(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Its process id.
    ///
    /// # Errors
    /// If it has ended.
    pub fn pid(&self) -> Result<i32> {
        Ok(i32::try_from(self.child.id().context("it has ended")?)?)
    }

    /// The number of connections to it that are open.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn connections(&self) -> Result<usize> {
        // The second field is the near end, the fourth the state, of which 01 is an open connection.
        let near = format!(":{:04X}", self.port);
        let mut open = 0;
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            let rows = std::fs::read_to_string(table)?;
            open += rows
                .lines()
                .skip(1)
                .filter(|row| {
                    let mut fields = row.split_whitespace().skip(1);
                    let is_near = fields.next().is_some_and(|field| field.ends_with(&near));
                    is_near && fields.nth(1) == Some("01")
                })
                .count();
        }
        Ok(open)
    }

    /// Ends it.
    ///
    /// # Errors
    /// If it cannot be ended.
    pub async fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Connects over TLS, and offers these protocols.
    ///
    /// # Errors
    /// If the handshake fails.
    pub async fn connect(&self, protocols: &[&str]) -> Result<TlsStream<TcpStream>> {
        let mut trusted = RootCertStore::empty();
        trusted.add(CertificateDer::from_pem_file(self.data.path().join("self-signed.pem"))?)?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(trusted)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let name = ServerName::try_from("localhost")?;
        Ok(TlsConnector::from(Arc::new(config)).connect(name, stream).await?)
    }

    /// Connects by HTTP/2.
    ///
    /// # Errors
    /// If the relay does not speak it.
    pub async fn http2(&self) -> Result<Http2Client> {
        let stream = self.connect(&["h2", "http/1.1"]).await?;
        ensure!(stream.get_ref().1.alpn_protocol() == Some(b"h2"), "the relay chose another");
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        let connection = tokio::spawn(async move {
            let _ = connection.await;
        });
        let client = Http2Client { sender, authority: self.authority(), connection };
        // By then the relay's settings have arrived.
        client.get("/healthz").await?;
        Ok(client)
    }
}

/// A connection by HTTP/2. Dropping it closes the connection.
#[derive(Debug)]
pub struct Http2Client {
    sender: SendRequest<Body>,
    authority: String,
    connection: tokio::task::JoinHandle<()>,
}

impl Http2Client {
    /// Returns a request with the administrator's token.
    #[must_use]
    pub fn request(&self, method: Method, path: &str) -> hyper::http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("https://{}{path}", self.authority))
            .header(AUTHORIZATION, format!("Bearer {TOKEN}"))
    }

    /// Sends a request and returns the answer, whose body is still to be read.
    ///
    /// # Errors
    /// If the connection is closed.
    pub async fn send(&self, request: Request<Body>) -> Result<Response<hyper::body::Incoming>> {
        let mut sender = self.sender.clone();
        within("an answer over HTTP/2", async {
            sender.ready().await?;
            Ok(sender.send_request(request).await?)
        })
        .await?
    }

    /// Gets a path, and returns the answer.
    ///
    /// # Errors
    /// As [`Http2Client::send`].
    pub async fn get(&self, path: &str) -> Result<Response<hyper::body::Incoming>> {
        self.send(self.request(Method::GET, path).body(Body::empty())?).await
    }

    /// Sends a body, and returns the status and the JSON of the answer.
    ///
    /// # Errors
    /// As [`Http2Client::send`].
    pub async fn call(&self, method: Method, path: &str, body: &Value) -> Result<(u16, Value)> {
        let request = self.request(method, path).header(CONTENT_TYPE, "application/json");
        let answer = self.send(request.body(Body::from(body.to_string()))?).await?;
        let status = answer.status().as_u16();
        let all = axum::body::to_bytes(Body::new(answer.into_body()), usize::MAX).await?;
        Ok((status, serde_json::from_slice(&all).unwrap_or_default()))
    }

    /// Returns true once the connection is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.connection.is_finished()
    }
}

impl Drop for Http2Client {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
