//! The session's faults as errors of the API.

use moorline_core::api::ApiError;

use super::object::Fault;
use crate::reply::RequestFailure;

impl From<Fault> for RequestFailure {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NoSession(id) => ApiError::no_session(&id).into(),
            Fault::Sql(error) => error.into(),
        }
    }
}
