//! A web server with one page, which shows a session in a frame.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use axum::Router;
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A page on a port of its own. Dropping it ends the server.
#[derive(Debug)]
pub struct HostPage {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl HostPage {
    /// Reserves a port, so that the page's origin is known before the page.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn reserve() -> Result<(TcpListener, u16)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        Ok((listener, port))
    }

    /// Serves a page.
    ///
    /// # Errors
    /// If the listener is broken.
    pub fn serve(listener: TcpListener, page: String) -> Result<Self> {
        let address = listener.local_addr()?;
        let page = get(async move || Html(page));
        // Browsers ask for an icon, and report it if there is none.
        let icon = get(async || StatusCode::NO_CONTENT);
        let router = Router::new().route("/", page).route("/favicon.ico", icon);
        let server = tokio::spawn(async move {
            // It ends with the test.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, server })
    }

    /// Returns the page's address under this name.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("http://{name}:{}/", self.address.port())
    }
}

impl Drop for HostPage {
    fn drop(&mut self) {
        self.server.abort();
    }
}
