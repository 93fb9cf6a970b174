//! What pages are built of.

pub mod dialog;
pub mod icon;
pub mod key_bar;
pub mod menu;
pub mod search_bar;
pub mod status;
pub mod terminal;
pub mod when;
pub mod words;

pub use icon::{Icon, IconName, Mark};
pub use when::When;
