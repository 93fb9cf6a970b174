//! The file that is open: its content, and the text that is edited.

use gloo_timers::callback::Timeout;
use leptos::prelude::*;
use leptos::task::spawn_local;
use moorline_shared::workspace::{EntryKind, WorkspacePath};

use super::state::FilesState;
use crate::bindings::editor::{EditorCode, TextEditor};
use crate::bindings::files::{ImageAddress, SendBody};
use crate::bindings::history;
use crate::bindings::page::{self, PageEvent, PageWatch};
use crate::session::StreamStatus;
use crate::session::workspace::drafts::{self, FileDraft};
use crate::session::workspace::{
    EditStep, EditView, FileContent, FileRefusal, SHOWN_BYTES, SaveOrder, TextEdit,
};
use crate::ui::on_demand::OnDemand;
use crate::ui::when::effect;

/// Delay after typing before the draft is kept, in milliseconds.
const DRAFT_MS: u32 = 300;

/// What is shown of the open file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ShownFile {
    /// No file is open.
    Nothing,
    /// It is being read.
    Loading,
    /// It could not be read.
    Failed(String),
    /// A text, in an editor.
    Text,
    /// An image, at this address.
    Image(String),
    /// Content that is neither, with its size in bytes.
    Other(u64),
    /// It is too large to be shown, with its size in bytes.
    Large(u64),
    /// It was deleted.
    Gone,
}

/// What is not drawn.
#[derive(Default)]
struct OpenParts {
    edit: Option<TextEdit>,
    editor: Option<TextEditor>,
    image: Option<ImageAddress>,
    /// Hash of the content that is shown, if it is no text.
    hash: Option<String>,
    draft: Option<Timeout>,
    /// True if the file was changed while it was read: what was read may be older.
    is_outdated: bool,
    /// Counts the files that were opened: an answer for an earlier one is of no use.
    generation: u32,
}

/// The file that is open.
#[derive(Clone, Copy)]
pub(super) struct OpenFile {
    files: FilesState,
    /// The code of the editor.
    pub(super) code: OnDemand<EditorCode>,
    /// Its path; that of a draft may have no file.
    pub(super) path: RwSignal<Option<WorkspacePath>>,
    /// What is shown of it.
    pub(super) shown: RwSignal<ShownFile>,
    /// The state of its text.
    pub(super) view: RwSignal<EditView>,
    /// Counts how often the editor has to be made anew.
    pub(super) version: RwSignal<u32>,
    /// The reason why the last save failed.
    pub(super) problem: RwSignal<Option<String>>,
    /// True if the browser does not keep the draft.
    pub(super) is_draft_lost: RwSignal<bool>,
    /// True to keep the open file in the page's address.
    is_addressed: bool,
    own: StoredValue<OpenParts, LocalStorage>,
}

impl OpenFile {
    /// Provides the open file to all components below: none at first, or the one that the address names.
    pub(super) fn provide(files: FilesState, is_addressed: bool) -> Self {
        let open = Self {
            files,
            code: OnDemand::new(),
            path: RwSignal::default(),
            shown: RwSignal::new(ShownFile::Nothing),
            view: RwSignal::new(EditView::Saved),
            version: RwSignal::default(),
            problem: RwSignal::default(),
            is_draft_lost: RwSignal::default(),
            is_addressed,
            own: StoredValue::new_local(OpenParts::default()),
        };
        provide_context(open);
        open.follow();
        open
    }

    pub(super) fn expect() -> Self {
        expect_context()
    }

    /// Follows the changes of the file, and keeps the draft when the page is left.
    fn follow(self) {
        effect(move || {
            self.files.tree.track();
            untrack(|| self.look());
        });
        effect(move || {
            if self.files.stream.get() == StreamStatus::Live {
                let order = self.with_edit(TextEdit::save_again).flatten();
                order.into_iter().for_each(|order| self.put(order));
            }
        });
        let watch = page::watch(move |event| {
            if event == PageEvent::Hidden {
                self.note();
            }
        });
        let _: StoredValue<PageWatch, LocalStorage> = StoredValue::new_local(watch);
        on_cleanup(move || self.note());
    }

