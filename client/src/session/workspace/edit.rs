//! A text that is edited here while others may change the file.

use super::drafts::FileDraft;
use crate::session::workspace::FileRefusal;

/// The state of a text, as its reader sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditView {
    /// It is as in the workspace.
    Saved,
    /// It has changes that are not saved.
    Edited,
    /// It is on its way to the relay.
    Saving,
    /// The relay did not answer: it is saved once the relay does.
    Waiting,
    /// The file was changed meanwhile, and so was this text. Somebody has to decide.
    Conflict,
    /// The file was deleted, and this text has changes that are not saved.
    Deleted,
    /// The file was deleted. This text has no changes.
    Gone,
}

/// What the page has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditStep {
    /// Nothing.
    Nothing,
    /// Read the file, and call [`TextEdit::loaded`].
    Load,
    /// Show this text.
    Show(String),
}

/// A text to put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaveOrder {
    /// The text.
    pub text: String,
    /// The hash that the file must have; `None` if there must be no file.
    pub expected: Option<String>,
}

/// The other version of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum OtherVersion {
    Text {
        hash: String,
        text: String,
    },
    /// It is no text any more.
    Binary {
        hash: String,
    },
    Deleted,
}

/// A text that is edited here.
///
/// Call [`TextEdit::touch`] when something was typed, [`TextEdit::note`] with the text soon after it,
/// [`TextEdit::told`] with what the workspace has at the file's path, [`TextEdit::save`] to save, and
/// then one of [`TextEdit::saved`] and [`TextEdit::refused`]. A change of the file never replaces a text
/// that was typed, and a text is only put over the version that its writer has seen.
#[derive(Debug, Clone)]
pub struct TextEdit {
    /// The hash of the content that the text was made from; `None` if there was no file.
    base_hash: Option<String>,
    /// That content; `None` for a draft of an older one, which nobody has any more.
    base_text: Option<String>,
    /// The text as it was noted last.
    text: String,
    /// True if something was typed since then.
    is_touched: bool,
    /// The text that is being saved.
    saving: Option<String>,
    /// What the workspace has, if it was told while a text was being saved.
    told: Option<Option<String>>,
    /// True if a text is to be saved once the relay answers again.
    is_waiting: bool,
    /// The file as somebody else has made it, which the writer of this text has not seen.
    other: Option<OtherVersion>,
}

impl TextEdit {
    /// Begins with a file, or with the draft of it that was kept.
    #[must_use]
    pub fn open(hash: String, text: String, draft: Option<FileDraft>) -> Self {
        let mut edit = Self {
            base_hash: Some(hash.clone()),
            base_text: Some(text.clone()),
            text: text.clone(),
            is_touched: false,
            saving: None,
            told: None,
            is_waiting: false,
            other: None,
        };
        if let Some(FileDraft { base, text: typed }) = draft.filter(|draft| draft.text != text) {
            edit.text = typed;
            if base.as_ref() != Some(&hash) {
                edit.base_hash = base;
                edit.base_text = None;
                edit.other = Some(OtherVersion::Text { hash, text });
            }
        }
        edit
    }

    /// Begins with the draft of a file that is not there.
    #[must_use]
    pub fn of_draft(draft: FileDraft) -> Self {
        let FileDraft { base, text } = draft;
        let other = base.is_some().then_some(OtherVersion::Deleted);
        let edit = Self::open(String::new(), String::new(), None);
        Self { base_hash: base, base_text: None, text, other, ..edit }
    }

    /// Returns the text as it was noted last.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the text of the other version, if there is one that somebody has to compare with.
    #[must_use]
    pub fn other_text(&self) -> Option<&str> {
        match &self.other {
            Some(OtherVersion::Text { text, .. }) => Some(text),
            _ => None,
        }
    }

    /// Returns the state of the text.
    #[must_use]
    pub fn view(&self) -> EditView {
        match &self.other {
            Some(OtherVersion::Deleted) if !self.is_edited() => EditView::Gone,
            Some(OtherVersion::Deleted) => EditView::Deleted,
            Some(_) => EditView::Conflict,
            None if self.saving.is_some() => EditView::Saving,
            None if self.is_waiting => EditView::Waiting,
            None if self.is_edited() => EditView::Edited,
            None => EditView::Saved,
        }
    }

    /// Returns true if the text has changes that are not saved.
    #[must_use]
    pub fn is_edited(&self) -> bool {
        self.is_touched || self.base_text.as_ref() != Some(&self.text)
    }

    /// Returns what must be kept for the next time; `None` if the file has all of it.
    #[must_use]
    pub fn draft(&self) -> Option<FileDraft> {
        let draft = || FileDraft { base: self.base_hash.clone(), text: self.text.clone() };
        self.is_edited().then(draft)
    }

    /// Notes that something was typed.
    pub const fn touch(&mut self) {
        self.is_touched = true;
    }

