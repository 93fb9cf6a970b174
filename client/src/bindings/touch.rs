//! Touch input on the terminal. xterm.js supports only mice and wheels.
//!
//! One finger scrolls and flings. If the program takes the mouse or has the alternate screen, it
//! gets what a wheel would send: reports or arrow keys. A long press selects. Two fingers are left
//! to the browser, which zooms (`touch-action` in the style sheet).

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use gloo_events::{EventListener, EventListenerOptions, EventListenerPhase};
use gloo_timers::callback::Timeout;
use wasm_bindgen::JsCast;
use web_sys::{Element, Event, HtmlElement, TouchEvent, WheelEvent, WheelEventInit};

use super::clock;
use super::gesture::{Gesture, LONG_PRESS_MS, Lines, Pan, Spot};
use super::observe::FrameRequest;
use super::overscroll::is_at_top;
use super::screen_event::ScreenEvent;
use super::xterm::Terminal;

/// The most wheel steps that a program gets for one movement.
const MOST_STEPS: i32 = 50;

/// A cell of the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct CellPlace {
    row: u32,
    col: u32,
}

/// Listens to touches until dropped.
pub(super) struct Touch {
    _listeners: Vec<EventListener>,
    _hand: Rc<Hand>,
}

struct Hand {
    terminal: Terminal,
    place: HtmlElement,
    happened: Box<dyn Fn(ScreenEvent)>,
    gesture: RefCell<Gesture>,
    lines: Cell<Lines>,
    spot: Cell<Spot>,
    /// The first and last cell of the word that was pressed.
    word: Cell<Option<(CellPlace, CellPlace)>>,
    press: RefCell<Option<Timeout>>,
    frame: OnceCell<FrameRequest>,
}

impl Touch {
    /// Listens to touches in `place`, which holds the terminal. `happened` receives selections, and
    /// pulls beyond the first line.
    pub(super) fn new(
        terminal: &Terminal,
        place: &HtmlElement,
        happened: impl Fn(ScreenEvent) + 'static,
    ) -> Self {
        let hand = Rc::new(Hand {
            terminal: terminal.clone(),
            place: place.clone(),
            happened: Box::new(happened),
            gesture: RefCell::default(),
            lines: Cell::default(),
            spot: Cell::default(),
            word: Cell::default(),
            press: RefCell::default(),
            frame: OnceCell::new(),
        });
        let coasting = Rc::downgrade(&hand);
        let frame = FrameRequest::new(move || {
            if let Some(hand) = coasting.upgrade() {
                hand.coast();
            }
        });
        let _ = hand.frame.set(frame);
        let listen = |kind: &'static str, heard: fn(&Rc<Hand>, &Event)| {
            let hand = Rc::clone(&hand);
            let options = EventListenerOptions {
                phase: EventListenerPhase::Bubble,
                ..EventListenerOptions::enable_prevent_default()
            };
            EventListener::new_with_options(place, kind, options, move |event| heard(&hand, event))
        };
        let listeners = vec![
            listen("touchstart", |hand, event| hand.start(event)),
            listen("touchmove", |hand, event| hand.moved(event)),
            listen("touchend", |hand, event| hand.end(event)),
            listen("touchcancel", |hand, _| hand.cancel()),
            listen("contextmenu", |hand, event| {
                // A long press keeps its selection instead of opening a menu.
                if hand.gesture.borrow().is_selecting() {
                    event.prevent_default();
                }
            }),
        ];
        Self { _listeners: listeners, _hand: hand }
    }
}

fn spot_of(event: &Event) -> Option<Spot> {
    let touches = event.unchecked_ref::<TouchEvent>().touches();
    let touch = touches.get(0).filter(|_| touches.length() == 1)?;
    Some(Spot { x: f64::from(touch.client_x()), y: f64::from(touch.client_y()) })
}

impl Hand {
    fn start(self: &Rc<Self>, event: &Event) {
        let Some(spot) = spot_of(event) else { return self.cancel() };
        self.gesture.borrow_mut().down(clock::time_of(event), spot);
        self.spot.set(spot);
        self.lines.take();
        (self.happened)(ScreenEvent::Selected(false));
        let hand = Rc::downgrade(self);
        // A timer may ring a little early.
        let press = Timeout::new(LONG_PRESS_MS as u32 + 20, move || {
            if let Some(hand) = hand.upgrade() {
                hand.pressed();
            }
        });
        *self.press.borrow_mut() = Some(press);
    }

    fn moved(&self, event: &Event) {
        let Some(spot) = spot_of(event) else { return self.cancel() };
        self.spot.set(spot);
        if self.gesture.borrow().is_selecting() {
            event.prevent_default();
            return self.select_to(spot);
        }
        let pan = self.gesture.borrow_mut().moved(clock::time_of(event), spot);
        if let Some(pan) = pan {
            event.prevent_default();
            self.press.take();
            self.pan(pan);
        }
    }

