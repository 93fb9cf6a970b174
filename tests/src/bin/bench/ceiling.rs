//! The most that this machine can send to many viewers: the same bytes from memory to each of them,
//! with nothing in between.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use futures_util::{SinkExt as _, StreamExt as _};
use moorline_shared::frame::Frame;
use moorline_shared::id::Seq;
use moorline_shared::limits::FRAME_DATA_BYTES;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;

use super::baseline::choose;
use super::stage::itself;

/// A process that sends from memory. Dropping it kills the process.
pub(crate) struct Ceiling {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Ceiling {
    /// Starts the process. It sends this many bytes to each viewer once one of them types.
    pub(crate) fn start(bytes: u64) -> Result<Self> {
        let mut child = Command::new(itself()?)
            .args(["ceiling", &bytes.to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().context("it was asked for")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        Ok(Self { child, address: line.trim().parse()? })
    }
}

impl Drop for Ceiling {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Prints an address, and answers each viewer there as a relay does.
///
/// # Errors
/// If no socket can be opened.
pub(crate) fn serve(bytes: u64) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        let begun = watch::Sender::new(false);
        loop {
            let (stream, _) = listener.accept().await?;
            let begun = begun.clone();
            tokio::spawn(async move {
                // A viewer that leaves is seen by the bench.
                drop(send(stream, &begun, bytes).await);
            });
        }
    })
}

async fn send(stream: TcpStream, begun: &watch::Sender<bool>, bytes: u64) -> Result<()> {
    stream.set_nodelay(true)?;
    let socket = tokio_tungstenite::accept_hdr_async(stream, choose).await?;
    let (mut sink, mut incoming) = socket.split();
    // The answer to `resume`.
    let _resume = incoming.next().await;
    sink.send(Message::text(r#"{"type":"resumed"}"#)).await?;
    let mut seen = begun.subscribe();
    let read = async {
        while let Some(Ok(message)) = incoming.next().await {
            if message.is_binary() {
                begun.send_replace(true);
            }
        }
    };
    let write = async {
        seen.wait_for(|begun| *begun).await?;
        let frame = Frame::copy(Seq(1), &vec![b'x'; FRAME_DATA_BYTES])?.encoded();
        for _ in 0..bytes / FRAME_DATA_BYTES as u64 {
            sink.send(Message::Binary(frame.clone())).await?;
        }
        sink.send(Message::text(r#"{"type":"exit"}"#)).await?;
        std::future::pending::<Result<()>>().await
    };
    tokio::select! {
        () = read => Ok(()),
        done = write => done,
    }
}
