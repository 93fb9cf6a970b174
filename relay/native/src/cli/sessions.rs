//! `moorline new`, `ls` and `kill`.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use moorline_shared::event::Activity;
use moorline_shared::id::HostId;
use moorline_shared::rest::{CreateSession, SessionSummary};
use moorline_shared::session::{ExitReason, Lifecycle, TMUX_DRIVER};

use super::attach::attach_to;
use super::completion;
use super::relay::{RelayOptions, absolute, current_folder};
use crate::console;

/// Start a session and attach to it.
///
/// Without a command it is your login shell. It starts in the current folder, if the relay is this
/// machine's own.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  moorline new                             a shell; Ctrl-] d detaches, and it keeps running
  moorline new --name build -- make -j4
  moorline new -d -- htop                  only prints the session's id")]
pub(super) struct NewOptions {
    /// The name of the session.
    #[arg(long, short, value_name = "NAME")]
    name: Option<String>,

    /// The folder to start in.
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    cwd: Option<PathBuf>,

    /// The workspace whose files are in its folder, by id or name.
    #[arg(long, value_name = "WORKSPACE")]
    workspace: Option<String>,

    /// The host that runs it [default: the relay's own, else the only one that is connected].
    #[arg(long, value_name = "ID")]
    host: Option<HostId>,

    /// Do not attach: print the session's id.
    #[arg(long, short)]
    detached: bool,

    #[command(flatten)]
    relay: RelayOptions,

    /// The program and its arguments.
    #[arg(last = true, value_name = "COMMAND", value_hint = clap::ValueHint::CommandWithArguments)]
    command: Vec<String>,
}

/// List the sessions, newest first.
#[derive(Debug, clap::Args)]
pub(super) struct ListOptions {
    /// Include sessions that are over.
    #[arg(long, short)]
    all: bool,

    /// Print JSON, one session a line, with everything that is known.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    relay: RelayOptions,
}

/// End sessions and remove them.
#[derive(Debug, clap::Args)]
pub(super) struct KillOptions {
    /// The ids or names of the sessions to end.
    #[arg(required = true, value_name = "SESSION", add = completion::sessions())]
    sessions: Vec<String>,

    #[command(flatten)]
    relay: RelayOptions,
}