    /// Opens the file that the page's address names, once the files are known.
    pub(super) fn open_addressed(self) {
        let named = self.is_addressed.then(|| history::query_value("file")).flatten();
        if let Some(path) = named.and_then(|path| path.parse().ok()) {
            self.open(&path);
        }
    }

    fn with_edit<T>(self, f: impl FnOnce(&mut TextEdit) -> T) -> Option<T> {
        self.own.try_update_value(|own| own.edit.as_mut().map(f)).flatten()
    }

    fn show_edit(self) {
        if let Some(view) = self.with_edit(|edit| edit.view())
            && self.view.try_get_untracked() != Some(view)
        {
            let _ = self.view.try_set(view);
        }
    }

    /// Opens the file at a path, or the draft of one that is not there.
    pub(super) fn open(self, path: &WorkspacePath) {
        if self.path.with_untracked(|known| known.as_ref() == Some(path)) {
            return;
        }
        self.leave();
        self.files.tree.update(|tree| tree.reveal(path));
        self.path.set(Some(path.clone()));
        self.files.cursor.set(Some(path.clone()));
        self.name_in_address();
        let file = self.files.tree.with_untracked(|tree| tree.file(path.as_str()).cloned());
        match file {
            Some(file) if file.kind == EntryKind::Directory => self.close(),
            Some(file) if file.size > SHOWN_BYTES => self.shown.set(ShownFile::Large(file.size)),
            Some(_) => self.load(),
            None => self.open_draft(path),
        }
    }

    fn open_draft(self, path: &WorkspacePath) {
        match drafts::kept(&self.files.id(), path.as_str()) {
            Some(draft) => self.begin(TextEdit::of_draft(draft)),
            None => self.shown.set(ShownFile::Gone),
        }
    }

    fn begin(self, edit: TextEdit) {
        self.own.update_value(|own| own.edit = Some(edit));
        self.show_edit();
        self.shown.set(ShownFile::Text);
        self.version.update(|version| *version += 1);
    }

    /// Closes the file. A draft of it is kept.
    pub(super) fn close(self) {
        self.leave();
        self.path.set(None);
        self.shown.set(ShownFile::Nothing);
        self.name_in_address();
    }

    fn leave(self) {
        self.note();
        self.problem.set(None);
        self.is_draft_lost.set(false);
        // The editor's own closures may be running.
        let old = self.own.try_update_value(|own| {
            let generation = own.generation + 1;
            std::mem::replace(own, OpenParts { generation, ..OpenParts::default() })
        });
        self.shown.set(ShownFile::Loading);
        request_animation_frame(move || drop(old));
    }

    fn name_in_address(self) {
        if !self.is_addressed {
            return;
        }
        let file = self.path.with_untracked(|path| {
            path.as_ref().map(|path| format!("?file={}", page::in_query(path.as_str())))
        });
        history::replace(&format!("/workspace/{}{}", self.files.id(), file.unwrap_or_default()));
    }

    /// Reads the file.
    pub(super) fn load(self) {
        let Some(path) = self.path.get_untracked() else { return };
        let generation = self.generation();
        spawn_local(async move {
            let answer = self.files.read_file(path.as_str()).await;
            // Another file may be open by now.
            if self.generation() != generation {
                return;
            }
            match answer {
                Ok((hash, content)) => {
                    let kind = FileContent::of(content.to_vec());
                    self.take(&path, hash, kind, &content);
                    let again =
                        self.own.try_update_value(|own| std::mem::take(&mut own.is_outdated));
                    if again == Some(true) {
                        self.look();
                    }
                }
                Err(refusal) if refusal.is_missing() => self.look(),
                Err(refusal) if self.own.with_value(|own| own.edit.is_some()) => {
                    self.problem.set(Some(refusal.sentence));
                }
                Err(refusal) => self.shown.set(ShownFile::Failed(refusal.sentence)),
            }
        });
    }

    fn generation(self) -> Option<u32> {
        self.own.try_with_value(|own| own.generation)
    }

