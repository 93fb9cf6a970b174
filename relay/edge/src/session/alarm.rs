//! The alarm, which comes even if the object was evicted from memory.
//!
//! It does the work of timers that were lost, and expires and removes sessions whose retention time
//! is over.

use std::rc::Rc;

use moorline_core::session::SessionInput;
use moorline_shared::session::Lifecycle;
use worker::console_error;

use super::clock::now;
use super::expiry::SAFETY;
use super::object::{Fault, Object};
use crate::internal::{GONE, SessionGone};
use crate::object_client;

/// Handles the alarm.
pub(super) async fn ring(object: &Rc<Object>) {
    let ended = object.peek(|loaded| {
        loaded.expiry.rang();
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
    object.attempt(|loaded| loaded.session.handle(now(), SessionInput::Expired));
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
