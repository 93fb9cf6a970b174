//! The frames between a host and a keeper.
//!
//! A frame is the length of the rest (4 bytes), a kind (1 byte), and the fields in the order of
//! their declaration. Numbers are big-endian. Data and texts come last and take the rest of the
//! frame. What follows the known fields is ignored, so that later versions can add fields.
//!
//! A keeper speaks the version with which it was started, possibly by an older program than the
//! host's. [`HostFrame::Hello`] and [`KeeperFrame::Refused`] have this form in all versions.

use bytes::{Buf, BufMut as _, Bytes, BytesMut};
use moorline_shared::session::Size;

use super::FilePiece;

/// The version of the protocol.
pub(crate) const VERSION: u16 = 1;
/// The most bytes of data in one frame that this program sends.
pub(crate) const DATA_BYTES: usize = 64 * 1024;
/// The `read_from` of a host that has nothing of the terminal. Only keepers of a terminal have
/// snapshots.
pub(crate) const FROM_SNAPSHOT: u64 = u64::MAX;
/// The most bytes of a frame after its length. A longer one ends the connection.
const FRAME_BYTES: usize = 256 * 1024;
/// The size of a frame's length.
const LENGTH_BYTES: usize = 4;

/// A frame from a host to a keeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HostFrame {
    /// Opens the connection. Output follows from `read_from` on; with [`FROM_SNAPSHOT`], after a
    /// snapshot of the terminal.
    Hello { version: u16, read_from: u64 },
    /// Bytes of the input, of which the first has this offset.
    Write { offset: u64, data: Bytes },
    /// Acknowledges the output before this offset: the keeper forgets it.
    Read { up_to: u64 },
    /// Ends the input after all that was written.
    CloseInput,
    /// Ends the program, at once or by SIGTERM first.
    Kill { force: bool },
    /// Ends the program at once, if it runs, and then the keeper.
    Forget,
    /// Changes the terminal's size.
    Resize { size: Size },
    /// Asks for [`KeeperFrame::Pong`].
    Ping,
    /// Part of the answer to a request about files. Only for keepers whose folder is in sync.
    Files { piece: FilePiece },
    /// Asks to make the folder and its workspace equal. The answer is a [`KeeperFrame::Folder`] with
    /// this number. Only for keepers whose folder is in sync.
    Settle { number: u64 },
}

/// A frame from a keeper to a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeeperFrame {
    /// Answers a hello: the program's process, the offset after the input that was taken, the offsets
    /// between which output is held, and whether a folder is in sync. Earlier keepers leave out the
    /// last.
    Welcome { version: u16, pid: u32, written: u64, start: u64, end: u64, syncs: bool },
    /// Bytes of the output, of which the first has this offset.
    Output { offset: u64, data: Bytes },
    /// The program's pipe has taken the input before this offset.
    Written { offset: u64 },
    /// Bytes of the standard error.
    Errors { data: Bytes },
    /// The program has ended, after all of its output.
    Exited { code: Option<i32>, signal: Option<i32> },
    /// The keeper closes the connection.
    Refused { code: RefusalCode, message: String },
    /// Part of the snapshot that repaints the terminal at [`KeeperFrame::Welcome`]'s `end`. Output
    /// follows after the last part.
    Snapshot { is_last: bool, data: Bytes },
    /// The program's status: the JSON of [`Status`](moorline_shared::event::Status). A newer one
    /// replaces one that was not sent.
    Status { json: Bytes },
    /// Answers a ping: the JSON of [`Vitals`](super::Vitals).
    Pong { json: Bytes },
    /// Part of a request about files. Only for hosts that have sent [`HostFrame::Files`].
    Files { piece: FilePiece },
    /// The state of the folder: the JSON of [`FolderReport`](super::FolderReport). A newer one
    /// replaces one that was not sent. Only for hosts that have sent [`HostFrame::Files`].
    Folder { json: Bytes },
}

/// The reason why a keeper does not serve a host's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalCode {
    /// The host speaks another version of the protocol.
    Version,
    /// Another host has connected.
    Replaced,
    /// The host asks for output that the keeper does not hold.
    Range,
    /// The host broke a rule of the protocol, or the code is of a later version.
    Protocol,
}

/// The error for bytes that are not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadFrame {
    #[error("a frame is longer than {FRAME_BYTES} bytes")]
    TooLong,
    #[error("a frame is shorter than its fields")]
    TooShort,
    #[error("a frame is of the unknown kind {0}")]
    Unknown(u8),
}

/// A frame of one direction.
pub(crate) trait KeeperWire: Sized {
    /// Appends the kind and the fields.
    fn write(&self, buffer: &mut BytesMut);

