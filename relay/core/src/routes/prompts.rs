//! The handlers of requests to a session's agent: prompts, turns and settings.

use moorline_shared::agent::action::SessionAction;
use moorline_shared::agent::prompt::{Prompt, PromptImage, TurnState};
use moorline_shared::fold::{AgentSummary, TurnEntry};
use moorline_shared::id::TurnId;
use moorline_shared::limits::{AGENT_PROMPT_BYTES, QUEUED_PROMPTS};
use moorline_shared::rest::{
    ChangePrompt, ConfigureAgent, LogInAgent, PromptList, Prompted, SendPrompt, StopTurn,
};
use moorline_shared::session::AGENT_DRIVER;
#[cfg(feature = "openapi")]
use moorline_shared::{id::SessionId, rest::ActionAccepted};

use super::action_request::{ActionPlan, ActionRequest, accepted};
use super::session::prompt_of;
use super::{Asked, Reply, Request, Write};
use crate::api::ApiError;
#[cfg(feature = "openapi")]
use crate::api::responses::{Acting, Guarded, OfAgent, OfSession, OfTurn, Typing, WithBody};
use crate::session::Session;

/// Send a prompt to a session
///
/// A shell gets the text unchanged, followed by Enter. An agent gets it as a prompt: it is stored and queued, and
/// reaches the agent once even if its host is away now. The effects appear in the session's events and output.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/session/{id}/prompt", tag = "Session", operation_id = "prompt",
    params(("id" = SessionId, Path, description = "The session.")),
    request_body = SendPrompt,
    responses(Guarded, OfSession, WithBody, Typing,
        (status = 200, description = "The prompt was typed, or queued for the agent.", body = Prompted)),
))]
pub(crate) fn prompt(session: &Session, request: &Request) -> Result<Asked, ApiError> {
    let wanted: SendPrompt = request.body()?;
    if session.driver() != AGENT_DRIVER {
        let files = wanted.context.unwrap_or_default();
        let command = wanted.command.unwrap_or_default();
        let write = prompt_of(session.id(), &command, request.now_ms)?;
        return Ok(Asked::Write(Write { files, ..write }));
    }
    let turn_id = TurnId::from_random(request.random);
    plan_prompt(session, wanted, turn_id, &request.by(), request.now_ms).map(Asked::act)
}

/// Plans to queue a prompt, in a session of an agent.
pub(crate) fn plan_prompt(
    session: &Session,
    wanted: SendPrompt,
    turn_id: TurnId,
    by: &str,
    now_ms: u64,
) -> Result<ActionPlan, ApiError> {
    check_agent(session)?;
    let SendPrompt { command, context, images, steer } = wanted;
    let files = context.unwrap_or_default();
    let prompt = checked(Prompt { text: command.unwrap_or_default(), files, images })?;
    if session.agent(now_ms).turns.queued().count() >= QUEUED_PROMPTS {
        return Err(ApiError::queue_full(session.id()));
    }
    let reply = Reply::ok(&Prompted {
        success: true,
        session_id: session.id().clone(),
        message: "Command sent".to_owned(),
        timestamp: now_ms,
        turn_id: Some(turn_id.clone()),
        queued: true,
    });
    let action = SessionAction::Prompt { turn_id, prompt, by: by.to_owned(), steer };
    Ok(ActionPlan { actions: vec![action], reply })
}

fn checked(prompt: Prompt) -> Result<Prompt, ApiError> {
    if prompt.text.is_empty() && prompt.images.is_empty() {
        return Err(ApiError::command_required());
    }
    if prompt.bytes() > AGENT_PROMPT_BYTES {
        return Err(ApiError::prompt_too_large());
    }
    Ok(prompt)
}

/// List the prompts of an agent
///
/// The last turns that are over, the turn that runs, and the queue. A turn is `pending` while the session's host does
/// not know of it.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/api/session/{id}/prompts", tag = "Agents", operation_id = "prompts",
    params(("id" = SessionId, Path, description = "The session.")),
    responses(Guarded, OfSession, OfAgent,
        (status = 200, description = "The turns.", body = PromptList)),
))]
pub(crate) fn list(session: &Session, request: &Request) -> Result<Reply, ApiError> {
    let turns = agent_of(session, request)?.turns.entries().to_vec();
    Ok(Reply::ok(&PromptList { session_id: session.id().clone(), turns }))
}

