//! The alarm, which comes even if the object was evicted from memory.
//!
//! It does the work of timers that were lost, and expires and removes sessions whose retention time
//! is over.

use std::rc::Rc;
use std::time::Duration;

use moorline_shared::session::Lifecycle;
use moorline_shared::time::Time;
use worker::{Env, console_error};

use super::object::{Fault, Object, now, number};
use super::state::SessionState;
use crate::internal::{GONE, SessionGone};
use crate::object_client;

/// Upper bound on how late a timer's work can run if eviction lost the timer. An alarm keeps the
/// object awake for longer, so alarms should be rare.
const SAFETY: Duration = Duration::from_secs(60);
/// Default retention of a session that is over or whose host is away, in days.
const EXPIRY_DAYS: f64 = 30.0;
/// The variable that overrides [`EXPIRY_DAYS`]; fractions are allowed.
const EXPIRY_VARIABLE: &str = "MOORLINE_EXPIRY_DAYS";
/// Time that an expired session stays listed before it is removed; shorter if its retention was.
const GRACE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const DAY_SECONDS: f64 = 24.0 * 60.0 * 60.0;

/// Retention of a session that is over or whose host is away.
#[derive(Debug)]
pub(super) struct Expiry {
    after: Duration,
    /// Time of the alarm that is set, as far as this instance knows.
    alarm: Option<Time>,
}

impl Expiry {
    pub(super) fn configured(env: &Env) -> Self {
        let days = number(env, EXPIRY_VARIABLE).filter(|days| *days > 0.0).unwrap_or(EXPIRY_DAYS);
        let after = Duration::try_from_secs_f64(days * DAY_SECONDS).unwrap_or(Duration::MAX);
        Self { after, alarm: None }
    }
}

impl SessionState {
    /// Time to set the alarm for; `None` if no alarm is needed or an earlier one is set.
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

    /// Time at which the session expires or is removed; `None` while it is live.
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

/// Handles the alarm.
pub(super) async fn ring(object: &Rc<Object>) {
    let ended = object.peek(|loaded| {
        loaded.expiry.alarm = None;
        loaded.ends_at().filter(|at| *at <= now()).map(|_| loaded.session.lifecycle())
    });
    match ended {
        Ok(Some(Lifecycle::Expired)) => remove(object).await,
        Ok(Some(_)) => expire(object).await,
        // `attempt` does what timers should have done, and sets the next alarm.
        Ok(None) => object.attempt(|_| {}),
        Err(Fault::NoSession(_)) => {}
        Err(Fault::Sql(error)) => {
            console_error!("the alarm cannot read the session: {error}");
            object.set_alarm(now() + SAFETY);
        }
    }
}

/// Marks the session as expired: its retention time is over.
async fn expire(object: &Rc<Object>) {
    object.attempt(|loaded| loaded.session.expire());
    object.tell_now().await;
}

/// Removes an expired session. The directory unlists it first: every listed session must exist.
async fn remove(object: &Rc<Object>) {
    let Ok(session_id) = object.name().parse() else { return };
    let told = async {
        let directory = object_client::directory(&object.env)?;
        object_client::post(&directory, GONE, &SessionGone { session_id }).await
    };
    if let Err(failure) = told.await {
        console_error!("the directory could not be told to remove a session: {failure}");
        object.set_alarm(now() + SAFETY);
        return;
    }
    super::internal_routes::remove(object).await;
}