    /// Reads the fields that follow the kind.
    fn read(kind: u8, fields: Bytes) -> Result<Self, BadFrame>;
}

/// Appends the frame to `buffer`.
pub(crate) fn encode(frame: &impl KeeperWire, buffer: &mut BytesMut) {
    let start = buffer.len();
    buffer.put_u32(0);
    frame.write(buffer);
    let length = (buffer.len() - start - LENGTH_BYTES) as u32;
    buffer[start..start + LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
}

/// Takes the next frame from `buffer`; `None` if it is not complete yet.
///
/// # Errors
/// [`BadFrame`]; then nothing that follows can be decoded.
pub(crate) fn decode<F: KeeperWire>(buffer: &mut BytesMut) -> Result<Option<F>, BadFrame> {
    let Some(length) = buffer.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length) as usize;
    if length > FRAME_BYTES {
        return Err(BadFrame::TooLong);
    }
    if buffer.len() < LENGTH_BYTES + length {
        return Ok(None);
    }
    buffer.advance(LENGTH_BYTES);
    let mut fields = buffer.split_to(length).freeze();
    let kind = fields.try_get_u8().map_err(|_| BadFrame::TooShort)?;
    F::read(kind, fields).map(Some)
}

impl KeeperWire for HostFrame {
    fn write(&self, buffer: &mut BytesMut) {
        match self {
            Self::Hello { version, read_from } => {
                buffer.put_u8(1);
                buffer.put_u16(*version);
                buffer.put_u64(*read_from);
            }
            Self::Write { offset, data } => {
                buffer.put_u8(2);
                buffer.put_u64(*offset);
                buffer.put_slice(data);
            }
            Self::Read { up_to } => {
                buffer.put_u8(3);
                buffer.put_u64(*up_to);
            }
            Self::CloseInput => buffer.put_u8(4),
            Self::Kill { force } => buffer.put_slice(&[5, u8::from(*force)]),
            Self::Forget => buffer.put_u8(6),
            Self::Resize { size: Size { cols, rows } } => {
                buffer.put_u8(7);
                buffer.put_u16(*cols);
                buffer.put_u16(*rows);
            }
            Self::Ping => buffer.put_u8(8),
            Self::Files { piece } => {
                buffer.put_u8(9);
                write_piece(piece, buffer);
            }
            Self::Settle { number } => {
                buffer.put_u8(10);
                buffer.put_u64(*number);
            }
        }
    }

    fn read(kind: u8, mut fields: Bytes) -> Result<Self, BadFrame> {
        Ok(match kind {
            1 => Self::Hello { version: u16(&mut fields)?, read_from: u64(&mut fields)? },
            2 => Self::Write { offset: u64(&mut fields)?, data: fields },
            3 => Self::Read { up_to: u64(&mut fields)? },
            4 => Self::CloseInput,
            5 => Self::Kill { force: u8(&mut fields)? != 0 },
            6 => Self::Forget,
            7 => Self::Resize { size: Size { cols: u16(&mut fields)?, rows: u16(&mut fields)? } },
            8 => Self::Ping,
            9 => Self::Files { piece: read_piece(fields)? },
            10 => Self::Settle { number: u64(&mut fields)? },
            kind => return Err(BadFrame::Unknown(kind)),
        })
    }
}

impl KeeperWire for KeeperFrame {
    fn write(&self, buffer: &mut BytesMut) {
        match self {
            Self::Welcome { version, pid, written, start, end, syncs } => {
                buffer.put_u8(1);
                buffer.put_u16(*version);
                buffer.put_u32(*pid);
                for offset in [written, start, end] {
                    buffer.put_u64(*offset);
                }
                buffer.put_u8(u8::from(*syncs));
            }
            Self::Output { offset, data } => {
                buffer.put_u8(2);
                buffer.put_u64(*offset);
                buffer.put_slice(data);
            }
            Self::Written { offset } => {
                buffer.put_u8(3);
                buffer.put_u64(*offset);
            }
            Self::Errors { data } => {
                buffer.put_u8(4);
                buffer.put_slice(data);
            }
            Self::Exited { code, signal } => {
                buffer.put_u8(5);
                for number in [code, signal] {
                    buffer.put_u8(u8::from(number.is_some()));
                    buffer.put_i32(number.unwrap_or_default());
                }
            }
            Self::Refused { code, message } => {
                buffer.put_slice(&[6, code.number()]);
                buffer.put_slice(message.as_bytes());
            }
            Self::Snapshot { is_last, data } => {
                buffer.put_slice(&[7, u8::from(*is_last)]);
                buffer.put_slice(data);
            }
            Self::Status { json } => {
                buffer.put_u8(8);
                buffer.put_slice(json);
            }
            Self::Pong { json } => {
                buffer.put_u8(9);
                buffer.put_slice(json);
            }
            Self::Files { piece } => {
                buffer.put_u8(10);
                write_piece(piece, buffer);
            }
            Self::Folder { json } => {
                buffer.put_u8(11);
                buffer.put_slice(json);
            }
        }
    }

