//! The meaning of the page's address, and its changes. A page has no other context than its
//! address, so two tabs on two sessions never mix.

use leptos::prelude::*;
use moorline_shared::embed::EmbedKind;
use moorline_shared::id::{ProjectId, SessionId, WorkspaceId};
use moorline_shared::rest::SessionSummary;
use moorline_shared::session::AGENT_DRIVER;

use crate::bindings::history::{self, AddressWatch, LinkWatch};
use crate::bindings::page;

/// The page that an address leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PageRoute {
    /// The list of sessions.
    Sessions {
        /// The sessions that it shows.
        shelf: Shelf,
    },
    /// A session's page, with its past and present.
    Session(SessionId),
    /// The terminal of a session.
    Terminal(SessionId),
    /// A session on a page for frames.
    Embed {
        /// The session.
        id: SessionId,
        /// The kind of page that the address names. The session's own kind is shown.
        kind: EmbedKind,
    },
    /// All open questions of all sessions.
    Approvals,
    /// The tokens, and what was done with them.
    Access,
    /// All workspaces.
    Workspaces,
    /// The files of a workspace. The query names the open one, which the page reads itself.
    Workspace(WorkspaceId),
    /// An address outside of this application.
    #[default]
    NotFound,
}

/// The sessions that a list shows: `?project=<id|none>`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Shelf {
    /// All of the sessions.
    #[default]
    All,
    /// The sessions of one project.
    Project(ProjectId),
    /// The sessions without a project.
    Loose,
}

impl Shelf {
    /// Returns true if it includes a session of this project.
    #[must_use]
    pub fn holds(&self, project: Option<&ProjectId>) -> bool {
        match self {
            Self::All => true,
            Self::Project(id) => project == Some(id),
            Self::Loose => project.is_none(),
        }
    }

    /// Returns its project, if it is one.
    #[must_use]
    pub const fn project(&self) -> Option<&ProjectId> {
        match self {
            Self::Project(id) => Some(id),
            Self::All | Self::Loose => None,
        }
    }
}

impl PageRoute {
    /// Parses an address: a path, and a query after `?`.
    #[must_use]
    pub fn of(address: &str) -> Self {
        let address = address.split('#').next().unwrap_or_default();
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match parts[..] {
            ["" | "sessions"] => match shelf(query) {
                Some(shelf) => Self::Sessions { shelf },
                None => Self::NotFound,
            },
            ["approvals"] => Self::Approvals,
            ["access"] => Self::Access,
            ["workspaces"] => Self::Workspaces,
            ["workspace", id] => id.parse().map_or(Self::NotFound, Self::Workspace),
            ["session", id] => id.parse().map_or(Self::NotFound, Self::Session),
            ["terminal", id] => id.parse().map_or(Self::NotFound, Self::Terminal),
            ["embed", "terminal", id] => embed(id, EmbedKind::Terminal),
            ["embed", "session", id] => embed(id, EmbedKind::Agent),
            _ => Self::NotFound,
        }
    }

    /// Returns the page on which people work with a session: an agent's conversation, or a terminal.
    #[must_use]
    pub fn of_session(session: &SessionSummary) -> Self {
        let id = session.session_id.clone();
        if session.driver == AGENT_DRIVER { Self::Session(id) } else { Self::Terminal(id) }
    }

    /// Returns the address that leads here.
    #[must_use]
    pub fn address(&self) -> String {
        match self {
            Self::Sessions { shelf: Shelf::All } | Self::NotFound => "/sessions".to_owned(),
            Self::Sessions { shelf: Shelf::Loose } => "/sessions?project=none".to_owned(),
            Self::Sessions { shelf: Shelf::Project(id) } => format!("/sessions?project={id}"),
            Self::Approvals => "/approvals".to_owned(),
            Self::Access => "/access".to_owned(),
            Self::Workspaces => "/workspaces".to_owned(),
            Self::Workspace(id) => format!("/workspace/{id}"),
            Self::Embed { id, kind: EmbedKind::Terminal } => format!("/embed/terminal/{id}"),
            Self::Embed { id, kind: EmbedKind::Agent } => format!("/embed/session/{id}"),
            Self::Session(id) => format!("/session/{id}"),
            Self::Terminal(id) => format!("/terminal/{id}"),
        }
    }

    /// Returns the page that shows this route. A different page is built anew, the same one stays.
    fn page(self) -> Self {
        match self {
            Self::Sessions { .. } => Self::Sessions { shelf: Shelf::All },
            other => other,
        }
    }
}

fn embed(id: &str, kind: EmbedKind) -> PageRoute {
    id.parse().map_or(PageRoute::NotFound, |id| PageRoute::Embed { id, kind })
}

/// Returns `None` if the query names something that cannot be a project.
fn shelf(query: &str) -> Option<Shelf> {
    let named = query.split('&').find_map(|field| field.strip_prefix("project="));
    match named {
        None | Some("") => Some(Shelf::All),
        Some("none") => Some(Shelf::Loose),
        Some(id) => id.parse().ok().map(Shelf::Project),
    }
}

/// The current route, and ways to change it.
#[derive(Debug, Clone, Copy)]
pub struct Router {
    route: RwSignal<PageRoute>,
    /// The session whose terminal is shown, and the one that the page was built for, while the page
    /// shows several.
    shown: RwSignal<Option<(SessionId, SessionId)>>,
    /// True for a page in a frame, which stays: whatever it links to opens in a new tab.
    stays: bool,
}

