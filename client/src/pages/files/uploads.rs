//! Putting files into the workspace: dropping, picking, progress, and what was refused.

use std::collections::HashMap;

use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::icons::{self, icon};
use super::state::FilesState;
use crate::bindings::drops::{self, DropWatch, FileDrag};
use crate::bindings::files::{AbortHandle, DroppedFile, SendBody};
use crate::bindings::images::{self, PickedFile};
use crate::bindings::page;
use crate::session::words;
use crate::session::workspace::{
    FileRefusal, MOST_UPLOADS, UploadItem, UploadOrder, UploadPhase, UploadQueue, WantedUpload,
    file_address,
};
use crate::ui::When;
use crate::ui::visible::visible_name;
use crate::ui::when::live;

/// The most refused files that are listed.
const LISTED: usize = 50;

/// The queue of uploads, and what the browser has of them.
#[derive(Clone, Copy)]
pub(super) struct UploadState {
    files: FilesState,
    queue: RwSignal<UploadQueue>,
    /// The number of files for which there was no room.
    left_out: RwSignal<usize>,
    sources: StoredValue<HashMap<usize, PickedFile>, LocalStorage>,
    sending: StoredValue<HashMap<usize, AbortHandle>, LocalStorage>,
    /// The directory over which files are dragged.
    over: RwSignal<Option<String>>,
}

impl UploadState {
    /// Takes files that are dropped onto this page, and provides the queue to all components below.
    pub(super) fn provide(files: FilesState) -> Self {
        let uploads = Self {
            files,
            queue: RwSignal::default(),
            left_out: RwSignal::default(),
            sources: StoredValue::new_local(HashMap::new()),
            sending: StoredValue::new_local(HashMap::new()),
            over: RwSignal::default(),
        };
        provide_context(uploads);
        let watch = drops::take(move |drag| uploads.dragged(drag));
        let _: StoredValue<DropWatch, LocalStorage> = StoredValue::new_local(watch);
        uploads
    }

    pub(super) fn expect() -> Self {
        expect_context()
    }

    fn dragged(self, drag: FileDrag) {
        if self.over.is_disposed() {
            return;
        }
        let (over, dropped) = match drag {
            FileDrag::Over(dragged) => (dragged.attribute_around("data-folder"), None),
            FileDrag::Left => (None, None),
            FileDrag::Dropped(dragged) => (None, Some(dragged)),
        };
        // The browser tells many times a second.
        if self.over.with_untracked(|known| *known != over) {
            self.over.set(over);
        }
        let Some(dropped) = dropped else { return };
        let Some(folder) = dropped.attribute_around("data-folder") else { return };
        if !self.files.may_write_now() {
            return self.files.problem.set(Some(super::READ_ONLY.to_owned()));
        }
        let Some(code) = self.files.with_code(Clone::clone) else { return };
        spawn_local(async move {
            let found = code.dropped(dropped.transfer(), MOST_UPLOADS as u32).await;
            self.add(&folder, found);
        });
    }

    /// Adds files that were dropped or picked, for a directory.
    pub(super) fn add(self, folder: &str, found: Vec<DroppedFile>) {
        if self.queue.is_disposed() || found.is_empty() {
            return;
        }
        if self.queue.with_untracked(UploadQueue::is_over) {
            // What was refused before was read, or the list would still be open.
            self.clear();
        }
        let first = self.queue.with_untracked(|queue| queue.items().len());
        let path = |path: &str| match folder {
            "" => path.to_owned(),
            folder => format!("{folder}/{path}"),
        };
        let wanted = found.iter().map(|it| WantedUpload {
            path: path(&it.path),
            bytes: it.file.as_ref().map_or(0.0, images::size),
            is_folder: it.file.is_none() && !it.is_unreadable,
            is_unreadable: it.is_unreadable,
        });
        let wanted = wanted.collect();
        let left_out = self.queue.try_update(|queue| queue.add(wanted)).unwrap_or_default();
        self.left_out.update(|count| *count += left_out);
        self.sources.update_value(|sources| {
            let files = found.into_iter().enumerate();
            sources.extend(files.filter_map(|(at, found)| Some((first + at, found.file?))));
        });
        self.files.problem.set(None);
        self.go_on();
    }

    /// Sends what can be sent now.
    fn go_on(self) {
        while let Some(order) = self.queue.try_update(UploadQueue::send_next).flatten() {
            self.send(order);
        }
        if self.queue.try_with_untracked(UploadQueue::is_over) == Some(true) {
            let _ = self.sending.try_update_value(HashMap::clear);
        }
    }

