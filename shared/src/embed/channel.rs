//! Which messages between a frame and the page around it count, and where answers go.

use std::collections::VecDeque;

use super::{EMBED_VERSION, FrameMessage, ParentMessage};
use crate::limits::{EMBED_MESSAGE_BYTES, PROMPT_BYTES};

/// Most messages that wait to be posted. Their owner posts at once, so this is never reached.
const WAITING: usize = 64;
/// The origin of pages that have none, such as sandboxed ones. No message can be posted to it.
const OPAQUE: &str = "null";

/// The pages that may get a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostTarget {
    /// Whatever page is around the frame.
    Any,
    /// The page around the frame, if it is of this origin.
    Origin(String),
}

/// A message to post to the page around the frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FramePost {
    /// The pages that may get it.
    pub target: PostTarget,
    /// The message.
    pub message: FrameMessage,
}

/// The frame's end of the channel to the page around it.
///
/// The frame talks to one origin only: the one that the browser names as its parent's, or, in
/// browsers that do not name it, the origin of the first hello. The relay's `frame-ancestors`
/// decides which pages that can be. Messages of any other window or origin are counted and have no
/// other effect.
///
/// Inputs are [`EmbedChannel::receive`] and [`EmbedChannel::send`]. After each call, post what
/// [`EmbedChannel::poll_post`] returns, until `None`.
///
/// ```
/// use moorline_shared::embed::{EmbedChannel, PostTarget};
///
/// let mut channel = EmbedChannel::new(None);
/// assert_eq!(channel.poll_post().unwrap().target, PostTarget::Any);
/// let hello = r#"{"type":"moorline.hello","version":1}"#;
/// assert!(channel.receive(true, "https://notes.example", hello).is_some());
/// assert!(channel.receive(true, "https://evil.example", hello).is_none());
/// assert_eq!(channel.ignored(), 1);
/// ```
#[derive(Debug, Clone)]
pub struct EmbedChannel {
    /// The origin of the page around, once it is known.
    parent: Option<String>,
    /// True once a hello was accepted.
    is_open: bool,
    /// The latest title, state and size, until the channel is open.
    latest: [Option<FrameMessage>; 3],
    outbox: VecDeque<FramePost>,
    /// Messages that did not come from the page around.
    ignored: u64,
}

impl EmbedChannel {
    /// Creates a channel to the page around, whose origin is `parent` if the browser names it. The
    /// first message to post is [`FrameMessage::Ready`], which holds nothing secret.
    #[must_use]
    pub fn new(parent: Option<String>) -> Self {
        let parent = parent.filter(|origin| !origin.is_empty() && origin != OPAQUE);
        let target = parent.clone().map_or(PostTarget::Any, PostTarget::Origin);
        let message = FrameMessage::Ready { version: EMBED_VERSION };
        let outbox = VecDeque::from([FramePost { target, message }]);
        Self { parent, is_open: false, latest: Default::default(), outbox, ignored: 0 }
    }

    /// Takes a message that arrived, as JSON. Returns it if it counts: it comes from the page
    /// around, and a hello came before. `is_parent` tells whether the window that sent it is the
    /// one around the frame.
    pub fn receive(&mut self, is_parent: bool, origin: &str, text: &str) -> Option<ParentMessage> {
        let is_known = self.parent.as_ref().is_none_or(|parent| parent == origin);
        if !is_parent || !is_known || origin.is_empty() || origin == OPAQUE {
            self.ignored += 1;
            return None;
        }
        if text.len() > EMBED_MESSAGE_BYTES {
            self.refuse("too_large", format!("A message has at most {EMBED_MESSAGE_BYTES} bytes."));
            return None;
        }
        let message = match ParentMessage::from_json(text) {
            Ok(message) => message,
            Err(error) => {
                self.refuse("invalid_message", format!("The message cannot be read: {error}."));
                return None;
            }
        };
        match &message {
            ParentMessage::Hello(hello) if hello.version >= 1 => self.open(origin),
            ParentMessage::Hello(_) => {
                self.refuse("version", "A hello needs `version`, which is 1.".to_owned());
                return None;
            }
            ParentMessage::Unknown => return None,
            _ if !self.is_open => {
                self.ignored += 1;
                return None;
            }
            ParentMessage::Prompt { text, .. } | ParentMessage::Insert { text }
                if text.len() > PROMPT_BYTES =>
            {
                self.refuse("too_large", format!("A text has at most {PROMPT_BYTES} bytes."));
                return None;
            }
            _ => {}
        }
        Some(message)
    }

    /// Sends a message to the page around. Before the hello only the latest title, state and size
    /// are kept, and sent after it.
    pub fn send(&mut self, message: FrameMessage) {
        if self.is_open {
            self.push(message);
            return;
        }
        let place = match message {
            FrameMessage::Title { .. } => 0,
            FrameMessage::State(_) => 1,
            FrameMessage::Size { .. } => 2,
            _ => return,
        };
        self.latest[place] = Some(message);
    }

    /// Returns the next message to post; call until `None`.
    pub fn poll_post(&mut self) -> Option<FramePost> {
        self.outbox.pop_front()
    }

