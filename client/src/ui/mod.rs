//! Elements that know nothing of sessions, and what the user chose of how the page looks.

pub mod action;
pub mod chart;
pub mod dialog;
pub mod field;
pub mod icon;
pub mod menu;
pub mod on_demand;
pub mod picker;
pub mod preferences;
pub mod sort;
pub mod when;

pub use action::Action;
pub use field::Field;
pub use icon::{Icon, IconName, Mark};
pub use when::When;
