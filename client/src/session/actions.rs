//! Everything that a user can do, in one place: pages, menus and the palette offer the same
//! [`Action`]s.

mod requests;

use std::sync::Arc;

use leptos::prelude::*;
use moorline_shared::id::{HostId, ProjectId, SessionId};
use moorline_shared::rest::SessionSummary;

use crate::bindings::look::{Theme, ThemeChoice};
use crate::bindings::page;
use crate::session::access::PageAccess;
use crate::session::login;
use crate::session::overview::OverviewState;
use crate::session::route::{PageRoute, Router, Shelf};
use crate::session::words;
use crate::ui::preferences::Preferences;
use crate::ui::{Action, IconName};

/// Explains what a fork is.
pub const FORK_HINT: &str = "New session with a copy of this one's output";
/// Path of the API's documentation.
pub const API_PAGE: &str = "/docs/api";

/// Keyboard shortcuts of a session's actions on its page.
const SESSION_KEYS: [(&str, &str); 6] = [
    ("open", "t"),
    ("duplicate", "d"),
    ("fork", "f"),
    ("rename", "r"),
    ("move", "m"),
    ("delete", "Delete"),
];

/// A dialog; most ask a question before something is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Asks what to start.
    Create,
    /// Asks what to open from tmux.
    Tmux,
    /// Asks whether to delete these sessions.
    Delete(Vec<SessionId>),
    /// Asks where to move these sessions.
    Move(Vec<SessionId>),
    /// Asks for another name of this session.
    Rename(SessionId),
    /// Asks for the properties of a project: a new one, or this one.
    Project(Option<ProjectId>),
    /// Asks whether to delete this project.
    DeleteProject(ProjectId),
    /// Asks whether to log out every browser that uses the same token.
    LogOutEverywhere,
    /// Lists the keyboard shortcuts.
    Keys,
}

/// The state of the dialog of pod templates.
#[derive(Debug, Clone, Copy, Default)]
pub struct PodsDialog {
    /// True while it is open.
    pub open: RwSignal<bool>,
    /// The host that the user has chosen in it, or had chosen before it was opened.
    pub host: RwSignal<Option<HostId>>,
}

type Offer = Arc<dyn Fn() -> Vec<Action> + Send + Sync>;

/// Carries out actions, and holds the state of their dialogs.
#[derive(Debug, Clone, Copy)]
pub struct Actions {
    access: PageAccess,
    overview: OverviewState,
    preferences: Preferences,
    router: Router,
    /// The dialog that is shown now.
    pub asked: RwSignal<Option<Ask>>,
    /// The dialog of pod templates, which can be open above that one.
    pub pods: PodsDialog,
    /// The reason why the last action failed.
    pub problem: RwSignal<Option<String>>,
    /// Counts the changes that were made to several sessions at once.
    pub done: RwSignal<u32>,
    /// Counts the changes of single sessions that the relay has carried out for this page.
    pub applied: RwSignal<u32>,
    /// True while the palette is open.
    pub palette: RwSignal<bool>,
    /// True while a session is being started.
    pub busy: RwSignal<bool>,
    offers: StoredValue<Vec<(u32, Offer)>>,
}

impl Actions {
    /// Creates the actions and provides them to all components below.
    pub fn provide() -> Self {
        let actions = Self {
            access: PageAccess::expect(),
            overview: OverviewState::expect(),
            preferences: Preferences::expect(),
            router: Router::expect(),
            asked: RwSignal::default(),
            pods: PodsDialog::default(),
            problem: RwSignal::default(),
            done: RwSignal::default(),
            applied: RwSignal::default(),
            palette: RwSignal::default(),
            busy: RwSignal::default(),
            offers: StoredValue::new(Vec::new()),
        };
        provide_context(actions);
        actions
    }

    /// Returns the actions that were provided.
    #[must_use]
    pub fn expect() -> Self {
        expect_context()
    }

