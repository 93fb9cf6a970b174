//! The pages and their parts.

pub mod agent;
pub mod ask_token;
pub mod embed;
pub mod frame;
pub mod not_found;
pub mod parts;
pub mod session;
pub mod sessions;
pub mod terminal;

pub use agent::AgentPage;
pub use ask_token::AskToken;
pub use not_found::NotFound;
pub use session::SessionPage;
pub use sessions::SessionsPage;
pub use terminal::TerminalPage;
