//! The way from `moorline acp` to a relay: over WebSockets and HTTP.

use std::sync::Arc;

use moorline_core::acp::{ApiAnswer, ApiCall, StreamNews};
use moorline_shared::message::close;

use crate::acp::{AcpRim, RimSocket};
use crate::attach::{AttachSocket, ConnectionEvent, Opener, Target};
use crate::cli::relay::Relay;
use crate::command_socket::ask_pass;

/// Reaches a relay with a credential.
pub(super) struct RelayRim {
    relay: Arc<Relay>,
    opener: Opener,
}

impl RelayRim {
    pub(super) const fn new(relay: Arc<Relay>, opener: Opener) -> Self {
        Self { relay, opener }
    }
}

impl AcpRim for RelayRim {
    fn stream(&self, end: RimSocket) -> impl Future<Output = ()> + Send + 'static {
        let target = Target {
            url: self.relay.url().to_owned(),
            trust: self.relay.trust().clone(),
            opener: self.opener.clone(),
            session: end.session.clone(),
        };
        async move {
            match AttachSocket::new(target) {
                Ok(socket) => carry(socket, end).await,
                Err(error) => {
                    tracing::error!(%error, "a session's stream cannot be opened");
                    end.report(StreamNews::Closed(close::BAD_REQUEST)).await;
                }
            }
        }
    }

    fn call(&self, call: ApiCall) -> impl Future<Output = ApiAnswer> + Send + 'static {
        let (relay, opener) = (Arc::clone(&self.relay), self.opener.clone());
        let send = move || {
            let ApiCall { method, path, body, number: _ } = call;
            let answer = match opener {
                Opener::Token(token) => relay.call(&token, &method, &path, body),
                // A pass of an earlier relay is void, so each request gets its own.
                Opener::Folder(folder) => {
                    let pass = ask_pass(&folder).ok()?;
                    relay.call(pass.secret(), &method, &path, body)
                }
            };
            answer.map(|(status, body)| ApiAnswer::Answered { status, body })
        };
        async move {
            let answer = tokio::task::spawn_blocking(send).await.ok().flatten();
            answer.unwrap_or(ApiAnswer::Unreachable)
        }
    }
}

/// Carries the messages of one socket until it is closed.
async fn carry(mut socket: AttachSocket, mut end: RimSocket) {
    socket.dial(end.generation);
    loop {
        tokio::select! {
            event = socket.next() => {
                let news = match event {
                    ConnectionEvent::Opened(_) => StreamNews::Opened,
                    ConnectionEvent::Text(_, message) => StreamNews::Message(message),
                    ConnectionEvent::Frame(_, frame) => {
                        StreamNews::Frame(frame.seq(), frame.data_len())
                    }
                    ConnectionEvent::Closed(_, code) => StreamNews::Closed(code),
                };
                let is_end = matches!(news, StreamNews::Closed(_));
                if !end.report(news).await || is_end {
                    return;
                }
            }
            text = end.texts.recv() => match text {
                Some(text) => socket.send_text(text).await,
                None => return socket.hang_up(),
            },
        }
    }
}