/// Change or move a queued prompt
#[cfg_attr(feature = "openapi", utoipa::path(
    patch, path = "/api/session/{id}/prompts/{item}", tag = "Agents", operation_id = "changePrompt",
    params(("id" = SessionId, Path, description = "The session."), ("item" = TurnId, Path, description = "The turn.")),
    request_body = ChangePrompt,
    responses(Guarded, OfSession, WithBody, OfTurn, Acting,
        (status = 200, description = "The change is stored.", body = ActionAccepted)),
))]
pub(crate) fn change(session: &Session, request: &Request) -> Result<Asked, ApiError> {
    let ChangePrompt { command, context, images, before } = request.body()?;
    let view = agent_of(session, request)?;
    let turn = queued(session, &view, request)?;
    let turn_id = turn.turn_id.clone();
    let mut actions = Vec::new();
    if command.is_some() || context.is_some() || images.is_some() {
        if turn.truncated && (command.is_none() || context.is_none()) {
            return Err(ApiError::bad_request(
                "The prompt is too long for the relay to have all of it: send its `command` and its \
                 `context` in full.",
            ));
        }
        let bare = |image: &PromptImage| PromptImage { data: String::new(), ..image.clone() };
        let prompt = checked(Prompt {
            text: command.unwrap_or_else(|| turn.prompt.text.clone()),
            files: context.unwrap_or_else(|| turn.prompt.files.clone()),
            images: images.unwrap_or_else(|| turn.prompt.images.iter().map(bare).collect()),
        })?;
        actions.push(SessionAction::EditPrompt { turn_id: turn_id.clone(), prompt });
    }
    if let Some(before) = before {
        let order = moved(session, &view, &turn_id, before.as_ref())?;
        actions.push(SessionAction::Reorder { order });
    }
    if actions.is_empty() {
        return Err(ApiError::bad_request(
            "Nothing is to be changed: send `command`, `context`, `images` or `before`.",
        ));
    }
    let reply = accepted(session, Some(turn_id), request.now_ms);
    Ok(Asked::act(ActionPlan { actions, reply }))
}

/// Returns the order of the queue after a turn was moved in front of another, or to the end.
fn moved(
    session: &Session,
    view: &AgentSummary,
    turn: &TurnId,
    before: Option<&TurnId>,
) -> Result<Vec<TurnId>, ApiError> {
    let mut order: Vec<_> = view.turns.queued().map(|queued| queued.turn_id.clone()).collect();
    if before == Some(turn) {
        return Ok(order);
    }
    order.retain(|id| id != turn);
    let place = match before {
        None => order.len(),
        Some(before) => {
            let place = order.iter().position(|id| id == before);
            place.ok_or_else(|| match view.turns.get(before) {
                Some(_) => not_queued(session, before.as_str()),
                None => no_turn(session, before.as_str()),
            })?
        }
    };
    order.insert(place, turn.clone());
    Ok(order)
}

/// Withdraw a queued prompt
#[cfg_attr(feature = "openapi", utoipa::path(
    delete, path = "/api/session/{id}/prompts/{item}", tag = "Agents", operation_id = "withdrawPrompt",
    params(("id" = SessionId, Path, description = "The session."), ("item" = TurnId, Path, description = "The turn.")),
    responses(Guarded, OfSession, OfTurn, Acting,
        (status = 200, description = "The withdrawal is stored.", body = ActionAccepted)),
))]
pub(crate) fn withdraw(session: &Session, request: &Request) -> Result<Asked, ApiError> {
    let view = agent_of(session, request)?;
    let turn_id = queued(session, &view, request)?.turn_id.clone();
    let action = SessionAction::Withdraw { turn_id: turn_id.clone() };
    Ok(one(session, request, action, Some(turn_id)))
}

/// Retry a turn that failed or was stopped
///
/// Its prompt is queued once more, in a new turn. Nothing of it is undone before.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/session/{id}/prompts/{item}/retry", tag = "Agents", operation_id = "retryPrompt",
    params(("id" = SessionId, Path, description = "The session."), ("item" = TurnId, Path, description = "The turn.")),
    responses(Guarded, OfSession, OfTurn, Acting,
        (status = 200, description = "The new turn is stored.", body = ActionAccepted)),
))]
pub(crate) fn retry(session: &Session, request: &Request) -> Result<Asked, ApiError> {
    let view = agent_of(session, request)?;
    let turn = turn(session, &view, request)?;
    if !matches!(turn.state, TurnState::Failed | TurnState::Cancelled) {
        let message = "Only a turn that has failed or was stopped can be retried.";
        return Err(conflict(session, "not_retryable", "Turn cannot be retried", message));
    }
    if view.turns.queued().count() >= QUEUED_PROMPTS {
        return Err(ApiError::queue_full(session.id()));
    }
    let (turn_id, new_turn_id) = (turn.turn_id.clone(), TurnId::from_random(request.random));
    let by = request.by();
    let action = SessionAction::Retry { turn_id, new_turn_id: new_turn_id.clone(), by };
    Ok(one(session, request, action, Some(new_turn_id)))
}

/// Stop the turn that runs
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/session/{id}/stop", tag = "Agents", operation_id = "stopTurn",
    params(("id" = SessionId, Path, description = "The session.")),
    request_body = StopTurn,
    responses(Guarded, OfSession, WithBody, OfAgent, Acting,
        (status = 200, description = "The request is stored.", body = ActionAccepted)),
))]
pub(crate) fn stop(session: &Session, request: &Request) -> Result<Asked, ApiError> {
    let wanted = request.body()?;
    plan_stop(session, wanted, request.now_ms).map(Asked::act)
}

