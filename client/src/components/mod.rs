//! What pages are built of.

pub mod asks;
pub mod chart;
pub mod dialog;
pub mod earlier;
pub mod field;
pub mod host_note;
pub mod hosts;
pub mod icon;
pub mod key_bar;
pub mod menu;
pub mod overlay;
pub mod palette;
pub mod picker;
pub mod search_bar;
pub mod selection_bar;
pub mod shortcut;
pub mod status;
pub mod stream_status;
pub mod switcher;
pub mod terminal;
pub mod when;
pub mod words;

pub use field::Field;
pub use icon::{Icon, IconName, Mark};
pub use when::When;
