//! What a user can open from the tmux servers of the hosts, and a new tmux session.

use leptos::html;
use leptos::prelude::*;
use moorline_shared::id::HostId;
use moorline_shared::rest::{CreateSession, HostTmux};
use moorline_shared::session::TMUX_DRIVER;
use moorline_shared::tmux::{TmuxPane, TmuxServer, TmuxSession, TmuxSpec, TmuxWindow};

use crate::pages::frame::hosts::{NoHost, host_choice};
use crate::session::access::PageAccess;
use crate::session::actions::Actions;
use crate::session::api::{self, ApiRequest};
use crate::session::catalogue::HostEntry;
use crate::session::overview::OverviewState;
use crate::session::route::{PageRoute, Router};
use crate::session::tmux;
use crate::ui::field::{Choice, choice, typed};
use crate::ui::when::{effect, live};
use crate::ui::{Field, Icon, IconName};

/// The servers of a host, or the reason why they are not known.
type Servers = Result<Vec<TmuxServer>, String>;

/// Closes the dialog of the picker.
#[derive(Debug, Clone, Copy)]
pub struct PickerClose(pub Callback<()>);

/// What the parts of the picker share.
#[derive(Debug, Clone, Copy)]
struct PickerState {
    /// The host that the user has chosen.
    host: RwSignal<Option<HostId>>,
    /// The servers of the host; `None` until it has answered.
    servers: RwSignal<Option<Servers>>,
    /// Counts how often the user has asked again.
    again: RwSignal<u32>,
    actions: Actions,
    close: Callback<()>,
}

/// Lists the tmux servers of a host, with everything on them, and opens panes.
#[component]
pub fn TmuxPicker() -> impl IntoView {
    let PickerClose(close) = expect_context();
    let (host, servers) = (RwSignal::new(None), RwSignal::new(None));
    let picker =
        PickerState { host, servers, again: RwSignal::new(0), actions: Actions::expect(), close };
    ask(picker);
    view! {
        <div class="tmux-picker" data-testid="tmux-picker">
            {host_choice(host)}
            <NoHost />
            {live(move || content(picker))}
        </div>
        <div class="actions">
            <button class="button quiet" data-testid="tmux-look-again" on:click=move |_| picker.again.update(|count| *count += 1)>
                "Look again"
            </button>
            <button class="button" on:click=move |_| close.run(())>"Close"</button>
        </div>
    }
}

/// Returns the host whose servers are listed; tracked.
fn chosen(picker: PickerState) -> Option<HostEntry> {
    let overview = OverviewState::expect();
    let chosen = picker.host.get();
    overview.hosts.track();
    // The usual host depends on all sessions, which change all the time.
    untrack(|| overview.starting_host(chosen.as_ref()))
}

/// Asks the chosen host for its servers, if it has tmux.
fn ask(picker: PickerState) {
    let access = PageAccess::expect();
    let asked = Memo::new(move |_| {
        let host = chosen(picker)?;
        has_tmux(&host).then_some((host.host_id, picker.again.get()))
    });
    effect(move || {
        picker.servers.set(None);
        let Some((host, again)) = asked.get() else { return };
        let request = ApiRequest::get(format!("/api/hosts/{host}/tmux"));
        api::ask(access, request, move |answer| {
            let servers = answer.and_then(|text| api::parse::<HostTmux>(&text));
            let servers = servers.map(|it| it.servers).map_err(|error| error.to_string());
            // Another host may be chosen by now, or the dialog be closed.
            if asked.try_get_untracked().flatten() == Some((host, again)) {
                picker.servers.set(Some(servers));
            }
        });
    });
}

fn has_tmux(host: &HostEntry) -> bool {
    host.drivers.iter().any(|driver| driver == TMUX_DRIVER)
}

fn content(picker: PickerState) -> AnyView {
    let Some(host) = chosen(picker) else { return ().into_any() };
    if !has_tmux(&host) {
        let text = lacking(&host);
        return view! { <p class="problem" role="alert" data-testid="tmux-missing">{text}</p> }
            .into_any();
    }
    match picker.servers.get() {
        None => {
            view! { <p class="row-note" role="status">"Looking for tmux servers…"</p> }.into_any()
        }
        Some(Err(error)) => {
            view! { <p class="problem" role="alert" data-testid="tmux-problem">{error}</p> }
                .into_any()
        }
        Some(Ok(servers)) => {
            let empty = servers.iter().all(|server| server.sessions.is_empty());
            let note = empty.then(|| {
                view! {
                    <p class="row-note" role="status" data-testid="tmux-none">
                        "No tmux server runs there for the host's user. Start a session here, or \
                         with `tmux new` in a terminal there."
                    </p>
                }
            });
            let host_id = host.host_id;
            let many = servers.len() > 1;
            let names: Vec<_> = servers.iter().map(|server| server.socket.clone()).collect();
            let listed = servers.into_iter().map(|it| server(picker, &host_id, it, many));
            view! {
                {note}
                {listed.collect_view()}
                <NewSession picker host=host_id.clone() sockets=names open=empty />
            }
            .into_any()
        }
    }
}

