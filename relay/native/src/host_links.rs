//! The links to hosts, and the task of each: a control link for each host, and a publish link for each
//! running session.

mod control;
mod link;
mod link_driver;
mod local;
mod publish;

pub use control::keep as keep_control;
pub use link::{Link, LinkGone, LinkInput, LocalLink, SocketLink};
pub use local::InProcess;
pub use publish::receive;
