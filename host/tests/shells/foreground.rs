//! Tests the status of shells whose integration is missing or lost: it comes from the terminal's
//! process group.

use super::*;

/// Runs a command until it is interrupted, and expects the shell to be idle before and after.
async fn tells_whether_a_job_runs(shell: &mut Shell, what: &str) {
    shell
        .watch(&format!("prompt of {what}"), |shell| shell.state.activity() == ShellActivity::Idle)
        .await;
    let is_up = |shell: &Shell| shell.output().matches("up-42").count();
    let before = is_up(shell);
    shell.type_keys("sh -c 'echo up-$((40+2)); exec sleep 1000'\r").await;
    shell.wait("the job", |shell| is_up(shell) > before).await;
    shell
        .watch(&format!("job of {what}"), |shell| shell.state.activity() == ShellActivity::Running)
        .await;
    shell.type_keys("\x03").await;
    shell
        .watch(&format!("end in {what}"), |shell| shell.state.activity() == ShellActivity::Idle)
        .await;
}

#[tokio::test]
async fn a_shell_without_integration_is_idle_at_its_prompt() {
    let commands: [&[&str]; 5] = [
        &["dash", "-i"],
        &["bash", "--norc"],
        &["bash", "--norc", "--noediting"],
        &["zsh", "-f"],
        &["fish", "--no-config"],
    ];
    for command in commands {
        let mut shell = Start::new(command).spawn();
        tells_whether_a_job_runs(&mut shell, &format!("{command:?}")).await;
    }
}

#[tokio::test]
async fn another_shell_in_the_place_of_this_one_is_told() {
    for start in ["bash", "zsh", "fish"] {
        for other in ["dash -i", "bash --norc", "zsh", "fish --private"] {
            let start = Start::new(&[start]).file(".zshrc", "").file(".bashrc", "");
            let mut shell = start.shell().await;
            // The shell stays at its prompt for a moment.
            shell.watch("a look", |shell| shell.looks > 0).await;
            shell.type_keys(&format!("exec {other}\r")).await;
            shell
                .wait("the command", |shell| shell.state.activity() == ShellActivity::Running)
                .await;
            tells_whether_a_job_runs(&mut shell, other).await;
        }
    }
}

#[tokio::test]
async fn a_program_in_the_place_of_the_shell_runs() {
    let mut shell = Start::new(&["bash"]).shell().await;
    shell.type_keys("exec sh -c 'stty raw -echo; echo up-$((40+2)); cat'\r").await;
    shell.wait("the program", |shell| shell.output().contains("up-42")).await;
    let mut looks = 0;
    shell
        .watch("some looks", |shell| {
            assert_eq!(shell.state.activity(), ShellActivity::Running);
            looks += 1;
            looks > 5
        })
        .await;
}

#[tokio::test]
async fn hooks_that_were_replaced_at_the_prompt_are_missed_and_no_more() {
    let lines = [
        ("bash", "PROMPT_COMMAND=(true)"),
        ("bash", "unset PROMPT_COMMAND PS0"),
        ("bash", "PS0="),
        ("zsh", "precmd_functions=() preexec_functions=()"),
        ("zsh", "precmd_functions=(true)"),
    ];
    for (command, line) in lines {
        let mut shell = Start::new(&[command]).file(".zshrc", "").shell().await;
        shell.type_keys(&format!("{line}\r")).await;
        shell.wait(line, |shell| shell.last_command() == Some(line)).await;
        tells_whether_a_job_runs(&mut shell, line).await;
    }
}

/// This shell marks its prompts, but not its commands.
#[tokio::test]
async fn a_prompt_that_marks_itself_is_not_idle_for_ever() {
    let mut shell =
        Start::new(&["bash", "--norc"]).variable("PS1", "\\[\\e]133;A\\a\\]$ ").shell().await;
    tells_whether_a_job_runs(&mut shell, "a prompt with marks").await;
}

/// A builtin runs in the shell itself, so only the marks reveal it.
#[tokio::test]
async fn a_builtin_that_waits_is_running() {
    for command in [["bash"], ["zsh"], ["fish"]] {
        let start = Start::new(&command).file(".zshrc", "");
        let mut shell = start.shell().await;
        shell.watch("a look", |shell| shell.looks > 0).await;
        let line = match command[0] {
            "fish" => "while not test -e go; end",
            _ => "while [ ! -e go ]; do :; done",
        };
        shell.type_keys(&format!("{line}\r")).await;
        shell.wait("the command", |shell| shell.state.activity() == ShellActivity::Running).await;
        let mut looks = 0;
        shell
            .watch("some looks", |shell| {
                assert_eq!(shell.state.command_line(), Some(line));
                looks += 1;
                looks > 5
            })
            .await;
        std::fs::write(shell.home().join("go"), "").unwrap();
        shell.wait("its end", |shell| shell.state.activity() == ShellActivity::Idle).await;
        assert_eq!(shell.state.exit_code(), Some(0));
    }
}
