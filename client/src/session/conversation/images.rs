//! The images of prompts, read from the session's log: the conversation only has where they begin.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use leptos::task::spawn_local;
use moorline_shared::agent::prompt::PromptImage;
use moorline_shared::event::{AgentImage, Connected, Event, EventKind};
use moorline_shared::id::{Cursor, Seq, SessionId, TurnId};
use moorline_shared::message::{EVENTS_SUBPROTOCOL, TOKEN_SUBPROTOCOL_PREFIX};
use moorline_shared::sse::{Parser, SseEvent, SseItem};

use crate::bindings::page;
use crate::bindings::socket::{Socket, SocketEvent, to_vec};
use crate::session::events::TAKEN;

/// The number of prompts whose images a page keeps. A prompt has at most 200 KiB of them.
const KEPT_PROMPTS: usize = 24;
/// Most bytes of the images of a prompt that are read. Relays take fewer.
const IMAGES_BYTES: usize = 1024 * 1024;

/// The images of a prompt, in its order.
pub type ImageList = Arc<[PromptImage]>;

/// The reason why images cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImagesFault {
    /// The log does not have them any more.
    Gone,
    /// They could not be read now.
    Failed,
}

/// The place of a prompt's images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagesPlace {
    /// The turn of the prompt.
    pub turn: TurnId,
    /// The entry with which they begin.
    pub first: Cursor,
}

/// Takes the images that were read.
type ImagesHook = Box<dyn FnOnce(Result<ImageList, ImagesFault>)>;

/// The images of the prompts that a page shows. They are read from the log one prompt after another,
/// and the last ones are kept. Clones share them.
#[derive(Clone, Default)]
pub struct PromptImages(Rc<RefCell<ImagesShelf>>);

#[derive(Default)]
struct ImagesShelf {
    /// The images that are known, oldest first. Those of a prompt that this page has just sent have no
    /// place yet.
    known: VecDeque<(TurnId, Option<Seq>, ImageList)>,
    /// The socket of the reading that is under way.
    reading: Option<Socket>,
    waiting: VecDeque<WantedImages>,
}

struct WantedImages {
    session: SessionId,
    token: Option<String>,
    place: ImagesPlace,
    then: ImagesHook,
}

impl PromptImages {
    /// Keeps the images of a prompt that this page sends.
    pub fn keep(&self, turn: TurnId, images: ImageList) {
        if !images.is_empty() {
            self.0.borrow_mut().keep(turn, None, images);
        }
    }

    /// Returns the images of a prompt that are known. `first` is the entry with which they begin in the
    /// log, if it has them.
    #[must_use]
    pub fn known(&self, turn: &TurnId, first: Option<Seq>) -> Option<ImageList> {
        self.0.borrow_mut().known(turn, first)
    }

    /// Reads the images of a prompt, and calls `then` with them.
    pub fn read(
        &self,
        session: SessionId,
        token: Option<String>,
        place: ImagesPlace,
        then: impl FnOnce(Result<ImageList, ImagesFault>) + 'static,
    ) {
        let then = Box::new(then);
        self.0.borrow_mut().waiting.push_back(WantedImages { session, token, place, then });
        self.read_next();
    }

    fn read_next(&self) {
        while self.0.borrow().reading.is_none() {
            let Some(wanted) = self.0.borrow_mut().waiting.pop_front() else { return };
            let known = self.known(&wanted.place.turn, Some(wanted.place.first.seq));
            match known {
                Some(images) => (wanted.then)(Ok(images)),
                None => self.dial(wanted),
            }
        }
    }

