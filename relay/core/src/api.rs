//! The parts of the REST API that do not depend on its server: errors, checks, list pages, paths,
//! and the page's Content-Security-Policy.

pub mod answering;
mod body;
mod checks;
pub mod csp;
pub mod docs;
mod error;
mod listing;
pub mod paths;
#[cfg(feature = "openapi")]
pub mod responses;

pub use body::malformed;
pub use checks::{check_size, name, number, project_name};
pub use error::ApiError;
pub use listing::{Filter, InvalidPosition, ListQuery, Position, sort};
