//! The page's state and logic, without drawing anything.
//!
//! One session's link is a [`SessionDriver`]: it turns each [`DriverInput`] into calls of the link
//! machine, and the machine's outputs into calls of its [`SessionEffects`]. Output bytes pass
//! through it unread, as [`SessionEffects::Bytes`]. The page gets a small [`SessionView`] whenever what it
//! shows has changed. [`events`] keeps an event stream open in the same way, and [`overview`] uses
//! it to follow what the relay runs.
//!
//! [`access`], [`login`], [`passkeys`], [`code`] and [`api`] connect to the relay. [`route`] is the page's address, and
//! [`actions`] is everything that a user can do.

pub mod access;
pub mod actions;
mod alarm;
pub mod api;
mod backlog;
pub mod catalogue;
pub mod code;
pub mod conversation;
mod digest;
pub mod drafts;
mod driver;
pub mod earlier;
pub mod embed;
pub mod events;
mod fit;
pub mod key_codes;
pub mod keys;
mod live;
pub mod login;
pub mod no_access;
pub mod overview;
pub mod passkeys;
pub mod pasted;
pub mod route;
mod screen_record;
pub mod tab_state;
#[cfg(test)]
mod tests;
pub mod tmux;
pub mod view;
pub mod words;
pub mod workspace;

pub use backlog::PasteProgress;
pub use digest::Digest;
pub use driver::{DriverInput, Notice, SessionDriver, SessionEffects, TerminalWrite};
pub use events::{EventSubscription, StreamStatus};
pub use live::{FramedSetup, HandedScreen, Progress, Session, SessionHooks, Setup};
pub use view::{LinkView, Pending, SessionView};