    /// Returns true once the page around has said hello.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.is_open
    }

    /// Returns the number of messages that did not come from the page around, or came too early.
    #[must_use]
    pub const fn ignored(&self) -> u64 {
        self.ignored
    }

    fn open(&mut self, origin: &str) {
        self.parent = Some(origin.to_owned());
        self.is_open = true;
        for message in std::mem::take(&mut self.latest).into_iter().flatten() {
            self.push(message);
        }
    }

    /// Answers the page around, once its origin is known.
    fn refuse(&mut self, code: &'static str, message: String) {
        self.push(FrameMessage::Error { code, message });
    }

    fn push(&mut self, message: FrameMessage) {
        let Some(parent) = &self.parent else { return };
        if self.outbox.len() < WAITING {
            let target = PostTarget::Origin(parent.clone());
            self.outbox.push_back(FramePost { target, message });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::EmbedHello;

    const NOTES: &str = "https://notes.example";
    const HELLO: &str = r#"{"type":"moorline.hello","version":1,"token":"abc"}"#;

    fn posts(channel: &mut EmbedChannel) -> Vec<(PostTarget, String)> {
        std::iter::from_fn(|| channel.poll_post())
            .map(|post| (post.target, post.message.to_json()))
            .collect()
    }

    fn title(name: &str) -> FrameMessage {
        FrameMessage::Title { name: name.to_owned(), title: None }
    }

    fn error_code(channel: &mut EmbedChannel) -> Option<&'static str> {
        match channel.poll_post()?.message {
            FrameMessage::Error { code, .. } => Some(code),
            _ => None,
        }
    }

    #[test]
    fn only_ready_goes_to_anyone() {
        let mut channel = EmbedChannel::new(None);
        channel.send(title("secret"));
        let ready = r#"{"type":"moorline.ready","version":1}"#.to_owned();
        assert_eq!(posts(&mut channel), [(PostTarget::Any, ready.clone())]);
        let mut named = EmbedChannel::new(Some("app://obsidian.md".to_owned()));
        let app = PostTarget::Origin("app://obsidian.md".to_owned());
        assert_eq!(posts(&mut named), [(app, ready)]);
    }

    #[test]
    fn the_first_hello_pins_the_origin() {
        let mut channel = EmbedChannel::new(None);
        posts(&mut channel);
        channel.send(title("one"));
        channel.send(title("two"));
        let hello = channel.receive(true, NOTES, HELLO).unwrap();
        let token = Some("abc".to_owned());
        let expected = EmbedHello { version: 1, token, ..EmbedHello::default() };
        assert_eq!(hello, ParentMessage::Hello(expected));
        let target = PostTarget::Origin(NOTES.to_owned());
        let latest = r#"{"type":"moorline.title","name":"two"}"#.to_owned();
        assert_eq!(posts(&mut channel), [(target, latest)]);
        for (is_parent, origin) in
            [(true, "https://evil.example"), (false, NOTES), (true, "null"), (true, "")]
        {
            assert_eq!(channel.receive(is_parent, origin, HELLO), None);
        }
        assert_eq!((channel.ignored(), posts(&mut channel).len()), (4, 0));
    }

    #[test]
    fn a_parent_that_the_browser_names_is_the_only_one() {
        let mut channel = EmbedChannel::new(Some(NOTES.to_owned()));
        posts(&mut channel);
        assert_eq!(channel.receive(true, "https://evil.example", HELLO), None);
        assert!(!channel.is_open());
        assert!(channel.receive(true, NOTES, HELLO).is_some());
        assert_eq!(channel.ignored(), 1);
    }

    #[test]
    fn nothing_counts_before_the_hello() {
        let mut channel = EmbedChannel::new(Some(NOTES.to_owned()));
        posts(&mut channel);
        let insert = r#"{"type":"moorline.insert","text":"rm -rf /"}"#;
        assert_eq!(channel.receive(true, NOTES, insert), None);
        assert_eq!(channel.ignored(), 1);
        channel.receive(true, NOTES, HELLO);
        assert!(channel.receive(true, NOTES, insert).is_some());
    }

    #[test]
    fn what_cannot_be_used_is_answered_with_a_code() {
        let mut channel = EmbedChannel::new(Some(NOTES.to_owned()));
        posts(&mut channel);
        channel.receive(true, NOTES, HELLO);
        let long = "x".repeat(PROMPT_BYTES + 1);
        let huge = "x".repeat(EMBED_MESSAGE_BYTES);
        for (text, code) in [
            (r#"{"type":"moorline.hello"}"#.to_owned(), "version"),
            (r#"{"type":"moorline.token"}"#.to_owned(), "invalid_message"),
            ("[]".to_owned(), "invalid_message"),
            (format!(r#"{{"type":"moorline.insert","text":"{long}"}}"#), "too_large"),
            (format!(r#"{{"type":"moorline.insert","text":"{huge}"}}"#), "too_large"),
        ] {
            assert_eq!(channel.receive(true, NOTES, &text), None);
            assert_eq!(error_code(&mut channel), Some(code));
        }
        assert_eq!(channel.receive(true, NOTES, r#"{"type":"moorline.later"}"#), None);
        assert_eq!(posts(&mut channel), []);
    }
}
