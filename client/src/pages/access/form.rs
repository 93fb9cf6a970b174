//! The form for a new token, and for changes of one.

use leptos::html;
use leptos::prelude::*;
use moorline_shared::rest::{ChangeToken, CreateToken, TokenSummary};

use super::scope::TokenScope;
use super::state::AccessState;
use crate::session::api::RequestError;
use crate::session::overview::OverviewState;
use crate::session::words;
use crate::ui::field::{Choice, choice, typed};
use crate::ui::{Field, When};

const HOUR_MS: u64 = 60 * 60 * 1000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// The lifetimes that are offered.
const LIFETIMES: [(u64, &str); 6] = [
    (HOUR_MS, "In an hour"),
    (DAY_MS, "In a day"),
    (7 * DAY_MS, "In a week"),
    (30 * DAY_MS, "In 30 days"),
    (90 * DAY_MS, "In 90 days"),
    (365 * DAY_MS, "In a year"),
];

/// The kinds of scopes: the name of each, its title, and what it allows.
const KINDS: [(&str, &str, &str); 4] = [
    ("session", "One session", "The page and the terminal of one session."),
    (
        "project",
        "One project",
        "The sessions of a project. Who may write also starts sessions in it.",
    ),
    ("host", "Host", "Publishing sessions: for `moorline host` on another machine."),
    (
        "admin",
        "Administrator",
        "Everything, also making and revoking tokens. Give it only to yourself.",
    ),
];

/// The selections in the form.
#[derive(Clone, Copy)]
struct Chosen {
    /// The kind of scope: one of [`KINDS`].
    kind: RwSignal<String>,
    project: RwSignal<String>,
    session: RwSignal<String>,
    writes: RwSignal<bool>,
    lifetime: RwSignal<Lifetime>,
}

impl Chosen {
    /// Selects the scope of a token, or the default of a new one.
    fn of(scope: Option<&TokenScope>) -> Self {
        let (kind, project, session, writes) = match scope {
            None => ("session", None, None, false),
            Some(TokenScope::Admin) => ("admin", None, None, false),
            Some(TokenScope::Host) => ("host", None, None, false),
            Some(TokenScope::Project(id, writes)) => {
                ("project", Some(id.to_string()), None, *writes)
            }
            Some(TokenScope::Session(id, writes)) => {
                ("session", None, Some(id.to_string()), *writes)
            }
        };
        Self {
            kind: RwSignal::new(kind.to_owned()),
            project: RwSignal::new(project.unwrap_or_default()),
            session: RwSignal::new(session.unwrap_or_default()),
            writes: RwSignal::new(writes),
            lifetime: RwSignal::new(match scope {
                None => Lifetime::Limited(30 * DAY_MS),
                Some(_) => Lifetime::AsBefore,
            }),
        }
    }

    /// Returns the chosen scope.
    ///
    /// # Errors
    /// A sentence that says what is missing.
    fn scope(self) -> Result<TokenScope, &'static str> {
        let writes = self.writes.get_untracked();
        let project = || self.project.get_untracked().parse().map_err(|_| "Choose a project.");
        let session = || self.session.get_untracked().parse().map_err(|_| "Choose a session.");
        match self.kind.get_untracked().as_str() {
            "admin" => Ok(TokenScope::Admin),
            "host" => Ok(TokenScope::Host),
            "project" => Ok(TokenScope::Project(project()?, writes)),
            _ => Ok(TokenScope::Session(session()?, writes)),
        }
    }

    fn is(self, kind: &str) -> bool {
        self.kind.with(|chosen| chosen == kind)
    }
}

/// How long a token is to be valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lifetime {
    AsBefore,
    /// Until it is revoked.
    Unlimited,
    /// For this number of milliseconds from now.
    Limited(u64),
}

impl Lifetime {
    /// The value of its option.
    fn text(self) -> String {
        match self {
            Self::AsBefore => String::new(),
            Self::Unlimited => "never".to_owned(),
            Self::Limited(ms) => ms.to_string(),
        }
    }

    fn read(text: &str) -> Self {
        match text {
            "never" => Self::Unlimited,
            _ => text.parse().map_or(Self::AsBefore, Self::Limited),
        }
    }

    /// Returns what a request changes.
    const fn change(self) -> Option<Option<u64>> {
        match self {
            Self::AsBefore => None,
            Self::Unlimited => Some(None),
            Self::Limited(ms) => Some(Some(ms)),
        }
    }
}