    /// Opens the log where images begin.
    fn dial(&self, wanted: WantedImages) {
        let WantedImages { session, token, place, then } = wanted;
        let address = log_address(&session, place.first);
        let mut protocols = vec![EVENTS_SUBPROTOCOL.to_owned()];
        protocols.extend(token.map(|token| format!("{TOKEN_SUBPROTOCOL_PREFIX}{token}")));
        let all = self.clone();
        let fold = Rc::new(RefCell::new(ImagesFold::new(place.clone())));
        let end = Rc::new(RefCell::new(Some((place, then))));
        let finish = {
            let (all, end) = (all.clone(), Rc::clone(&end));
            move |result| all.finish(&end, result)
        };
        let happened = move |event| match event {
            SocketEvent::Binary(bytes) => {
                let read = fold.borrow_mut().take(&to_vec(&bytes));
                match read {
                    Some(result) => finish(result),
                    None => all.0.borrow().reading.iter().for_each(|it| it.send_text(TAKEN)),
                }
            }
            SocketEvent::Closed { .. } => finish(Err(ImagesFault::Failed)),
            SocketEvent::Opened | SocketEvent::Text(_) => {}
        };
        match Socket::dial(&address, &protocols, happened) {
            Ok(socket) => self.0.borrow_mut().reading = Some(socket),
            Err(_) => self.finish(&end, Err(ImagesFault::Failed)),
        }
    }

    /// Passes on what was read, once, and goes on with the next prompt.
    fn finish(
        &self,
        end: &RefCell<Option<(ImagesPlace, ImagesHook)>>,
        result: Result<ImageList, ImagesFault>,
    ) {
        let Some((place, then)) = end.borrow_mut().take() else { return };
        let socket = self.0.borrow_mut().reading.take();
        // The socket may be what calls this, so it is dropped after it has returned.
        spawn_local(async move { drop(socket) });
        if let Ok(images) = &result {
            self.0.borrow_mut().keep(place.turn, Some(place.first.seq), Arc::clone(images));
        }
        then(result);
        self.read_next();
    }
}

impl ImagesShelf {
    fn known(&mut self, turn: &TurnId, first: Option<Seq>) -> Option<ImageList> {
        let (_, seq, images) = self.known.iter_mut().find(|(known, seq, _)| {
            known == turn && (seq.is_none() || first.is_none() || *seq == first)
        })?;
        *seq = seq.or(first);
        Some(Arc::clone(images))
    }

    fn keep(&mut self, turn: TurnId, seq: Option<Seq>, images: ImageList) {
        self.known.retain(|(known, _, _)| *known != turn);
        self.known.push_back((turn, seq, images));
        if self.known.len() > KEPT_PROMPTS {
            self.known.pop_front();
        }
    }
}

/// Returns the address of a session's log from an entry on.
fn log_address(session: &SessionId, first: Cursor) -> String {
    let after = match first.seq.0.saturating_sub(1) {
        0 => "0".to_owned(),
        seq => Cursor { seq: Seq(seq), ..first }.to_string(),
    };
    page::socket_address(&format!("/api/session/{session}/events?lastEventId={after}"))
}

/// Joins the images of a prompt from a session's event stream.
#[derive(Debug)]
struct ImagesFold {
    parser: Parser,
    place: ImagesPlace,
    images: Vec<PromptImage>,
    bytes: usize,
    /// The last entry of the log when the stream was opened.
    head: Option<Seq>,
}

impl ImagesFold {
    fn new(place: ImagesPlace) -> Self {
        Self { parser: Parser::default(), place, images: Vec::new(), bytes: 0, head: None }
    }

    /// Takes bytes of the stream. Returns the images once all of them were read, or the reason why
    /// they cannot be.
    fn take(&mut self, bytes: &[u8]) -> Option<Result<ImageList, ImagesFault>> {
        let mut events = Vec::new();
        let read = self.parser.push(bytes, |item| {
            if let SseItem::Event(event) = item {
                events.push(event);
            }
        });
        let end = events.iter().find_map(|event| self.event(event));
        end.or(read.err().map(|_| Err(ImagesFault::Failed)))
    }

    fn event(&mut self, event: &SseEvent) -> Option<Result<ImageList, ImagesFault>> {
        let parsed = || serde_json::from_str::<Event>(&event.data).ok();
        match EventKind::of(&event.kind) {
            EventKind::Connected => {
                let connected = parsed()?.into_fields::<Connected>()?;
                self.head = Some(connected.head);
                let is_trimmed = connected.from >= self.place.first.seq
                    || connected.epoch != self.place.first.epoch;
                return is_trimmed.then_some(Err(ImagesFault::Gone));
            }
            EventKind::Gap => return Some(Err(ImagesFault::Gone)),
            EventKind::AgentImage => {
                let image = parsed().and_then(Event::into_fields::<AgentImage>);
                if let Some(image) = image.filter(|image| image.turn_id == self.place.turn)
                    && self.piece(image)
                {
                    let images = std::mem::take(&mut self.images);
                    return Some(Ok(images.into()));
                }
            }
            _ => {}
        }
        let at = event.id.as_deref().and_then(|id| id.parse::<Cursor>().ok())?.seq;
        let is_over = self.bytes > IMAGES_BYTES || self.head.is_some_and(|head| at >= head);
        is_over.then_some(Err(ImagesFault::Gone))
    }

