//! The object and its memory, which can be lost between any two events.
//!
//! Work on the session takes it out of the object and puts it back settled. If an exception
//! interrupts that, the session is loaded again, as after any loss of memory.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures_channel::oneshot;
use futures_util::future::{Either, select};
use js_sys::Math;
use moorline_shared::time::Time;
use worker::wasm_bindgen_futures::spawn_local;
use worker::{Delay, Env, State, console_error, console_warn};

use super::clock::{now, number};
use super::effects::Due;
use super::notifier::ChangeNotifier;
use super::readers::Readers;
use super::state::SessionState;
use crate::internal::{AUDIT, Audited, SUMMARY, SessionUpdate};
use crate::object_client;
use crate::reply::RequestFailure;
use crate::sql::SqlError;

/// The variable that makes the object drop its memory at a share of its events. It is for tests:
/// the runtime evicts an object only while nothing happens.
const FORGETS_VARIABLE: &str = "MOORLINE_FORGETS";
/// Time until a session that could not be stored is loaded and tried again.
const AFTER_FAILURE: Duration = Duration::from_secs(2);

/// Reason why the session cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The session does not exist.
    #[error("the session {0} does not exist")]
    NoSession(String),
    /// The session's rows cannot be read or written.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

/// The object, shared by the tasks of one session.
pub(super) struct Object {
    pub(super) state: State,
    pub(super) env: Env,
    loaded: Cell<Option<Box<SessionState>>>,
    /// Number of times that the session was loaded. It identifies parts that are left from an
    /// earlier load.
    lives: Cell<u64>,
    /// True once the session is removed: its rows are ignored, even if some remain.
    removed: Cell<bool>,
    changed: ChangeNotifier,
    timer: Cell<Option<Timer>>,
    /// Readers of event streams.
    pub(super) readers: Readers,
    /// Share of events (0 to 1) at which the memory is dropped: [`FORGETS_VARIABLE`].
    forgets: f64,
}

