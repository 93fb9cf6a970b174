//! What the steps do, by subject.

pub(crate) mod approvals;
pub(crate) mod client;
pub(crate) mod faults;
pub(crate) mod process;
pub(crate) mod reports;
