//! Requests to the directory: from callers that the Worker has admitted, and from other objects.

use std::rc::Rc;

use http::StatusCode;
use moorline_core::api::ApiError;
use moorline_core::directory::Directory;
use moorline_core::routes::{Call, Found, Handler, Matched, Need, Reach, Reply, View, find};
use moorline_shared::id::{HostId, SessionId};
use moorline_shared::rest::PushKey;
use worker::Request;

use super::{DirectoryState, overview};
use crate::address::asked;
use crate::internal::{
    AUDIT, Audited, Caller, ENSURE, FILES, FIND_FILES, GONE, KEEP, LEASE, LOG_OUT, OPENED,
    OPERATIONS, Opened, PASSKEY_ADD, PASSKEY_BEGIN, PASSKEY_LOG_IN, PREFIX, QUESTION, REDEEM,
    STILL, SUMMARY, SessionGone, SessionUpdate, VERIFY, VERIFY_COOKIE, WORKSPACE, WorkspaceFacts,
    WorkspaceWanted,
};
use crate::reply::{self, Answer, body, json, method, nothing, uri};

pub(super) async fn answer(directory: &Rc<DirectoryState>, request: &mut Request) -> Answer {
    let path = request.path();
    if path.starts_with(PREFIX) {
        return internal(directory, &path, request).await;
    }
    let Found::Route(Matched { route, id, .. }) = find(&method(request), &path) else {
        return Err(ApiError::no_route(&uri(&path)).into());
    };
    if route.need == Need::Start {
        directory.count_start(&Caller::of(request)?.grant)?;
    }
    match route.handler {
        Handler::Read(read) => {
            let request = reply::incoming(&id, request)?;
            let is_here = |host: &HostId| directory.is_here(host);
            let view =
                |directory: &Directory| read(&View { directory, is_here: &is_here }, &request);
            reply::answer(directory.ask(view)?)
        }
        Handler::Change(decide) => {
            let request = reply::with_body(&id, request).await?;
            directory.change(decide, &request).await
        }
        Handler::Start(start) => {
            let request = reply::with_body(&id, request).await?;
            directory.start_by(start, &request).await
        }
        Handler::Remove(reply) => {
            let id = named(&id)?;
            directory.delete(&id).await?;
            reply::answer(reply(&id))
        }
        Handler::Relay(call) => own(directory, call, &id, request).await,
        // The objects of sessions and workspaces answer these.
        Handler::Workspace(_)
        | Handler::Session(_)
        | Handler::Output(_)
        | Handler::Write(_)
        | Handler::Act(_)
        | Handler::Operations(_)
        | Handler::Ask(_)
        | Handler::Files(_) => Err(ApiError::no_route(&uri(&path)).into()),
    }
}

/// Answers the routes that this relay handles itself.
async fn own(
    directory: &Rc<DirectoryState>,
    call: Call,
    id: &str,
    request: &mut Request,
) -> Answer {
    match call {
        Call::Metrics => directory.metrics(),
        Call::DebugMetrics => directory.debug_metrics(),
        Call::Control => directory.open_control(id, request).await,
        Call::HostAgents => directory.agents(id).await,
        Call::HostTmux => directory.tmux(id).await,
        Call::HostPods | Call::SavePodTemplate | Call::RemovePods => {
            let request = reply::with_body(id, request).await?;
            reply::answer(directory.pods(call, &request).await?)
        }
        Call::HostRules | Call::RevokeRule => {
            let request = reply::incoming(id, request)?;
            reply::answer(directory.rules(call, &request).await?)
        }
        Call::ListEvents => overview::open(directory, request),
        Call::CreateTicket => directory.ticket(&Caller::of(request)?),
        Call::ListTokens => directory.tokens(),
        Call::CreateToken => directory.create_token(&Caller::of(request)?, &body(request).await?),
        Call::ChangeToken => {
            let caller = Caller::of(request)?;
            directory.change_token(&caller, id, &body(request).await?).await
        }
        Call::RevokeToken => directory.revoke_token(&Caller::of(request)?, id).await,
        Call::LogOutEverywhere => directory.log_out_everywhere(&Caller::of(request)?).await,
        Call::ListPasskeys => directory.list_passkeys(&Caller::of(request)?),
        Call::RemovePasskey => directory.remove_passkey(&Caller::of(request)?, id),
        Call::Audit => directory.audit(&reply::incoming(id, request)?),
        Call::PushKey => reply::answer(Reply::ok(&PushKey { public_key: None })),
        Call::SubscribePush | Call::UnsubscribePush => Err(ApiError::no_push().into()),
        Call::Fork => directory.fork(&named(id)?, body(request).await?).await,
        _ => Err(ApiError::no_route(&uri(&request.path())).into()),
    }
}

