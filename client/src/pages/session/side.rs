//! What there is to know of the session besides its log.

use leptos::prelude::*;
use leptos::task::spawn_local;
use moorline_shared::rest::{ContextFile, ContextSource, SessionSummary};

use super::history::{STEP_MS, STEPS, Step};
use super::record::Record;
use crate::access::Access;
use crate::api::{self, ApiError};
use crate::bindings::clock;
use crate::components::chart::{Chart, Scale};
use crate::components::when::effect;
use crate::components::{Icon, IconName, When, words};
use crate::overview::Overview;

const RATE: Scale = Scale { steps: STEPS, say: rate, since: "5 min ago" };
const COUNT: Scale = Scale { steps: STEPS, say: count, since: "5 min ago" };

/// The last minutes.
#[component]
pub fn Activity() -> impl IntoView {
    let record = Record::expect();
    let values = move |read: fn(Step) -> u64| {
        Memo::new(move |_| {
            record.history.with(|history| history.steps().map(read).collect::<Vec<_>>())
        })
    };
    let bytes = values(|step| step.bytes * 1000 / u64::from(STEP_MS));
    // The last step goes on: its bytes are not all there yet.
    let bytes = Memo::new(move |_| bytes.with(|bytes| bytes[..bytes.len() - 1].to_vec()));
    let clients = values(|step| step.clients as u64);
    view! {
        <section class="panel activity" aria-labelledby="activity-heading" data-testid="activity">
            <h2 id="activity-heading" class="panel-head">"Activity"</h2>
            <div class="charts">
                <Chart title="Output rate" values=bytes scale=RATE />
                <Chart title="Clients" values=clients scale=COUNT />
            </div>
        </section>
    }
}

fn rate(bytes: u64) -> String {
    format!("{}/s", words::bytes(usize::try_from(bytes).unwrap_or(usize::MAX)))
}

fn count(clients: u64) -> String {
    clients.to_string()
}

/// What it is.
#[component]
pub fn About() -> impl IntoView {
    let record = Record::expect();
    let overview = Overview::expect();
    let fact = |title: &'static str, mono: bool, value: Signal<Option<String>>| {
        view! {
            <When condition=move || value.with(Option::is_some)>
                <div class="fact">
                    <dt>{title}</dt>
                    <dd class:mono=mono>{value}</dd>
                </div>
            </When>
        }
    };
    let of = move |read: fn(&SessionSummary) -> Option<String>| {
        Signal::derive(move || record.summary().and_then(|session| read(&session)))
    };
    let since = move |read: fn(&SessionSummary) -> &str| {
        Signal::derive(move || {
            record.beat.track();
            let at = clock::parse_rfc3339(read(&*record.summary()?))?;
            Some(match words::ago(clock::wall_ms() - at).as_str() {
                "now" => "now".to_owned(),
                ago => format!("{ago} ago"),
            })
        })
    };
    let project = Signal::derive(move || {
        let id = record.summary()?.project.clone()?;
        Some(overview.project_name(&id).unwrap_or_else(|| id.to_string()))
    });
    let cwd = Signal::derive(move || record.folder());
    let pid = Signal::derive(move || {
        let told = record.told.get().map(|told| told.pid);
        let pid = told.unwrap_or_else(|| record.status()?.pid);
        pid.map(|pid| pid.to_string())
    });
    let size = Signal::derive(move || {
        let status = record.status()?;
        Some(format!("{} × {}", status.cols, status.rows))
    });
    let last = of(|session| session.last_exit_code.map(|code| code.to_string()));
    let command = of(|session| {
        let shell = session.command.is_empty();
        Some(if shell { "login shell".to_owned() } else { words::command(&session.command) })
    });
    view! {
        <section class="panel" aria-labelledby="about-heading" data-testid="about">
            <h2 id="about-heading" class="panel-head">"About"</h2>
            <dl class="facts">
                {fact("Command", true, command)}
                {fact("Folder", true, cwd)}
                {fact("Project", false, project)}
                {fact("Last exit", false, last)}
                {fact("Process", false, pid)}
                {fact("Size", false, size)}
                {fact("Driver", false, of(|session| Some(session.driver.clone())))}
                {fact("Created", false, since(|session| &session.created_at))}
                {fact("Active", false, since(|session| &session.last_activity))}
                {fact("Id", true, of(|session| Some(session.session_id.to_string())))}
            </dl>
        </section>
    }
}

