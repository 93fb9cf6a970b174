//! Two versions of a file that the workspace keeps beside each other, because a folder and the workspace
//! had changed it at the same time. Somebody looks at both and decides.

use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use moorline_shared::workspace::WorkspacePath;

use super::editor::BESIDE_PX;
use super::open::OpenFile;
use super::state::FilesState;
use crate::bindings::editor::{EditorCode, EditorText, OtherText, TextEditor};
use crate::bindings::files::SendBody;
use crate::bindings::measure;
use crate::session::workspace::{FileContent, FileRefusal};
use crate::ui::When;
use crate::ui::on_demand::{LoadState, OnDemand};
use crate::ui::visible::visible_name;
use crate::ui::when::{effect, live};

/// A version of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileVersion {
    hash: String,
    /// `None` if it is no text.
    text: Option<String>,
}

/// The two versions, once they are read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct VersionPair {
    /// The second version's path.
    copy: WorkspacePath,
    /// The path that it was to have.
    original: WorkspacePath,
    /// The version there; `None` if it was deleted.
    theirs: Option<FileVersion>,
    /// The second version.
    mine: FileVersion,
}

/// Says that the open file has a second version, and compares both.
#[component]
pub fn PairNote() -> impl IntoView {
    let (files, open) = (FilesState::expect(), OpenFile::expect());
    // Whichever of the two is open.
    let paths = Memo::new(move |_| {
        let path = open.path.get()?;
        files.tree.with(|tree| {
            let own = tree.file(path.as_str()).and_then(|file| file.conflict_of.clone());
            let of_other = || {
                let all = tree.conflicts().into_iter();
                all.filter(|(_, of)| *of == path).map(|(copy, _)| copy).next()
            };
            match own {
                Some(original) => Some((path.clone(), original)),
                None => of_other().map(|copy| (copy, path.clone())),
            }
        })
    });
    let pair = RwSignal::new(None::<VersionPair>);
    let problem = RwSignal::new(None::<String>);
    effect(move || {
        paths.track();
        pair.set(None);
        problem.set(None);
    });
    let compare = move |_| {
        if let Some((copy, original)) = paths.get_untracked() {
            open.note();
            spawn_local(async move {
                let read = read(files, copy, original).await;
                let (found, refused) = match read {
                    Ok(found) => (Some(found), None),
                    Err(refusal) => (None, Some(refusal.sentence)),
                };
                let _ = pair.try_set(found);
                let _ = problem.try_set(refused);
            });
        }
    };
    let words = move || {
        paths.get().map(|(copy, original)| {
            format!(
                "{} is a second version of {}.",
                visible_name(copy.name()),
                visible_name(original.as_str())
            )
        })
    };
    view! {
        <When condition=move || paths.with(Option::is_some)>
            <div class="files-decision" data-testid="second-version">
                <p>{words}</p>
                <p class="problem" role="alert">{move || problem.get()}</p>
                <When condition=move || pair.with(Option::is_none)>
                    <div class="actions">
                        <button class="button primary" data-testid="compare-versions" on:click=compare>
                            "Compare and decide…"
                        </button>
                    </div>
                </When>
            </div>
        </When>
        {live(move || match pair.get() {
            Some(found) => view! { <Decision found pair problem /> }.into_any(),
            None => ().into_any(),
        })}
    }
}

async fn read(
    files: FilesState,
    copy: WorkspacePath,
    original: WorkspacePath,
) -> Result<VersionPair, FileRefusal> {
    let mine = version(files, &copy).await?;
    let theirs = match version(files, &original).await {
        Ok(theirs) => Some(theirs),
        Err(refusal) if refusal.is_missing() => None,
        Err(refusal) => return Err(refusal),
    };
    Ok(VersionPair { copy, original, theirs, mine })
}

async fn version(files: FilesState, path: &WorkspacePath) -> Result<FileVersion, FileRefusal> {
    let (hash, content) = files.read_file(path.as_str()).await?;
    let text = match FileContent::of(content.to_vec()) {
        FileContent::Text(text) => Some(text),
        _ => None,
    };
    Ok(FileVersion { hash, text })
}

/// What becomes of the two versions.
enum PairDecision {
    /// The first stays.
    Original,
    /// The second takes its place.
    Copy,
    /// This text takes its place.
    Merge(String),
}

