//! The history of a session, row by row. A command with its exit code and the size of its output is
//! one row, and so is all output between two events.

use std::collections::VecDeque;

use moorline_shared::event::{Activity, Event, EventKind, Status};
use moorline_shared::id::Seq;
use moorline_shared::session::ExitStatus;

use super::titles::title;
use crate::session::words;

/// The maximum number of rows. Older rows are dropped.
pub const MOST_ROWS: usize = 500;
const PROMPT_SENT: &str = "Prompt sent";

/// A row of the timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineRow {
    /// Its first entry, which identifies the row.
    pub seq: Seq,
    /// Its last entry so far.
    pub last: Seq,
    /// The time of the event in milliseconds since 1970. `None` if the log does not record it, as
    /// for output.
    pub at: Option<u64>,
    /// The content of the row.
    pub what: What,
}

/// The content of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Output of this many bytes.
    Output(u64),
    /// A command that the shell ran.
    Command(ShellCommand),
    /// An event of another kind.
    Note {
        /// The style: `live`, `good`, `bad`, `away` or `plain`.
        tone: &'static str,
        /// A title of a few words.
        title: &'static str,
        /// The subject of the event.
        detail: String,
    },
}

/// A command that the shell ran.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShellCommand {
    /// The command line as typed, if the shell reports it.
    pub line: String,
    /// The size of its output, in bytes.
    pub bytes: u64,
    /// The exit code, if it is known.
    pub code: Option<i32>,
    /// The duration in milliseconds; `None` while it runs.
    pub took: Option<u64>,
    /// True if it was sent as a prompt.
    pub prompted: bool,
}

/// The rows of the timeline, oldest first.
#[derive(Debug, Default)]
pub struct Timeline {
    rows: VecDeque<TimelineRow>,
    dropped: bool,
    /// True while the shell waits for a command: output is its prompt and what is typed.
    idle: bool,
}

