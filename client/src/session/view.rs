//! What a page shows of a session's link, in small values that can be compared.

use moorline_shared::session::{ExitStatus, Lifecycle, Size};
use moorline_shared::time::Time;

use super::backlog::Progress;

/// Everything that a page shows of a session besides the terminal's content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// The state of the link.
    pub link: LinkView,
    /// Since when nothing comes from the relay, where that is so.
    pub offline_since: Option<Time>,
    /// The session's name, once it is known.
    pub name: Option<String>,
    /// Whether the session runs, as far as the relay told.
    pub lifecycle: Option<Lifecycle>,
    /// This client may only watch.
    pub read_only: bool,
    /// The size that the session's terminal has, where it is not the one that fits this page.
    pub foreign_size: Option<Size>,
    /// The size that fits this page.
    pub fitting: Option<Size>,
    /// What was typed and waits.
    pub pending: Option<Pending>,
    /// How much of a large paste has gone in.
    pub pasting: Option<Progress>,
}

impl View {
    /// Whether the relay answers and the session's host does not.
    #[must_use]
    pub fn is_host_away(&self) -> bool {
        self.link.is_connected() && self.lifecycle == Some(Lifecycle::Detached)
    }
}

/// The state of the link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LinkView {
    /// Opening a connection, or waiting for the relay's answer.
    #[default]
    Connecting,
    /// Showing what was missed.
    CatchingUp {
        /// How much of it is shown.
        percent: u8,
    },
    /// Everything is shown as it comes.
    Live,
    /// Waiting to dial again.
    Waiting {
        /// When it dials.
        until: Time,
        /// Dials in vain so far.
        attempt: u32,
    },
    /// The session is over.
    Ended(ExitStatus),
    /// The relay refuses this page.
    Refused {
        /// The close code.
        code: u16,
    },
}

impl LinkView {
    /// Whether nothing will change by itself any more.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Ended(_) | Self::Refused { .. })
    }

    /// Whether the relay answers.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        matches!(self, Self::Live | Self::CatchingUp { .. })
    }

    /// Stable, for scripts and styles.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::CatchingUp { .. } => "catching-up",
            Self::Live => "live",
            Self::Waiting { .. } => "waiting",
            Self::Ended(_) => "ended",
            Self::Refused { .. } => "refused",
        }
    }
}

/// What was typed and is not accepted by the session yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// How much that is.
    pub bytes: usize,
    /// The beginning of it, readable.
    pub preview: String,
}

/// Most characters of a preview.
const PREVIEW_CHARS: usize = 24;

impl Pending {
    /// Describes what waits; `None` where nothing does.
    pub fn of<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut bytes = 0;
        let mut first = Vec::new();
        for piece in pieces {
            bytes += piece.len();
            // A character has at most 4 bytes.
            let room = (PREVIEW_CHARS + 1) * 4 - first.len();
            first.extend_from_slice(&piece[..piece.len().min(room)]);
        }
        (bytes > 0).then(|| Self { bytes, preview: preview(&first) })
    }
}

/// Typed bytes as people would name them: Enter as `⏎`, Escape as `⎋`, Control-C as `^C`.
fn preview(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut shown = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == PREVIEW_CHARS {
            shown.push('…');
            break;
        }
        match character {
            '\r' | '\n' => shown.push('⏎'),
            '\t' => shown.push('⇥'),
            '\x1b' => shown.push('⎋'),
            '\x7f' | '\x08' => shown.push('⌫'),
            control if (control as u32) < 0x20 => {
                shown.push('^');
                shown.push(char::from(control as u8 + b'@'));
            }
            other => shown.push(other),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn pending_input_reads_as_it_was_typed() {
        let pieces: [&[u8]; 3] = [b"git status\r", b"\x03\x1b[A", b"\x7f"];
        let pending = Pending::of(pieces.into_iter()).unwrap();
        assert_eq!(pending, Pending { bytes: 16, preview: "git status⏎^C⎋[A⌫".into() });
        assert_eq!(Pending::of(std::iter::empty()), None);
    }

    #[test]
    fn a_long_preview_is_cut_between_characters() {
        let long = "ä".repeat(5000);
        let pending = Pending::of([long.as_bytes(), long.as_bytes()].into_iter()).unwrap();
        assert_eq!(pending.bytes, 20_000);
        assert_eq!(pending.preview, format!("{}…", "ä".repeat(PREVIEW_CHARS)));
    }
}