    fn read(kind: u8, mut fields: Bytes) -> Result<Self, BadFrame> {
        Ok(match kind {
            1 => Self::Welcome {
                version: u16(&mut fields)?,
                pid: u32(&mut fields)?,
                written: u64(&mut fields)?,
                start: u64(&mut fields)?,
                end: u64(&mut fields)?,
                syncs: fields.try_get_u8().is_ok_and(|syncs| syncs != 0),
            },
            2 => Self::Output { offset: u64(&mut fields)?, data: fields },
            3 => Self::Written { offset: u64(&mut fields)? },
            4 => Self::Errors { data: fields },
            5 => Self::Exited { code: optional(&mut fields)?, signal: optional(&mut fields)? },
            6 => Self::Refused {
                code: RefusalCode::of(u8(&mut fields)?),
                message: String::from_utf8_lossy(&fields).into_owned(),
            },
            7 => Self::Snapshot { is_last: u8(&mut fields)? != 0, data: fields },
            8 => Self::Status { json: fields },
            9 => Self::Pong { json: fields },
            10 => Self::Files { piece: read_piece(fields)? },
            11 => Self::Folder { json: fields },
            kind => return Err(BadFrame::Unknown(kind)),
        })
    }
}

impl RefusalCode {
    const fn number(self) -> u8 {
        match self {
            Self::Version => 1,
            Self::Replaced => 2,
            Self::Range => 3,
            Self::Protocol => 4,
        }
    }

    const fn of(number: u8) -> Self {
        match number {
            1 => Self::Version,
            2 => Self::Replaced,
            3 => Self::Range,
            _ => Self::Protocol,
        }
    }
}

fn write_piece(piece: &FilePiece, buffer: &mut BytesMut) {
    let FilePiece { number, taken, length, offset, data } = piece;
    for field in [number, taken, length, offset] {
        buffer.put_u64(*field);
    }
    buffer.put_slice(data);
}

fn read_piece(mut fields: Bytes) -> Result<FilePiece, BadFrame> {
    Ok(FilePiece {
        number: u64(&mut fields)?,
        taken: u64(&mut fields)?,
        length: u64(&mut fields)?,
        offset: u64(&mut fields)?,
        data: fields,
    })
}

fn u8(fields: &mut Bytes) -> Result<u8, BadFrame> {
    fields.try_get_u8().map_err(|_| BadFrame::TooShort)
}

fn u16(fields: &mut Bytes) -> Result<u16, BadFrame> {
    fields.try_get_u16().map_err(|_| BadFrame::TooShort)
}

fn u32(fields: &mut Bytes) -> Result<u32, BadFrame> {
    fields.try_get_u32().map_err(|_| BadFrame::TooShort)
}

fn u64(fields: &mut Bytes) -> Result<u64, BadFrame> {
    fields.try_get_u64().map_err(|_| BadFrame::TooShort)
}