impl Timeline {
    /// Returns all rows, oldest first.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &TimelineRow> {
        self.rows.iter()
    }

    /// Returns true if older rows were dropped.
    #[must_use]
    pub const fn has_dropped(&self) -> bool {
        self.dropped
    }

    /// Returns the row that begins with this entry.
    #[must_use]
    pub fn row(&self, seq: Seq) -> Option<&TimelineRow> {
        let index = self.rows.binary_search_by_key(&seq, |row| row.seq).ok()?;
        self.rows.get(index)
    }

    /// Returns the running command, if it is known.
    fn open_command(&mut self) -> Option<&mut TimelineRow> {
        let open =
            |row: &&mut TimelineRow| matches!(&row.what, What::Command(c) if c.took.is_none());
        self.rows.iter_mut().rev().find(open)
    }

    /// Adds output. `at` is the time at which it was produced, if that is known.
    pub fn output(&mut self, seq: Seq, bytes: u64, at: Option<u64>) {
        if let Some(row) = self.rows.back_mut() {
            match &mut row.what {
                What::Output(known) => {
                    *known += bytes;
                    (row.last, row.at) = (seq, at.or(row.at));
                    return;
                }
                What::Command(command) if command.took.is_none() => {
                    command.bytes += bytes;
                    row.last = seq;
                    return;
                }
                _ if self.idle => {
                    row.last = seq;
                    return;
                }
                _ => {}
            }
        }
        self.push(TimelineRow { seq, last: seq, at, what: What::Output(bytes) });
    }

    /// Adds an event that is not a status. Those of which the output shows all get no row.
    pub fn event(&mut self, seq: Seq, event: &Event) {
        if matches!(
            event.known_kind(),
            EventKind::AgentMessage | EventKind::AgentTool | EventKind::AgentState
        ) {
            return;
        }
        let is_error =
            matches!(event.known_kind(), EventKind::SessionError | EventKind::OperationsError);
        let (title, detail) = title(event);
        let tone = if is_error { "bad" } else { "plain" };
        self.note(seq, event.timestamp, tone, title, detail);
    }

    /// Notes that the entries up to `to` are missing.
    pub fn gap(&mut self, to: Seq, at: u64) {
        let detail = "The relay keeps only a session's newest output.".to_owned();
        self.note(to, at, "away", "Older entries are gone", detail);
    }

    /// Applies a status from `at` milliseconds since 1970.
    pub fn status(&mut self, seq: Seq, at: u64, status: &Status) {
        self.idle = status.status == Activity::Idle;
        match (status.status, &status.command) {
            (Activity::Running, Some(line)) => {
                if let Some(row) = self.open_command()
                    && matches!(&row.what, What::Command(command) if command.line == *line)
                {
                    row.last = seq;
                    return;
                }
                self.close_command(seq, at, None);
                self.command(seq, at, line.clone());
            }
            (Activity::Running, None) => {}
            (Activity::Idle, _) => self.close_command(seq, at, status.exit_code),
            (Activity::Exited, _) => {
                self.close_command(seq, at, None);
                let exit = ExitStatus {
                    code: status.exit_code,
                    signal: status.signal.clone(),
                    reason: status.reason,
                };
                let tone = if words::ended_well(&exit) { "good" } else { "bad" };
                self.note(seq, at, tone, "Ended", words::exit(&exit));
            }
            (Activity::Error, _) => {
                self.close_command(seq, at, None);
                self.note(seq, at, "bad", "Lost", "The process is gone.".to_owned());
            }
        }
    }

    /// Adds a command. If the row before is the prompt that sent it, both become one row.
    fn command(&mut self, seq: Seq, at: u64, line: String) {
        let mut command = ShellCommand { line, ..ShellCommand::default() };
        if let Some(row) = self.rows.back_mut()
            && matches!(&row.what, What::Note { title, detail, .. }
                if *title == PROMPT_SENT && *detail == command.line)
        {
            command.prompted = true;
            (row.last, row.at, row.what) = (seq, Some(at), What::Command(command));
            return;
        }
        self.push(TimelineRow { seq, last: seq, at: Some(at), what: What::Command(command) });
    }

    fn close_command(&mut self, seq: Seq, at: u64, code: Option<i32>) {
        let Some(row) = self.open_command() else { return };
        let took = at.saturating_sub(row.at.unwrap_or(at));
        row.last = seq;
        if let What::Command(command) = &mut row.what {
            (command.code, command.took) = (code, Some(took));
        }
    }

    fn note(&mut self, seq: Seq, at: u64, tone: &'static str, title: &'static str, detail: String) {
        let what = What::Note { tone, title, detail };
        self.push(TimelineRow { seq, last: seq, at: Some(at), what });
    }

    fn push(&mut self, row: TimelineRow) {
        // Rows are found by their number, so a row that is out of order is dropped.
        if self.rows.back().is_some_and(|last| last.seq >= row.seq) {
            return;
        }
        self.rows.push_back(row);
        if self.rows.len() > MOST_ROWS {
            self.rows.pop_front();
            self.dropped = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn event(kind: &str, at: u64, fields: &Value) -> Event {
        Event::of_kind("session_1".parse().unwrap(), kind, at, fields)
    }

    fn status(fields: &Value) -> Status {
        serde_json::from_value(fields.clone()).unwrap()
    }

    #[test]
    fn a_command_is_one_row_with_its_output_and_its_end() {
        let mut timeline = Timeline::default();
        timeline.output(Seq(1), 5, None);
        timeline.output(Seq(2), 5, None);
        timeline.status(Seq(3), 1000, &status(&json!({"status": "running", "command": "make"})));
        timeline.output(Seq(4), 70, Some(1500));
        timeline.status(Seq(5), 2000, &status(&json!({"status": "running", "command": "make"})));
        timeline.status(Seq(6), 4000, &status(&json!({"status": "idle", "exitCode": 2})));
        timeline.output(Seq(7), 3, None);
        let rows: Vec<_> = timeline.rows().cloned().collect();
        let (line, code, took) = ("make".into(), Some(2), Some(3000));
        let command = ShellCommand { line, bytes: 70, code, took, prompted: false };
        let row = |seq, last, at, what| TimelineRow { seq: Seq(seq), last: Seq(last), at, what };
        assert_eq!(
            rows,
            [
                row(1, 2, None, What::Output(10)),
                // The last is the shell's prompt.
                row(3, 7, Some(1000), What::Command(command)),
            ]
        );
        assert_eq!(timeline.row(Seq(3)), Some(&rows[1]));
        assert_eq!(timeline.row(Seq(4)), None);
    }

    #[test]
    fn a_prompt_and_its_command_are_one_row_and_the_shells_own_prompt_is_none() {
        let mut timeline = Timeline::default();
        timeline.event(Seq(1), &event("session-created", 1, &json!({})));
        timeline.status(Seq(2), 1000, &status(&json!({"status": "idle"})));
        timeline.output(Seq(3), 20, None);
        timeline.event(Seq(4), &event("command-sent", 1100, &json!({"command": "ls"})));
        timeline.output(Seq(5), 4, None);
        timeline.status(Seq(6), 1200, &status(&json!({"status": "running", "command": "ls"})));
        timeline.status(Seq(7), 1300, &status(&json!({"status": "idle", "exitCode": 0})));
        timeline.output(Seq(8), 20, None);
        let rows: Vec<_> = timeline.rows().map(|row| (row.seq.0, row.last.0)).collect();
        assert_eq!(rows, [(1, 3), (4, 8)]);
        let ran = timeline.row(Seq(4)).map(|row| row.what.clone());
        assert!(matches!(
            ran,
            Some(What::Command(ShellCommand { prompted: true, took: Some(100), .. }))
        ));
    }

    #[test]
    fn a_command_that_never_ended_ends_with_its_session() {
        let mut timeline = Timeline::default();
        timeline.status(Seq(1), 1000, &status(&json!({"status": "running", "command": "vim"})));
        timeline.event(Seq(2), &event("command-sent", 1100, &json!({"command": ":q"})));
        timeline.output(Seq(3), 9, None);
        timeline.status(Seq(4), 1200, &status(&json!({"status": "exited", "signal": "SIGHUP"})));
        let rows: Vec<_> = timeline.rows().map(|row| row.what.clone()).collect();
        assert!(matches!(
            &rows[0],
            What::Command(ShellCommand { took: Some(200), code: None, .. })
        ));
        assert!(
            matches!(&rows[1], What::Note { title: "Prompt sent", detail, .. } if detail == ":q")
        );
        assert_eq!(rows[2], What::Output(9));
        assert!(matches!(&rows[3], What::Note { tone: "bad", detail, .. } if detail == "SIGHUP"));
    }

    #[test]
    fn only_the_newest_rows_are_kept() {
        let mut timeline = Timeline::default();
        for seq in 1..=MOST_ROWS as u64 + 7 {
            timeline.event(Seq(seq), &event("something-new", 5, &json!({})));
        }
        assert_eq!(timeline.rows().count(), MOST_ROWS);
        assert_eq!(timeline.rows().next().map(|row| row.seq), Some(Seq(8)));
        assert!(timeline.has_dropped());
        // An event that was added already is not added again.
        timeline.event(Seq(9), &event("something-new", 5, &json!({})));
        assert_eq!(timeline.rows().count(), MOST_ROWS);
    }
}
