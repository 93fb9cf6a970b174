//! Recognises what one finger does on a terminal: scroll, fling, tap or long press. Plain numbers,
//! without the DOM.

use moorline_shared::time::Time;

/// A finger that moves less than this distance counts as resting.
const SLOP_PX: f64 = 8.0;
/// Time after which a resting finger starts to select, in milliseconds.
pub const LONG_PRESS_MS: u64 = 500;
/// Time in which a fling slows down to about a third (1/e) of its speed, in milliseconds.
const SLOWS_MS: f64 = 325.0;
/// Speed below which a fling stops, in CSS pixels per millisecond.
const STANDS: f64 = 0.05;
/// Longest time between the last movement and the finger leaving that still makes a fling, in
/// milliseconds.
const RECENT_MS: u64 = 100;

/// A position in the viewport, in CSS pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spot {
    /// Distance from the left edge.
    pub x: f64,
    /// Distance from the top edge.
    pub y: f64,
}

/// A movement of the content that follows a finger, in CSS pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pan {
    /// Horizontal movement; right is positive.
    pub x: f64,
    /// Vertical movement; down is positive.
    pub y: f64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum GesturePhase {
    #[default]
    Rest,
    /// The finger has come down and has not moved.
    Down,
    Panning,
    Selecting,
    Coasting {
        since: Time,
    },
}

/// The state of one finger's gesture.
#[derive(Debug, Clone, Default)]
pub struct Gesture {
    phase: GesturePhase,
    down: Time,
    spot: Spot,
    moved: Time,
    /// Vertical speed in CSS pixels per millisecond; down is positive.
    speed: f64,
}

impl Gesture {
    /// Handles a finger that comes down. Stops a fling.
    pub fn down(&mut self, now: Time, spot: Spot) {
        *self = Self { phase: GesturePhase::Down, down: now, spot, moved: now, speed: 0.0 };
    }

    /// Handles a finger that moves. Returns the movement of the content, or `None` if it stays in
    /// place.
    pub fn moved(&mut self, now: Time, spot: Spot) -> Option<Pan> {
        let pan = Pan { x: spot.x - self.spot.x, y: spot.y - self.spot.y };
        match self.phase {
            GesturePhase::Down if pan.x.hypot(pan.y) < SLOP_PX => return None,
            GesturePhase::Down => self.phase = GesturePhase::Panning,
            GesturePhase::Panning => {}
            GesturePhase::Rest | GesturePhase::Selecting | GesturePhase::Coasting { .. } => {
                return None;
            }
        }
        let elapsed = (now - self.moved).as_millis().max(1) as f64;
        // Averaged with the previous speed, because a finger trembles.
        self.speed = (self.speed + pan.y / elapsed) / 2.0;
        (self.spot, self.moved) = (spot, now);
        Some(pan)
    }

    /// Starts to select if the finger has rested for [`LONG_PRESS_MS`]. Returns true if it starts
    /// now.
    pub fn has_pressed(&mut self, now: Time) -> bool {
        let pressed = self.phase == GesturePhase::Down
            && (now - self.down).as_millis() as u64 >= LONG_PRESS_MS;
        if pressed {
            self.phase = GesturePhase::Selecting;
        }
        pressed
    }

    /// Returns true while the finger selects.
    #[must_use]
    pub fn is_selecting(&self) -> bool {
        self.phase == GesturePhase::Selecting
    }

    /// Handles a finger that leaves. Returns true if the content keeps moving: see
    /// [`Gesture::coast`].
    pub fn up(&mut self, now: Time) -> bool {
        let recent = (now - self.moved).as_millis() as u64 <= RECENT_MS;
        let flings = self.phase == GesturePhase::Panning && recent && self.speed.abs() > STANDS;
        self.phase =
            if flings { GesturePhase::Coasting { since: now } } else { GesturePhase::Rest };
        flings
    }

    /// Ends the gesture: a second finger came down, or the browser took it over.
    pub fn cancel(&mut self) {
        self.phase = GesturePhase::Rest;
    }

