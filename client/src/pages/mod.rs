//! The pages and their parts.

pub mod access;
pub mod agent;
pub mod embed;
pub mod files;
pub mod frame;
pub mod log_in;
pub mod not_found;
pub mod parts;
pub mod pods;
pub mod session;
pub mod sessions;
pub mod terminal;
pub mod tmux;
pub mod workspaces;

pub use access::AccessPage;
pub use agent::AgentPage;
pub use log_in::LogInPage;
pub use not_found::NotFound;
pub use session::SessionPage;
pub use sessions::SessionsPage;
pub use terminal::TerminalPage;
pub use workspaces::{WorkspacePage, WorkspacesPage};
