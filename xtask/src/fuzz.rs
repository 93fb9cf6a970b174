//! Fuzzing by libFuzzer: guided by coverage, with the toolchain of every other build.

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context as _, Result, bail};

use crate::workspace::Workspace;
use crate::{process, progress};

/// Fuzzes one target, or all of them, for this many seconds each.
///
/// # Errors
/// If a target does not exist, does not build, or finds something.
pub(crate) fn run(workspace: &Workspace, only: Option<&str>, seconds: u64) -> Result<()> {
    let mut targets = targets(workspace)?;
    if let Some(only) = only {
        if !targets.iter().any(|target| target == only) {
            bail!("the fuzz target {only} does not exist; choose from {}", targets.join(", "));
        }
        targets.retain(|target| target == only);
    }
    progress::line(&format!("{} for {seconds} s each", targets.join(", ")));
    build(workspace)?;
    for report in fuzz_all(workspace, &targets, seconds)? {
        progress::line(&report);
    }
    Ok(())
}

/// Fuzzes all targets for this many seconds each, as a check. Returns a report of each.
///
/// # Errors
/// As [`run`].
pub(crate) fn check(workspace: &Workspace, seconds: u64) -> Result<Vec<String>> {
    build(workspace)?;
    fuzz_all(workspace, &targets(workspace)?, seconds)
}

/// All targets, which are the files of `fuzz/src/bin`.
fn targets(workspace: &Workspace) -> Result<Vec<String>> {
    let folder = workspace.root.join("fuzz/src/bin");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).context("can't read fuzz/src/bin")? {
        let file = entry?.path();
        names.extend(file.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort_unstable();
    Ok(names)
}

/// Builds in fuzz/, because the coverage flags are in its own `.cargo/config.toml`.
fn build(workspace: &Workspace) -> Result<()> {
    let mut build = workspace.cargo(&["build", "--release", "--locked"]);
    build
        .current_dir(workspace.root.join("fuzz"))
        .env("CARGO_TARGET_DIR", workspace.target.join("fuzz"));
    process::run("fuzz targets", &mut build).map(drop)
}

/// Fuzzes as many targets at a time as there are cores, because libFuzzer uses one.
fn fuzz_all(workspace: &Workspace, targets: &[String], seconds: u64) -> Result<Vec<String>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let waiting = Mutex::new(targets.iter());
    let next = || waiting.lock().ok()?.next();
    let work = || {
        let mut reports = Vec::new();
        while let Some(target) = next() {
            reports.push(fuzz(workspace, target, seconds));
        }
        reports
    };
    let reports: Vec<Result<String>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
    });
    if reports.len() < targets.len() {
        bail!("a fuzz target was not run");
    }
    reports.into_iter().collect()
}

fn fuzz(workspace: &Workspace, target: &str, seconds: u64) -> Result<String> {
    let home = workspace.target.join("fuzz");
    let (corpus, artifacts) = (home.join("corpus").join(target), home.join("artifacts"));
    for folder in [&corpus, &artifacts] {
        std::fs::create_dir_all(folder)?;
    }
    let mut command = program(workspace, target)?;
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg("-timeout=5")
        .arg("-rss_limit_mb=1024")
        .arg("-print_final_stats=1")
        // The trailing slash makes it a folder.
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg(&corpus)
        .args(Some(workspace.root.join("fuzz/seeds").join(target)).filter(|seeds| seeds.is_dir()));
    let output = process::run(&format!("fuzz {target}"), &mut command)?;
    Ok(format!("{target}: {} inputs tried", tried(&output).unwrap_or("no")))
}

/// Locates a target's program. The flags in fuzz/ name a build target, so it is below that name.
fn program(workspace: &Workspace, target: &str) -> Result<Command> {
    let answer =
        process::answer(workspace.command("rustc").arg("-vV")).context("rustc does not answer")?;
    let host = host(&answer).context("rustc did not name its host")?;
    let file = workspace.target.join("fuzz").join(host).join("release").join(target);
    Ok(workspace.command(Path::new(&file)))
}

fn host(answer: &str) -> Option<&str> {
    answer.lines().find_map(|line| line.strip_prefix("host: "))
}

fn tried(output: &str) -> Option<&str> {
    let lines = output.lines();
    let mut counts = lines.filter_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    counts.next().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        assert_eq!(
            host("rustc 1.95.0\nhost: x86_64-unknown-linux-gnu\n"),
            Some("x86_64-unknown-linux-gnu")
        );
        let output = "Done 12 runs\nstat::number_of_executed_units: 12\nstat::new_units_added: 1\n";
        assert_eq!(tried(output), Some("12"));
    }

    #[test]
    fn seeds_belong_to_targets() {
        let workspace = Workspace::new().unwrap();
        let targets = targets(&workspace).unwrap();
        for seeds in std::fs::read_dir(workspace.root.join("fuzz/seeds")).unwrap() {
            let name = seeds.unwrap().file_name().into_string().unwrap();
            assert!(targets.contains(&name), "{name}");
        }
    }
}
