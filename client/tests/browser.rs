//! Tests of the bindings in a real browser: `wasm-bindgen-test-runner` with `CHROMEDRIVER` set.
#![cfg(target_arch = "wasm32")]
#![expect(clippy::unwrap_used, reason = "what fails a test here fails by it")]

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{ArrayBuffer, Object, Promise, Reflect, Uint8Array};
use moorline_client::bindings::look::{FontSize, Theme};
use moorline_client::bindings::screen::{
    Chunk, EmulatorCode, KeyRoute, Screen, ScreenEvent, SearchCode, frame_header,
};
use moorline_client::bindings::socket::{Socket, SocketEvent};
use moorline_client::bindings::storage::{self, Area};
use moorline_client::session::EventSubscription;
use moorline_client::session::conversation::{UserRequest, kept};
use moorline_shared::frame::Frame;
use moorline_shared::id::{Seq, SessionId, TurnId};
use moorline_shared::message::close;
use moorline_shared::rest::SendPrompt;
use moorline_shared::session::Size;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

// The server of the tests has no file beside the page.
#[wasm_bindgen(module = "/node_modules/moorline/xterm.js")]
extern "C" {
    #[wasm_bindgen(thread_local_v2, js_name = Terminal)]
    static TERMINAL: JsValue;
    #[wasm_bindgen(thread_local_v2, js_name = ClipboardAddon)]
    static CLIPBOARD: JsValue;
    #[wasm_bindgen(thread_local_v2, js_name = FitAddon)]
    static FIT: JsValue;
    #[wasm_bindgen(thread_local_v2, js_name = HostAddon)]
    static HOST: JsValue;
    #[wasm_bindgen(thread_local_v2, js_name = WebLinksAddon)]
    static WEB_LINKS: JsValue;
}

#[wasm_bindgen(module = "/node_modules/moorline/search.js")]
extern "C" {
    #[wasm_bindgen(thread_local_v2, js_name = SearchAddon)]
    static SEARCH: JsValue;
}

type Seen = Rc<RefCell<Vec<ScreenEvent>>>;

fn screen() -> (Screen, Seen) {
    let document = web_sys::window().unwrap().document().unwrap();
    let place = document.create_element("div").unwrap();
    document.body().unwrap().append_child(&place).unwrap();
    let seen = Seen::default();
    let tell = Rc::clone(&seen);
    let module = Object::new();
    for (name, class) in [
        ("Terminal", TERMINAL.with(JsValue::clone)),
        ("ClipboardAddon", CLIPBOARD.with(JsValue::clone)),
        ("FitAddon", FIT.with(JsValue::clone)),
        ("HostAddon", HOST.with(JsValue::clone)),
        ("WebLinksAddon", WEB_LINKS.with(JsValue::clone)),
    ] {
        Reflect::set(&module, &name.into(), &class).unwrap();
    }
    let screen = Screen::open(
        &EmulatorCode::from_module(module.into()),
        place.unchecked_ref(),
        Theme::Dark,
        FontSize::default(),
        move |event| tell.borrow_mut().push(event),
        |_| KeyRoute::Terminal,
    );
    (screen, seen)
}

/// Writes, waits until it is parsed, and returns the answer.
async fn write(screen: &Screen, bytes: &[u8], replayed: bool) -> Option<String> {
    let replies = Rc::new(RefCell::new(None));
    let told = Rc::clone(&replies);
    let mut written = move |resolve: js_sys::Function, _| {
        let told = Rc::clone(&told);
        screen.write(&Chunk::copy(bytes), replayed, move |replies| {
            *told.borrow_mut() = replies;
            resolve.call0(&wasm_bindgen::JsValue::NULL).unwrap();
        });
    };
    let parsed: Promise = Promise::new(&mut written);
    JsFuture::from(parsed).await.unwrap();
    replies.take()
}

#[wasm_bindgen_test]
async fn a_terminal_may_go_while_it_still_parses() {
    let errors = Rc::new(RefCell::new(Vec::new()));
    let told = Rc::clone(&errors);
    let window = web_sys::window().unwrap();
    let _listener = gloo_events::EventListener::new(&window, "error", move |event| {
        event.prevent_default();
        told.borrow_mut().push(Reflect::get(event, &"message".into()).unwrap());
    });
    let (gone, _) = screen();
    for _ in 0..3 {
        gone.write(&Chunk::copy(b"still being parsed"), false, |_| panic!("nobody is told"));
    }
    drop(gone);
    // Another terminal parses after it.
    let (other, _) = screen();
    write(&other, b"x", false).await;
    assert!(errors.borrow().is_empty(), "{errors:?}");
}

/// Returns what the terminal has sent as if it was typed.
fn typed(seen: &Seen) -> Vec<String> {
    let events = std::mem::take(&mut *seen.borrow_mut());
    let data = |event| match event {
        ScreenEvent::Data(data) => Some(data),
        _ => None,
    };
    events.into_iter().filter_map(data).collect()
}

