//! Markdown with colours for its code, which are loaded when there is code to colour.

use std::collections::VecDeque;
use std::rc::Rc;

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::markdown::{self, CodeStyle};
use super::on_demand::{LoadState, OnDemand};
use crate::bindings::clipboard;
use crate::bindings::highlight::Highlighter;

/// Size in bytes up to which a piece of code has colours, so that a frame stays short while it grows.
const COLOURED_BYTES: usize = 32 * 1024;
/// The most pieces of code whose colours are kept.
const KEPT: usize = 64;

/// Colours for code, for all texts of a page.
#[derive(Clone, Copy)]
pub struct CodeColours {
    code: OnDemand<Highlighter>,
    is_ready: Memo<bool>,
    /// The pieces that were coloured last, newest last: a text is formatted again while it grows.
    kept: StoredValue<VecDeque<Rc<ColouredCode>>, LocalStorage>,
}

struct ColouredCode {
    language: String,
    text: String,
    html: Option<String>,
}

impl CodeColours {
    /// Provides colours to all components below.
    pub fn provide() -> Self {
        let code = OnDemand::new();
        let is_ready = Memo::new(move |_| code.state() == LoadState::Ready);
        let colours = Self { code, is_ready, kept: StoredValue::new_local(VecDeque::new()) };
        provide_context(colours);
        colours
    }

    /// Returns the colours that a component above provides.
    ///
    /// # Panics
    /// If none does.
    #[must_use]
    pub fn expect() -> Self {
        expect_context()
    }

    /// Returns the HTML of a text in Markdown, block by block; tracked, because the colours come
    /// later.
    #[must_use]
    pub fn markdown(self, text: &str) -> Vec<String> {
        self.placed_markdown(text).into_iter().map(|(_, html)| html).collect()
    }

    /// Returns the same, with the byte at which each block's first line begins.
    #[must_use]
    pub fn placed_markdown(self, text: &str) -> Vec<(usize, String)> {
        let colour = move |language: &str, text: &str| self.html(language, text);
        let style = CodeStyle { colour: &colour, can_copy: clipboard::available() };
        markdown::placed_blocks(text, style)
    }

    /// Returns true once there are colours; tracked.
    #[must_use]
    pub fn is_ready(self) -> bool {
        self.is_ready.get()
    }

    fn html(self, language: &str, text: &str) -> Option<String> {
        if language.is_empty() || text.len() > COLOURED_BYTES {
            return None;
        }
        if !self.is_ready.get() {
            // Later, because nothing may change while it is read. If it fails, the code stays plain.
            spawn_local(async move {
                if self.code.try_state() == Some(LoadState::Unneeded) {
                    self.code.load(Highlighter::load());
                }
            });
            return None;
        }
        let is_it = |known: &&Rc<ColouredCode>| known.language == language && known.text == text;
        if let Some(known) = self.kept.with_value(|kept| kept.iter().find(is_it).cloned()) {
            return known.html.clone();
        }
        let html = self.code.get()?.html(language, text);
        let (language, text) = (language.to_owned(), text.to_owned());
        let coloured = ColouredCode { language, text, html: html.clone() };
        self.kept.update_value(|kept| {
            if kept.len() == KEPT {
                kept.pop_front();
            }
            kept.push_back(Rc::new(coloured));
        });
        html
    }
}
