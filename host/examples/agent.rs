//! Runs an agent by hand: `agent COMMAND...` takes prompts from standard input, each up to a line
//! `---`, sends one after the other, allows everything that it asks for, and prints what happens,
//! one JSON a line.

#![expect(clippy::print_stdout, reason = "what happens is what it is for")]

use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::time::Duration;

use moorline_host::driver::agent::AgentDriver;
use moorline_host::driver::{Driver as _, DriverOutput, SessionSpec};
use moorline_shared::agent::action::{ActionNumber, SessionAction};
use moorline_shared::agent::approval::ApprovalDecision;
use moorline_shared::agent::prompt::Prompt;
use moorline_shared::control::Facts;
use moorline_shared::event::AgentTurn;
use moorline_shared::frame::Frame;
use moorline_shared::id::TurnId;
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let command = std::env::args().skip(1).collect();
    let facts = Facts { driver: "agent".to_owned(), command, ..Facts::default() };
    let cwd = Some(std::env::current_dir()?);
    let spec = SessionSpec {
        session_id: "by_hand1".parse()?,
        facts,
        cwd,
        fork: None,
        variables: BTreeMap::new(),
        opener: None,
        workspace: None,
    };
    let started = AgentDriver::default().start(spec).await?;
    let control = started.control;
    let lines = std::io::stdin().lock().lines().collect::<Result<Vec<_>, _>>()?;
    let mut prompts = (1..).zip(lines.split(|line| line == "---").map(|lines| lines.join("\n")));
    let mut send_next = || {
        let Some((number, text)) = prompts.next() else { return };
        let (turn_id, by) = (TurnId::from_random(number), "me".to_owned());
        let prompt = Prompt::text(text);
        control.act(
            ActionNumber(number as u64),
            SessionAction::Prompt { turn_id, prompt, by, steer: false },
        );
    };
    send_next();
    let mut output = started.output;
    while let Ok(output) = tokio::time::timeout(Duration::from_secs(3), output.next()).await {
        if matches!(output, DriverOutput::Checkpoint) {
            control.journaled();
            continue;
        }
        println!("{}", shown(&output));
        match &output {
            DriverOutput::Ask(request) => {
                let decision = ApprovalDecision { approved: true, ..ApprovalDecision::default() };
                control.decide(&request.approval_id, Some(&decision));
            }
            DriverOutput::Event { kind: "agent-turn", fields } => {
                let turn = serde_json::from_value::<AgentTurn>(Value::Object(fields.clone()))?;
                if turn.state.is_over() {
                    send_next();
                }
            }
            _ => {}
        }
    }
    control.close();
    loop {
        match output.next().await {
            DriverOutput::End(_) => return Ok(()),
            DriverOutput::Checkpoint => control.journaled(),
            _ => {}
        }
    }
}

fn shown(output: &DriverOutput) -> Value {
    match output {
        DriverOutput::Bytes(buffer) => {
            json!({ "transcript": String::from_utf8_lossy(&buffer[Frame::DATA_START..]) })
        }
        DriverOutput::Event { kind, fields } => json!({ "event": kind, "fields": fields }),
        DriverOutput::Ask(request) => json!({ "ask": request }),
        output => json!({ "output": format!("{output:?}") }),
    }
}