    fn send(self, order: UploadOrder) {
        let UploadOrder { at, path, is_folder, replaces } = order;
        let condition = match replaces {
            Some(hash) => ("if-match", format!("\"{hash}\"")),
            None => ("if-none-match", "*".to_owned()),
        };
        let headers = vec![condition, ("content-type", "application/octet-stream".to_owned())];
        let file = self.sources.with_value(|sources| sources.get(&at).cloned());
        let body = file.map_or(SendBody::Nothing, SendBody::File);
        let kind = if is_folder { "?kind=directory" } else { "" };
        let address = file_address(&self.files.id(), &path) + kind;
        let progress = move |bytes| _ = self.queue.try_update(|queue| queue.progress(at, bytes));
        let sending = self.files.begin("PUT", address, headers, body, progress);
        let abort = sending.abort_handle();
        self.sending.update_value(|all| _ = all.insert(at, abort));
        spawn_local(async move {
            let answer = sending.answer().await;
            if self.queue.is_disposed() {
                return;
            }
            let outcome = self.files.read(answer).map(drop);
            self.sending.update_value(|all| _ = all.remove(&at));
            self.queue.update(|queue| queue.ended(at, outcome));
            self.go_on();
        });
    }

    fn cancel(self) {
        let ended = self.queue.try_update(UploadQueue::cancel).unwrap_or_default();
        let aborts: Vec<_> = self
            .sending
            .with_value(|all| ended.iter().filter_map(|at| all.get(at).cloned()).collect());
        aborts.iter().for_each(AbortHandle::abort);
    }

    fn decide(self, decision: impl FnOnce(&mut UploadQueue)) {
        self.queue.update(decision);
        self.go_on();
    }

    fn clear(self) {
        self.queue.set(UploadQueue::default());
        self.left_out.set(0);
        self.sources.update_value(HashMap::clear);
    }
}

/// A button that picks files, or a folder with everything in it.
pub(super) fn picker(is_folder: bool, folder: impl Fn() -> String + Copy + 'static) -> AnyView {
    let (files, uploads) = (FilesState::expect(), UploadState::expect());
    let field = NodeRef::<html::Input>::new();
    if is_folder {
        let name = [("webkitdirectory", String::new())];
        field.on_load(move |field| page::set_attributes(&field, &name));
    }
    let pick = move |_| {
        let Some(field) = field.get_untracked() else { return };
        if let Some(found) = files.with_code(|code| code.picked(&field)) {
            uploads.add(&folder(), found);
        }
    };
    let (label, name) =
        if is_folder { ("Upload a folder", "pick-folder") } else { ("Upload files", "pick-files") };
    let drawn = icon(if is_folder { icons::UPLOAD_FOLDER } else { icons::UPLOAD });
    view! {
        <label class="icon-button" title=label>
            {drawn}
            <input
                class="unseen"
                type="file"
                multiple=true
                node_ref=field
                aria-label=label
                data-testid=name
                on:change=pick
            />
        </label>
    }
    .into_any()
}

/// Shows where dragged files would go.
#[component]
pub fn DropHint() -> impl IntoView {
    let (files, uploads) = (FilesState::expect(), UploadState::expect());
    let text = move || match uploads.over.get() {
        _ if files.is_read_only() => super::READ_ONLY.to_owned(),
        Some(folder) if !folder.is_empty() => format!("Drop into {}", visible_name(&folder)),
        _ => "Drop into the workspace".to_owned(),
    };
    view! {
        <When condition=move || uploads.over.with(Option::is_some)>
            <p class="files-drop" data-testid="drop-hint">{text}</p>
        </When>
    }
}

