//! What pages are built of.

pub mod dialog;
pub mod field;
pub mod icon;
pub mod key_bar;
pub mod menu;
pub mod search_bar;
pub mod status;
pub mod stream_status;
pub mod terminal;
pub mod when;
pub mod words;

pub use field::Field;
pub use icon::{Icon, IconName, Mark};
pub use when::When;
