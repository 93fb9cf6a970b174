//! A fork before a prompt, which then is the draft in the new session. The page loads this part for
//! the first one.

use moorline_shared::agent::content::{ContentBlock, KnownContent};
use moorline_shared::agent::prompt::PromptImage;
use moorline_shared::fold::MessageItem;
use moorline_shared::id::{Seq, SessionId};

use super::message::images_of;
use super::message_tools::text;
use super::sent_images;
use super::state::ConversationState;
use crate::session::actions::Actions;
use crate::session::drafts::{self, DraftPart};

/// Starts a session that continues from the entry `seq`, the last one before a prompt. The prompt is
/// the draft there, with its files and images.
pub(super) fn fork_before(
    state: ConversationState,
    actions: Actions,
    seq: Seq,
    prompt: &MessageItem,
) {
    let file = |content: &ContentBlock| match content {
        ContentBlock::Known(KnownContent::ResourceLink { uri, .. }) => Some(uri.clone()),
        _ => None,
    };
    let files: Vec<String> = prompt.content.iter().filter_map(file).collect();
    let text = text(prompt);
    let fork = move |images: Vec<PromptImage>| {
        let keep = move |session: &SessionId| {
            drafts::keep(session, DraftPart::Text, &text);
            drafts::keep(session, DraftPart::Files, &files.join("\n"));
            drafts::keep_images(session, &images);
        };
        actions.fork_with(&state.id(), Some(seq), Some(Box::new(keep)));
    };
    let Some((turn, count)) = images_of(prompt) else { return fork(Vec::new()) };
    sent_images::find(state, &turn, move |found| {
        let lost = || PromptImage { mime_type: String::new(), data: String::new() };
        fork(match found {
            Ok(images) => images.to_vec(),
            // The draft says that they are missing.
            Err(_) => (0..count).map(|_| lost()).collect(),
        });
    });
}
