//! `cargo xtask test`: performs the steps, and tells at the end how each went.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::progress;
use crate::setup::{self, Purpose};
use crate::steps::{STEPS, Step};
use crate::workspace::Workspace;

/// How a step went.
enum Outcome {
    Passed(Vec<String>),
    Failed,
    /// A step that it needs failed.
    Blocked(&'static str),
}

struct Report {
    name: &'static str,
    time: Duration,
    outcome: Outcome,
}

/// Runs all steps, or those that the filter selects.
///
/// # Errors
/// Where a step failed.
pub(crate) fn run(workspace: &Workspace, filter: &[String], fail_fast: bool) -> Result<()> {
    let (steps, tests) = select(filter);
    setup::ensure(workspace, Purpose::Test)?;
    let mut reports: Vec<Report> = Vec::new();
    for step in steps {
        let report = perform(workspace, step, &tests, &reports);
        let failed = !matches!(report.outcome, Outcome::Passed(_));
        reports.push(report);
        if failed && fail_fast {
            break;
        }
    }
    summarise(&reports)
}

/// Words that name steps select them; the others are parts of the names of tests.
fn select(filter: &[String]) -> (Vec<&'static Step>, Vec<String>) {
    let is_step = |word: &str| STEPS.iter().any(|step| step.name == word);
    let (names, tests): (Vec<String>, Vec<String>) =
        filter.iter().cloned().partition(|word| is_step(word));
    let named = |step: &Step| names.iter().any(|name| name == step.name);
    let chosen = |step: &&Step| match (names.is_empty(), tests.is_empty()) {
        (true, true) => true,
        (true, false) => step.takes_filter,
        (false, _) => named(step),
    };
    // What a chosen step needs is done first.
    let chosen: Vec<&Step> = STEPS.iter().filter(chosen).collect();
    let needed = |step: &&Step| {
        chosen.iter().any(|other| other.name == step.name || other.needs.contains(&step.name))
    };
    (STEPS.iter().filter(needed).collect(), tests)
}

fn perform(workspace: &Workspace, step: &Step, tests: &[String], earlier: &[Report]) -> Report {
    progress::line(&format!("\n── {}: {}", step.name, step.what));
    let started = Instant::now();
    let failed = |name: &&str| {
        let mut reports = earlier.iter().filter(|report| report.name == *name);
        reports.any(|report| !matches!(report.outcome, Outcome::Passed(_)))
    };
    let outcome = match step.needs.iter().copied().find(failed) {
        Some(needed) => Outcome::Blocked(needed),
        None => match (step.run)(workspace, tests) {
            Ok(notes) => Outcome::Passed(notes),
            Err(error) => {
                progress::line(&format!("{error:#}"));
                Outcome::Failed
            }
        },
    };
    let report = Report { name: step.name, time: started.elapsed(), outcome };
    for line in lines(&report) {
        progress::line(&line);
    }
    report
}

fn lines(report: &Report) -> Vec<String> {
    let (verdict, notes) = match &report.outcome {
        Outcome::Passed(notes) => ("ok".to_owned(), notes.as_slice()),
        Outcome::Failed => ("FAILED".to_owned(), &[][..]),
        Outcome::Blocked(needed) => (format!("NOT RUN, it needs {needed}"), &[][..]),
    };
    let first = format!("{:<14} {:>12}  {verdict}", report.name, progress::spoken(report.time));
    let notes = notes.iter().map(|note| format!("{:<14} {:>12}  {note}", "", ""));
    std::iter::once(first).chain(notes).collect()
}

fn summarise(reports: &[Report]) -> Result<()> {
    progress::line("\n── all steps");
    for line in reports.iter().flat_map(lines) {
        progress::line(&line);
    }
    let passed = |report: &&Report| matches!(report.outcome, Outcome::Passed(_));
    let failed: Vec<&str> =
        reports.iter().filter(|report| !passed(report)).map(|report| report.name).collect();
    let time = progress::spoken(reports.iter().map(|report| report.time).sum());
    if !failed.is_empty() {
        bail!(
            "{} of {} steps failed in {time}: {}",
            failed.len(),
            reports.len(),
            failed.join(", ")
        );
    }
    progress::line(&format!("{} steps passed in {time}.", reports.len()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(filter: &[&str]) -> (Vec<&'static str>, Vec<String>) {
        let filter: Vec<String> = filter.iter().map(|&word| word.to_owned()).collect();
        let (steps, tests) = select(&filter);
        (steps.iter().map(|step| step.name).collect(), tests)
    }

    #[test]
    fn without_a_filter_everything_runs() {
        assert_eq!(names(&[]).0.len(), STEPS.len());
    }

    #[test]
    fn a_filter_names_steps_or_tests() {
        assert_eq!(names(&["fuzz", "fmt"]), (vec!["fmt", "fuzz"], vec![]));
        assert_eq!(names(&["scenarios"]).0, ["client", "scenarios"]);
        assert_eq!(
            names(&["resume"]),
            (vec!["unit", "client", "scenarios", "edge-build", "edge"], vec!["resume".to_owned()])
        );
        assert_eq!(names(&["unit", "resume"]), (vec!["unit"], vec!["resume".to_owned()]));
    }

    #[test]
    fn a_failed_step_fails_the_run() {
        let report = |outcome| Report { name: "fmt", time: Duration::ZERO, outcome };
        assert!(summarise(&[report(Outcome::Passed(vec![]))]).is_ok());
        assert!(summarise(&[report(Outcome::Passed(vec![])), report(Outcome::Failed)]).is_err());
        assert!(summarise(&[report(Outcome::Blocked("client"))]).is_err());
    }
}