    /// Offers the actions of a page for as long as the calling component lives.
    pub fn offer(self, offer: impl Fn() -> Vec<Action> + Send + Sync + 'static) {
        let known = self.offers.with_value(|all| all.last().map_or(0, |(id, _)| *id));
        let id = known + 1;
        self.offers.update_value(|offers| offers.push((id, Arc::new(offer))));
        on_cleanup(move || {
            let _ = self.offers.try_update_value(|offers| offers.retain(|(known, _)| *known != id));
        });
    }

    /// Returns all actions that are possible now: those of this page, of its session, for starting
    /// something, ways to other pages, and settings.
    #[must_use]
    pub fn all(self) -> Vec<Action> {
        let route = self.router.route();
        let mut all = Vec::new();
        let offers = self.offers.get_value();
        all.extend(offers.iter().flat_map(|(_, offer)| offer()));
        let here = match &route {
            PageRoute::Session(id) | PageRoute::Terminal(id) => Some(id),
            _ => None,
        };
        if let Some(session) = here.and_then(|id| self.overview.session(id)) {
            all.extend(self.of_session(&session));
        }
        all.extend(self.beginnings());
        all.extend(self.ways(here));
        all.extend(self.settings());
        all
    }

    /// Returns the actions for a session, without those that lead to the current page.
    #[must_use]
    pub fn of_session(self, session: &Arc<SessionSummary>) -> Vec<Action> {
        let group: Arc<str> = "This session".into();
        let id = &session.session_id;
        let ask = |name, icon, title, ask: fn(SessionId) -> Ask| {
            let id = id.clone();
            Action::new(&group, name, icon, title, move || self.ask(ask(id.clone())))
        };
        let mut actions = Vec::new();
        let here = self.router.route();
        for (name, icon, title, route) in [
            ("open", IconName::Prompt, "Open the terminal", PageRoute::Terminal(id.clone())),
            ("details", IconName::Info, "Show the details", PageRoute::Session(id.clone())),
        ] {
            if here != route {
                actions
                    .push(Action::new(&group, name, icon, title, move || self.router.go(&route)));
            }
        }
        if let Some(workspace) = session.workspace.clone() {
            let route = PageRoute::Workspace(workspace);
            let go = move || self.router.go(&route);
            actions.push(Action::new(&group, "files", IconName::Folder, "Show its files", go));
        }
        let keys = |name| {
            let of_page = SESSION_KEYS.iter().find(|(known, _)| *known == name);
            of_page.filter(|_| here == PageRoute::Session(id.clone())).map_or("", |(_, keys)| *keys)
        };
        let (one, other) = (id.clone(), id.clone());
        actions.extend([
            Action::new(&group, "duplicate", IconName::Copy, "Duplicate", move || {
                self.duplicate(&one, None);
            }),
            Action::new(&group, "fork", IconName::Fork, "Fork", move || {
                self.fork(&other, None);
            }),
            ask("rename", IconName::Pencil, "Rename…", Ask::Rename),
            ask("move", IconName::Folder, "Move…", |id| Ask::Move(vec![id])),
            ask("delete", IconName::Bin, "Delete…", |id| Ask::Delete(vec![id])),
        ]);
        actions.into_iter().map(|action| Action { keys: keys(action.name), ..action }).collect()
    }

    fn beginnings(self) -> Vec<Action> {
        let group: Arc<str> = "Start".into();
        let ask = |name, icon, title, ask: fn() -> Ask| {
            Action::new(&group, name, icon, title, move || self.ask(ask()))
        };
        vec![
            Action::new(&group, "new-shell", IconName::Plus, "New shell", move || self.new_shell())
                .about(self.shelf_name()),
            ask("new-command", IconName::Sliders, "Run a command…", || Ask::Create),
            ask("open-tmux", IconName::SplitRight, "Open from tmux…", || Ask::Tmux),
            Action::new(&group, "pod-templates", IconName::Stack, "Pod templates…", move || {
                self.manage_pods(None);
            }),
            ask("new-project", IconName::Folder, "New project…", || Ask::Project(None)),
        ]
    }

