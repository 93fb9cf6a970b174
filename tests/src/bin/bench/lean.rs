//! A client that does as little as possible for each byte: it reads much at once, parses the
//! headers of messages, and skips the rest.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context as _, Result, bail, ensure};
use moorline_shared::frame::Frame;
use moorline_shared::id::{Seq, SessionId};
use moorline_tests::relay::TOKEN;

const READ_BYTES: usize = 256 * 1024;
/// Bytes between two acknowledgements, the same as in the shared client.
const ACK_BYTES: u64 = 256 * 1024;
/// Bytes kept of a text message: enough to recognize it.
const TEXT_BYTES: usize = 256;

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// The sequence number of a snapshot, parsed from the beginning of its message.
pub(crate) fn snapshot_seq(text: &str) -> Option<u64> {
    let rest = text.strip_prefix(r#"{"type":"snapshot","seq":"#)?;
    rest.split(',').next()?.parse().ok()
}

/// A connection to a stream.
#[derive(Debug)]
pub(crate) struct Lean {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Range of the buffer that is read but not yet parsed.
    from: usize,
    to: usize,
    /// Bytes of payload received so far, output and text.
    pub(crate) received: u64,
    unacked: u64,
}

/// Message that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Came {
    /// An output entry.
    Output { seq: u64, bytes: u64 },
    /// The beginning of a text message.
    Text(String),
    /// The end of the connection.
    Closed,
}

impl Lean {
    /// Connects to a session.
    pub(crate) fn connect(address: SocketAddr, session: &SessionId) -> Result<Self> {
        Self::open(address, &format!("/sessions/{session}/stream"))
    }