async fn internal(directory: &Rc<DirectoryState>, path: &str, request: &mut Request) -> Answer {
    match path {
        SUMMARY => {
            let SessionUpdate { report, counted } = body(request).await?;
            directory.counted.borrow_mut().add(&counted);
            let id = report.summary.session_id.clone();
            let is_expected = directory.ask(|it| Ok(it.is_reserved(&id)))?;
            if directory.report(report)? || is_expected {
                nothing()
            } else {
                Err(ApiError::no_session(id.as_str()).into())
            }
        }
        GONE => {
            let SessionGone { session_id } = body(request).await?;
            if directory.ask(|it| Ok(it.contains(&session_id)))? {
                directory.unlist(&session_id).await?;
            }
            nothing()
        }
        FILES => {
            let wanted = body(request).await?;
            json(StatusCode::OK, &directory.files(wanted).await?)
        }
        OPERATIONS => {
            let wanted = body(request).await?;
            json(StatusCode::OK, &directory.operations(wanted).await?)
        }
        FIND_FILES => {
            let wanted = body(request).await?;
            json(StatusCode::OK, &directory.find_files(wanted).await?)
        }
        QUESTION => {
            let wanted = body(request).await?;
            json(StatusCode::OK, &directory.question(wanted).await?)
        }
        WORKSPACE => {
            let WorkspaceWanted { id } = body(request).await?;
            let now_ms = super::now_ms();
            let facts = directory.ask(|it| {
                let record = it.workspace_record(&id).ok().cloned();
                Ok(WorkspaceFacts { record, reached: it.reach(Reach::Workspace(&id), now_ms) })
            })?;
            json(StatusCode::OK, &facts)
        }
        VERIFY => directory.verify(&body(request).await?),
        VERIFY_COOKIE => directory.verify_cookie(&body(request).await?),
        PASSKEY_BEGIN => directory.begin_passkey(&body(request).await?),
        PASSKEY_ADD => directory.add_passkey(&body(request).await?),
        PASSKEY_LOG_IN => directory.log_in_by_passkey(&body(request).await?),
        KEEP => directory.keep_cookie(&body(request).await?).await,
        LOG_OUT => directory.log_out(&body(request).await?).await,
        STILL => directory.still_all(&body(request).await?),
        OPENED => directory.note(&body(request).await?),
        LEASE => {
            let path = asked(&request.inner().url(), &["path"]).unwrap_or_default();
            let opened = Opened { caller: Caller::of(request)?, path, session: None };
            directory.open_lease(opened, request).await
        }
        AUDIT => {
            let Audited { records } = body(request).await?;
            records.iter().for_each(|record| directory.record(record));
            nothing()
        }
        REDEEM => directory.redeem(&body(request).await?),
        ENSURE => {
            directory.ensure(body(request).await?).await?;
            nothing()
        }
        _ => Err(ApiError::no_route(&uri(path)).into()),
    }
}

fn named(id: &str) -> Result<SessionId, ApiError> {
    id.parse().map_err(|_| ApiError::invalid_id(id))
}