    fn end(&self, event: &Event) {
        self.press.take();
        if self.gesture.borrow().is_selecting() {
            // Prevents the click that would follow and remove the selection.
            event.prevent_default();
            (self.happened)(ScreenEvent::Selected(self.terminal.has_selection()));
        }
        if self.gesture.borrow_mut().up(clock::time_of(event)) {
            self.frame.get().into_iter().for_each(FrameRequest::ask);
        }
    }

    fn cancel(&self) {
        self.press.take();
        self.gesture.borrow_mut().cancel();
    }

    fn coast(&self) {
        let gone = self.gesture.borrow_mut().coast(clock::now());
        if let Some(y) = gone {
            self.pan(Pan { x: 0.0, y });
            self.frame.get().into_iter().for_each(FrameRequest::ask);
        }
    }

    /// Moves a terminal that is larger than its place within it. Scrolls lines once it cannot move.
    fn pan(&self, pan: Pan) {
        let place = &self.place;
        place.set_scroll_left(place.scroll_left() - pan.x.round() as i32);
        let before = place.scroll_top();
        place.set_scroll_top(before - pan.y.round() as i32);
        if place.scroll_top() != before {
            return;
        }
        let mut lines = self.lines.get();
        let steps = lines.of(pan.y, self.cell_size().1);
        self.lines.set(lines);
        if steps != 0 {
            self.scroll(steps);
        }
    }

    fn scroll(&self, lines: i32) {
        let wheel = matches!(
            self.terminal.modes().mouse_tracking_mode().as_str(),
            "vt200" | "drag" | "any"
        );
        if !wheel && self.terminal.buffer().active().kind() == "normal" {
            if lines < 0 && is_at_top(&self.terminal) {
                (self.happened)(ScreenEvent::BeyondTop);
            }
            return self.terminal.scroll_lines(lines);
        }
        let Some(screen) = self.screen() else { return };
        for _ in 0..lines.abs().min(MOST_STEPS) {
            let wheel = WheelEventInit::new();
            wheel.set_bubbles(true);
            wheel.set_cancelable(true);
            wheel.set_delta_mode(WheelEvent::DOM_DELTA_LINE);
            wheel.set_delta_y(f64::from(lines.signum()));
            wheel.set_client_x(self.spot.get().x as i32);
            wheel.set_client_y(self.spot.get().y as i32);
            if let Ok(event) = WheelEvent::new_with_event_init_dict("wheel", &wheel) {
                // Fails only for an event that is being dispatched.
                let _ = screen.dispatch_event(&event);
            }
        }
    }

    fn pressed(&self) {
        if !self.gesture.borrow_mut().has_pressed(clock::now()) {
            return;
        }
        let Some(cell) = self.cell_at(self.spot.get()) else { return };
        self.word.set(Some(self.word_at(cell)));
        self.select_to(self.spot.get());
    }

    /// Selects from the word that was pressed to the cell under the finger.
    fn select_to(&self, spot: Spot) {
        let (Some((first, last)), Some(cell)) = (self.word.get(), self.cell_at(spot)) else {
            return;
        };
        let (first, last) = (first.min(cell), last.max(cell));
        let cols = u32::from(self.terminal.cols());
        let length = (last.row - first.row) * cols + last.col + 1 - first.col;
        self.terminal.select(first.col, first.row, length);
    }

    fn word_at(&self, cell: CellPlace) -> (CellPlace, CellPlace) {
        let Some(line) = self.terminal.buffer().active().get_line(cell.row) else {
            return (cell, cell);
        };
        let is_word = |col: u32| {
            let found = line.get_cell(col);
            // The second half of a wide character is empty and has no width.
            found.is_some_and(|cell| cell.width() == 0 || !cell.chars().trim().is_empty())
        };
        if !is_word(cell.col) {
            return (cell, cell);
        }
        let (mut first, mut last) = (cell.col, cell.col);
        while first > 0 && is_word(first - 1) {
            first -= 1;
        }
        while last + 1 < u32::from(self.terminal.cols()) && is_word(last + 1) {
            last += 1;
        }
        (CellPlace { col: first, ..cell }, CellPlace { col: last, ..cell })
    }

    fn screen(&self) -> Option<Element> {
        self.place.query_selector(".xterm-screen").ok().flatten()
    }

    fn cell_size(&self) -> (f64, f64) {
        let Some(screen) = self.screen().map(|screen| screen.get_bounding_client_rect()) else {
            return (0.0, 0.0);
        };
        let (cols, rows) = (f64::from(self.terminal.cols()), f64::from(self.terminal.rows()));
        (screen.width() / cols, screen.height() / rows)
    }

    fn cell_at(&self, spot: Spot) -> Option<CellPlace> {
        let screen = self.screen()?.get_bounding_client_rect();
        let (width, height) = self.cell_size();
        let within = |pixels: f64, cell: f64, count: u16| {
            ((pixels / cell).floor().max(0.0) as u32).min(u32::from(count).saturating_sub(1))
        };
        let col = within(spot.x - screen.left(), width, self.terminal.cols());
        let row = within(spot.y - screen.top(), height, self.terminal.rows());
        Some(CellPlace { row: self.terminal.buffer().active().viewport_y() + row, col })
    }
}