/// Plans to stop the turn that runs, in a session of an agent.
pub(crate) fn plan_stop(
    session: &Session,
    wanted: StopTurn,
    now_ms: u64,
) -> Result<ActionPlan, ApiError> {
    let StopTurn { turn_id, force } = wanted;
    check_agent(session)?;
    let view = session.agent(now_ms);
    let active = view.turns.active().map(|turn| &turn.turn_id);
    let runs = turn_id.as_ref().map_or(active.is_some(), |wanted| active == Some(wanted));
    let kills = force && turn_id.is_none();
    if !runs && !kills {
        let message = "No such turn runs now. To take back a queued prompt, withdraw it.";
        return Err(conflict(session, "not_running", "Turn does not run", message));
    }
    let reply = accepted(session, turn_id.clone().or_else(|| active.cloned()), now_ms);
    let action = SessionAction::Stop { turn_id, force };
    Ok(ActionPlan { actions: vec![action], reply })
}

/// Change a setting of the agent
///
/// The event `agent-config` lists the settings, and reports the change once the agent has made it.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/session/{id}/config", tag = "Agents", operation_id = "configureAgent",
    params(("id" = SessionId, Path, description = "The session.")),
    request_body = ConfigureAgent,
    responses(Guarded, OfSession, WithBody, OfAgent, Acting,
        (status = 200, description = "The request is stored.", body = ActionAccepted)),
))]
pub(crate) fn configure(session: &Session, request: &Request) -> Result<Asked, ApiError> {
    let ConfigureAgent { option, value } = request.body()?;
    check_agent(session)?;
    if option.is_empty() {
        return Err(ApiError::bad_request("`option` must be the id of a setting."));
    }
    Ok(one(session, request, SessionAction::Configure { option, value }, None))
}

/// Log in to the agent
///
/// The event `agent-info` lists the ways to log in, and reports the result.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/api/session/{id}/login", tag = "Agents", operation_id = "logInAgent",
    params(("id" = SessionId, Path, description = "The session.")),
    request_body = LogInAgent,
    responses(Guarded, OfSession, WithBody, OfAgent, Acting,
        (status = 200, description = "The request is stored.", body = ActionAccepted)),
))]
pub(crate) fn log_in(session: &Session, request: &Request) -> Result<Asked, ApiError> {
    let LogInAgent { method } = request.body()?;
    check_agent(session)?;
    if method.is_empty() {
        return Err(ApiError::bad_request("`method` must be the id of a way to log in."));
    }
    Ok(one(session, request, SessionAction::LogIn { method }, None))
}

fn one(session: &Session, request: &Request, action: SessionAction, turn: Option<TurnId>) -> Asked {
    let reply = accepted(session, turn, request.now_ms);
    let plan = ActionPlan { actions: vec![action], reply };
    Asked::Act(Box::new(ActionRequest::act(plan)))
}

fn agent_of<'a>(
    session: &'a Session,
    request: &Request,
) -> Result<std::borrow::Cow<'a, AgentSummary>, ApiError> {
    check_agent(session)?;
    Ok(session.agent(request.now_ms))
}

/// Checks that a session runs an agent.
///
/// # Errors
/// `not_an_agent`.
pub(super) fn check_agent(session: &Session) -> Result<(), ApiError> {
    if session.driver() == AGENT_DRIVER {
        return Ok(());
    }
    let message = "This session runs no agent: type into its terminal instead.";
    Err(conflict(session, "not_an_agent", "Not an agent", message))
}

fn turn<'a>(
    session: &Session,
    view: &'a AgentSummary,
    request: &Request,
) -> Result<&'a TurnEntry, ApiError> {
    let id = request.item.parse().ok();
    let found = id.and_then(|id| view.turns.get(&id));
    found.ok_or_else(|| no_turn(session, &request.item))
}

fn no_turn(session: &Session, turn: &str) -> ApiError {
    if session.may_lack_entries() {
        return ApiError::not_known_yet(session.id());
    }
    ApiError::no_turn(turn, session.id())
}

fn queued<'a>(
    session: &Session,
    view: &'a AgentSummary,
    request: &Request,
) -> Result<&'a TurnEntry, ApiError> {
    let turn = turn(session, view, request)?;
    if turn.state == TurnState::Queued {
        return Ok(turn);
    }
    Err(not_queued(session, turn.turn_id.as_str()))
}

fn not_queued(session: &Session, turn: &str) -> ApiError {
    let message = format!("The turn `{turn}` is not queued: it runs, or is over.");
    conflict(session, "not_queued", "Prompt is not queued", message)
}

fn conflict(
    session: &Session,
    code: &str,
    error: &str,
    message: impl std::fmt::Display,
) -> ApiError {
    ApiError::agent_conflict(code, error, message, session.id())
}