    /// Returns how far the content has coasted since the last call, in CSS pixels, or `None` once
    /// it has stopped.
    pub fn coast(&mut self, now: Time) -> Option<f64> {
        let GesturePhase::Coasting { since } = self.phase else { return None };
        let elapsed = (now - since).as_millis() as f64;
        let left = (-elapsed / SLOWS_MS).exp();
        let gone = self.speed * SLOWS_MS * (1.0 - left);
        self.speed *= left;
        self.phase = GesturePhase::Coasting { since: now };
        if self.speed.abs() < STANDS {
            self.phase = GesturePhase::Rest;
            return None;
        }
        Some(gone)
    }
}

/// Converts pixels into whole lines and carries the remainder over.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lines(f64);

impl Lines {
    /// Returns the number of lines to scroll when the content moves down by `pixels`. Negative is
    /// up.
    pub fn of(&mut self, pixels: f64, line_px: f64) -> i32 {
        if line_px <= 0.0 {
            return 0;
        }
        self.0 -= pixels / line_px;
        let whole = self.0.trunc();
        self.0 -= whole;
        whole as i32
    }

    /// Drops the remainder that was carried over.
    pub fn reset(&mut self) {
        self.0 = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn at(ms: u64) -> Time {
        Time::from_ms(ms)
    }

    fn spot(y: f64) -> Spot {
        Spot { x: 0.0, y }
    }

    #[test]
    fn a_swipe_pans_and_goes_on_slower_and_slower() {
        let mut finger = Gesture::default();
        finger.down(at(0), spot(300.0));
        assert_eq!(finger.moved(at(10), spot(297.0)), None, "it trembles");
        let mut panned = 0.0;
        for step in 1..=10 {
            let y = 300.0 + f64::from(step) * 20.0;
            panned += finger.moved(at(10 + step as u64 * 10), spot(y)).unwrap().y;
        }
        assert!((panned - 200.0).abs() < 0.01, "{panned}");
        assert!(finger.up(at(115)));
        let mut gone = Vec::new();
        for frame in 1..400 {
            gone.extend(finger.coast(at(115 + frame * 16)));
        }
        assert!(gone.len() > 10 && gone.iter().sum::<f64>() > 200.0, "{gone:?}");
        assert!(gone.windows(2).all(|pair| pair[1] <= pair[0]), "{gone:?}");
        assert_eq!(finger.coast(at(9_000)), None);
    }

    #[test]
    fn a_finger_that_stops_before_it_leaves_flings_nothing() {
        let mut finger = Gesture::default();
        finger.down(at(0), spot(0.0));
        finger.moved(at(20), spot(80.0));
        assert!(!finger.up(at(400)));
        assert_eq!(finger.coast(at(416)), None);
    }

    #[test]
    fn a_long_press_selects_and_a_moving_finger_does_not() {
        let mut finger = Gesture::default();
        finger.down(at(0), spot(0.0));
        assert!(!finger.has_pressed(at(LONG_PRESS_MS - 1)));
        assert!(finger.has_pressed(at(LONG_PRESS_MS)) && finger.is_selecting());
        assert_eq!(finger.moved(at(600), spot(50.0)), None, "it selects now");
        assert!(!finger.up(at(700)));
        finger.down(at(1_000), spot(0.0));
        finger.moved(at(1_100), spot(50.0));
        assert!(!finger.has_pressed(at(2_000)));
        finger.cancel();
        assert_eq!(finger.moved(at(2_100), spot(90.0)), None);
    }

    #[test]
    fn pixels_add_up_to_lines() {
        let mut lines = Lines::default();
        let all: Vec<i32> = (0..6).map(|_| lines.of(10.0, 16.0)).collect();
        assert_eq!(all.iter().sum::<i32>(), -3, "{all:?}");
        lines.reset();
        assert_eq!((lines.of(-40.0, 16.0), lines.of(1.0, 0.0)), (2, 0));
    }
}