fn optional(fields: &mut Bytes) -> Result<Option<i32>, BadFrame> {
    let is_some = u8(fields)? != 0;
    let number = fields.try_get_i32().map_err(|_| BadFrame::TooShort)?;
    Ok(is_some.then_some(number))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn golden<F: KeeperWire + PartialEq + std::fmt::Debug>(frame: F, bytes: &[u8]) {
        let mut buffer = BytesMut::new();
        encode(&frame, &mut buffer);
        assert_eq!(buffer[..4], (bytes.len() as u32).to_be_bytes(), "{frame:?}");
        assert_eq!(&buffer[4..], bytes, "{frame:?}");
        for cut in 0..buffer.len() {
            let mut part = BytesMut::from(&buffer[..cut]);
            assert_eq!(decode::<F>(&mut part), Ok(None), "{cut}");
            assert_eq!(part.len(), cut, "what is incomplete stays");
        }
        buffer.put_slice(b"next");
        assert_eq!(decode(&mut buffer), Ok(Some(frame)));
        assert_eq!(&buffer[..], b"next");
    }

    #[test]
    fn frames_have_these_bytes() {
        let data = Bytes::from_static(b"ab");
        golden(HostFrame::Hello { version: 1, read_from: 2 }, &[1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2]);
        golden(
            HostFrame::Write { offset: 258, data: data.clone() },
            &[2, 0, 0, 0, 0, 0, 0, 1, 2, b'a', b'b'],
        );
        golden(HostFrame::Read { up_to: 3 }, &[3, 0, 0, 0, 0, 0, 0, 0, 3]);
        golden(HostFrame::CloseInput, &[4]);
        golden(HostFrame::Kill { force: true }, &[5, 1]);
        golden(HostFrame::Forget, &[6]);
        golden(HostFrame::Resize { size: Size { cols: 258, rows: 3 } }, &[7, 1, 2, 0, 3]);
        golden(HostFrame::Ping, &[8]);
        golden(
            KeeperFrame::Welcome { version: 1, pid: 9, written: 2, start: 3, end: 4, syncs: true },
            &[
                1, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0,
                0, 0, 4, 1,
            ],
        );
        golden(
            KeeperFrame::Output { offset: 5, data: data.clone() },
            &[2, 0, 0, 0, 0, 0, 0, 0, 5, b'a', b'b'],
        );
        golden(KeeperFrame::Written { offset: 6 }, &[3, 0, 0, 0, 0, 0, 0, 0, 6]);
        golden(KeeperFrame::Errors { data: data.clone() }, &[4, b'a', b'b']);
        golden(KeeperFrame::Snapshot { is_last: true, data: data.clone() }, &[7, 1, b'a', b'b']);
        golden(KeeperFrame::Status { json: data.clone() }, &[8, b'a', b'b']);
        golden(KeeperFrame::Pong { json: data.clone() }, &[9, b'a', b'b']);
        golden(KeeperFrame::Folder { json: data.clone() }, &[11, b'a', b'b']);
        golden(HostFrame::Settle { number: 7 }, &[10, 0, 0, 0, 0, 0, 0, 0, 7]);
        let piece = FilePiece { number: 1, taken: 2, length: 3, offset: 4, data };
        let rest = [
            0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0,
            0, 0, 4, b'a', b'b',
        ];
        golden(HostFrame::Files { piece: piece.clone() }, &[&[9], &rest[..]].concat());
        golden(KeeperFrame::Files { piece }, &[&[10], &rest[..]].concat());
        golden(
            KeeperFrame::Exited { code: None, signal: Some(9) },
            &[5, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9],
        );
        for (code, number) in [
            (RefusalCode::Version, 1),
            (RefusalCode::Replaced, 2),
            (RefusalCode::Range, 3),
            (RefusalCode::Protocol, 4),
        ] {
            golden(KeeperFrame::Refused { code, message: "no".into() }, &[6, number, b'n', b'o']);
        }
    }

    #[test]
    fn a_frame_that_is_too_long_is_refused_before_it_arrives() {
        let mut buffer = BytesMut::new();
        buffer.put_u32(FRAME_BYTES as u32 + 1);
        assert_eq!(decode::<HostFrame>(&mut buffer), Err(BadFrame::TooLong));
        let mut buffer = BytesMut::from(&[0, 0, 0, 0][..]);
        assert_eq!(decode::<HostFrame>(&mut buffer), Err(BadFrame::TooShort));
        let mut buffer = BytesMut::from(&[0, 0, 0, 1, 77][..]);
        assert_eq!(decode::<KeeperFrame>(&mut buffer), Err(BadFrame::Unknown(77)));
    }

    #[test]
    fn fields_of_a_later_version_are_ignored() {
        let bytes = [0, 0, 0, 12, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 7, 99];
        let hello = HostFrame::Hello { version: 2, read_from: 7 };
        assert_eq!(decode(&mut BytesMut::from(&bytes[..])), Ok(Some(hello)));
    }

    #[test]
    fn an_earlier_keeper_does_not_sync() {
        let mut welcome = BytesMut::from(&[0, 0, 0, 31, 1, 0, 1, 0, 0, 0, 9][..]);
        welcome.put_bytes(0, 24);
        let decoded = decode::<KeeperFrame>(&mut welcome);
        let (version, pid) = (1, 9);
        let frame =
            KeeperFrame::Welcome { version, pid, written: 0, start: 0, end: 0, syncs: false };
        assert_eq!(decoded, Ok(Some(frame)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_without_a_panic(
            kind in 0..13_u8,
            bytes in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let mut buffer = BytesMut::new();
            buffer.put_u32(bytes.len() as u32 + 1);
            buffer.put_u8(kind);
            buffer.put_slice(&bytes);
            let mut same = buffer.clone();
            if let Ok(frame) = decode::<HostFrame>(&mut buffer) {
                assert!(frame.is_some() && buffer.is_empty());
            }
            if let Ok(frame) = decode::<KeeperFrame>(&mut same) {
                assert!(frame.is_some() && same.is_empty());
            }
        }
    }
}