/// Who follows it.
#[component]
pub fn Connections() -> impl IntoView {
    let record = Record::expect();
    let access = Access::expect();
    let streams = RwSignal::new(None::<usize>);
    let clients = Memo::new(move |_| record.summary().map_or(0, |session| session.clients));
    effect(move || {
        // Whoever comes or goes may be either.
        clients.track();
        record.stream.track();
        let (token, id) = (access.token(), record.id());
        spawn_local(async move {
            let answer = api::readers(token.as_deref(), &id).await;
            if let Ok(answer) = answer {
                let _ = streams.try_set(Some(answer.active_connections));
            }
        });
    });
    view! {
        <section class="panel" aria-labelledby="connections-heading" data-testid="connections">
            <h2 id="connections-heading" class="panel-head">"Connections"</h2>
            <dl class="facts">
                <div class="fact">
                    <dt>"Clients"</dt>
                    <dd>{clients}</dd>
                </div>
                <div class="fact">
                    <dt>"Event streams"</dt>
                    <dd>{move || streams.get().map_or("…".to_owned(), |count| count.to_string())}</dd>
                </div>
            </dl>
        </section>
    }
}

/// The files that it works with.
#[component]
pub fn Files() -> impl IntoView {
    let record = Record::expect();
    let access = Access::expect();
    let files = RwSignal::new(None::<Result<Vec<ContextFile>, ApiError>>);
    let cwd = Memo::new(move |_| record.told.get().and_then(|told| told.cwd.clone()));
    let ask = move || {
        let (token, id) = (access.token(), record.id());
        spawn_local(async move {
            let answer = api::context(token.as_deref(), &id).await;
            let answer = api::noting_refusal(access, answer).map(|answer| answer.context);
            let _ = files.try_set(Some(answer));
        });
    };
    effect(move || {
        // Another folder has other files.
        cwd.track();
        ask();
    });
    let content = move || match files.get() {
        None => view! { <p class="panel-hint">"Reading…"</p> }.into_any(),
        Some(Err(error)) => {
            view! { <p class="problem panel-hint">{error.to_string()}</p> }.into_any()
        }
        Some(Ok(files)) if files.is_empty() => {
            view! { <p class="panel-hint">"None. Prompts can name some."</p> }.into_any()
        }
        Some(Ok(files)) => {
            let files = files.iter().map(file).collect_view();
            view! { <ul class="files">{files}</ul> }.into_any()
        }
    };
    view! {
        <section class="panel" aria-labelledby="files-heading" data-testid="context">
            <div class="panel-head">
                <h2 id="files-heading">"Context files"</h2>
                <button
                    class="icon-button small"
                    title="Read again"
                    aria-label="Read the context files again"
                    on:click=move |_| ask()
                >
                    <Icon name=IconName::Again />
                </button>
            </div>
            {content}
        </section>
    }
}

fn file(file: &ContextFile) -> impl IntoView + use<> {
    let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    let why = match file.source {
        ContextSource::Prompt => "named by a prompt",
        ContextSource::Folder => "in its folder",
    };
    let size = words::bytes(usize::try_from(file.size).unwrap_or(usize::MAX));
    let about = format!("{size}, changed {}", clock::local_date_time(file.modified as f64));
    view! {
        <li class="file" title=format!("{} ({about})", file.path)>
            <Icon name=IconName::Text />
            <span class="file-name">{name.to_owned()}</span>
            <span class="file-folder">{folder.to_owned()}</span>
            <span class="file-why">{why} " · " {size}</span>
        </li>
    }
}
