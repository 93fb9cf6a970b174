//! Entries as event streams send them, encoded once however many streams read them.

use std::collections::VecDeque;

use bytes::Bytes;
use moorline_shared::event::Activity;
use moorline_shared::id::{Cursor, Epoch, Seq};

use super::api::ApiError;

/// The bound on encoded entries per encoding. Readers near the head share them.
const ENCODED_BYTES: usize = 256 * 1024;

/// The form of output in JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encoding {
    /// As text: bytes that are not UTF-8 become U+FFFD.
    #[default]
    Text,
    /// As base64 of the exact bytes.
    Base64,
}

impl Encoding {
    /// Returns the encoding that an address asks for.
    ///
    /// # Errors
    /// `bad_request` if the name is unknown.
    pub fn asked(name: Option<&str>) -> Result<Self, ApiError> {
        match name {
            None | Some("text") => Ok(Self::Text),
            Some("base64") => Ok(Self::Base64),
            Some(_) => Err(ApiError::bad_request("`encoding` is `text` or `base64`.")),
        }
    }
}

/// An entry as it is sent.
#[derive(Debug, Clone)]
pub(super) struct EncodedEntry {
    pub(super) bytes: Bytes,
    /// The activity that it reports, if it is a status.
    pub(super) tells: Option<Activity>,
}

/// The last entries in each encoding, for the streams that are close to the head.
#[derive(Debug, Default)]
pub(super) struct EncodedEntries {
    text: EncodedCache,
    base64: EncodedCache,
}

impl EncodedEntries {
    /// Returns the entry at `cursor`: from the cache, or else by `encode`.
    pub(super) fn get(
        &mut self,
        encoding: Encoding,
        cursor: Cursor,
        encode: impl FnOnce() -> EncodedEntry,
    ) -> EncodedEntry {
        match encoding {
            Encoding::Text => self.text.get(cursor, encode),
            Encoding::Base64 => self.base64.get(cursor, encode),
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The last entries in one encoding.
#[derive(Debug, Default)]
struct EncodedCache {
    epoch: Epoch,
    /// Consecutive entries, oldest first.
    entries: VecDeque<(Seq, EncodedEntry)>,
    bytes: usize,
}

impl EncodedCache {
    fn get(&mut self, cursor: Cursor, encode: impl FnOnce() -> EncodedEntry) -> EncodedEntry {
        if cursor.epoch != self.epoch {
            *self = Self { epoch: cursor.epoch, ..Self::default() };
        }
        if let Some((first, _)) = self.entries.front()
            && let Some(index) = cursor.seq.0.checked_sub(first.0)
            && let Some((_, made)) = usize::try_from(index).ok().and_then(|i| self.entries.get(i))
        {
            return made.clone();
        }
        let made = encode();
        let last = self.entries.back().map(|(last, _)| *last);
        if last.is_some_and(|last| cursor.seq <= last) {
            return made;
        }
        if last.is_some_and(|last| cursor.seq != last.next()) {
            *self = Self { epoch: self.epoch, ..Self::default() };
        }
        self.bytes += made.bytes.len();
        self.entries.push_back((cursor.seq, made.clone()));
        while self.bytes > ENCODED_BYTES
            && let Some((_, oldest)) = self.entries.pop_front()
        {
            self.bytes -= oldest.bytes.len();
        }
        made
    }
}