impl Router {
    /// Reads the page's address, follows its changes and the page's links, and provides the router
    /// to all components below.
    #[must_use]
    pub fn provide() -> Self {
        let route = PageRoute::of(&history::address());
        let stays = matches!(route, PageRoute::Embed { .. });
        let router = Self { route: RwSignal::new(route), shown: RwSignal::new(None), stays };
        let links = if stays {
            history::open_links_in_tabs()
        } else {
            history::watch_links(move |to| router.follow(to))
        };
        let watches = (history::watch(move || router.arrive()), links);
        let _: StoredValue<(AddressWatch, LinkWatch), LocalStorage> =
            StoredValue::new_local(watches);
        provide_context(router);
        router
    }

    /// Returns the router that was provided.
    #[must_use]
    pub fn expect() -> Self {
        expect_context()
    }

    /// Returns the current route; tracked.
    #[must_use]
    pub fn route(self) -> PageRoute {
        self.route.get()
    }

    /// Returns [`Router::route`] without what a page can change within itself; tracked.
    #[must_use]
    pub fn page(self) -> PageRoute {
        match (self.route.get(), self.shown.get()) {
            (PageRoute::Terminal(id), Some((shown, page))) if id == shown => {
                PageRoute::Terminal(page)
            }
            (route, _) => route.page(),
        }
    }

    /// Puts a session into the address, whose terminal the page of another session shows beside its
    /// own. The page stays. Does nothing on a page in a frame.
    pub fn name_terminal(self, shown: &SessionId, page: &SessionId) {
        if self.stays
            || self.route.with_untracked(|route| *route == PageRoute::Terminal(shown.clone()))
        {
            return;
        }
        let route = PageRoute::Terminal(shown.clone());
        history::replace(&route.address());
        self.shown.set(Some((shown.clone(), page.clone())));
        self.route.set(route);
    }

    /// Ends what [`Router::name_terminal`] began, because the page is left.
    pub fn end_page(self) {
        // The application may be gone already.
        let _ = self.shown.try_set(None);
    }

    /// Returns the sessions that a list shows; tracked.
    #[must_use]
    pub fn shelf(self) -> Shelf {
        match self.route.get() {
            PageRoute::Sessions { shelf } => shelf,
            _ => Shelf::All,
        }
    }

    /// Returns true if the page is the list of this shelf; not tracked.
    #[must_use]
    pub fn is_at(self, wanted: &Shelf) -> bool {
        self.route.with_untracked(
            |route| matches!(route, PageRoute::Sessions { shelf } if shelf == wanted),
        )
    }

    /// Returns true if the page is a list of sessions; not tracked.
    #[must_use]
    pub fn is_list(self) -> bool {
        self.route.with_untracked(|route| matches!(route, PageRoute::Sessions { .. }))
    }

    /// Goes to an address and adds a history entry. An address outside of the application is loaded
    /// by the browser.
    pub fn navigate(self, address: &str) {
        if self.stays {
            page::open_tab(address);
        } else if PageRoute::of(address) == PageRoute::NotFound {
            page::load(address);
        } else if history::address() != address {
            history::push(address);
            self.arrive();
        }
    }

    /// Goes to the page of `route`.
    pub fn go(self, route: &PageRoute) {
        self.navigate(&route.address());
    }

    fn follow(self, address: &str) -> bool {
        let ours = PageRoute::of(address) != PageRoute::NotFound;
        if ours {
            self.navigate(address);
        }
        ours
    }

    fn arrive(self) {
        let route = PageRoute::of(&history::address());
        if self.route.with_untracked(|known| *known != route) {
            let before = untrack(|| self.page());
            self.route.set(route);
            let elsewhere = untrack(|| self.page()) != before;
            if elsewhere {
                // The element that had the focus is gone: continue at the new page's content.
                page::focus_main_soon();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn addresses_lead_to_pages_and_back() {
        let addresses = [
            "/sessions",
            "/sessions?project=none",
            "/sessions?project=abcdefgh",
            "/session/abcdefgh",
            "/terminal/abcd_efgh-1",
            "/approvals",
            "/access",
            "/workspaces",
            "/workspace/abcdefgh",
            "/embed/terminal/abcdefgh",
            "/embed/session/abcdefgh",
        ];
        for address in addresses {
            let route = PageRoute::of(address);
            assert_eq!(route.address(), address);
            assert_ne!(route, PageRoute::NotFound);
        }
        assert_eq!(PageRoute::of("/"), PageRoute::Sessions { shelf: Shelf::All });
        assert_eq!(
            PageRoute::of("/terminal/abcdefgh/?digest=1#x"),
            PageRoute::of("/terminal/abcdefgh")
        );
    }

    #[test]
    fn what_cannot_be_is_not_found() {
        let addresses = [
            "/terminal/",
            "/terminal/short",
            "/embed/terminal",
            "/embed/x/abcdefgh",
            "/session/a b c d e f",
            "/docs/api",
            "/workspace/",
            "/workspace/abcdefgh/x",
            "/sessions/x",
        ];
        for address in addresses.into_iter().chain(["/sessions?project=a%20b"]) {
            assert_eq!(PageRoute::of(address), PageRoute::NotFound, "{address}");
        }
    }

    #[test]
    fn a_shelf_holds_only_its_own() {
        let (one, other): (ProjectId, ProjectId) =
            ("project1".parse().unwrap(), "project2".parse().unwrap());
        let mine = Shelf::Project(one.clone());
        assert!(mine.holds(Some(&one)) && !mine.holds(Some(&other)) && !mine.holds(None));
        assert!(Shelf::Loose.holds(None) && !Shelf::Loose.holds(Some(&one)));
        assert!(Shelf::All.holds(None) && Shelf::All.holds(Some(&one)));
    }
}
