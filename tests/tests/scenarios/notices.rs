//! Notices for browsers whose pages are closed.

mod edge;
mod native;
