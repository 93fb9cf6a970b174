//! The object itself: what it has in memory, which can be gone at any event.
//!
//! Whoever works on the session takes it out, and puts it back settled. So an exception in the
//! middle leaves nothing but a session that is to be loaded again, as after any loss of memory.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures_channel::oneshot;
use futures_util::future::{Either, select};
use js_sys::{Math, parse_float};
use moorline_shared::time::Time;
use worker::wasm_bindgen_futures::spawn_local;
use worker::{Date, Delay, Env, State, console_error};

use super::bell::Bell;
use super::loaded::Loaded;
use super::settling::Due;
use crate::sql::SqlError;

/// The variable that makes the object lose its memory at a share of its events, as it may at any:
/// for tests, because the runtime loses it only when nothing happens.
const FORGETS_VARIABLE: &str = "MOORLINE_FORGETS";
/// How long a session that could not be stored or read is left alone.
const AFTER_FAILURE: Duration = Duration::from_secs(2);

/// Why nothing can be done with the session.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// There is none with this id.
    #[error("there is no session {0}")]
    NoSession(String),
    /// Its rows cannot be read or written.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

/// See the module.
pub(super) struct Object {
    pub(super) state: State,
    pub(super) env: Env,
    loaded: Cell<Option<Box<Loaded>>>,
    /// How often the session was loaded: who holds on to a part of it is told apart by that.
    lives: Cell<u64>,
    /// It was removed, though its rows may not all be gone: nothing reads them any more.
    removed: Cell<bool>,
    changed: Bell,
    timer: Cell<Option<Timer>>,
    /// At this share of its events what is in memory is lost: [`FORGETS_VARIABLE`].
    forgets: f64,
}

/// A timer that runs until it is dropped.
struct Timer {
    at: Time,
    _stop: oneshot::Sender<()>,
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Object").field("lives", &self.lives).finish_non_exhaustive()
    }
}

impl Object {
    pub(super) fn new(state: State, env: Env) -> Rc<Self> {
        let forgets = number(&env, FORGETS_VARIABLE);
        Rc::new(Self {
            state,
            env,
            forgets: forgets.unwrap_or_default(),
            loaded: Cell::new(None),
            lives: Cell::new(0),
            removed: Cell::new(false),
            changed: Bell::default(),
            timer: Cell::new(None),
        })
    }

    /// Works on the session, and carries out what follows.
    ///
    /// # Errors
    /// [`Fault`]; `work` may have been done all the same, but is not stored.
    pub(super) fn with<T>(
        self: &Rc<Self>,
        work: impl FnOnce(&mut Loaded) -> T,
    ) -> Result<T, Fault> {
        if self.forgets > 0.0 && Math::random() < self.forgets {
            self.forget();
        }
        let mut loaded = self.take()?;
        let result = work(&mut loaded);
        match loaded.settle(now()) {
            Ok(due) => {
                let rings = due.rings;
                self.carry_out(&mut loaded, due);
                self.loaded.set(Some(loaded));
                if rings {
                    self.changed.ring();
                }
                Ok(result)
            }
            Err(error) => {
                // What is not stored the host still has.
                console_error!("the session cannot be stored: {error}");
                self.changed.ring();
                self.arm(Some(now() + AFTER_FAILURE));
                Err(error.into())
            }
        }
    }

    /// Reads from the session: nothing follows from that.
    pub(super) fn peek<T>(&self, read: impl FnOnce(&mut Loaded) -> T) -> Result<T, Fault> {
        let mut loaded = self.take()?;
        let result = read(&mut loaded);
        self.loaded.set(Some(loaded));
        Ok(result)
    }

    /// As [`Object::with`], for those who can do nothing about a fault.
    pub(super) fn attempt(self: &Rc<Self>, work: impl FnOnce(&mut Loaded)) {
        match self.with(work) {
            Ok(()) | Err(Fault::NoSession(_)) => {}
            Err(Fault::Sql(error)) => console_error!("the session cannot be used: {error}"),
        }
    }

    /// The session's id, which is the object's name.
    pub(super) fn name(&self) -> String {
        self.state.id().name().unwrap_or_default()
    }

    /// Which loading of the session this is.
    pub(super) const fn life(&self) -> u64 {
        self.lives.get()
    }

    /// Forgets what is in memory.
    pub(super) fn forget(&self) {
        self.loaded.set(None);
        self.timer.set(None);
    }

    /// The session is being removed, or another one of its id begins.
    pub(super) fn set_removed(&self, removed: bool) {
        self.forget();
        self.removed.set(removed);
        self.changed.ring();
    }

    /// How often the session has changed: see [`Object::changed`].
    pub(super) const fn seen(&self) -> u64 {
        self.changed.rung()
    }

    /// Returns when the session has changed since it was `seen`, or the time has come.
    pub(super) async fn changed(&self, seen: u64, until: Time) {
        let changed = std::pin::pin!(self.changed.after(seen));
        let timer = Delay::from(until - now());
        match select(changed, timer).await {
            Either::Left(_) | Either::Right(_) => {}
        }
    }

    fn take(&self) -> Result<Box<Loaded>, Fault> {
        if let Some(loaded) = self.loaded.take() {
            return Ok(loaded);
        }
        if self.removed.get() {
            return Err(Fault::NoSession(self.name()));
        }
        self.lives.set(self.lives.get() + 1);
        let loaded = Loaded::load(&self.state, &self.env, now())?;
        loaded.map(Box::new).ok_or_else(|| Fault::NoSession(self.name()))
    }

    fn carry_out(self: &Rc<Self>, loaded: &mut Loaded, due: Due) {
        self.arm(due.wake_at);
        if let Some(at) = due.alarm_at {
            self.set_alarm(at);
        }
        if due.tell {
            self.tell(loaded);
        }
    }

    /// Looks after the session again at this time, and not before. An object that waits for a
    /// timer does not sleep.
    fn arm(self: &Rc<Self>, at: Option<Time>) {
        let timer = self.timer.take();
        if timer.as_ref().map(|timer| timer.at) == at {
            self.timer.set(timer);
            return;
        }
        // Dropping it is what ends the old one.
        drop(timer);
        let Some(at) = at else { return };
        let (stop, stopped) = oneshot::channel::<()>();
        self.timer.set(Some(Timer { at, _stop: stop }));
        let object = Rc::clone(self);
        spawn_local(async move {
            if let Either::Right(_) = select(stopped, Delay::from(at - now())).await {
                let timer = object.timer.take();
                object.timer.set(timer.filter(|timer| timer.at != at));
                object.attempt(Loaded::wake);
            }
        });
    }

    /// Has the alarm go off at this time.
    pub(super) fn set_alarm(&self, at: Time) {
        let storage = self.state.storage();
        let in_ms = i64::try_from((at - now()).as_millis()).unwrap_or(i64::MAX);
        spawn_local(async move {
            if let Err(error) = storage.set_alarm(in_ms).await {
                console_error!("the alarm cannot be set: {error}");
            }
        });
    }
}

/// A variable that is a number. The runtime reads it: Rust's own tables for that are 10 KiB of the
/// Worker.
pub(super) fn number(env: &Env, name: &str) -> Option<f64> {
    let number = parse_float(&env.var(name).ok()?.to_string());
    (!number.is_nan()).then_some(number)
}

/// The time, in milliseconds since 1970: a session may be put away between two events, and what it
/// remembers of the time must still be true.
pub(super) fn now() -> Time {
    Time::from_ms(wall_ms())
}

/// Milliseconds since 1970.
pub(super) fn wall_ms() -> u64 {
    Date::now().as_millis()
}
