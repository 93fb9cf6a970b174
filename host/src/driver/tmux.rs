//! The `tmux` driver: panes of the user's own tmux servers.
//!
//! A pane is opened, never taken over: tmux keeps it when this host is gone, and the terminals that
//! show it elsewhere notice nothing. Structure, input and pictures go over a connection in control
//! mode (`tmux -C`), one for each tmux session; output comes through a pipe of tmux's
//! (`pipe-pane -O`), which is several times as fast and which the host reads without a process in
//! between ([`hand_over`]). It comes over the control stream only if the pane's pipe is the user's.
//!
//! The log of a pane begins with what it shows when it is opened, as bytes that draw it. It is drawn
//! anew if its size changes, because tmux wraps its lines anew, and if output was lost. A line of
//! commands that ends the pipe, begins the next one and takes the picture is carried out by tmux at
//! one moment, so nothing is missing or repeated around it.
//!
//! No crate fits: `tmux_interface` and `tmuxctl` run single commands and do not speak control mode
//! in bytes.

mod action;
mod capture;
mod client;
mod command;
mod group;
mod list;
mod output_connection;
mod output_queue;
mod pane;
mod pane_input;
mod pipe;
mod protocol;
mod servers;
mod session;
mod title;

pub use pipe::hand_over;
pub use protocol::{ControlEvent, ControlFault, ControlParser, ControlReply};
pub use session::TmuxDriver;