/// Asks for the label, the scope and the expiry of a token.
#[component]
pub fn TokenForm(
    /// The token to change; none to make one.
    #[prop(optional)]
    token: Option<TokenSummary>,
    /// Called to close the dialog.
    close: Callback<()>,
) -> impl IntoView {
    let state = AccessState::expect();
    let label = NodeRef::<html::Input>::new();
    let known = token.as_ref().and_then(|token| TokenScope::read(&token.scope));
    // A scope of a later version stays as it is.
    let keeps_scope = token.is_some() && known.is_none();
    let chosen = Chosen::of(known.as_ref());
    let (problem, busy) = (RwSignal::new(None::<String>), RwSignal::new(false));
    let failed = move |error: RequestError| {
        let _ = busy.try_set(false);
        let _ = problem.try_set(Some(error.to_string()));
    };
    let is_own = token.as_ref().is_some_and(|token| untrack(|| state.is_own(&token.id)));
    let value = token.as_ref().and_then(|token| token.label.clone()).unwrap_or_default();
    let verb = if token.is_some() { "Save" } else { "Make the token" };
    let expiry = expiry(state, chosen, token.as_ref());
    let save = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let scope = match chosen.scope() {
            _ if keeps_scope => None,
            Ok(scope) => Some(scope.text()),
            Err(sentence) => return problem.set(Some(sentence.to_owned())),
        };
        busy.set(true);
        let (label, lifetime) = (typed(label), chosen.lifetime.get_untracked());
        match &token {
            None => {
                let scope = scope.unwrap_or_default();
                let expires_in_ms = lifetime.change().flatten();
                state.create(&CreateToken { scope, label, expires_in_ms }, failed);
            }
            Some(token) => {
                let scope = scope.filter(|scope| *scope != token.scope);
                let label = Some(label.unwrap_or_default());
                let expires_in_ms = lifetime.change();
                state.change(&token.id, &ChangeToken { scope, label, expires_in_ms }, failed);
            }
        }
    };
    view! {
        <form class="token-form" on:submit=save data-testid="token-form">
            <Field label="Label" name="token-label" node=label value placeholder="Whom or what it is for" first=true />
            <When condition=move || !keeps_scope>
                <ScopeFields chosen />
            </When>
            {expiry}
            <When condition=move || is_own>
                <p class="access-warning">
                    "This browser uses this token. With another scope it may not be able to undo the change."
                </p>
            </When>
            <p class="problem" role="alert" data-testid="token-problem">{problem}</p>
            <div class="actions">
                <button type="button" class="button" on:click=move |_| close.run(())>"Cancel"</button>
                <button class="button primary" data-testid="save-token" disabled=busy>{verb}</button>
            </div>
        </form>
    }
}

/// Asks for the scope.
#[component]
fn ScopeFields(chosen: Chosen) -> impl IntoView {
    let kinds = move || {
        let of = |(value, text, _): &(&str, &str, &str)| Choice {
            value: (*value).to_owned(),
            text: (*text).to_owned(),
            chosen: chosen.is(value),
        };
        KINDS.iter().map(of).collect()
    };
    let hint =
        move || KINDS.iter().find(|(kind, ..)| chosen.is(kind)).map_or("", |(_, _, hint)| *hint);
    let rights = move || {
        let of = |value: &str, text: &str, writes| Choice {
            value: value.to_owned(),
            text: text.to_owned(),
            chosen: chosen.writes.get() == writes,
        };
        vec![
            of("read", "Only read: see what happens", false),
            of("write", "Read and write: type, prompt and decide", true),
        ]
    };
    view! {
        {choice("Scope", "token-scope", kinds, move |kind| chosen.kind.set(kind))}
        <p class="access-hint">{hint}</p>
        <When condition=move || chosen.is("project")>{projects(chosen)}</When>
        <When condition=move || chosen.is("session")>{sessions(chosen)}</When>
        <When condition=move || chosen.is("project") || chosen.is("session")>
            {choice("Rights", "token-rights", rights, move |value| {
                chosen.writes.set(value == "write");
            })}
        </When>
    }
}

fn projects(chosen: Chosen) -> AnyView {
    let overview = OverviewState::expect();
    let options = move || {
        let all = overview.projects.get().into_iter();
        let all = all.map(|project| (project.id.to_string(), words::plain(&project.name)));
        options("Choose a project…", all.collect(), &chosen.project.get())
    };
    choice("Project", "token-project", options, move |id| chosen.project.set(id))
}

fn sessions(chosen: Chosen) -> AnyView {
    let overview = OverviewState::expect();
    let options = move || {
        let all = overview.newest().into_iter();
        let all = all.map(|session| {
            let text = format!("{} ({})", words::name(&session), words::about(&session));
            (session.session_id.to_string(), text)
        });
        options("Choose a session…", all.collect(), &chosen.session.get())
    };
    choice("Session", "token-session", options, move |id| chosen.session.set(id))
}

/// Returns the options of a list, after one that selects nothing. The selected one is included even if it
/// no longer exists.
fn options(none: &str, mut all: Vec<(String, String)>, chosen: &str) -> Vec<Choice> {
    all.insert(0, (String::new(), none.to_owned()));
    if !all.iter().any(|(id, _)| id == chosen) {
        all.push((chosen.to_owned(), chosen.to_owned()));
    }
    let of = |(value, text): (String, String)| Choice { chosen: value == chosen, value, text };
    all.into_iter().map(of).collect()
}

/// Asks when the token expires.
fn expiry(state: AccessState, chosen: Chosen, token: Option<&TokenSummary>) -> AnyView {
    let before = token.map(|token| {
        match token.expires_at.as_deref().and_then(|at| untrack(|| state.distance(at))) {
            Some((distance, false)) => format!("As before: in {distance}"),
            Some((_, true)) => "As before: it has expired".to_owned(),
            None => "As before: never, until it is revoked".to_owned(),
        }
    });
    let has_limit = token.is_none_or(|token| token.expires_at.is_some());
    let options = move || {
        let lifetime = chosen.lifetime.get();
        let of = |value: Lifetime, text: &str| Choice {
            value: value.text(),
            text: text.to_owned(),
            chosen: lifetime == value,
        };
        let before = before.iter().map(|text| of(Lifetime::AsBefore, text));
        let never = has_limit.then(|| of(Lifetime::Unlimited, "Never, until it is revoked"));
        let limited = LIFETIMES.iter().map(|(ms, text)| of(Lifetime::Limited(*ms), text));
        before.chain(never).chain(limited).collect()
    };
    choice("Expires", "token-expiry", options, move |value| {
        chosen.lifetime.set(Lifetime::read(&value));
    })
}
