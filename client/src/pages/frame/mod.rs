//! The parts around every page: the menu, the palette, dialogs, and the state of the event stream.

pub mod agents;
pub mod asks;
pub mod back;
pub mod drivers;
pub mod hosts;
pub mod menu;
pub mod notices;
pub mod palette;
pub mod pods;
pub mod stream_status;
pub mod workspaces;