pub(super) fn new(options: NewOptions) -> anyhow::Result<ExitCode> {
    let relay = options.relay.connect()?;
    let is_here = relay.is_here() && options.host.is_none();
    let cwd = match options.cwd {
        Some(folder) if is_here && !folder.starts_with("~") => Some(absolute(&folder)?),
        Some(folder) => Some(folder),
        // Files of a workspace do not come into the current folder unless it is named.
        None if is_here && options.workspace.is_none() => current_folder(),
        None => None,
    };
    let workspace = options.workspace.as_deref();
    let workspace = workspace.map(|wanted| relay.find_workspace(wanted)).transpose()?;
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok().filter(|size| size.ws_col > 0);
    let wanted = CreateSession {
        command: (!options.command.is_empty()).then_some(options.command),
        cwd: cwd.map(|cwd| cwd.to_string_lossy().into_owned()),
        name: options.name,
        workspace,
        host: options.host,
        cols: size.map(|size| size.ws_col),
        rows: size.map(|size| size.ws_row),
        ..CreateSession::default()
    };
    let id = relay.create(&wanted)?.session_id;
    if options.detached || !std::io::stdout().is_terminal() {
        console::print(&format!("{id}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    attach_to(&relay, &id)
}

pub(super) fn list(options: &ListOptions) -> anyhow::Result<ExitCode> {
    let mut sessions = options.relay.connect()?.sessions()?;
    sessions.retain(|session| options.all || !session.lifecycle.is_over());
    let mut text = String::new();
    if options.json {
        for session in &sessions {
            text += &serde_json::to_string(session)?;
            text.push('\n');
        }
    } else {
        let rows: Vec<[String; 4]> = sessions.iter().map(row).collect();
        for line in table(&["ID", "NAME", "STATUS", "FOLDER"].map(str::to_owned), &rows) {
            text += &line;
            text.push('\n');
        }
    }
    console::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn kill(options: &KillOptions) -> anyhow::Result<ExitCode> {
    let relay = options.relay.connect()?;
    // Find all before any is ended.
    let ids: Vec<_> =
        options.sessions.iter().map(|wanted| relay.find(wanted)).collect::<Result<_, _>>()?;
    // A session may be named twice.
    let mut ended = Vec::new();
    for id in ids {
        if !ended.contains(&id) {
            relay.delete(&id)?;
            console::print(&format!("{id}\n"))?;
            ended.push(id);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the number of columns that a text takes on a terminal.
fn columns(text: &str) -> usize {
    text.chars().map(moorline_host::screen::columns).sum()
}

fn row(session: &SessionSummary) -> [String; 4] {
    let folder = session.cwd.as_deref().unwrap_or_default();
    [session.session_id.as_str(), &session.name, &status(session), folder].map(printable)
}

fn status(session: &SessionSummary) -> String {
    match (session.lifecycle, session.status, &session.running) {
        (Lifecycle::Live, Activity::Running, Some(command)) => format!("running: {command}"),
        (Lifecycle::Live, Activity::Running, None) => "running".into(),
        (Lifecycle::Live, _, _) => "idle".into(),
        (Lifecycle::Detached, _, _) => "host offline".into(),
        (Lifecycle::Exited, _, _) => match (session.exit_code, &session.exit_signal) {
            (Some(code), _) => format!("exited: {code}"),
            (None, Some(signal)) => format!("ended by {signal}"),
            (None, None) => match session.exit_reason {
                Some(ExitReason::PaneClosed) => "pane closed".into(),
                Some(ExitReason::ServerEnded) => "tmux server ended".into(),
                Some(ExitReason::PodFailed) => "pod failed".into(),
                Some(ExitReason::Unknown) | None => "exited".into(),
            },
        },
        // Its host came back without the pane.
        (Lifecycle::Lost, _, _) if session.driver == TMUX_DRIVER => "pane gone".into(),
        (lifecycle, _, _) => format!("{lifecycle:?}").to_lowercase(),
    }
}

/// Makes a text safe to print on one line of a terminal: names and commands are not trusted.
fn printable(text: &str) -> String {
    const MOST: usize = 60;
    let is_direction = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = |c: char| if c.is_control() || is_direction(c) { '\u{fffd}' } else { c };
    let mut line: String = text.chars().take(MOST).map(shown).collect();
    if text.chars().nth(MOST).is_some() {
        line.push('…');
    }
    line
}

/// Lays rows out in columns that are as wide as their widest cell.
pub(super) fn table(head: &[String; 4], rows: &[[String; 4]]) -> Vec<String> {
    let all = || std::iter::once(head).chain(rows);
    let width = |column: usize| all().map(|row| columns(&row[column])).max().unwrap_or(0);
    let widths: [usize; 3] = std::array::from_fn(width);
    let line = |row: &[String; 4]| {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let space = width - columns(cell) + 2;
            line += &format!("{cell}{:space$}", "");
        }
        (line + &row[3]).trim_end().to_owned()
    };
    all().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_cannot_move_a_cursor() {
        assert_eq!(printable("a\u{1b}[2J\n\u{202e}b"), "a\u{fffd}[2J\u{fffd}\u{fffd}b");
        assert_eq!(printable(&"ä".repeat(61)), format!("{}…", "ä".repeat(60)));
    }

    #[test]
    fn columns_are_as_wide_as_needed() {
        let row = |cells: [&str; 4]| cells.map(str::to_owned);
        let lines = table(&row(["ID", "N", "S", "F"]), &[row(["a", "bäh", "", "/x"])]);
        assert_eq!(lines, ["ID  N    S  F", "a   bäh     /x"]);
        let lines = table(&row(["ID", "N", "S", "F"]), &[row(["a", "日本", "", "/x"])]);
        assert_eq!(lines, ["ID  N     S  F", "a   日本     /x"]);
    }
}
