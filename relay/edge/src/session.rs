//! One session: its log, its clients and its host's link.

use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

/// See the module.
#[durable_object]
#[derive(Debug)]
pub struct SessionObject {
    _state: State,
    _env: Env,
}

impl DurableObject for SessionObject {
    fn new(state: State, env: Env) -> Self {
        Self { _state: state, _env: env }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        Response::ok(request.path())
    }
}