    fn take(
        self,
        path: &WorkspacePath,
        hash: String,
        kind: FileContent,
        content: &crate::bindings::chunk::Chunk,
    ) {
        if self.own.with_value(|own| own.edit.is_some()) {
            // What was typed last counts.
            self.note();
            let text = match kind {
                FileContent::Text(text) => Some(text),
                _ => None,
            };
            let step = self.with_edit(|edit| edit.loaded(hash, text));
            self.step(step);
            self.version.update(|version| *version += 1);
            return;
        }
        self.own.update_value(|own| own.hash = Some(hash.clone()));
        match kind {
            FileContent::Text(text) => {
                let draft = drafts::kept(&self.files.id(), path.as_str());
                self.begin(TextEdit::open(hash, text, draft));
                self.keep();
            }
            FileContent::Image(kind) => {
                let image = self.files.with_code(|code| code.image_address(content, kind));
                let address = image.as_ref().map(|image| image.as_str().to_owned());
                self.own.update_value(|own| own.image = image);
                self.shown.set(ShownFile::Image(address.unwrap_or_default()));
            }
            FileContent::Other => self.shown.set(ShownFile::Other(content.bytes() as u64)),
        }
    }

    /// Compares the open file with what the workspace has.
    fn look(self) {
        let Some(path) = self.path.get_untracked() else { return };
        let file = self.files.tree.with_untracked(|tree| tree.file(path.as_str()).cloned());
        let hash = file.and_then(|file| file.hash).map(String::from);
        if self.own.with_value(|own| own.edit.is_some()) {
            let step = self.with_edit(|edit| edit.told(hash.as_deref()));
            return self.step(step);
        }
        match (hash, self.shown.get_untracked()) {
            (_, ShownFile::Loading) => self.own.update_value(|own| own.is_outdated = true),
            (_, ShownFile::Nothing | ShownFile::Text) => {}
            (None, _) => self.shown.set(ShownFile::Gone),
            (hash, shown) => {
                let is_same = self.own.with_value(|own| own.hash == hash);
                if !is_same || shown == ShownFile::Gone {
                    self.load();
                }
            }
        }
    }

    fn step(self, step: Option<EditStep>) {
        match step {
            Some(EditStep::Load) => self.load(),
            Some(EditStep::Show(text)) => {
                self.own.with_value(|own| own.editor.iter().for_each(|it| it.set_text(&text)));
            }
            Some(EditStep::Nothing) | None => {}
        }
        self.show_edit();
        self.keep();
    }

    /// Uses an editor for the text, in place of the one before.
    pub(super) fn set_editor(self, editor: Option<TextEditor>) {
        let old = self.own.try_update_value(|own| std::mem::replace(&mut own.editor, editor));
        drop(old);
    }

    /// Lets the text be changed, or not.
    pub(super) fn set_read_only(self, read_only: bool) {
        self.own.with_value(|own| own.editor.iter().for_each(|it| it.set_read_only(read_only)));
    }

    /// Returns the text, and the other version if there is one.
    pub(super) fn texts(self) -> (String, Option<String>) {
        let texts =
            self.with_edit(|edit| (edit.text().to_owned(), edit.other_text().map(str::to_owned)));
        texts.unwrap_or_default()
    }

    /// Called when something was typed.
    pub(super) fn typed(self) {
        let _ = self.with_edit(TextEdit::touch);
        self.show_edit();
        let later = Timeout::new(DRAFT_MS, move || self.note());
        let _ = self.own.try_update_value(|own| own.draft = Some(later));
    }

    /// Notes the text of the editor, and keeps it as a draft.
    pub(super) fn note(self) {
        let typed = self.own.try_with_value(|own| own.editor.as_ref().map(TextEditor::text));
        if let Some(text) = typed.flatten() {
            let _ = self.with_edit(|edit| edit.note(text));
            self.show_edit();
            self.keep();
        }
    }

    fn keep(self) {
        let Some(draft) = self.with_edit(|edit| edit.draft()) else { return };
        let Some(Some(path)) = self.path.try_get_untracked() else { return };
        self.keep_draft(&path, draft.as_ref());
    }

