//! The directory: all sessions, hosts, projects and tokens.

use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

/// See the module.
#[durable_object]
#[derive(Debug)]
pub struct DirectoryObject {
    _state: State,
    _env: Env,
}

impl DurableObject for DirectoryObject {
    fn new(state: State, env: Env) -> Self {
        Self { _state: state, _env: env }
    }

    async fn fetch(&self, _request: Request) -> Result<Response> {
        Response::error("not found", 404)
    }
}
