//! The view of a session's link that a page shows, in small values that can be compared.

use moorline_shared::link::ClientStatus;
use moorline_shared::message::close;
use moorline_shared::session::{ExitStatus, Lifecycle, Size};
use moorline_shared::time::Time;

use super::backlog::PasteProgress;

/// Everything that a page shows of a session, except the terminal's content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionView {
    /// The state of the link.
    pub link: LinkView,
    /// The time since which the relay has been silent, if it is.
    pub offline_since: Option<Time>,
    /// The session's name, once it is known.
    pub name: Option<String>,
    /// The session's lifecycle, as far as the relay has reported it.
    pub lifecycle: Option<Lifecycle>,
    /// True if this client may only watch.
    pub read_only: bool,
    /// True if the session shows a pane of tmux: then tmux decides the size.
    pub is_pane: bool,
    /// The size of the session's terminal, if it differs from the one that fits this page.
    pub foreign_size: Option<Size>,
    /// The size that fits this page.
    pub fitting: Option<Size>,
    /// Typed input that waits.
    pub pending: Option<Pending>,
    /// Progress of a large paste.
    pub pasting: Option<PasteProgress>,
}

impl SessionView {
    /// Returns true if the relay answers but the session's host does not.
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
    /// Showing the output that was missed.
    CatchingUp {
        /// The share that is shown, in percent.
        percent: u8,
    },
    /// Everything is shown as it arrives.
    Live,
    /// A connection is open, but the relay does not answer on it.
    Silent,
    /// Waiting to dial again.
    Waiting {
        /// The time at which it dials.
        until: Time,
        /// Failed dials so far.
        attempt: u32,
    },
    /// The session is over.
    Ended(ExitStatus),
    /// The relay refuses this page.
    Refused {
        /// The WebSocket close code.
        code: u16,
    },
}

impl LinkView {
    /// Returns the state that a link machine's status stands for.
    #[must_use]
    pub fn of(status: &ClientStatus) -> Self {
        match status {
            ClientStatus::Idle | ClientStatus::Connecting => Self::Connecting,
            ClientStatus::CatchingUp { done, total } => {
                let percent = done.saturating_mul(100) / (*total).max(1);
                Self::CatchingUp { percent: u8::try_from(percent).unwrap_or(100).min(100) }
            }
            ClientStatus::Live => Self::Live,
            ClientStatus::Silent => Self::Silent,
            ClientStatus::Waiting { until, attempt } => {
                Self::Waiting { until: *until, attempt: *attempt }
            }
            ClientStatus::Ended(exit) => Self::Ended(exit.clone()),
            ClientStatus::Refused { code } => Self::Refused { code: *code },
        }
    }

    /// Returns true if the state does not change by itself any more.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Ended(_) | Self::Refused { .. })
    }

    /// Returns true if the relay answers.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        matches!(self, Self::Live | Self::CatchingUp { .. })
    }

    /// Returns the session's exit code, if it has exited by itself.
    #[must_use]
    pub const fn exit_code(&self) -> Option<i32> {
        match self {
            Self::Ended(exit) => exit.code,
            _ => None,
        }
    }

    /// Returns the WebSocket close code with which the relay has refused this page, unless another
    /// page has only taken its place.
    #[must_use]
    pub const fn refusal(&self) -> Option<u16> {
        match self {
            Self::Refused { code: close::REPLACED } => None,
            Self::Refused { code } => Some(*code),
            _ => None,
        }
    }

    /// Returns a stable name, for scripts and styles.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::CatchingUp { .. } => "catching-up",
            Self::Live => "live",
            Self::Silent => "silent",
            Self::Waiting { .. } => "waiting",
            Self::Ended(_) => "ended",
            Self::Refused { .. } => "refused",
        }
    }
}

/// Typed input that the session has not accepted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Its size in bytes.
    pub bytes: usize,
    /// Its beginning, in readable form.
    pub preview: String,
}

/// The most characters of a preview.
const PREVIEW_CHARS: usize = 24;

impl Pending {
    /// Describes waiting input. Returns `None` if nothing waits.
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

/// Returns typed bytes in readable form: Enter as `⏎`, Escape as `⎋`, Control-C as `^C`.
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
