//! Steps that use what the client offers: files, terminals, and methods of any name.

use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::rpc::{Answered, RpcFailure};
use crate::turn::{MESSAGE, PeerTurn, Stepped};
use crate::updates;

/// Bytes of a terminal's output that the client is asked to keep.
const TERMINAL_BYTES: usize = 1024 * 1024;

/// Reads a file through the client.
pub(crate) async fn read(turn: &mut PeerTurn, path: &str) -> Stepped {
    let path = turn.absolute(path)?;
    let answer = turn.ask_and_wait("fs/read_text_file", json!({"path": path})).await?;
    let text = match answer {
        Ok(answer) => answer["content"].as_str().unwrap_or("no content").to_owned(),
        Err(error) => error.to_string(),
    };
    turn.say(MESSAGE, &format!("read {path}: {text}")).await
}

/// Writes a file through the client.
pub(crate) async fn write(turn: &mut PeerTurn, path: &str, content: &str) -> Stepped {
    let path = turn.absolute(path)?;
    let params = json!({"path": path, "content": content});
    let answer = turn.ask_and_wait("fs/write_text_file", params).await?;
    let text = answer.map_or_else(|error| error.to_string(), |_| "done".to_owned());
    turn.say(MESSAGE, &format!("write {path}: {text}")).await
}

/// Sends a request of any method, and says what was answered.
pub(crate) async fn request(turn: &mut PeerTurn, method: &str, params: Value) -> Stepped {
    let receiver = turn.context.wire.request(method, params).await?;
    let answer = turn.unless_cancelled(receiver).await?;
    let text = match answer {
        Ok(Ok(result)) => result.to_string(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "forgotten".to_owned(),
    };
    turn.say(MESSAGE, &format!("{method}: {text}")).await
}

/// Runs a command: in a terminal of the client, or in version 2 in one of the peer's own.
pub(crate) async fn run(turn: &mut PeerTurn, command: &str) -> Stepped {
    let tool = turn.session()?.new_id("call");
    let ran = if turn.dialect.version > 1 {
        run_here(turn, &tool, command).await
    } else {
        run_there(turn, &tool, command).await
    };
    match ran? {
        Ok((output, exit)) => {
            turn.update(updates::tool_status(&tool, "completed", None)).await?;
            turn.say(MESSAGE, &format!("output: {output}")).await?;
            turn.say(MESSAGE, &format!("exit: {exit}")).await
        }
        Err(error) => {
            turn.update(updates::tool_status(&tool, "failed", None)).await?;
            turn.say(MESSAGE, &format!("run: {error}")).await
        }
    }
}

/// The output of a command and how it ended, or the error of the client.
type Ran = Result<(String, String), RpcFailure>;

async fn run_there(turn: &mut PeerTurn, tool: &str, command: &str) -> Stepped<Ran> {
    let params = json!({
        "command": "sh",
        "args": ["-c", command],
        "env": [],
        "cwd": turn.session()?.cwd(),
        "outputByteLimit": TERMINAL_BYTES,
    });
    report_tool(turn, tool, command).await?;
    let created = match turn.ask_and_wait("terminal/create", params).await? {
        Ok(created) => created,
        Err(error) => return Ok(Err(error)),
    };
    let terminal = json!({"terminalId": created["terminalId"]});
    show_terminal(turn, tool, &created["terminalId"]).await?;
    let waited = turn.ask_and_wait("terminal/wait_for_exit", terminal.clone()).await;
    if let Err(end) = waited {
        // Nobody waits for these answers: the turn is over.
        turn.ask("terminal/kill", terminal.clone()).await?;
        turn.ask("terminal/release", terminal).await?;
        return Err(end);
    }
    let (exited, output) = match waited? {
        Ok(exited) => (exited, turn.ask_and_wait("terminal/output", terminal.clone()).await?),
        Err(error) => (Value::Null, Err(error)),
    };
    let released = turn.ask_and_wait("terminal/release", terminal).await?;
    Ok(ended(&exited, output, released))
}

fn ended(exited: &Value, output: Answered, released: Answered) -> Ran {
    let output = output?;
    released?;
    let exit = match (exited["exitCode"].as_i64(), exited["signal"].as_str()) {
        (Some(code), _) => code.to_string(),
        (None, Some(signal)) => signal.to_owned(),
        (None, None) => "unknown".to_owned(),
    };
    Ok((output["output"].as_str().unwrap_or("no output").to_owned(), exit))
}

async fn run_here(turn: &mut PeerTurn, tool: &str, command: &str) -> Stepped<Ran> {
    let session = turn.session()?;
    let (terminal, cwd) = (session.new_id("term"), session.cwd());
    report_tool(turn, tool, command).await?;
    turn.update(json!({
        "sessionUpdate": "terminal_update",
        "terminalId": terminal,
        "command": command,
        "cwd": cwd,
    }))
    .await?;
    show_terminal(turn, tool, &terminal.clone().into()).await?;
    let mut shell = tokio::process::Command::new("sh");
    // One pipe for both keeps the order of what is written.
    shell.arg("-c").arg(format!("exec 2>&1\n{command}")).current_dir(cwd);
    shell.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = turn.unless_cancelled(shell.output()).await?.map_err(anyhow::Error::from)?;
    turn.update(json!({
        "sessionUpdate": "terminal_output_chunk",
        "terminalId": terminal,
        "data": STANDARD.encode(&output.stdout),
    }))
    .await?;
    turn.update(json!({
        "sessionUpdate": "terminal_update",
        "terminalId": terminal,
        "exitStatus": {"exitCode": output.status.code()},
    }))
    .await?;
    let exit = output.status.code().map_or("unknown".to_owned(), |code| code.to_string());
    Ok(Ok((String::from_utf8_lossy(&output.stdout).into_owned(), exit)))
}

async fn report_tool(turn: &PeerTurn, tool: &str, command: &str) -> Stepped {
    let fields = Map::from_iter([
        ("toolCallId".to_owned(), tool.into()),
        ("title".to_owned(), command.into()),
        ("kind".to_owned(), "execute".into()),
        ("status".to_owned(), "pending".into()),
        ("rawInput".to_owned(), json!({"command": command})),
    ]);
    turn.update(updates::tool(turn.dialect.version, fields)).await
}

async fn show_terminal(turn: &PeerTurn, tool: &str, terminal: &Value) -> Stepped {
    let content = json!([{"type": "terminal", "terminalId": terminal}]);
    turn.update(updates::tool_status(tool, "in_progress", Some(content))).await
}