    fn settings(self) -> Vec<Action> {
        let group: Arc<str> = "Moorline".into();
        let action = |name, icon, title, run: fn(Self)| {
            Action::new(&group, name, icon, title, move || run(self))
        };
        let choose = |icon, title, choice| {
            Action::new(&group, "theme", icon, title, move || self.preferences.choose_theme(choice))
        };
        vec![
            choose(IconName::Moon, "Dark theme", ThemeChoice::Always(Theme::Dark)),
            choose(IconName::Sun, "Light theme", ThemeChoice::Always(Theme::Light)),
            choose(IconName::System, "System theme", ThemeChoice::System),
            action("keys", IconName::Keyboard, "Keyboard shortcuts", Self::tell_keys),
            action("api", IconName::Book, "API documentation", |_| page::load(API_PAGE)),
            action("access", IconName::Key, "Access and tokens", |own| {
                own.router.go(&PageRoute::Access);
            }),
            action("log-out", IconName::Leave, "Log out", |own| own.log_out(false)),
            action("log-out-everywhere", IconName::Leave, "Log out everywhere…", |own| {
                own.ask(Ask::LogOutEverywhere);
            }),
        ]
    }

    /// Returns the ways to other pages: projects, and the other sessions, newest first.
    fn ways(self, here: Option<&SessionId>) -> Vec<Action> {
        let group: Arc<str> = "Go to".into();
        let go = |name, icon, title: String, route: PageRoute| {
            Action::new(&group, name, icon, title, move || self.router.go(&route))
        };
        let shelf = |shelf| PageRoute::Sessions { shelf };
        let mut ways = vec![
            go("sessions", IconName::Stack, "All sessions".into(), shelf(Shelf::All)),
            go("approvals", IconName::Check, "Approvals".into(), PageRoute::Approvals),
            go("workspaces", IconName::Folder, "Workspaces".into(), PageRoute::Workspaces),
        ];
        self.overview.projects.with(|projects| {
            ways.extend(projects.iter().map(|project| {
                let route = shelf(Shelf::Project(project.id.clone()));
                go("project", IconName::Folder, project.name.clone(), route)
                    .about(project.directory.clone().unwrap_or_default())
            }));
        });
        for session in self.overview.newest().iter().filter(|s| Some(&s.session_id) != here) {
            let route = PageRoute::of_session(session);
            let mut way = go("session", IconName::Prompt, words::name(session), route)
                .about(words::about(session));
            way.tone = Some(words::tone(session));
            ways.push(way);
        }
        ways
    }

    fn shelf_name(self) -> String {
        let project = self.router.shelf().project().and_then(|id| self.overview.project_name(id));
        project.map(|name| format!("in {name}")).unwrap_or_default()
    }

    /// Shows a dialog that asks something.
    pub fn ask(self, ask: Ask) {
        self.asked.set(Some(ask));
    }

    /// Shows the templates of pods of a host; `None` for the usual one.
    pub fn manage_pods(self, host: Option<HostId>) {
        self.pods.host.set(host);
        self.pods.open.set(true);
    }

    /// Logs this browser out, or every browser that has logged in with the same token.
    pub fn log_out(self, everywhere: bool) {
        login::log_out(self.access, everywhere, move |sentence| self.problem.set(Some(sentence)));
    }

    /// Returns true if this browser keeps the token itself, because it gets no cookie.
    #[must_use]
    pub fn keeps_token(self) -> bool {
        self.access.token().is_some()
    }

    /// Shows the keyboard shortcuts.
    pub fn tell_keys(self) {
        self.ask(Ask::Keys);
    }

    /// Closes the palette, if open.
    pub fn close_palette(self) {
        self.palette.set(false);
    }
}