/// Says why a host has no tmux.
fn lacking(host: &HostEntry) -> String {
    match host.missing.iter().find(|missing| missing.driver == TMUX_DRIVER) {
        Some(missing) => format!("tmux is not available on {}: {}", host.name, missing.reason),
        None => format!("The host {} does not know tmux yet: update Moorline there.", host.name),
    }
}

/// Returns the name of a server for people.
fn server_name(socket: Option<&str>) -> String {
    socket.map_or_else(|| "Default server".to_owned(), |socket| format!("Server {socket}"))
}

fn server(picker: PickerState, host: &HostId, server: TmuxServer, many: bool) -> AnyView {
    let TmuxServer { socket, sessions } = server;
    let heading = (many || socket.is_some()).then(|| {
        view! { <h3 class="tmux-server"><bdi>{server_name(socket.as_deref())}</bdi></h3> }
    });
    let listed = sessions.iter().map(|it| session(picker, host, socket.as_ref(), it));
    view! { {heading} {listed.collect_view()} }.into_any()
}

fn session(
    picker: PickerState,
    host: &HostId,
    socket: Option<&String>,
    session: &TmuxSession,
) -> AnyView {
    let attached = match session.attached {
        0 => String::new(),
        1 => ", shown by 1 terminal".to_owned(),
        more => format!(", shown by {more} terminals"),
    };
    let windows = match session.windows.len() {
        1 => "1 window".to_owned(),
        count => format!("{count} windows"),
    };
    let active = tmux::current(session).and_then(tmux::active).cloned();
    let open = active.map(|pane| {
        let label = format!("Open {}", session.name);
        opener(picker, host, socket, &pane, "button primary tmux-open", Some(label), || {
            view! { "Open" }.into_any()
        })
    });
    let more = session.truncated.then(|| {
        view! { <p class="row-note">"There are more: only some are listed."</p> }
    });
    let listed = session.windows.iter().map(|it| window(picker, host, socket, it));
    view! {
        <section class="tmux-group" data-testid="tmux-session" aria-label=session.name.clone()>
            <div class="tmux-group-head">
                <h4><bdi>{session.name.clone()}</bdi></h4>
                <span class="row-note">{windows}{attached}</span>
                {open}
            </div>
            <ul>{listed.collect_view()}</ul>
            {more}
        </section>
    }
    .into_any()
}

fn window(
    picker: PickerState,
    host: &HostId,
    socket: Option<&String>,
    window: &TmuxWindow,
) -> AnyView {
    let panes = window.panes.iter().map(|pane| {
        let row = pane_row(pane);
        let content = move || pane_content(row.clone());
        view! { <li>{opener(picker, host, socket, pane, "tmux-row", None, content)}</li> }
    });
    view! {
        <li>
            <p class="tmux-heading"><bdi>{format!("{}: {}", window.index, window.name)}</bdi></p>
            <ul>{panes.collect_view()}</ul>
        </li>
    }
    .into_any()
}

/// The texts of a pane's row: its program, its size, its folder, and whether it is open.
type PaneRow = (String, String, String, bool);

fn pane_row(pane: &TmuxPane) -> PaneRow {
    let size = tmux::size(pane.cols, pane.rows);
    let folder = pane.cwd.clone().unwrap_or_default();
    (tmux::pane_name(pane), size, folder, pane.session_id.is_some())
}

fn pane_content((name, size, folder, is_open): PaneRow) -> AnyView {
    view! {
        <Icon name=IconName::Prompt />
        <bdi class="tmux-command">{name}</bdi>
        <span class="tmux-folder"><bdi>{folder}</bdi></span>
        <span class="tmux-size">{size}</span>
        {is_open.then(|| view! { <span class="tag">"open"</span> })}
    }
    .into_any()
}

