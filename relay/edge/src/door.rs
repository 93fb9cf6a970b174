//! The Worker itself: every request comes here first.

use worker::{Context, Env, Request, Response, Result, event};

use crate::internal::SESSION;

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> Result<Response> {
    let path = request.path();
    let Some(id) = path.strip_prefix("/sessions/").and_then(|rest| rest.split('/').next()) else {
        return Response::error("not found", 404);
    };
    env.durable_object(SESSION)?.get_by_name(id)?.fetch_with_request(request).await
}
