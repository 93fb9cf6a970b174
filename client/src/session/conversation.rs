//! The conversation of an agent session, followed over any number of connections.
//!
//! [`ConversationDriver`] turns each [`ConversationInput`] into calls of the link machine, folds the
//! events into a [`Conversation`](moorline_shared::fold::Conversation), and sends the user's requests
//! until they are answered. It acts on the page through [`ConversationEffects`].
//! [`ConversationLink`] runs it in a real page.

mod driver;
mod images;
pub mod kept;
mod link;
mod log;
#[cfg(test)]
mod tests;

pub use driver::{
    ConversationChange, ConversationDriver, ConversationEffects, ConversationInput,
    ConversationView, RequestNumber, UnansweredRequest, UserRequest,
};
pub use images::{ImageList, ImagesFault, ImagesPlace, PromptImages};
pub use link::{ConversationHooks, ConversationLink, FramedConversation};
pub use log::{LogProgress, LogReading, read_log};