    fn keep_draft(self, path: &WorkspacePath, draft: Option<&FileDraft>) {
        let is_kept = drafts::keep(&self.files.id(), path.as_str(), draft);
        let _ = self.is_draft_lost.try_set(!is_kept);
        self.files.look_for_drafts();
    }

    /// Saves the text, if it has changes.
    pub(super) fn save(self) {
        if !self.files.may_write_now() {
            return;
        }
        self.note();
        let order = self.with_edit(|edit| edit.save(edit.text().to_owned())).flatten();
        order.into_iter().for_each(|order| self.put(order));
        self.show_edit();
    }

    /// Saves the text over the other version.
    pub(super) fn save_over(self) {
        self.note();
        let order = self.with_edit(|edit| edit.save_over(edit.text().to_owned())).flatten();
        order.into_iter().for_each(|order| self.put(order));
        self.show_edit();
        self.version.update(|version| *version += 1);
    }

    /// Gives the text up, for the other version or for the file as it was.
    pub(super) fn discard(self) {
        let step = self.with_edit(TextEdit::take_other);
        if matches!(step, Some(EditStep::Show(_))) {
            self.step(step);
            self.version.update(|version| *version += 1);
            return;
        }
        // Without another text, the file is read again, if it is still there.
        let Some(path) = self.path.get_untracked() else { return };
        self.own.update_value(|own| own.edit = None);
        self.set_editor(None);
        self.keep_draft(&path, None);
        self.close();
        if self.files.tree.with_untracked(|tree| tree.file(path.as_str()).is_some()) {
            self.open(&path);
        }
    }

    fn put(self, order: SaveOrder) {
        let Some(path) = self.path.get_untracked() else { return };
        let generation = self.generation();
        let _ = self.problem.try_set(None);
        let SaveOrder { text, expected } = order;
        let condition = match expected {
            Some(hash) => ("if-match", format!("\"{hash}\"")),
            None => ("if-none-match", "*".to_owned()),
        };
        spawn_local(async move {
            let body = SendBody::Text(text.clone());
            let headers = vec![condition, ("content-type", "application/octet-stream".to_owned())];
            let answer =
                self.files.ask("PUT", path.as_str(), headers, body).await.map(|(tag, _)| tag);
            if self.generation() == generation {
                self.saved(&answer);
            } else if answer.is_ok() {
                self.forget_saved(&path, &text);
            }
        });
    }

    fn saved(self, answer: &Result<String, FileRefusal>) {
        let step = match answer {
            Ok(hash) => self.with_edit(|edit| edit.saved(hash.clone())),
            Err(refusal) => {
                if !refusal.is_stale() && !refusal.is_unreachable() {
                    self.problem.set(Some(refusal.sentence.clone()));
                }
                self.with_edit(|edit| edit.refused(refusal))
            }
        };
        self.step(step);
    }

    /// Forgets the draft of a file that was closed while its text was saved.
    fn forget_saved(self, path: &WorkspacePath, text: &str) {
        let Some(id) = (!self.path.is_disposed()).then(|| self.files.id()) else { return };
        if drafts::kept(&id, path.as_str()).is_some_and(|draft| draft.text == text) {
            drafts::keep(&id, path.as_str(), None);
            self.files.look_for_drafts();
        }
    }

    /// Has the file follow its new path.
    pub(super) fn moved(self, from: &WorkspacePath, to: &WorkspacePath) {
        let Some(path) = self.path.get_untracked() else { return };
        if let Ok(moved) = path.moved(from, to) {
            self.note();
            let id = self.files.id();
            let draft = drafts::kept(&id, path.as_str());
            if draft.is_some() {
                drafts::keep(&id, moved.as_str(), draft.as_ref());
                drafts::keep(&id, path.as_str(), None);
            }
            // Without the text, which is kept already.
            self.own.update_value(|own| own.edit = None);
            self.set_editor(None);
            self.open(&moved);
            self.files.look_for_drafts();
        }
    }
}
