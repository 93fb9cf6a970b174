//! `cargo xtask test`: performs the steps, and summarises them at the end.
//!
//! Steps are in two lanes, each in order. Builds for the web and others with flags of their own run
//! beside native ones, because each has phases that use only one core.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::progress;
use crate::purpose::Purpose;
use crate::setup;
use crate::steps::{Lane, STEPS, Step};
use crate::workspace::Workspace;

/// Result of a step.
enum StepOutcome {
    Passed(Vec<String>),
    Failed,
    /// A step that it needs has failed.
    Blocked(&'static str),
}

struct Report {
    name: &'static str,
    time: Duration,
    outcome: StepOutcome,
}

impl Report {
    const fn has_passed(&self) -> bool {
        matches!(self.outcome, StepOutcome::Passed(_))
    }
}

/// Runs all steps, or those that the filter selects.
///
/// # Errors
/// If a step fails.
pub(crate) fn run(workspace: &Workspace, filter: &[String], fail_fast: bool) -> Result<()> {
    let (steps, tests) = select(filter);
    setup::ensure(workspace, Purpose::Test)?;
    let started = Instant::now();
    let run = StepRun {
        workspace,
        steps,
        tests,
        fail_fast,
        reports: Mutex::default(),
        one_more: Condvar::new(),
    };
    std::thread::scope(|scope| {
        scope.spawn(|| run.lane(Lane::Web));
        run.lane(Lane::Native);
    });
    summarise(&run.into_reports(), started.elapsed())
}

/// A run of the selected steps.
struct StepRun<'a> {
    workspace: &'a Workspace,
    /// The selected steps, in order.
    steps: Vec<&'static Step>,
    /// Parts of test names that select tests.
    tests: Vec<String>,
    fail_fast: bool,
    /// Reports of the steps that have ended, in the order in which they ended.
    reports: Mutex<Vec<Report>>,
    one_more: Condvar,
}

impl StepRun<'_> {
    /// Performs the steps of a lane, in order.
    fn lane(&self, lane: Lane) {
        for step in self.steps.iter().filter(|step| step.lane == lane) {
            let Some(failed) = self.wait_for(step) else { return };
            let report = perform(self.workspace, step, &self.tests, failed);
            self.reports.lock().unwrap_or_else(PoisonError::into_inner).push(report);
            self.one_more.notify_all();
        }
    }

    /// Waits until the step can begin: the steps that it needs have ended and, if it runs alone,
    /// the other lane has too. Returns the needed step that has failed, if any, or `None` if the
    /// run ends here.
    fn wait_for(&self, step: &Step) -> Option<Option<&'static str>> {
        let is_awaited = |other: &&&Step| {
            step.needs.contains(&other.name) || (step.alone && other.lane != step.lane)
        };
        let awaited: Vec<_> =
            self.steps.iter().filter(is_awaited).map(|other| other.name).collect();
        let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let failed = reports.iter().find(|report| !report.has_passed());
            if failed.is_some() && self.fail_fast {
                return None;
            }
            if awaited.iter().all(|name| reports.iter().any(|report| report.name == *name)) {
                let mut failed = reports.iter().filter(|report| !report.has_passed());
                return Some(
                    failed
                        .find(|failed| step.needs.contains(&failed.name))
                        .map(|failed| failed.name),
                );
            }
            reports = self.one_more.wait(reports).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The reports, in the order of the steps.
    fn into_reports(self) -> Vec<Report> {
        let mut reports = self.reports.into_inner().unwrap_or_else(PoisonError::into_inner);
        reports.sort_by_key(|report| STEPS.iter().position(|step| step.name == report.name));
        reports
    }
}

/// Selects steps by the words that name them. The other words are parts of test names.
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
    // Steps that a chosen step needs are performed first.
    let chosen: Vec<&Step> = STEPS.iter().filter(chosen).collect();
    let needed = |step: &&Step| {
        chosen.iter().any(|other| other.name == step.name || other.needs.contains(&step.name))
    };
    (STEPS.iter().filter(needed).collect(), tests)
}

fn perform(
    workspace: &Workspace,
    step: &Step,
    tests: &[String],
    failed: Option<&'static str>,
) -> Report {
    progress::line(&format!("\n── {}: {}", step.name, step.what));
    let started = Instant::now();
    let outcome = match failed {
        Some(needed) => StepOutcome::Blocked(needed),
        None => match (step.run)(workspace, tests) {
            Ok(notes) => StepOutcome::Passed(notes),
            Err(error) => {
                progress::line(&format!("{error:#}"));
                StepOutcome::Failed
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
        StepOutcome::Passed(notes) => ("ok".to_owned(), notes.as_slice()),
        StepOutcome::Failed => ("FAILED".to_owned(), &[][..]),
        StepOutcome::Blocked(needed) => (format!("NOT RUN, it needs {needed}"), &[][..]),
    };
    let first = format!("{:<14} {:>12}  {verdict}", report.name, progress::spoken(report.time));
    let notes = notes.iter().map(|note| format!("{:<14} {:>12}  {note}", "", ""));
    std::iter::once(first).chain(notes).collect()
}

fn summarise(reports: &[Report], time: Duration) -> Result<()> {
    progress::line("\n── all steps");
    for line in reports.iter().flat_map(lines) {
        progress::line(&line);
    }
    let failed = reports.iter().filter(|report| !report.has_passed());
    let failed: Vec<&str> = failed.map(|report| report.name).collect();
    let time = progress::spoken(time);
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
        assert_eq!(names(&["scenarios"]).0, ["obsidian", "client", "supervisors", "scenarios"]);
        assert_eq!(
            names(&["resume"]),
            (
                vec![
                    "obsidian",
                    "unit",
                    "client",
                    "supervisors",
                    "edge-build",
                    "scenarios",
                    "edge"
                ],
                vec!["resume".to_owned()]
            )
        );
        assert_eq!(names(&["unit", "resume"]), (vec!["unit"], vec!["resume".to_owned()]));
    }

    #[test]
    fn a_failed_step_fails_the_run() {
        let report = |outcome| Report { name: "fmt", time: Duration::ZERO, outcome };
        let summarise = |reports: &[Report]| summarise(reports, Duration::ZERO);
        assert!(summarise(&[report(StepOutcome::Passed(vec![]))]).is_ok());
        assert!(
            summarise(&[report(StepOutcome::Passed(vec![])), report(StepOutcome::Failed)]).is_err()
        );
        assert!(summarise(&[report(StepOutcome::Blocked("client"))]).is_err());
    }
}
