//! Runs an agent by hand: `agent COMMAND...` takes prompts from standard input, each up to a line
//! `---`, allows everything that it asks for, and prints what happens, one JSON a line.

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
    };
    let started = AgentDriver::default().start(spec).await?;
    let control = started.control;
    let mut lines = std::io::stdin().lock().lines().collect::<Result<Vec<_>, _>>()?;
    lines.push("---".to_owned());
    for (place, lines) in lines.split(|line| line == "---").enumerate() {
        let turn_id = TurnId::from_random(place as u128 + 1);
        let (prompt, by) = (Prompt::text(lines.join("\n")), "me".to_owned());
        if !prompt.text.is_empty() {
            control
                .act(ActionNumber(1), SessionAction::Prompt { turn_id, prompt, by, steer: false });
        }
    }
    let mut output = started.output;
    while let Ok(output) = tokio::time::timeout(Duration::from_secs(3), output.next()).await {
        println!("{}", shown(&output));
        if let DriverOutput::Ask(request) = &output {
            let decision = ApprovalDecision { approved: true, ..ApprovalDecision::default() };
            control.decide(&request.approval_id, Some(&decision));
        }
    }
    control.close();
    while !matches!(output.next().await, DriverOutput::End(_)) {}
    Ok(())
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