fn encoded(seq: u64, data: &[u8]) -> ArrayBuffer {
    let frame = Frame::copy(Seq(seq), data).unwrap();
    Uint8Array::from(&frame.encoded()[..]).buffer()
}

/// The queries that the terminal answers, each with the beginning of its answer.
const QUERIES: [(&str, &str); 16] = [
    ("\x1b[c", "\x1b[?1;2c"),
    ("\x1b[>c", "\x1b[>0;276;0c"),
    ("\x1b[=c", "\x1bP!|"),
    ("\x1b[>q", "\x1bP>|Moorline("),
    ("\x1b[5n", "\x1b[0n"),
    ("\x1b[6n", "\x1b[1;"),
    ("\x1b[?6n", "\x1b[?1;"),
    ("\x1b[?25$p", "\x1b[?25;"),
    ("\x1b[4$p", "\x1b[4;"),
    ("\x1b[14t", "\x1b[4;"),
    ("\x1b[16t", "\x1b[6;"),
    ("\x1b[18t", "\x1b[8;"),
    ("\x1bP$qm\x1b\\", "\x1bP1$r"),
    ("\x1bP+q436f\x1b\\", "\x1bP1+r436f=323536"),
    ("\x1b]4;1;?\x07", "\x1b]4;1;rgb:"),
    ("\x1b]11;?\x07", "\x1b]11;rgb:"),
];

#[wasm_bindgen_test]
async fn live_queries_are_answered_and_replayed_ones_are_not() {
    let (screen, seen) = screen();
    for (query, answer) in QUERIES {
        let replayed = write(&screen, query.as_bytes(), true).await;
        assert_eq!(replayed, None, "a replayed {query:?} was answered");
        let said = write(&screen, query.as_bytes(), false).await.unwrap_or_default();
        assert!(said.starts_with(answer), "{query:?} was answered by {said:?}");
        assert_eq!(typed(&seen), [""; 0], "the answer to {query:?} was typed");
    }
}

#[wasm_bindgen_test]
async fn a_query_that_the_terminal_does_not_know_is_answered_with_nothing() {
    let (screen, seen) = screen();
    let said = write(&screen, b"\x1b]4;999;?\x07", false).await;
    assert_eq!(said.as_deref(), Some(""));
    assert_eq!(write(&screen, b"no query \x1b[1m\x1b[22;0t\x1b[!p", false).await, None);
    screen.paste("typed");
    assert_eq!(typed(&seen), ["typed"]);
}

#[wasm_bindgen_test]
async fn a_request_for_focus_reports_says_nothing_about_a_page_without_the_focus() {
    let (screen, seen) = screen();
    for replayed in [true, false] {
        write(&screen, b"\x1b[5n\x1b[?1004h", replayed).await;
        assert_eq!(typed(&seen), [""; 0]);
    }
}

#[wasm_bindgen_test]
async fn pieces_that_are_parsed_together_keep_their_own_rules() {
    let (screen, _) = screen();
    let said = Rc::new(RefCell::new(Vec::new()));
    for (query, replayed) in [("\x1b[5n", true), ("\x1b[6n", false), ("x", false)] {
        let told = Rc::clone(&said);
        let chunk = Chunk::copy(query.as_bytes());
        screen.write(&chunk, replayed, move |replies| told.borrow_mut().push(replies));
    }
    write(&screen, b"\x1b[5n", true).await;
    assert_eq!(*said.borrow(), [None, Some("\x1b[1;1R".to_owned()), None]);
}

#[wasm_bindgen_test]
async fn nobody_reads_the_clipboard_through_the_terminal() {
    let (screen, seen) = screen();
    assert_eq!(write(&screen, b"\x1b]52;c;?\x07", false).await, None);
    assert_eq!(typed(&seen), [""; 0]);
}

#[wasm_bindgen_test]
async fn the_screen_tells_title_bell_and_text() {
    let (screen, seen) = screen();
    screen.resize(Size { cols: 10, rows: 4 });
    write(&screen, b"\x1b]2;name\x07\x07a long line that wraps\r\nnext", false).await;
    let seen = seen.borrow();
    assert!(seen.contains(&ScreenEvent::Title("name".into())));
    assert!(seen.contains(&ScreenEvent::Bell));
    assert_eq!(screen.text(), "a long line that wraps\nnext");
    assert_eq!(screen.size(), Size { cols: 10, rows: 4 });
}

#[wasm_bindgen_test]
async fn search_counts_matches_once_its_code_is_there() {
    let (screen, seen) = screen();
    write(&screen, b"one two one", false).await;
    screen.end_search();
    let module = Object::new();
    Reflect::set(&module, &"SearchAddon".into(), &SEARCH.with(JsValue::clone)).unwrap();
    let code = SearchCode::from_module(&module);
    for (text, count) in [("one", 2), ("two", 1), ("three", 0)] {
        screen.find(&code, text, true, false);
        let is_match = |event: &ScreenEvent| matches!(event, ScreenEvent::Matches { count: n, .. } if *n == count);
        assert!(seen.borrow().iter().any(is_match), "{text}: {:?}", seen.borrow());
    }
    screen.end_search();
}

