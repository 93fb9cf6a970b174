//! The tree of files: an ARIA tree of which only the rows in view are drawn.

use leptos::html;
use leptos::prelude::*;
use moorline_shared::workspace::WorkspacePath;

use super::open::OpenFile;
use super::state::{FilesDialog, FilesState};
use crate::bindings::{clock, observe, page, scrolling};
use crate::session::words;
use crate::session::workspace::{TreeKey, TreeRow, TypeAhead};
use crate::ui::visible::visible_name;
use crate::ui::when::{effect, live};
use crate::ui::{Icon, IconName, When};

/// The height of a row in CSS pixels, which the style sheet has as well.
const ROW_PX: i32 = 30;
/// The rows that are drawn beyond the view, on either side.
const BEYOND: usize = 8;
/// The id of the tree, and the prefix of the ids of its rows.
const TREE: &str = "files-tree";

/// The rows of the tree and the part of them that is in view.
#[derive(Clone, Copy)]
struct TreeState {
    files: FilesState,
    open: OpenFile,
    rows: Memo<Vec<TreeRow>>,
    /// The first row in view, and the number of rows there.
    view: RwSignal<(usize, usize)>,
    place: NodeRef<html::Div>,
}

/// Shows the files, and takes the keys of a tree.
#[component]
pub fn FileRows() -> impl IntoView {
    let (files, open) = (FilesState::expect(), OpenFile::expect());
    let rows = Memo::new(move |_| files.tree.with(|tree| tree.rows()));
    let place = NodeRef::<html::Div>::new();
    let tree = TreeState { files, open, rows, view: RwSignal::new((0, 30)), place };
    place.on_load(move |place| {
        let watch = observe::size(&place, move || tree.look());
        let _: StoredValue<observe::SizeWatch, LocalStorage> = StoredValue::new_local(watch);
    });
    tree.keep_cursor_in_view();
    let ahead = StoredValue::new_local(TypeAhead::default());
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        let is_plain = !event.ctrl_key() && !event.meta_key() && !event.alt_key();
        if is_plain && tree.press(&event.key(), ahead) {
            event.prevent_default();
            event.stop_propagation();
        }
    };
    let active = move || tree.cursor_row().map(|at| format!("{TREE}-{at}"));
    let height = move || format!("height: {}px", rows.with(Vec::len) as i32 * ROW_PX);
    view! {
        <div
            id=TREE
            class="files-tree"
            role="tree"
            tabindex="0"
            aria-label="Files"
            aria-activedescendant=active
            data-testid="files-tree"
            data-folder=""
            node_ref=place
            on:scroll=move |_| tree.look()
            on:keydown=on_key
            on:focus=move |_| tree.begin()
        >
            <div class="files-rows" style=height role="presentation">
                {live(move || tree.drawn())}
            </div>
        </div>
        <When condition=move || rows.with(Vec::is_empty)>
            <p class="files-empty" data-testid="files-empty">
                {move || if files.may_write() {
                    "No files yet. Drop some here, or make one."
                } else {
                    "No files yet."
                }}
            </p>
        </When>
    }
}

impl TreeState {
    /// Finds out which rows are in view.
    fn look(self) {
        let Some(place) = self.place.try_get_untracked().flatten() else { return };
        let first = (scrolling::top(&place) / ROW_PX).max(0) as usize;
        let count = (scrolling::height(&place) / ROW_PX + 2).max(1) as usize;
        if self.view.try_get_untracked().is_some_and(|known| known != (first, count)) {
            self.view.set((first, count));
        }
    }

    /// Returns the place of the cursor among the rows; tracked.
    fn cursor_row(self) -> Option<usize> {
        let cursor = self.files.cursor.get()?;
        self.rows.with(|rows| rows.iter().position(|row| row.path == cursor))
    }

    /// Puts the cursor onto the first row, if it is on none.
    fn begin(self) {
        if untrack(|| self.cursor_row()).is_none() {
            let first = self.rows.with_untracked(|rows| rows.first().map(|row| row.path.clone()));
            self.files.cursor.set(first);
        }
    }

    fn keep_cursor_in_view(self) {
        effect(move || {
            let Some(at) = self.cursor_row() else { return };
            let Some(place) = self.place.get() else { return };
            let top = at as i32 * ROW_PX;
            let (now, height) = (scrolling::top(&place), scrolling::height(&place));
            if top < now || height < ROW_PX {
                scrolling::to(&place, top);
            } else if top + ROW_PX > now + height {
                scrolling::to(&place, top + ROW_PX - height);
            }
        });
    }

    fn drawn(self) -> AnyView {
        let (first, count) = self.view.get();
        let (cursor, shown) = (self.files.cursor.get(), self.open.path.get());
        let drafts = self.files.drafts.get();
        self.rows.with(|rows| {
            let from = first.saturating_sub(BEYOND).min(rows.len());
            let to = (first + count + BEYOND).min(rows.len());
            let drawn = rows[from..to].iter().enumerate().map(|(index, row)| {
                let is_cursor = cursor.as_ref() == Some(&row.path);
                let is_open = shown.as_ref() == Some(&row.path);
                let is_draft = drafts.iter().any(|draft| draft == row.path.as_str());
                self.row(from + index, row, is_cursor, is_open, is_draft)
            });
            drawn.collect_view().into_any()
        })
    }

