//! Web Push: which questions browsers are told of while none of their pages is open, and to which
//! servers that may be sent.
//!
//! A relay keeps the subscriptions and sends the messages; the decisions are here.

mod service;
mod tracker;

pub use service::PushServices;
pub use tracker::{PushMessage, PushNotice, PushTracker, QuestionKey};
