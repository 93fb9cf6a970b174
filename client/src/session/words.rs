//! Formats times, sizes and states for people.

use moorline_shared::event::Activity;
use moorline_shared::id::SessionId;
use moorline_shared::limits::NAME_CHARACTERS;
use moorline_shared::message::close;
use moorline_shared::rest::SessionSummary;
use moorline_shared::session::{ExitReason, ExitStatus, Lifecycle, TMUX_DRIVER};
use moorline_shared::text::plain_text;

use crate::session::Notice;

/// Formats an elapsed time in few letters: `now`, `40 s`, `12 min`, `3 h`, `5 d`.
#[must_use]
pub fn ago(elapsed_ms: f64) -> String {
    let seconds = (elapsed_ms / 1000.0).max(0.0) as u64;
    match seconds {
        0..10 => "now".to_owned(),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Formats a number of bytes: `12 B`, `3.4 KB`, `1.2 MB`.
#[must_use]
pub fn bytes(count: usize) -> String {
    match count {
        0..1024 => format!("{count} B"),
        1024..1_048_576 => format!("{}.{} KB", count / 1024, count % 1024 * 10 / 1024),
        _ => format!("{}.{} MB", count >> 20, ((count & 0xf_ffff) * 10) >> 20),
    }
}

/// Says how many questions wait for a decision.
#[must_use]
pub fn questions(count: usize) -> String {
    match count {
        1 => "1 question".to_owned(),
        count => format!("{count} questions"),
    }
}

/// Says in short how a process ended: `exit 0`, `SIGKILL`, `pane closed`, `host gone`.
#[must_use]
pub fn exit(exit: &ExitStatus) -> String {
    match (exit.code, &exit.signal) {
        (_, Some(signal)) => signal.clone(),
        (Some(code), None) => format!("exit {code}"),
        (None, None) => match exit.reason {
            Some(ExitReason::PaneClosed) => "pane closed",
            Some(ExitReason::ServerEnded) => "tmux server ended",
            Some(ExitReason::PodFailed) => "pod failed",
            Some(ExitReason::Unknown) => "ended",
            None => "host gone",
        }
        .to_owned(),
    }
}

/// Says in a sentence how a process ended.
#[must_use]
pub fn exit_sentence(exit: &ExitStatus) -> String {
    match (exit.code, &exit.signal) {
        (_, Some(signal)) => format!("The process was ended by {signal}."),
        (Some(0), None) => "The process ended normally, with exit code 0.".to_owned(),
        (Some(code), None) => format!("The process ended with exit code {code}."),
        (None, None) => match exit.reason {
            Some(ExitReason::PaneClosed) => {
                "The pane was closed in tmux, and its program has ended."
            }
            Some(ExitReason::ServerEnded) => "The tmux server has ended, and all of its panes.",
            Some(ExitReason::PodFailed) => {
                "The pod has not become ready. The terminal shows the cluster's reason."
            }
            Some(ExitReason::Unknown) => "The process ended.",
            None => "The process is gone: the machine or the host that ran it went away.",
        }
        .to_owned(),
    }
}

/// Returns true if an end is an ordinary one.
#[must_use]
pub fn ended_well(exit: &ExitStatus) -> bool {
    exit.code == Some(0) || exit.reason == Some(ExitReason::PaneClosed)
}

/// Returns how a session in a list ended.
#[must_use]
pub fn exit_status(session: &SessionSummary) -> ExitStatus {
    let signal = session.exit_signal.clone();
    ExitStatus { code: session.exit_code, signal, reason: session.exit_reason }
}

/// Returns a session's state for a list.
#[must_use]
pub fn state(session: &SessionSummary) -> String {
    match session.lifecycle {
        Lifecycle::Live => match session.agent.as_ref().and_then(|agent| agent.state.clone()) {
            Some(state) => plain(&state),
            None => session.status.as_str().to_owned(),
        },
        Lifecycle::Detached => "host offline".to_owned(),
        // The host came back without it.
        Lifecycle::Lost if session.driver == TMUX_DRIVER => "pane gone".to_owned(),
        Lifecycle::Lost => "host gone".to_owned(),
        Lifecycle::Expired => "expired".to_owned(),
        Lifecycle::Exited => exit(&exit_status(session)),
    }
}

/// Returns the style of a session's state: `live`, `idle`, `away`, `good`, `bad`.
#[must_use]
pub fn tone(session: &SessionSummary) -> &'static str {
    let agent = session.agent.as_ref().and_then(|agent| agent.state.as_deref());
    match session.lifecycle {
        Lifecycle::Live if agent == Some("waiting") => "away",
        Lifecycle::Live if agent == Some("error") => "bad",
        Lifecycle::Live if agent == Some("working") => "live",
        Lifecycle::Live if session.status == Activity::Idle => "idle",
        Lifecycle::Live => "live",
        Lifecycle::Detached => "away",
        Lifecycle::Exited if ended_well(&exit_status(session)) => "good",
        Lifecycle::Exited | Lifecycle::Lost | Lifecycle::Expired => "bad",
    }
}

/// Returns the rank of a session's state in a list: running, idle, host offline, failed, then ended
/// well.
#[must_use]
pub fn rank(session: &SessionSummary) -> u8 {
    match tone(session) {
        "live" => 0,
        "idle" => 1,
        "away" => 2,
        "bad" => 3,
        _ => 4,
    }
}

/// Returns the name under which a session is shown.
#[must_use]
pub fn name(session: &SessionSummary) -> String {
    plain(&session.name)
}

/// Returns the name that a session was given, if any.
#[must_use]
pub fn given_name(session: &SessionSummary) -> Option<String> {
    session.named.then(|| name(session))
}

/// Cleans a name or a title that others chose for display: one line, without characters that change
/// how the rest of the page reads. Show it in a `bdi`.
#[must_use]
pub fn plain(text: &str) -> String {
    plain_text(text, NAME_CHARACTERS)
}

/// Returns what distinguishes a session from others of its name: what runs in it now, its command,
/// or its id.
#[must_use]
pub fn detail(session: &SessionSummary) -> String {
    let running = session.running.clone().filter(|_| !session.lifecycle.is_over());
    let started = (!session.command.is_empty()).then(|| command(&session.command));
    let name = name(session);
    let mut details = running.into_iter().chain(started);
    details.find(|detail| *detail != name).unwrap_or_else(|| session.session_id.to_string())
}

/// Like [`detail`], for places that show no state: says if the host is not there.
#[must_use]
pub fn about(session: &SessionSummary) -> String {
    match session.lifecycle {
        Lifecycle::Detached | Lifecycle::Lost => state(session) + " · " + &detail(session),
        _ => detail(session),
    }
}

/// Returns a command line as one would type it.
#[must_use]
pub fn command(words: &[String]) -> String {
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
}

/// Says why the relay refuses a page, and what to do.
#[must_use]
pub fn refusal(code: u16, session: &str) -> (&'static str, String) {
    match code {
        close::POLICY | close::UNAUTHORIZED => {
            ("Not allowed", "The relay does not accept this page's token.".to_owned())
        }
        close::FORBIDDEN => (
            "Not allowed",
            "This token or this page's address is not allowed to open the session. Open Moorline \
             at the address that `moorline open` prints."
                .to_owned(),
        ),
        close::NOT_FOUND => (
            "Session not found",
            if session.parse::<SessionId>().is_ok() {
                format!("The session {session} does not exist. It may have been deleted.")
            } else {
                "The address does not name a session.".to_owned()
            },
        ),
        close::REPLACED => {
            ("Open elsewhere", "A copy of this tab took over the session.".to_owned())
        }
        _ => ("Refused", format!("The relay closed the connection permanently (code {code}).")),
    }
}

/// Returns a notice as a whole sentence.
#[must_use]
pub fn notice(told: &Notice) -> String {
    match told {
        Notice::Refused(refusal) => {
            let mut text = refusal.to_string();
            text.get_mut(..1).map(str::make_ascii_uppercase);
            text + "."
        }
        Notice::TooMuch(most) => format!(
            "Not pasted: it is more than {} MiB. Paste it in parts, or put it into a file.",
            most >> 20
        ),
        Notice::GaveUp(pieces) => format!(
            "{pieces} piece{} of your typing may or may not have arrived: the connection broke or \
             the host went offline. It is not sent again.",
            if *pieces == 1 { "" } else { "s" },
        ),
        Notice::Relay(message) => message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn times_and_sizes_are_short() {
        let shown: Vec<String> =
            [-5.0, 9_999.0, 59_000.0, 61_000.0, 7_300_000.0, 2e8].into_iter().map(ago).collect();
        assert_eq!(shown, ["now", "now", "59 s", "1 min", "2 h", "2 d"]);
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(3482), "3.4 KB");
        assert_eq!(bytes(2_097_152), "2.0 MB");
    }

    #[test]
    fn endings_say_how() {
        let killed = ExitStatus { code: None, signal: Some("SIGKILL".into()), reason: None };
        assert_eq!(exit(&killed), "SIGKILL");
        assert_eq!(exit(&ExitStatus { code: Some(3), signal: None, reason: None }), "exit 3");
        assert_eq!(exit(&ExitStatus::default()), "host gone");
    }

    #[test]
    fn sessions_are_told_apart_by_name_and_detail() {
        let mut session = crate::session::catalogue::tests::session("abcdefgh");
        assert_eq!((given_name(&session), detail(&session)), (None, "abcdefgh".into()));
        session.command = vec!["/usr/bin/htop".into(), "-d".into(), "5".into()];
        assert_eq!(detail(&session), "/usr/bin/htop -d 5");
        (session.name, session.named) = ("wa\u{202e}tch\n".into(), true);
        assert_eq!(given_name(&session), Some("watch".into()));
        session.running = Some("make".into());
        assert_eq!((name(&session), detail(&session)), ("watch".into(), "make".into()));
        assert_eq!(about(&session), "make");
        session.lifecycle = Lifecycle::Detached;
        assert_eq!(about(&session), "host offline · make");
        (session.name, session.command) = ("make".into(), vec!["make".into()]);
        assert_eq!(detail(&session), "abcdefgh");
    }

    #[test]
    fn commands_read_as_typed() {
        let words = ["sh", "-c", "echo hi"].map(str::to_owned);
        assert_eq!(shlex::split(&command(&words)).unwrap(), words);
    }

    #[test]
    fn notices_are_sentences() {
        let full = notice(&Notice::Refused(moorline_shared::link::Refusal::ReadOnly));
        assert_eq!(full, "This link is read-only.");
        let away = notice(&Notice::Refused(moorline_shared::link::Refusal::HostOffline));
        assert_eq!(away, "Not typed: the host is offline.");
    }
}
