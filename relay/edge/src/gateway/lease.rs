//! The lease of a connection that the Worker itself holds: a socket to the directory, which is closed
//! when the caller loses its access.

use futures_util::StreamExt as _;
use moorline_shared::message::close;
use worker::{Env, Headers, Response, WebSocket, WebsocketEvent};

use crate::internal::{ACCESS, Caller, LEASE};
use crate::object_client;
use crate::reply::RequestFailure;

/// The lease of one connection. Dropping it ends it.
pub(super) struct Lease(WebSocket);

impl Lease {
    /// Opens a lease for a connection by a route. The directory records the connection.
    ///
    /// # Errors
    /// 401 if the caller has lost its access already.
    pub(super) async fn open(
        env: &Env,
        caller: &Caller,
        path: &str,
    ) -> Result<Self, RequestFailure> {
        let headers = Headers::new();
        headers.set(ACCESS, &caller.header())?;
        headers.set("upgrade", "websocket")?;
        let directory = object_client::directory(env)?;
        let address = format!("{LEASE}?path={path}");
        let answer: Response = object_client::call(&directory, &address, &headers, None).await?;
        if answer.status_code() != 101 {
            return Err(RequestFailure::Passed(Box::new(answer)));
        }
        let socket = answer.websocket();
        socket.map(Self).ok_or_else(|| RequestFailure::Fault("no lease".to_owned()))
    }

    /// Waits until the caller has lost its access, or the directory cannot tell.
    pub(super) async fn ended(&self) {
        // Events that arrive before `events()` is called are not delivered.
        let (Ok(mut events), Ok(())) = (self.0.events(), self.0.accept()) else { return };
        while let Some(Ok(WebsocketEvent::Message(_))) = events.next().await {}
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Does nothing if it is already closed.
        let _ = self.0.close(Some(close::NORMAL), Some(""));
    }
}
