//! Commands in containers, over WebSockets with channels.

mod command;

use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{FromRequestParts as _, Request};
use axum::http::Method;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::time::timeout;

use self::command::{ExecCommand, ExecInput, ExecOutput};
use super::exec_faults::ExecLine;
use super::json::uid;
use super::line::LineFaults;
use super::process::{exit_code, start_error};
use super::query::QueryParameters;
use super::resource::ResourcePath;
use super::state::SharedState;
use super::status::{ApiError, ApiResult};
use super::target::ContainerTarget;
use crate::wait::PATIENCE;

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
const RESIZE: u8 = 4;
/// Ends the channel that the next byte names; `v5` only.
const CLOSE: u8 = 255;

const V4: &str = "v4.channel.k8s.io";
const V5: &str = "v5.channel.k8s.io";

/// Answers a request to run a command.
pub(super) async fn answer(
    state: &SharedState,
    path: &ResourcePath,
    line: Arc<LineFaults>,
    request: Request,
) -> ApiResult<Response> {
    let verb = if request.method() == Method::POST { "create" } else { "get" };
    // Newer servers want both of who opens a WebSocket.
    let verbs = if state.legacy { vec![verb] } else { vec![verb, "create"] };
    for verb in verbs {
        state.access.authorize(verb, path.resource, "exec", &path.namespace, &path.name)?;
    }
    let query = QueryParameters::of(request.uri());
    let target = ContainerTarget::find(state, path, query.get("container"))?;
    let lost = *state.node_lost.borrow();
    let command = command_of(state, &target, &query);
    let command = match command {
        // Newer servers upgrade before they ask the node. Older ones pass on what it says, as text.
        Err(error) if state.legacy && !lost => return Ok(error.into_text()),
        Err(error) if state.legacy => return Err(error),
        other => other,
    };
    let (mut parts, _) = request.into_parts();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
    let upgrade = upgrade.map_err(|_| ApiError::bad_request("Upgrade request required"))?;
    let known: &[&'static str] = if state.legacy { &[V4] } else { &[V5, V4] };
    let upgrade = upgrade.protocols(known.iter().copied());
    let Some(protocol) = upgrade.selected_protocol() else {
        return Err(ApiError::bad_request("unable to upgrade: none of the protocols is supported"));
    };
    let closes = protocol == V5;
    let state = SharedState::clone(state);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let line = state.execs.open(line);
        run(socket, command, closes, &line).await;
        state.execs.close(&line);
    }))
}

fn command_of(
    state: &SharedState,
    target: &ContainerTarget,
    query: &QueryParameters,
) -> ApiResult<ExecCommand> {
    if *state.node_lost.borrow() {
        let why = "error dialing backend: dial tcp 10.0.0.2:10250: connect: no route to host";
        return Err(ApiError::internal(why));
    }
    let runtime = state.runtimes.get(uid(&target.pod));
    let Some(container) = runtime.and_then(|runtime| runtime.container(&target.container)) else {
        let name = &target.container;
        let why = format!("container not found (\"{name}\")");
        return Err(if state.legacy {
            ApiError::of_node(&why)
        } else {
            ApiError::internal(&format!("unable to upgrade connection: {why}"))
        });
    };
    Ok(ExecCommand {
        place: container.place,
        words: query.all("command").map(str::to_owned).collect(),
        stdin: query.is_true("stdin"),
        stdout: query.is_true("stdout"),
        stderr: query.is_true("stderr"),
        tty: query.is_true("tty"),
    })
}

async fn run(socket: WebSocket, command: ApiResult<ExecCommand>, closes: bool, line: &ExecLine) {
    let (mut sink, stream) = socket.split();
    // A real server says so that the connection is there.
    let opened = sink.send(channel(STDOUT, &[])).await;
    let words = command.as_ref().map(|command| command.words.clone()).unwrap_or_default();
    let started = match command.map(ExecCommand::start) {
        Ok(Ok(started)) => started,
        Ok(Err(error)) => {
            let program = words.first().map_or("", String::as_str);
            let why = format!(
                "error executing command in container: failed to exec in container: failed to start exec: OCI \
                 runtime exec failed: exec failed: {}",
                start_error(program, &error)
            );
            return end(&mut sink, &ApiError::internal(&why).status()).await;
        }
        Err(error) => return end(&mut sink, &error.status()).await,
    };
    let (input, mut output) = started;
    let mut feeding = tokio::spawn(feed(stream, input, closes));
    let ended = tokio::select! {
        ended = pass(&mut sink, &mut output, &words), if opened.is_ok() => ended,
        _ = &mut feeding => None,
        () = line.false_end.notified() => Some(success()),
    };
    match ended {
        Some(status) => {
            end(&mut sink, &status).await;
            // What the client still sends is read, so that it reads the end in peace.
            _ = timeout(PATIENCE, &mut feeding).await;
        }
        // The client is gone. The command gets the end of its input, and is otherwise left alone.
        None => feeding.abort(),
    }
    tokio::spawn(output.drain());
}

/// Passes the output on, and returns the status of the command. `None` if the client is gone.
async fn pass(
    sink: &mut SplitSink<WebSocket, Message>,
    output: &mut ExecOutput,
    words: &[String],
) -> Option<Value> {
    while let Some((stream, data)) = output.next().await {
        sink.send(channel(stream, &data)).await.ok()?;
    }
    let status = output.wait().await;
    let code = status.map_or(255, exit_code);
    if code == 0 {
        return Some(success());
    }
    let words = words.join(" ");
    Some(json!({
        "metadata": {},
        "status": "Failure",
        "message": format!(
            "command terminated with non-zero exit code: error executing command [{words}], exit code {code}"
        ),
        "reason": "NonZeroExitCode",
        "details": { "causes": [{ "reason": "ExitCode", "message": code.to_string() }] },
    }))
}

/// Passes the input on until the client is gone.
async fn feed(mut stream: SplitStream<WebSocket>, input: ExecInput, closes: bool) {
    let mut input = Some(input);
    while let Some(Ok(message)) = stream.next().await {
        let data = match message {
            Message::Binary(data) => data,
            Message::Close(_) => break,
            _ => continue,
        };
        let Some((channel, data)) = data.split_first() else { continue };
        match (*channel, &mut input) {
            (STDIN, Some(input)) => input.write(data).await,
            (RESIZE, Some(input)) => {
                if let Ok(size) = serde_json::from_slice::<Value>(data) {
                    input.resize(&size["Width"], &size["Height"]);
                }
            }
            (CLOSE, Some(open)) if closes && data == [STDIN] => open.close(),
            _ => {}
        }
    }
    drop(input.take());
}

async fn end(sink: &mut SplitSink<WebSocket, Message>, status: &Value) {
    // The client may be gone.
    _ = sink.send(channel(STATUS, status.to_string().as_bytes())).await;
    let frame = CloseFrame { code: close_code::NORMAL, reason: "".into() };
    _ = sink.send(Message::Close(Some(frame))).await;
}

fn success() -> Value {
    json!({ "metadata": {}, "status": "Success" })
}

fn channel(number: u8, data: &[u8]) -> Message {
    let mut message = Vec::with_capacity(data.len() + 1);
    message.push(number);
    message.extend_from_slice(data);
    Message::Binary(Bytes::from(message))
}