/// Renders what opens a pane: a link to its session if it is open, otherwise a button.
fn opener(
    picker: PickerState,
    host: &HostId,
    socket: Option<&String>,
    pane: &TmuxPane,
    class: &'static str,
    label: Option<String>,
    content: impl Fn() -> AnyView,
) -> AnyView {
    if let Some(id) = &pane.session_id {
        let route = PageRoute::Terminal(id.clone());
        let router = Router::expect();
        let address = route.address();
        let follow = move |event: leptos::ev::MouseEvent| {
            if !event.ctrl_key() && !event.meta_key() && !event.shift_key() {
                event.prevent_default();
                picker.close.run(());
                router.go(&route);
            }
        };
        return view! {
            <a class=class href=address aria-label=label data-testid="tmux-open" on:click=follow>
                {content()}
            </a>
        }
        .into_any();
    }
    let spec =
        TmuxSpec { socket: socket.cloned(), pane: Some(pane.id.clone()), ..TmuxSpec::default() };
    let wish =
        CreateSession { host: Some(host.clone()), tmux: Some(spec), ..CreateSession::default() };
    view! {
        <button
            type="button"
            class=class
            aria-label=label
            data-testid="tmux-open"
            disabled=picker.actions.busy
            on:click=move |_| {
                picker.close.run(());
                picker.actions.create(wish.clone());
            }
        >
            {content()}
        </button>
    }
    .into_any()
}

/// Asks for a new tmux session.
#[component]
fn NewSession(
    picker: PickerState,
    host: HostId,
    /// The sockets of the servers; `None` for the default one.
    sockets: Vec<Option<String>>,
    /// True if the form is unfolded.
    open: bool,
) -> impl IntoView {
    let (name, command) = (NodeRef::<html::Input>::new(), NodeRef::<html::Input>::new());
    let problem = RwSignal::new(None::<String>);
    let wrong_command = RwSignal::new(None::<String>);
    let socket = RwSignal::new(None::<String>);
    let options = move || {
        let one = |socket: &Option<String>| Choice {
            value: socket.clone().unwrap_or_default(),
            text: server_name(socket.as_deref()),
            chosen: socket.is_none(),
        };
        let default = sockets.iter().all(Option::is_some).then_some(None);
        default.iter().chain(&sockets).map(one).collect()
    };
    let start = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        problem.set(None);
        wrong_command.set(None);
        let spec = TmuxSpec {
            socket: socket.get_untracked(),
            session: typed(name),
            ..TmuxSpec::default()
        };
        if spec.check().is_err() {
            return problem.set(Some("A name has no colons and periods.".to_owned()));
        }
        let words = typed(command).map(|line| shlex::split(&line));
        if words == Some(None) {
            let text = "A quote is open. Close it, or put a backslash before it.";
            return wrong_command.set(Some(text.to_owned()));
        }
        let wish = CreateSession {
            host: Some(host.clone()),
            tmux: Some(spec),
            command: words.flatten().filter(|words| !words.is_empty()),
            ..CreateSession::default()
        };
        picker.close.run(());
        picker.actions.create(wish);
    };
    view! {
        <details class="tmux-new" open=open>
            <summary data-testid="tmux-new">"New tmux session"</summary>
            <form on:submit=start>
                <Field label="Name" name="tmux-new-name" node=name placeholder="tmux numbers it" problem />
                <Field
                    label="Command"
                    name="tmux-new-command"
                    node=command
                    placeholder="login shell"
                    problem=wrong_command
                    mono=true
                />
                {choice("Server", "tmux-server", options, move |value| {
                    socket.set(Some(value).filter(|value| !value.is_empty()));
                })}
                <div class="actions">
                    <button class="button primary" data-testid="tmux-start">"Start"</button>
                </div>
            </form>
        </details>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::catalogue::tests::host;
    use moorline_shared::rest::MissingDriver;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_host_says_why_it_has_no_tmux() {
        let old = host("host_one", "box", true);
        assert!(!has_tmux(&old) && lacking(&old).contains("update Moorline"));
        let missing = MissingDriver { driver: "tmux".into(), reason: "install it".into() };
        let bare = HostEntry { missing: vec![missing], ..old.clone() };
        assert_eq!(lacking(&bare), "tmux is not available on box: install it");
        assert!(has_tmux(&HostEntry { drivers: vec!["pty".into(), "tmux".into()], ..old }));
    }

    #[test]
    fn a_pane_is_described_by_its_program_size_and_folder() {
        let mut pane = TmuxPane { id: "%3".into(), cols: 80, rows: 24, ..TmuxPane::default() };
        assert_eq!(pane_row(&pane), ("%3".into(), "80 × 24".into(), String::new(), false));
        pane.command = "vim".into();
        pane.cwd = Some("/srv".into());
        pane.session_id = Some("abcdefgh".parse().unwrap());
        assert_eq!(pane_row(&pane), ("vim".into(), "80 × 24".into(), "/srv".into(), true));
    }
}
