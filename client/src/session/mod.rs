//! One session's link, from the page's point of view and without a page: [`Driver`] turns what
//! happens into calls of the link machine, and what the machine wants into calls of a [`World`].
//!
//! Output bytes pass through it unseen, as a [`World::Bytes`]; the page gets a small [`View`]
//! whenever what it shows has changed.
//!
//! [`events`] keeps an event stream open in the same way.

pub mod access;
pub mod actions;
mod alarm;
pub mod api;
mod backlog;
pub mod catalogue;
pub mod code;
mod digest;
mod driver;
pub mod earlier;
pub mod events;
mod fit;
pub mod key_codes;
pub mod keys;
mod live;
pub mod overview;
pub mod route;
pub mod saved;
#[cfg(test)]
mod tests;
pub mod view;
pub mod words;

pub use backlog::Progress as PasteProgress;
pub use digest::Digest;
pub use driver::{Driver, Event, Notice, World, Write};
pub use events::{EventStream, StreamStatus};
pub use live::{Progress, Session, SessionHooks, Setup};
pub use view::{LinkView, Pending, View};