/// Shows both versions, and carries out what somebody decides.
#[component]
fn Decision(
    found: VersionPair,
    pair: RwSignal<Option<VersionPair>>,
    problem: RwSignal<Option<String>>,
) -> impl IntoView {
    let (files, open) = (FilesState::expect(), OpenFile::expect());
    let texts =
        found.theirs.as_ref().and_then(|theirs| theirs.text.clone()).zip(found.mine.text.clone());
    let is_text = texts.is_some();
    let editor = StoredValue::new_local(None::<TextEditor>);
    let has_original = found.theirs.is_some();
    let found = StoredValue::new(found);
    let decide = move |outcome: PairDecision| {
        let found = found.get_value();
        spawn_local(async move {
            match carry_out(files, &found, outcome).await {
                Ok(()) if !pair.is_disposed() => open.open(&found.original),
                Ok(()) => {}
                // Both are read anew, so that nobody decides about what is not there any more.
                Err(refusal) if refusal.is_stale() => {
                    let again = read(files, found.copy, found.original).await;
                    let _ = pair.try_set(again.ok());
                    let sentence = "One of them was changed meanwhile. Look at both again.";
                    let _ = problem.try_set(Some(sentence.to_owned()));
                }
                Err(refusal) => _ = problem.try_set(Some(refusal.sentence)),
            }
        });
    };
    let merged = move || editor.with_value(|editor| editor.as_ref().map(TextEditor::text));
    view! {
        <div class="files-pair" data-testid="two-versions">
            <div class="files-decision">
                <p>
                    {if is_text {
                        "The file is on one side, the second version on the other, which you can edit."
                    } else {
                        "They cannot be compared as texts. Open each to look at it."
                    }}
                </p>
                <When condition=move || files.may_write()>
                    <div class="actions">
                        <button class="button" data-testid="keep-original" hidden=!has_original
                            on:click=move |_| decide(PairDecision::Original)>
                            "Keep the file, delete the second version"
                        </button>
                        <button class="button" data-testid="keep-copy" on:click=move |_| decide(PairDecision::Copy)>
                            "Replace the file by the second version"
                        </button>
                        <button class="button primary" data-testid="keep-merge" hidden=!is_text
                            on:click=move |_| merged().into_iter().for_each(|text| decide(PairDecision::Merge(text)))>
                            "Save the text as it is below"
                        </button>
                    </div>
                </When>
            </div>
            {texts.map(|(theirs, mine)| view! { <Both theirs mine editor path=found.get_value().original /> })}
        </div>
    }
}

#[component]
fn Both(
    theirs: String,
    mine: String,
    editor: StoredValue<Option<TextEditor>, LocalStorage>,
    path: WorkspacePath,
) -> impl IntoView {
    let code: OnDemand<EditorCode> = OnDemand::new();
    code.load(EditorCode::load());
    let place = NodeRef::<html::Div>::new();
    effect(move || {
        let is_ready = code.state() == LoadState::Ready;
        let (Some(place), Some(code), true) = (place.get(), code.get(), is_ready) else { return };
        let text = EditorText {
            path: path.as_str(),
            text: &mine,
            label: "The second version",
            read_only: false,
        };
        let beside = measure::width(&place) >= BESIDE_PX;
        let other = OtherText { text: &theirs, label: "The file", beside };
        let made = code.merge(&place, text, other, || {}, || {});
        drop(editor.try_update_value(|editor| editor.replace(made)));
    });
    on_cleanup(move || drop(editor.try_update_value(Option::take)));
    view! {
        <div class="files-versions" aria-hidden="true">
            <span>"The file"</span>
            <span>"Second version"</span>
        </div>
        <div class="files-editor" data-testid="merge" node_ref=place></div>
    }
}

/// Puts what was decided, only over what was shown.
async fn carry_out(
    files: FilesState,
    pair: &VersionPair,
    outcome: PairDecision,
) -> Result<(), FileRefusal> {
    let tag = |hash: &str| ("if-match", format!("\"{hash}\""));
    let body = match outcome {
        PairDecision::Original => None,
        PairDecision::Merge(text) => Some(SendBody::Text(text)),
        PairDecision::Copy => {
            let (hash, content) = files.read_file(pair.copy.as_str()).await?;
            if hash != pair.mine.hash {
                return Err(FileRefusal { code: "stale".to_owned(), ..FileRefusal::default() });
            }
            Some(SendBody::Bytes(content))
        }
    };
    if let Some(body) = body {
        let condition = match &pair.theirs {
            Some(theirs) => tag(&theirs.hash),
            None => ("if-none-match", "*".to_owned()),
        };
        let headers = vec![condition, ("content-type", "application/octet-stream".to_owned())];
        files.ask("PUT", pair.original.as_str(), headers, body).await?;
    }
    let copy = pair.copy.as_str();
    files.ask("DELETE", copy, vec![tag(&pair.mine.hash)], SendBody::Nothing).await?;
    Ok(())
}
