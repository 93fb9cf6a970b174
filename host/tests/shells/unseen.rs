//! Tests that the user sees the same with the integration as without, whatever options are set.

use super::*;

/// A shell's startup file, and the lines that are typed.
type Case = (&'static str, &'static [&'static str]);

const BASH: &[Case] = &[
    ("shopt -u promptvars", &["true"]),
    ("", &["shopt -u promptvars", "false", "shopt -s promptvars", "true"]),
    ("readonly PROMPT_COMMAND", &["shopt -u promptvars", "true"]),
    ("set -v", &["true", "printf unfinished"]),
    ("PROMPT_COMMAND='echo mine'", &["set -v", "printf unfinished", "set +v", "true"]),
    ("readonly PROMPT_COMMAND", &["set -v", "true"]),
    ("set -o posix", &["set -v", "true"]),
    ("set -x", &["true", "printf unfinished"]),
    ("trap 'echo \"seen $BASH_COMMAND\"' DEBUG; set -xv", &["true"]),
    ("trap 'echo \"seen $BASH_COMMAND\"' DEBUG", &["true"]),
    ("trap 'echo failed' ERR; set -E; false", &["true", "echo $?"]),
    // A trap that is set in the startup file itself runs when the file ends.
    ("set -T; f() { :; }", &["trap 'echo returned' RETURN", "true", "f", "set -xv", "true"]),
    ("", &["set -T; trap 'echo returned' RETURN", "printf unfinished", "set +T", "true"]),
    ("PROMPT_COMMAND='echo \"told $?\"'; (exit 3)", &["true"]),
    ("set -r", &["true", "cd /", "true"]),
    ("", &["set -r", "true"]),
    ("readonly POSIXLY_CORRECT", &["true", "set -u", "true"]),
];

const ZSH: &[Case] = &[
    ("setopt xtrace", &["true"]),
    ("", &["setopt xtrace", "true"]),
    ("setopt verbose", &["true"]),
    ("setopt restricted", &["true", "cd /", "true"]),
    ("", &["setopt restricted", "true"]),
    ("precmd() { print mine }; setopt xtrace", &["true"]),
];

fn cases() -> impl Iterator<Item = (&'static str, Case)> {
    let of =
        |shell: &'static str, cases: &'static [Case]| cases.iter().map(move |case| (shell, *case));
    of("bash", BASH).chain(of("zsh", ZSH))
}

/// Creates a shell with a known prompt.
fn start(shell: &str, rc: &str) -> Start {
    let rc = format!("PS1='PROMPT> '\n{rc}\n");
    Start::new(&[shell]).file(".bashrc", &rc).file(".zshrc", &rc)
}

#[tokio::test]
async fn nothing_of_the_hooks_is_seen() {
    for (shell, (rc, lines)) in cases() {
        let mut snapshots = Vec::new();
        for start in [start(shell, rc), start(shell, rc).without_integration()] {
            let mut shell = start.spawn();
            let prompts = |shell: &Shell| shell.output().matches("PROMPT> ").count();
            shell.wait("a prompt", |shell| prompts(shell) > 0).await;
            for line in lines {
                let before = prompts(&shell);
                shell.type_keys(&format!("{line}\r")).await;
                shell.wait(line, |shell| prompts(shell) > before).await;
            }
            snapshots.push(shell.exit(0).await);
        }
        assert_eq!(snapshots[0], snapshots[1], "{shell}: {rc}, {lines:?}");
    }
}

#[tokio::test]
async fn the_hooks_work_on_all_the_same() {
    // In this case only the prompt itself could mark anything, and it must not.
    let is_mute = |(_, (rc, lines)): &(&str, Case)| {
        *rc == "readonly PROMPT_COMMAND" && lines.contains(&"shopt -u promptvars")
    };
    for (shell, (rc, lines)) in cases().filter(|case| !is_mute(case)) {
        let mut shell = start(shell, rc).shell().await;
        for line in lines {
            shell.run(line).await;
        }
        shell.run("sh -c 'exit 3'").await;
        assert_eq!(shell.state.exit_code(), Some(3), "{rc}, {lines:?}");
        shell.run("").await;
        shell.run("sh -c 'exit 4'").await;
        assert_eq!(shell.state.exit_code(), Some(4), "{rc}, {lines:?}");
        if !rc.contains("promptvars") {
            assert_eq!(shell.last_command(), Some("sh -c 'exit 4'"), "{rc}, {lines:?}");
        }
    }
}
