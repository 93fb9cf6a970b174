//! A session that begins on this one's log.

use std::rc::Rc;

use worker::Request;

use super::answers::{Answer, Failure};
use super::object::{Fault, Object};

/// To a new session's object: a part of the log that it begins with.
pub(super) const SEED: &str = "/internal/seed";

pub(super) async fn fork(_object: &Rc<Object>, _request: &mut Request) -> Result<Answer, Fault> {
    Ok(Err(Failure::Runtime("not yet".into())))
}

pub(super) async fn seed(_object: &Rc<Object>, _request: &mut Request) -> Result<Answer, Fault> {
    Ok(Err(Failure::Runtime("not yet".into())))
}
