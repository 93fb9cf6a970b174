//! The alarm: it comes even where everything in memory is gone.
//!
//! It is a safety net for what timers do while the object is awake, and ends and removes sessions that
//! nobody came back to.

use std::rc::Rc;
use std::time::Duration;

use moorline_shared::session::Lifecycle;
use moorline_shared::time::Time;
use worker::{Env, console_error};

use super::loaded::Loaded;
use super::object::{Fault, Object, now, number};
use crate::asking;
use crate::internal::{GONE, Gone};

/// How long what a timer should have done may wait for the alarm, where memory was lost and nothing
/// has happened since. An alarm keeps the object awake for longer than it otherwise was, so it
/// should be a rare one that comes.
const SAFETY: Duration = Duration::from_secs(60);
/// How long a session that is over, or whose host is away, is kept.
const EXPIRY_DAYS: f64 = 30.0;
/// The variable that says otherwise: days, or a part of one.
const EXPIRY_VARIABLE: &str = "MOORLINE_EXPIRY_DAYS";
/// An expired session is told of for this long, though not for longer than it was kept before, and then
/// it is removed.
const GRACE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const DAY_SECONDS: f64 = 24.0 * 60.0 * 60.0;

/// What becomes of sessions that nobody comes back to.
#[derive(Debug)]
pub(super) struct Expiry {
    after: Duration,
    /// The alarm that is set, as far as is known.
    alarm: Option<Time>,
}

impl Expiry {
    pub(super) fn configured(env: &Env) -> Self {
        let days = number(env, EXPIRY_VARIABLE).filter(|days| *days > 0.0).unwrap_or(EXPIRY_DAYS);
        let after = Duration::try_from_secs_f64(days * DAY_SECONDS).unwrap_or(Duration::MAX);
        Self { after, alarm: None }
    }
}

impl Loaded {
    /// When the alarm must be set to go off, where it is not going to anyway.
    pub(super) fn alarm_at(&mut self, now: Time) -> Option<Time> {
        let unfinished =
            [self.storing.due(), self.listed.due(), self.ack_due()].iter().any(Option::is_some);
        let wanted = unfinished.then(|| now + SAFETY).into_iter().chain(self.ends_at()).min()?;
        if self.expiry.alarm.is_some_and(|alarm| alarm <= wanted) {
            return None;
        }
        self.expiry.alarm = Some(wanted);
        Some(wanted)
    }

    /// When the session expires, or is removed.
    fn ends_at(&self) -> Option<Time> {
        let since = Time::from_ms(self.storing.since_ms());
        match self.session.lifecycle() {
            Lifecycle::Live => None,
            Lifecycle::Expired => Some(since + GRACE.min(self.expiry.after)),
            Lifecycle::Detached | Lifecycle::Exited | Lifecycle::Lost => {
                Some(since + self.expiry.after)
            }
        }
    }
}

/// The alarm has come.
pub(super) async fn ring(object: &Rc<Object>) {
    let ended = object.peek(|loaded| {
        loaded.expiry.alarm = None;
        loaded.ends_at().filter(|at| *at <= now()).map(|_| loaded.session.lifecycle())
    });
    match ended {
        Ok(Some(Lifecycle::Expired)) => remove(object).await,
        Ok(Some(_)) => expire(object).await,
        // What a timer should have done is done, and the next alarm set.
        Ok(None) => object.attempt(|_| {}),
        Err(Fault::NoSession(_)) => {}
        Err(Fault::Sql(error)) => {
            console_error!("the alarm cannot read the session: {error}");
            object.set_alarm(now() + SAFETY);
        }
    }
}

/// The session was kept for its time.
async fn expire(object: &Rc<Object>) {
    object.attempt(|loaded| loaded.session.expire());
    object.tell_now().await;
}

/// It was told of for long enough. It goes from the list first: what is listed must be there.
async fn remove(object: &Rc<Object>) {
    let Ok(session_id) = object.name().parse() else { return };
    let told = async {
        let directory = asking::directory(&object.env)?;
        asking::post(&directory, GONE, &Gone { session_id }).await
    };
    if let Err(failure) = told.await {
        console_error!("the directory was not told that a session is to go: {failure}");
        object.set_alarm(now() + SAFETY);
        return;
    }
    super::asked::remove(object).await;
}