#[wasm_bindgen_test]
fn a_frame_is_looked_into_and_not_copied() {
    let buffer = encoded(0x0102_0304_0506, b"data");
    assert_eq!(frame_header(&buffer), Some((0x0102_0304_0506, 4)));
    let chunk = Chunk::of_frame(&buffer).unwrap();
    Uint8Array::new(&buffer).set_index(8, b'D');
    assert_eq!(chunk.to_vec(), b"Data");
    assert_eq!(frame_header(&ArrayBuffer::new(7)), None);
    assert!(Chunk::of_frame(&ArrayBuffer::new(7)).is_none());
}

#[wasm_bindgen_test]
async fn a_dial_that_fails_is_told_once_and_a_malformed_one_at_once() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let closed = Rc::clone(&seen);
    let mut socket = None;
    let mut dial = |resolve: js_sys::Function, _| {
        let closed = Rc::clone(&closed);
        let tell = move |event| {
            closed.borrow_mut().push(format!("{event:?}"));
            if matches!(event, SocketEvent::Closed { .. }) {
                resolve.call0(&wasm_bindgen::JsValue::NULL).unwrap();
            }
        };
        // Nothing listens on this port.
        socket = Socket::dial("ws://127.0.0.1:61999/", &["moorline.v1".to_owned()], tell).ok();
    };
    let told: Promise = Promise::new(&mut dial);
    JsFuture::from(told).await.unwrap();
    assert_eq!(*seen.borrow(), [format!("Closed {{ code: {} }}", close::ABNORMAL)]);
    assert!(Socket::dial("ws://127.0.0.1:61999/", &["not a token".to_owned()], |_| ()).is_err());
}

#[wasm_bindgen_test]
fn storage_keeps_and_forgets() {
    for area in [Area::Tab, Area::Browser] {
        assert!(storage::set(area, "moorline.test", "kept"));
        assert_eq!(storage::get(area, "moorline.test").as_deref(), Some("kept"));
        storage::remove(area, "moorline.test");
        assert_eq!(storage::get(area, "moorline.test"), None);
    }
}

#[wasm_bindgen_test]
fn requests_are_kept_in_order_until_they_are_forgotten() {
    let session: SessionId = "kept_session".parse().unwrap();
    let prompt = |number| {
        let prompt = SendPrompt { command: Some("go".into()), ..SendPrompt::default() };
        UserRequest::Prompt(TurnId::from_random(number), prompt)
    };
    let first = kept::keep(&session, 1, &prompt(1)).unwrap();
    let second = kept::keep(&session, 2, &prompt(2)).unwrap();
    let bad = "moorline.unsent.kept_session.9";
    storage::set(Area::Browser, bad, "not a request");
    let all = kept::kept(&session);
    assert_eq!(all.len(), 2);
    assert_eq!((&all[0].key, &all[0].request), (&first, &prompt(1)));
    assert_eq!((&all[1].key, &all[1].request), (&second, &prompt(2)));
    assert_eq!(storage::get(Area::Browser, bad), None, "what cannot be read is forgotten");
    kept::forget(&first);
    assert_eq!(kept::kept(&session).len(), 1);
    kept::forget_all();
    assert_eq!(kept::kept(&session), []);
}

/// Waits until `tell` has called the function that it is given.
async fn told(mut tell: impl FnMut(js_sys::Function)) {
    let promise: Promise = Promise::new(&mut |resolve, _| tell(resolve));
    JsFuture::from(promise).await.unwrap();
}

#[wasm_bindgen_test]
async fn an_event_stream_tells_events_until_it_is_dropped_by_one() {
    // Stands in for a relay: every socket receives this.
    js_sys::eval(
        r"globalThis.RealSocket = WebSocket;
        const said = new TextEncoder().encode('event: a\ndata: 1\n\n: life\n\ndata: 2\n\ndata: 3\n\n');
        globalThis.WebSocket = class extends EventTarget {
            readyState = 1;
            constructor() {
                super();
                setTimeout(() => {
                    this.dispatchEvent(new Event('open'));
                    this.dispatchEvent(new MessageEvent('message', { data: said.buffer }));
                });
            }
            send() {}
            close() {}
        };",
    )
    .unwrap();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let stream = Rc::new(RefCell::new(None));
    told(|resolve| {
        let (seen, owner) = (Rc::clone(&seen), Rc::clone(&stream));
        let on_event = move |event: moorline_shared::sse::SseEvent| {
            seen.borrow_mut().push(format!("{}={}", event.kind, event.data));
            if event.data == "2" {
                drop(owner.borrow_mut().take());
                resolve.call0(&JsValue::NULL).unwrap();
            }
        };
        let opened = EventSubscription::open("/".to_owned(), None, None, on_event, |_| ());
        *stream.borrow_mut() = Some(opened);
    })
    .await;
    js_sys::eval("globalThis.WebSocket = globalThis.RealSocket").unwrap();
    assert_eq!(*seen.borrow(), ["a=1", "message=2"]);
}
