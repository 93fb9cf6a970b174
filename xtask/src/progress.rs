//! Output while a task runs: plain lines, so that a terminal and a log show the same.

use std::io::Write as _;
use std::time::Duration;

/// Writes one line to standard output.
pub(crate) fn line(text: &str) {
    // A reader that went away (`
    // head`) does not end the task.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A duration as a person says it.
pub(crate) fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

/// Progress of a build, from a line of cargo's own: `Building [==> ] 12/345: serde`.
pub(crate) fn cargo_progress(line: &str) -> Option<String> {
    let (_, rest) = line.trim_start().strip_prefix("Building [")?.split_once("] ")?;
    let (count, _) = rest.split_once(':').unwrap_or((rest, ""));
    let (done, all) = count.trim().split_once('/')?;
    Some(format!("{done} of {all} crates"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        assert_eq!(spoken(Duration::from_millis(1_240)), "1.2 s");
        assert_eq!(spoken(Duration::from_secs(125)), "2 min 05 s");
    }

    #[test]
    fn the_progress_of_cargo_is_read() {
        assert_eq!(
            cargo_progress("    Building [=====>      ] 12/345: serde, syn"),
            Some("12 of 345 crates".to_owned())
        );
        assert_eq!(cargo_progress("   Compiling serde v1.0.0"), None);
        assert_eq!(cargo_progress("    Building [=====>"), None);
    }
}
