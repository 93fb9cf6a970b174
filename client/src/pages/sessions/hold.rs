//! Keeps the list as it is while the user may be aiming at a row.

use gloo_timers::callback::Timeout;
use leptos::prelude::*;

/// Time from when the user has left the list until its rows may move again, in milliseconds. A
/// finger leaves before its tap becomes a click.
const RELEASE_MS: u32 = 400;

/// A way in which a user aims at a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// A pointer is over the list.
    Pointer,
    /// The keyboard's focus is in the list.
    Focus,
    /// The menu of a row is open.
    Menu,
}

/// Tells whether the list must stay as it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct ListHold {
    held: RwSignal<bool>,
    /// The ways in which the user aims now.
    aims: StoredValue<Vec<Aim>>,
    /// Ends the hold after the last aim.
    release: StoredValue<Option<Timeout>, LocalStorage>,
}

impl ListHold {
    pub(super) fn new() -> Self {
        Self {
            held: RwSignal::new(false),
            aims: StoredValue::new(Vec::new()),
            release: StoredValue::new_local(None),
        }
    }

    /// Returns true while nothing may move; tracked.
    pub(super) fn is_held(self) -> bool {
        self.held.get()
    }

    /// Notes that the user begins or ends to aim in this way. Does nothing once the page is gone,
    /// which the browser may tell as the end of the focus.
    pub(super) fn aim(self, aim: Aim, begins: bool) {
        let update = |aims: &mut Vec<Aim>| {
            aims.retain(|known| *known != aim);
            if begins {
                aims.push(aim);
            }
            aims.is_empty()
        };
        let Some(is_over) = self.aims.try_update_value(update) else { return };
        let release = is_over.then(|| Timeout::new(RELEASE_MS, move || self.set(false)));
        let _ = self.release.try_set_value(release);
        if !is_over {
            self.set(true);
        }
    }

    /// Ends the hold at once: the list is gone, and no event will tell that the user has left it.
    pub(super) fn end(self) {
        let _ = self.aims.try_update_value(Vec::clear);
        let _ = self.release.try_set_value(None);
        self.set(false);
    }

    fn set(self, held: bool) {
        if self.held.try_get_untracked().is_some_and(|was| was != held) {
            self.held.set(held);
        }
    }
}