/// A running timer; dropping it stops it.
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
            changed: ChangeNotifier::default(),
            timer: Cell::new(None),
            readers: Readers::default(),
        })
    }

    /// Runs `work` on the session, then carries out what follows from it.
    ///
    /// # Errors
    /// [`Fault`]; `work` may have run, but its effects are not stored.
    pub(super) fn with<T>(
        self: &Rc<Self>,
        work: impl FnOnce(&mut SessionState) -> T,
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
                // The host still has what is not stored.
                console_error!("the session cannot be stored: {error}");
                self.changed.ring();
                self.arm(Some(now() + AFTER_FAILURE));
                Err(error.into())
            }
        }
    }

    /// Reads from the session, without carrying anything out afterwards.
    pub(super) fn peek<T>(&self, read: impl FnOnce(&mut SessionState) -> T) -> Result<T, Fault> {
        let mut loaded = self.take()?;
        let result = read(&mut loaded);
        self.loaded.set(Some(loaded));
        Ok(result)
    }

    /// Wakes those who wait for a change.
    pub(super) fn ring(&self) {
        self.changed.ring();
    }

    /// The same as [`Object::with`], for callers that cannot handle a fault: it is logged.
    pub(super) fn attempt(self: &Rc<Self>, work: impl FnOnce(&mut SessionState)) {
        match self.with(work) {
            Ok(()) | Err(Fault::NoSession(_)) => {}
            Err(Fault::Sql(error)) => console_error!("the session cannot be used: {error}"),
        }
    }

    /// The session's id, which is the object's name.
    pub(super) fn name(&self) -> String {
        self.state.id().name().unwrap_or_default()
    }

    /// Number of the current load of the session.
    pub(super) const fn life(&self) -> u64 {
        self.lives.get()
    }

    /// Drops the session from memory, and stops its timer.
    pub(super) fn forget(&self) {
        self.loaded.set(None);
        self.timer.set(None);
    }

    /// Marks the session as removed, or allows a new one with its id.
    pub(super) fn set_removed(&self, removed: bool) {
        self.forget();
        self.removed.set(removed);
        self.changed.ring();
    }

    /// Number of changes of the session so far: see [`Object::changed`].
    pub(super) const fn seen(&self) -> u64 {
        self.changed.rung()
    }

    /// Returns once the number of changes differs from `seen`, or at `until`.
    pub(super) async fn changed(&self, seen: u64, until: Time) {
        let changed = std::pin::pin!(self.changed.after(seen));
        let timer = Delay::from(until - now());
        match select(changed, timer).await {
            Either::Left(_) | Either::Right(_) => {}
        }
    }

    fn take(&self) -> Result<Box<SessionState>, Fault> {
        if let Some(loaded) = self.loaded.take() {
            return Ok(loaded);
        }
        if self.removed.get() {
            return Err(Fault::NoSession(self.name()));
        }
        self.lives.set(self.lives.get() + 1);
        let loaded = SessionState::load(&self.state, &self.env, now())?;
        loaded.map(Box::new).ok_or_else(|| Fault::NoSession(self.name()))
    }

    fn carry_out(self: &Rc<Self>, loaded: &mut SessionState, due: Due) {
        self.arm(due.wake_at);
        if let Some(at) = due.alarm_at {
            self.set_alarm(at);
        }
        if due.tell {
            self.tell(loaded);
        }
        if !due.audit.is_empty() {
            let (object, records) = (Rc::clone(self), due.audit);
            spawn_local(async move { object.audit(&Audited { records }).await });
        }
    }

    /// Sets the timer for the session to this time, or to none. An object that waits for a timer
    /// does not hibernate.
    fn arm(self: &Rc<Self>, at: Option<Time>) {
        let timer = self.timer.take();
        if timer.as_ref().map(|timer| timer.at) == at {
            self.timer.set(timer);
            return;
        }
        // Dropping the old timer ends it.
        drop(timer);
        let Some(at) = at else { return };
        let (stop, stopped) = oneshot::channel::<()>();
        self.timer.set(Some(Timer { at, _stop: stop }));
        let object = Rc::clone(self);
        spawn_local(async move {
            if let Either::Right(_) = select(stopped, Delay::from(at - now())).await {
                let timer = object.timer.take();
                object.timer.set(timer.filter(|timer| timer.at != at));
                object.attempt(SessionState::wake);
            }
        });
    }

    /// Sets the object's alarm to this time.
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

/// Reports to the directory.
impl Object {
    /// Has the directory record what clients have done.
    pub(super) async fn audit(&self, audited: &Audited) {
        let told = async {
            let directory = object_client::directory(&self.env)?;
            object_client::post(&directory, AUDIT, audited).await.map(drop)
        };
        if let Err(failure) = told.await {
            console_warn!("audit events were not recorded: {failure}");
        }
    }

    /// Sends the directory a report, in the background.
    fn tell(self: &Rc<Self>, loaded: &mut SessionState) {
        let (object, update) = (Rc::clone(self), loaded.report.take(&loaded.session));
        spawn_local(async move { object.report(&update).await });
    }

    /// Sends a report now, whatever was sent before, and waits for its answer.
    pub(super) async fn tell_now(self: &Rc<Self>) {
        let Ok(update) = self.with(|loaded| loaded.report.take(&loaded.session)) else { return };
        self.report(&update).await;
    }

    async fn report(self: &Rc<Self>, update: &SessionUpdate) {
        if let Err(error) = self.send(update).await {
            console_warn!("a session's report did not reach the directory: {error}");
            self.attempt(|loaded| loaded.report.was_lost(&update.counted));
        }
    }

    async fn send(&self, update: &SessionUpdate) -> Result<(), RequestFailure> {
        let directory = object_client::directory(&self.env)?;
        object_client::post(&directory, SUMMARY, update).await.map(drop)
    }
}
