//! One request to the relay on a connection of its own.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use moorline_shared::limits::WORKSPACE_MESSAGE_BYTES;

use super::address::Address;
use tokio::io::{AsyncRead, AsyncWrite};

type PostFailure = Box<dyn std::error::Error + Send + Sync>;

/// Posts bytes, and returns the status and the body of the answer. Dropping the future closes the
/// connection.
pub(super) async fn post(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin,
    address: &Address,
    path: String,
    token: Option<&str>,
    body: Bytes,
) -> Result<(u16, Bytes), PostFailure> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let (host, target) = address.target(&path);
    let mut request =
        Request::post(target).header(HOST, host).header(CONTENT_TYPE, "application/octet-stream");
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(Full::new(body))?;
    let answered = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), WORKSPACE_MESSAGE_BYTES * 2);
        Ok((status, body.collect().await?.to_bytes()))
    };
    tokio::pin!(connection);
    tokio::pin!(answered);
    tokio::select! {
        answer = &mut answered => answer,
        ended = &mut connection => {
            ended?;
            // It has ended after the answer was read.
            answered.await
        }
    }
}