    fn row(
        self,
        at: usize,
        row: &TreeRow,
        is_cursor: bool,
        is_open: bool,
        is_draft: bool,
    ) -> AnyView {
        let path = row.path.clone();
        let (size, is_conflict) = self.files.tree.with_untracked(|tree| {
            let file = tree.file(path.as_str());
            file.map_or((0, false), |file| (file.size, file.conflict_of.is_some()))
        });
        let name = visible_name(path.name()).into_owned();
        let title = name.clone();
        let folder = if row.is_folder {
            path.to_string()
        } else {
            path.parent().map(String::from).unwrap_or_default()
        };
        let (icon, size) = if row.is_folder {
            (IconName::Folder, String::new())
        } else {
            (IconName::Text, words::bytes(size as usize))
        };
        let style = format!(
            "transform: translateY({}px); padding-inline-start: {}px",
            at as i32 * ROW_PX,
            6 + (row.level.min(12) as i32 - 1) * 14
        );
        let mark = match (is_draft, is_conflict) {
            (true, _) => Some(("●", "has changes that are not saved")),
            (false, true) => Some(("⚠", "is a second version")),
            (false, false) => None,
        };
        let mark = mark.map(|(sign, title)| {
            view! { <span class="files-mark" title=title aria-label=title role="img">{sign}</span> }
        });
        let clicked = path.clone();
        view! {
            <div
                id=format!("{TREE}-{at}")
                class="files-row"
                class:cursor=is_cursor
                class:open=is_open
                role="treeitem"
                style=style
                title=title
                attr:aria-level=row.level.to_string()
                aria-posinset=row.place.to_string()
                aria-setsize=row.count.to_string()
                aria-expanded=row.is_folder.then(|| row.is_unfolded.to_string())
                aria-selected=is_cursor.to_string()
                data-testid="file-row"
                data-path=path.to_string()
                data-folder=folder
                on:click=move |_| self.pick(&clicked)
            >
                <span class="files-fold" class:unfolded=row.is_unfolded aria-hidden="true">
                    {row.is_folder.then(|| view! { <Icon name=IconName::Down /> })}
                </span>
                <Icon name=icon />
                <bdi class="files-name">{name}</bdi>
                {mark}
                <span class="files-size" aria-hidden="true">{size}</span>
            </div>
        }
        .into_any()
    }

    fn pick(self, path: &WorkspacePath) {
        self.files.cursor.set(Some(path.clone()));
        self.use_row(path);
    }

    /// Opens a file, or unfolds or folds a directory.
    fn use_row(self, path: &WorkspacePath) {
        let row =
            self.rows.with_untracked(|rows| rows.iter().find(|row| row.path == *path).cloned());
        match row {
            Some(row) if row.is_folder => self.unfold(path, !row.is_unfolded),
            Some(_) => self.open.open(path),
            None => {}
        }
    }

    fn unfold(self, path: &WorkspacePath, is_unfolded: bool) {
        self.files.tree.update(|tree| tree.unfold(path.as_str(), is_unfolded));
    }

    /// Handles a key. Returns true if the tree uses it.
    fn press(self, key: &str, ahead: StoredValue<TypeAhead, LocalStorage>) -> bool {
        let at = untrack(|| self.cursor_row()).unwrap_or(0);
        let page = self.view.get_untracked().1;
        let pressed = self.rows.with_untracked(|rows| {
            let path = rows.get(at)?.path.clone();
            let key = TreeKey::of(key, rows, at, page).or_else(|| {
                let found = ahead.try_update_value(|it| it.press(key, clock::wall_ms(), rows, at));
                found.flatten().map(TreeKey::Go)
            });
            Some((path, key?))
        });
        let Some((path, key)) = pressed else { return false };
        let may_write = self.files.may_write_now();
        match key {
            TreeKey::Go(to) => {
                let path =
                    self.rows.with_untracked(|rows| rows.get(to).map(|row| row.path.clone()));
                self.files.cursor.set(path);
            }
            TreeKey::Unfold(is_unfolded) => self.unfold(&path, is_unfolded),
            TreeKey::Open => self.use_row(&path),
            TreeKey::Rename if may_write => self.files.dialog.set(Some(FilesDialog::Rename(path))),
            TreeKey::Delete if may_write => self.files.dialog.set(Some(FilesDialog::Delete(path))),
            TreeKey::Rename | TreeKey::Delete => {
                self.files.problem.set(Some(super::READ_ONLY.to_owned()));
            }
        }
        true
    }
}

/// Moves the focus to the tree.
pub(super) fn focus() {
    page::focus_id(TREE);
}