    /// Connects to any path.
    pub(crate) fn open(address: SocketAddr, path: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let buffer = vec![0; READ_BYTES];
        let mut lean = Self { stream, buffer, from: 0, to: 0, received: 0, unacked: 0 };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
             Sec-WebSocket-Protocol: moorline.v1\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        );
        lean.stream.write_all(request.as_bytes())?;
        loop {
            let head = &lean.buffer[..lean.to];
            if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
                ensure!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(head));
                lean.from = end + 4;
                return Ok(lean);
            }
            lean.read()?;
        }
    }

    /// Sends `resume`, and reads up to the answer. A snapshot may follow.
    pub(crate) fn resume(&mut self, client_id: &str, catch_up: &str) -> Result<String> {
        self.send_text(&format!(
            r#"{{"type":"resume","lastSeq":null,"clientId":"{client_id}","catchUp":"{catch_up}","conversation":true}}"#
        ))?;
        self.until_text(r#"{"type":"resumed""#)
    }

    /// Reads up to a text message with this beginning.
    pub(crate) fn until_text(&mut self, beginning: &str) -> Result<String> {
        loop {
            match self.next()? {
                Came::Text(text) if text.starts_with(beginning) => return Ok(text),
                Came::Closed => bail!("closed before {beginning} came"),
                _ => {}
            }
        }
    }

    /// Reads and acknowledges up to the end of the session. Returns false if the connection ends
    /// before that.
    pub(crate) fn until_exit(&mut self) -> Result<bool> {
        loop {
            match self.next()? {
                Came::Output { seq, .. } => self.acknowledge(seq)?,
                Came::Text(text) if text.starts_with(r#"{"type":"exit""#) => return Ok(true),
                Came::Text(text) => self.accept_snapshot(&text)?,
                Came::Closed => return Ok(false),
            }
        }
    }

    /// Reads and acknowledges the next output entry, and returns its size in bytes.
    pub(crate) fn until_output(&mut self) -> Result<u64> {
        loop {
            match self.next()? {
                Came::Output { seq, bytes } => {
                    self.acknowledge(seq)?;
                    return Ok(bytes);
                }
                Came::Text(text) => self.accept_snapshot(&text)?,
                Came::Closed => bail!("closed before output came"),
            }
        }
    }

    /// Acknowledges a snapshot, which stands for all the output that it contains.
    fn accept_snapshot(&mut self, text: &str) -> Result<()> {
        if let Some(seq) = snapshot_seq(text) {
            self.unacked = ACK_BYTES;
            self.acknowledge(seq)?;
        }
        Ok(())
    }

    /// Acknowledges entries up to `seq` if [`ACK_BYTES`] have come since the last time.
    pub(crate) fn acknowledge(&mut self, seq: u64) -> Result<()> {
        if self.unacked >= ACK_BYTES {
            self.unacked = 0;
            self.send_text(&format!(r#"{{"type":"ack","seq":{seq}}}"#))?;
        }
        Ok(())
    }

    /// Sends a piece of input.
    pub(crate) fn send_input(&mut self, seq: u64, data: &[u8]) -> Result<()> {
        self.send(BINARY, &Frame::copy(Seq(seq), data)?.encoded())
    }

    /// Sends any text message.
    pub(crate) fn send_text(&mut self, text: &str) -> Result<()> {
        self.send(TEXT, text.as_bytes())
    }

    /// Reads the next message.
    pub(crate) fn next(&mut self) -> Result<Came> {
        loop {
            let Ok([first, second]) = self.header() else { return Ok(Came::Closed) };
            let length = match second & 0x7f {
                126 => u64::from(u16::from_be_bytes(self.header()?)),
                127 => u64::from_be_bytes(self.header()?),
                short => u64::from(short),
            };
            ensure!(first & 0x80 != 0, "the relay sends whole messages");
            match first & 0x0f {
                BINARY => {
                    let seq = u64::from_be_bytes(self.header()?);
                    let bytes = length.checked_sub(8).context("a frame without a number")?;
                    self.skip(bytes)?;
                    self.received += bytes;
                    self.unacked += bytes;
                    return Ok(Came::Output { seq, bytes });
                }
                TEXT => return Ok(Came::Text(self.text(length)?)),
                PING => {
                    self.skip(length)?;
                    self.send(PONG, &[])?;
                }
                CLOSE => return Ok(Came::Closed),
                _ => self.skip(length)?,
            }
        }
    }

    fn text(&mut self, length: u64) -> Result<String> {
        let kept = length.min(TEXT_BYTES as u64);
        let mut text = Vec::new();
        while (text.len() as u64) < kept {
            if self.from == self.to {
                self.read()?;
            }
            let wanted = (kept as usize - text.len()).min(self.to - self.from);
            text.extend_from_slice(&self.buffer[self.from..self.from + wanted]);
            self.from += wanted;
        }
        self.skip(length - kept)?;
        self.received += length;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn header<const N: usize>(&mut self) -> Result<[u8; N]> {
        while self.to - self.from < N {
            self.read()?;
        }
        let mut header = [0; N];
        header.copy_from_slice(&self.buffer[self.from..self.from + N]);
        self.from += N;
        Ok(header)
    }

    fn skip(&mut self, mut bytes: u64) -> Result<()> {
        loop {
            let here = bytes.min((self.to - self.from) as u64);
            self.from += here as usize;
            bytes -= here;
            if bytes == 0 {
                return Ok(());
            }
            self.read()?;
        }
    }

    fn read(&mut self) -> Result<()> {
        // The rest is the beginning of a header, a few bytes.
        self.buffer.copy_within(self.from..self.to, 0);
        (self.from, self.to) = (0, self.to - self.from);
        let read = self.stream.read(&mut self.buffer[self.to..])?;
        ensure!(read > 0, "the connection ended");
        self.to += read;
        Ok(())
    }

    fn send(&mut self, kind: u8, payload: &[u8]) -> Result<()> {
        // A client must mask; a mask of zeros leaves the bytes unchanged.
        let mut message = vec![0x80 | kind];
        match payload.len() {
            short @ ..126 => message.push(0x80 | short as u8),
            long => {
                message.push(0x80 | 126);
                message.extend_from_slice(&u16::try_from(long)?.to_be_bytes());
            }
        }
        message.extend_from_slice(&[0; 4]);
        message.extend_from_slice(payload);
        Ok(self.stream.write_all(&message)?)
    }
}
