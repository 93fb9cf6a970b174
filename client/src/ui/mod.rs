//! Elements that do not depend on sessions, and the user's preferences for the page.

pub mod action;
pub mod chart;
pub mod dialog;
pub mod diff;
pub mod field;
pub mod growing;
pub mod highlight;
pub mod icon;
pub mod long;
pub mod markdown;
pub mod menu;
pub mod on_demand;
pub mod part_code;
pub mod picker;
pub mod preferences;
pub mod reload_button;
pub mod search_buttons;
pub mod sort;
pub mod visible;
pub mod when;

pub use action::Action;
pub use field::Field;
pub use icon::{Icon, IconName, Mark};
pub use reload_button::ReloadButton;
pub use search_buttons::SearchButtons;
pub use when::When;
