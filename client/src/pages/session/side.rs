//! The panels beside a session's log: activity, facts, connections and files.

use leptos::prelude::*;
use moorline_shared::rest::{ContextFile, ContextSource, EventsStatus, SessionContext};

use super::history::{HistoryStep, STEP_MS, STEPS};
use super::record::Record;
use crate::bindings::clock;
use crate::session::access::PageAccess;
use crate::session::api::{self, ApiRequest};
use crate::session::overview::OverviewState;
use crate::session::words;
use crate::ui::chart::{Scale, chart};
use crate::ui::when::{effect, live};
use crate::ui::{Icon, IconName};

const SINCE: &str = "5 min ago";
const RATE: Scale = Scale { title: "Output rate", steps: STEPS, say: rate, since: SINCE };
const CLIENTS: Scale = Scale { title: "Clients", steps: STEPS, say: count, since: SINCE };

/// Charts of the last minutes.
#[component]
pub fn Activity() -> impl IntoView {
    let record = Record::expect();
    let steps = move |read: fn(HistoryStep) -> u64| -> Vec<u64> {
        record.beat.track();
        record.book.with_untracked(|book| book.history.steps().map(read).collect())
    };
    let bytes = move || {
        let mut steps = steps(|step| step.bytes * 1000 / u64::from(STEP_MS));
        // The last step is still going on: its bytes are incomplete.
        steps.pop();
        steps
    };
    let clients = move || steps(|step| step.clients as u64);
    view! {
        <section class="panel activity" aria-labelledby="activity-heading" data-testid="activity">
            <h2 id="activity-heading" class="panel-head">"Activity"</h2>
            <div class="charts">{chart(RATE, bytes)} {chart(CLIENTS, clients)}</div>
        </section>
    }
}

fn rate(bytes: u64) -> String {
    format!("{}/s", words::bytes(usize::try_from(bytes).unwrap_or(usize::MAX)))
}

fn count(clients: u64) -> String {
    clients.to_string()
}

/// Facts about the session.
#[component]
pub fn About() -> impl IntoView {
    let record = Record::expect();
    let overview = OverviewState::expect();
    let rows = live(move || {
        record.beat.track();
        let facts = facts(record, overview).into_iter();
        let facts = facts.filter_map(|(title, mono, value)| Some(fact(title, mono, value?)));
        facts.collect_view().into_any()
    });
    view! {
        <section class="panel" aria-labelledby="about-heading" data-testid="about">
            <h2 id="about-heading" class="panel-head">"About"</h2>
            <dl class="facts">{rows}</dl>
        </section>
    }
}

/// Returns the title of each fact, true if its value is code, and the value; tracked.
fn facts(record: Record, overview: OverviewState) -> Vec<(&'static str, bool, Option<String>)> {
    let Some(session) = record.summary() else { return Vec::new() };
    let command = if session.command.is_empty() {
        "login shell".to_owned()
    } else {
        words::command(&session.command)
    };
    let project = session.project.as_ref().map(|id| {
        let name = overview.project_name(id);
        name.unwrap_or_else(|| id.to_string())
    });
    let size = record.standing().map(|standing| {
        let extent = standing.extent;
        format!("{} × {}", extent.cols, extent.rows)
    });
    vec![
        ("Command", true, Some(command)),
        ("Folder", true, record.folder()),
        ("Project", false, project),
        ("Last exit", false, session.last_exit_code.map(|code| code.to_string())),
        (
            "Process",
            false,
            record.status().and_then(|status| status.pid).map(|pid| pid.to_string()),
        ),
        ("Size", false, size),
        ("Driver", false, Some(session.driver.clone())),
        ("Host", false, overview.host_name(&session)),
        ("Created", false, since(&session.created_at)),
        ("Active", false, since(&session.last_activity)),
        ("Id", true, Some(session.session_id.to_string())),
    ]
}

fn since(moment: &str) -> Option<String> {
    let ago = words::ago(clock::wall_ms() - clock::parse_rfc3339(moment)?);
    Some(if ago == "now" { ago } else { ago + " ago" })
}

fn fact(title: &'static str, mono: bool, value: String) -> AnyView {
    let class = if mono { "mono" } else { "" };
    view! {
        <div class="fact">
            <dt>{title}</dt>
            <dd class=class>{value}</dd>
        </div>
    }
    .into_any()
}

/// The number of clients and event streams.
#[component]
pub fn Connections() -> impl IntoView {
    let record = Record::expect();
    let access = PageAccess::expect();
    let streams = RwSignal::new(None::<usize>);
    let clients = Memo::new(move |_| record.summary().map_or(0, |session| session.clients));
    effect(move || {
        // A client that comes or goes may be an event stream.
        clients.track();
        record.stream.track();
        let request = ApiRequest::get(format!("/api/session/{}/events/status", record.id()));
        api::ask(access, request, move |answer| {
            if let Ok(answer) = answer.and_then(|text| api::parse::<EventsStatus>(&text)) {
                let _ = streams.try_set(Some(answer.active_connections));
            }
        });
    });
    view! {
        <section class="panel" aria-labelledby="connections-heading" data-testid="connections">
            <h2 id="connections-heading" class="panel-head">"Connections"</h2>
            <dl class="facts">
                {live(move || {
                    let streams = streams.get().map_or("…".to_owned(), |count| count.to_string());
                    let clients = fact("Clients", false, clients.get().to_string());
                    (clients, fact("Event streams", false, streams)).into_any()
                })}
            </dl>
        </section>
    }
}

/// The files that the session works with.
#[component]
pub fn Files() -> impl IntoView {
    let record = Record::expect();
    let access = PageAccess::expect();
    let files = RwSignal::new(None::<Result<Vec<ContextFile>, String>>);
    let cwd = Memo::new(move |_| record.status().and_then(|status| status.cwd.clone()));
    let ask = move || {
        let request = ApiRequest::get(format!("/api/session/{}/context", record.id()));
        api::ask(access, request, move |answer| {
            let answer = answer.and_then(|text| api::parse::<SessionContext>(&text));
            let answer = answer.map(|answer| answer.context).map_err(|error| error.to_string());
            let _ = files.try_set(Some(answer));
        });
    };
    effect(move || {
        // A different folder has different files.
        cwd.track();
        ask();
    });
    let content = live(move || match files.get() {
        None => view! { <p class="panel-hint">"Reading…"</p> }.into_any(),
        Some(Err(error)) => view! { <p class="problem panel-hint">{error}</p> }.into_any(),
        Some(Ok(files)) if files.is_empty() => {
            view! { <p class="panel-hint">"No files for agents in this folder."</p> }.into_any()
        }
        Some(Ok(files)) => {
            let files = files.iter().map(file).collect_view();
            view! { <ul class="files">{files}</ul> }.into_any()
        }
    });
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

fn file(file: &ContextFile) -> AnyView {
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
            <span class="file-why">{format!("{why} · {size}")}</span>
        </li>
    }
    .into_any()
}