    /// Adds a piece. Returns true if it is the last one.
    fn piece(&mut self, piece: AgentImage) -> bool {
        let AgentImage { image, images, piece, mime_type, data, more, .. } = piece;
        if piece == 0 {
            self.images.truncate(image);
            self.images.push(PromptImage { mime_type, data: String::new() });
        }
        if let Some(image) = self.images.last_mut() {
            self.bytes += data.len();
            image.data.push_str(&data);
        }
        !more && image + 1 >= images
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use moorline_shared::event::{AgentState, EventFields};
    use moorline_shared::id::Epoch;
    use moorline_shared::sse;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn cursor(seq: u64) -> Cursor {
        Cursor { epoch: Epoch(7), seq: Seq(seq) }
    }

    fn turn() -> TurnId {
        "turn_0001".parse().unwrap()
    }

    fn fold(first: u64) -> ImagesFold {
        ImagesFold::new(ImagesPlace { turn: turn(), first: cursor(first) })
    }

    fn encoded<F: EventFields>(seq: Option<u64>, fields: &F) -> String {
        let data = Event::encode(&"session_1".parse().unwrap(), 1, fields);
        sse::encode(F::KIND.as_str(), seq.map(cursor), &data)
    }

    fn connected(from: u64, head: u64) -> String {
        let (from, head, epoch) = (Seq(from), Seq(head), Epoch(7));
        encoded(None, &Connected { from, head, epoch, ..Connected::default() })
    }

    fn piece(seq: u64, (image, piece): (usize, usize), data: &str, more: bool) -> String {
        let (turn_id, mime_type, data) = (turn(), "image/png".to_owned(), data.to_owned());
        let image = AgentImage { turn_id, image, images: 2, piece, mime_type, data, more };
        encoded(Some(seq), &image)
    }

    #[test]
    fn images_are_joined_from_their_pieces() {
        let mut fold = fold(5);
        let begin = connected(4, 20) + &piece(5, (0, 0), "AA", true);
        assert_eq!(fold.take(begin.as_bytes()), None);
        let other = AgentState::default();
        let middle = encoded(Some(6), &other) + &piece(7, (0, 1), "BB", false);
        assert_eq!(fold.take(middle.as_bytes()), None);
        let images = fold.take(piece(8, (1, 0), "CC", false).as_bytes()).unwrap().unwrap();
        let data: Vec<&str> = images.iter().map(|image| &*image.data).collect();
        assert_eq!(data, ["AABB", "CC"]);
    }

    #[test]
    fn what_the_log_has_lost_is_gone() {
        let gone = Some(Err(ImagesFault::Gone));
        assert_eq!(fold(5).take(connected(9, 20).as_bytes()), gone);
        // The log ends before the images do.
        let mut short = fold(5);
        let stream = connected(4, 6) + &piece(5, (0, 0), "AA", true) + &piece(6, (0, 1), "", false);
        assert_eq!(short.take(stream.as_bytes()), gone);
    }

    #[test]
    fn images_are_known_by_their_place() {
        let images = PromptImages::default();
        let image = PromptImage { mime_type: "image/png".into(), data: "AA".into() };
        images.keep(turn(), Arc::from([image]));
        assert!(images.known(&turn(), None).is_some());
        assert!(images.known(&turn(), Some(Seq(3))).is_some());
        assert!(images.known(&turn(), Some(Seq(9))).is_none(), "they were changed meanwhile");
        let other = |number: usize| format!("turn_{number:04}").parse::<TurnId>().unwrap();
        for number in 2..KEPT_PROMPTS + 2 {
            let image = PromptImage { mime_type: "image/png".into(), data: String::new() };
            images.keep(other(number), Arc::from([image]));
        }
        assert!(images.known(&turn(), None).is_none());
    }
}