    /// Notes the text that is shown.
    pub fn note(&mut self, text: String) {
        self.text = text;
        self.is_touched = false;
        self.is_waiting &= self.is_edited();
    }

    /// Saves the text. Returns `None` if there is nothing to save, or if somebody has to decide first.
    pub fn save(&mut self, text: String) -> Option<SaveOrder> {
        self.note(text);
        if self.saving.is_some() || self.other.is_some() || !self.is_edited() {
            return None;
        }
        Some(self.order())
    }

    /// Saves the text over the other version, whose reader has decided so. It may be a new file.
    pub fn save_over(&mut self, text: String) -> Option<SaveOrder> {
        if self.saving.is_some() {
            return None;
        }
        self.text = text;
        self.is_touched = false;
        (self.base_hash, self.base_text) = match self.other.take() {
            Some(OtherVersion::Text { hash, text }) => (Some(hash), Some(text)),
            Some(OtherVersion::Binary { hash }) => (Some(hash), None),
            Some(OtherVersion::Deleted) => (None, None),
            None => return None,
        };
        if self.is_edited() { Some(self.order()) } else { None }
    }

    /// Saves again what the relay did not answer for, now that it answers. Nothing is done twice: it is
    /// only put over what was known.
    pub fn save_again(&mut self) -> Option<SaveOrder> {
        if !self.is_waiting || self.saving.is_some() || self.other.is_some() {
            return None;
        }
        Some(self.order())
    }

    fn order(&mut self) -> SaveOrder {
        self.is_waiting = false;
        self.told = None;
        self.saving = Some(self.text.clone());
        SaveOrder { text: self.text.clone(), expected: self.base_hash.clone() }
    }

    /// Takes the other version in place of this text, which is given up.
    pub fn take_other(&mut self) -> EditStep {
        let Some(OtherVersion::Text { hash, text }) = self.other.take() else {
            return EditStep::Nothing;
        };
        self.become_saved(hash, text.clone());
        EditStep::Show(text)
    }

    /// Notes that a text was saved, and the hash that it has.
    pub fn saved(&mut self, hash: String) -> EditStep {
        let Some(text) = self.saving.take() else { return EditStep::Nothing };
        self.base_text = Some(text);
        self.base_hash = Some(hash);
        match self.told.take() {
            Some(now) => self.told(now.as_deref()),
            None => EditStep::Nothing,
        }
    }

    /// Notes that a text was not saved.
    pub fn refused(&mut self, refusal: &FileRefusal) -> EditStep {
        self.saving = None;
        self.is_waiting = refusal.is_unreachable();
        match &refusal.file {
            Some(_) if refusal.is_stale() => EditStep::Load,
            None if refusal.is_stale() => self.told(None),
            _ => EditStep::Nothing,
        }
    }

    /// Takes the hash of what the workspace has at the file's path; `None` if there is no file.
    pub fn told(&mut self, hash: Option<&str>) -> EditStep {
        if self.saving.is_some() {
            self.told = Some(hash.map(str::to_owned));
            return EditStep::Nothing;
        }
        let known = match &self.other {
            Some(OtherVersion::Text { hash, .. } | OtherVersion::Binary { hash }) => {
                Some(Some(hash))
            }
            Some(OtherVersion::Deleted) => Some(None),
            None => None,
        };
        match (hash, known) {
            (None, _) if self.base_hash.is_none() => {
                self.other = None;
                EditStep::Nothing
            }
            (None, _) => {
                self.other = Some(OtherVersion::Deleted);
                EditStep::Nothing
            }
            // It is as the text was made from, again.
            (Some(hash), _) if self.base_hash.as_deref() == Some(hash) => {
                self.other = None;
                EditStep::Nothing
            }
            (Some(hash), Some(Some(known))) if known == hash => EditStep::Nothing,
            (Some(_), _) => EditStep::Load,
        }
    }

    /// Takes the file as it is now; without a text if it is none any more.
    pub fn loaded(&mut self, hash: String, text: Option<String>) -> EditStep {
        match text {
            Some(text) if !self.is_touched && text == self.text => {
                // Somebody has written the same, or this text was saved without an answer.
                self.become_saved(hash, text);
                EditStep::Nothing
            }
            Some(text) if !self.is_edited() => {
                self.become_saved(hash, text.clone());
                EditStep::Show(text)
            }
            Some(text) => {
                self.other = Some(OtherVersion::Text { hash, text });
                EditStep::Nothing
            }
            None => {
                self.other = Some(OtherVersion::Binary { hash });
                EditStep::Nothing
            }
        }
    }

    fn become_saved(&mut self, hash: String, text: String) {
        self.base_hash = Some(hash);
        self.base_text = Some(text.clone());
        self.text = text;
        self.is_touched = false;
        self.is_waiting = false;
        self.other = None;
    }
}

#[cfg(test)]
mod tests;
