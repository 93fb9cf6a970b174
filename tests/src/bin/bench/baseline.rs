//! Baselines of the machine: a bare terminal, and a bare terminal behind a WebSocket.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures_util::{SinkExt as _, StreamExt as _};
use moorline_tests::relay::{Usage, usage};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::stage::itself;

const READ_BYTES: usize = 64 * 1024;

/// A program on a terminal with nothing in between. Dropping it kills the program.
pub(crate) struct Bare {
    pty: pty_process::blocking::Pty,
    child: Child,
}

impl Bare {
    pub(crate) fn run(command: &[String]) -> Result<Self> {
        let (program, arguments) = command.split_first().context("no command")?;
        let (pty, pts) = pty_process::blocking::open()?;
        pty.resize(pty_process::Size::new(24, 80))?;
        let child = pty_process::blocking::Command::new(program).args(arguments).spawn(pts)?;
        Ok(Self { pty, child })
    }

    /// Starts the program's flood, and reads all of its output.
    pub(crate) fn flood(mut self) -> Result<(u64, Duration)> {
        let started = Instant::now();
        self.pty.write_all(b"\n")?;
        let (mut buffer, mut bytes) = (vec![0; READ_BYTES], 0);
        // Once its program has ended, reading a terminal fails.
        while let Ok(read @ 1..) = self.pty.read(&mut buffer) {
            bytes += read as u64;
        }
        Ok((bytes, started.elapsed()))
    }

    /// Types one key and waits for its echo.
    pub(crate) fn echo(&mut self) -> Result<Duration> {
        let started = Instant::now();
        self.pty.write_all(b"k")?;
        self.pty.read_exact(&mut [0])?;
        Ok(started.elapsed())
    }

    /// Waits for the program's first output.
    pub(crate) fn until_ready(&mut self) -> Result<()> {
        Ok(self.pty.read_exact(&mut [0])?)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // The program may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The terminal behind a WebSocket, in a process of its own.
pub(crate) struct BareLoop {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl BareLoop {
    pub(crate) fn start(command: &[String]) -> Result<Self> {
        let mut child =
            Command::new(itself()?).arg("bare").args(command).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().context("it was asked for")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        Ok(Self { child, address: line.trim().parse()? })
    }

    pub(crate) fn usage(&self) -> Result<Usage> {
        usage(i32::try_from(self.child.id())?)
    }
}

impl Drop for BareLoop {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Prints an address, accepts one WebSocket there, and moves bytes between it and a terminal, all on
/// one thread and without a log: the least that any program which shows a terminal in a browser has
/// to do.
///
/// # Errors
/// If the program cannot be started or a connection fails.
pub(crate) fn serve(command: &[&str]) -> Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let socket = tokio_tungstenite::accept_hdr_async(stream, choose).await?;
        let (pty, pts) = pty_process::open()?;
        pty.resize(pty_process::Size::new(24, 80))?;
        let (program, arguments) = command.split_first().context("no command")?;
        let _child =
            pty_process::Command::new(program).args(arguments).kill_on_drop(true).spawn(pts)?;
        let (mut from, mut to) = pty.into_split();
        let (mut sink, mut incoming) = socket.split();
        let down = async {
            let mut buffer = vec![0; 8 + READ_BYTES];
            while let Ok(read @ 1..) = from.read(&mut buffer[8..]).await {
                let message = bytes::Bytes::copy_from_slice(&buffer[..8 + read]);
                sink.send(Message::Binary(message)).await?;
            }
            sink.close().await?;
            anyhow::Ok(())
        };
        let up = async {
            while let Some(Ok(message)) = incoming.next().await {
                if let Message::Binary(data) = message {
                    to.write_all(data.get(8..).unwrap_or_default()).await?;
                }
            }
            anyhow::Ok(())
        };
        tokio::select! { done = down => done, done = up => done }
    })
}

/// Selects the subprotocol that the bench's client offers.
#[expect(clippy::result_large_err, reason = "the signature is tungstenite's")]
pub(crate) fn choose(_: &Request, mut answer: Response) -> Result<Response, ErrorResponse> {
    let ours = HeaderValue::from_static("moorline.v1");
    answer.headers_mut().insert("Sec-WebSocket-Protocol", ours);
    Ok(answer)
}