/// Shows how far the uploads are, and asks what they may replace.
#[component]
pub fn UploadList() -> impl IntoView {
    let uploads = UploadState::expect();
    let counts = Memo::new(move |_| uploads.queue.with(UploadQueue::counts));
    let words = move || {
        let counts = counts.get();
        let size = |bytes: f64| words::bytes(bytes as usize);
        match counts.left {
            0 => format!("{} of {} uploaded", counts.done, counts.all),
            _ => format!(
                "Uploading: {} of {}, {} of {}",
                counts.done,
                counts.all,
                size(counts.sent),
                size(counts.bytes)
            ),
        }
    };
    let percent = move || {
        let counts = counts.get();
        let whole = counts.bytes.max(1.0);
        (counts.sent / whole * 100.0) as u32
    };
    view! {
        <When condition=move || { counts.get().all > 0 }>
            <div class="files-uploads" data-testid="uploads" data-left=move || counts.get().left.to_string()>
                <div class="files-uploads-head">
                    <span role="status" data-testid="upload-state">{words}</span>
                    <When condition=move || { counts.get().left > 0 }>
                        <button class="button quiet" data-testid="cancel-uploads" on:click=move |_| uploads.cancel()>
                            "Cancel"
                        </button>
                    </When>
                    <When condition=move || uploads.queue.with(UploadQueue::is_over)>
                        <button class="button quiet" data-testid="close-uploads" on:click=move |_| uploads.clear()>
                            "Close"
                        </button>
                    </When>
                </div>
                <When condition=move || { counts.get().left > 0 }>
                    <progress max="100" value=percent aria-label="Upload"></progress>
                </When>
                <Taken counts />
                <Refusals counts />
                <When condition=move || { uploads.left_out.get() > 0 }>
                    <p class="problem">
                        {move || format!(
                            "{} files more were left out: at most {MOST_UPLOADS} at a time. Drop the rest afterwards.",
                            uploads.left_out.get()
                        )}
                    </p>
                </When>
            </div>
        </When>
    }
}

/// Asks whether files may replace those that are there.
#[component]
fn Taken(counts: Memo<crate::session::workspace::UploadCounts>) -> impl IntoView {
    let uploads = UploadState::expect();
    let text = move || {
        let named = uploads.queue.with(|queue| {
            let taken = |it: &&UploadItem| matches!(it.phase, UploadPhase::Taken(_));
            let names = queue.items().iter().filter(taken).take(3);
            names.map(|item| visible_name(&item.path).into_owned()).collect::<Vec<_>>().join(", ")
        });
        match counts.get().taken {
            1 => format!("{named} is there already."),
            count if count > 3 => format!("{named} and {} more are there already.", count - 3),
            _ => format!("{named} are there already."),
        }
    };
    view! {
        <When condition=move || { counts.get().taken > 0 }>
            <div role="alert" data-testid="uploads-taken">
                <p>{text}</p>
                <div class="actions">
                    <button class="button" data-testid="skip-taken" on:click=move |_| uploads.decide(UploadQueue::skip_taken)>
                        "Leave out"
                    </button>
                    <button class="button" data-testid="rename-taken" on:click=move |_| {
                        let tree = uploads.files.tree.get_untracked();
                        uploads.decide(|queue| queue.rename_taken(&tree));
                    }>
                        "Keep both"
                    </button>
                    <button class="button danger" data-testid="replace-taken" on:click=move |_| uploads.decide(UploadQueue::replace_taken)>
                        "Replace"
                    </button>
                </div>
            </div>
        </When>
    }
}

/// Lists what was refused, and why.
#[component]
fn Refusals(counts: Memo<crate::session::workspace::UploadCounts>) -> impl IntoView {
    let uploads = UploadState::expect();
    let refused = move |item: &UploadItem| -> Option<(String, FileRefusal)> {
        match &item.phase {
            UploadPhase::Refused(refusal) => Some((item.path.clone(), refusal.clone())),
            _ => None,
        }
    };
    let count = Memo::new(move |_| counts.get().refused);
    let rows = move || {
        let _ = count.get();
        let rows: Vec<_> = uploads.queue.with_untracked(|queue| {
            queue.items().iter().filter_map(refused).take(LISTED).collect()
        });
        let row = |(path, refusal): (String, FileRefusal)| {
            view! {
                <li data-testid="upload-refused" data-code=refusal.code>
                    <bdi>{visible_name(&path).into_owned()}</bdi> ": " {refusal.sentence}
                </li>
            }
        };
        rows.into_iter().map(row).collect_view().into_any()
    };
    let more = move || count.get().saturating_sub(LISTED);
    view! {
        <When condition=move || { count.get() > 0 }>
            <p class="problem" role="alert">
                {move || format!("{} not uploaded:", count.get())}
            </p>
            <ul class="files-refused" tabindex="0" aria-label="Not uploaded">{live(rows)}</ul>
            <When condition=move || { more() > 0 }>
                <p class="files-hint">{move || format!("and {} more", more())}</p>
            </When>
            <div class="actions">
                <button class="button" data-testid="retry-uploads" on:click=move |_| uploads.decide(UploadQueue::retry)>
                    "Try again"
                </button>
            </div>
        </When>
    }
}
