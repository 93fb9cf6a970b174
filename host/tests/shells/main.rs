//! Tests the shell integration with real shells on real terminals.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod bash;
mod foreground;
mod harness;
mod robust;
mod unseen;

use harness::{INTEGRATION, Shell, Start, every_shell, folder_in};
use moorline_host::marks::{Mark, ShellActivity};

#[tokio::test]
async fn every_shell_tells_what_it_does() {
    for start in every_shell() {
        let mut shell = start.shell().await;
        let home = shell.home();
        assert_eq!(shell.state.activity(), ShellActivity::Idle);
        assert_eq!(shell.state.cwd(), home.to_str());
        assert_eq!((shell.state.exit_code(), shell.state.command_line()), (None, None));

        shell.run("sh -c 'exit 7'").await;
        assert_eq!(shell.state.exit_code(), Some(7));
        assert_eq!(shell.last_command(), Some("sh -c 'exit 7'"));
        shell.run("true").await;
        assert_eq!(shell.state.exit_code(), Some(0));

        let folder = folder_in(&home);
        shell.run("cd a*").await;
        assert_eq!(shell.state.cwd(), folder.to_str());

        let line = "sh -c 'until [ -e go ]; do sleep 0.01; done'; echo 'ä;%'";
        shell.type_keys(&format!("{line}\r")).await;
        shell.wait("a command", |shell| shell.state.activity() == ShellActivity::Running).await;
        assert_eq!(shell.state.command_line(), Some(line));
        std::fs::write(folder.join("go"), "").unwrap();
        shell.wait("its end", |shell| shell.state.activity() == ShellActivity::Idle).await;
        assert_eq!(shell.state.command_line(), None);
        shell.exit(3).await;
    }
}

#[tokio::test]
async fn each_command_is_marked_once() {
    for start in every_shell() {
        let mut shell = start.shell().await;
        let from = shell.found.len();
        shell.run("true").await;
        shell.run("").await;
        let marks = shell.found[from..].iter();
        let marks: Vec<_> = marks.filter(|mark| !matches!(mark, Mark::Folder { .. })).collect();
        let command_line = Some("true".to_owned());
        let (start, end) =
            (Mark::CommandStart { command_line }, Mark::CommandEnd { exit_code: Some(0) });
        assert_eq!(marks, [&start, &end, &Mark::PromptStart, &Mark::PromptStart]);
        shell.exit(0).await;
    }
}

#[tokio::test]
async fn a_long_command_is_cut() {
    for start in every_shell() {
        let mut shell = start.shell().await;
        let long = "ä".repeat(300);
        shell.run(&format!("echo {long}")).await;
        assert_eq!(shell.last_command(), Some(&*format!("echo {}", &long[..2 * 251])));
        shell.run("echo a \\\rb").await;
        shell.exit(0).await;
    }
}

/// Only commands that a shell keeps in its history are reported.
#[tokio::test]
async fn what_is_kept_out_of_the_history_is_not_told() {
    let shells = [
        Start::new(&["bash"]).file(".bashrc", "HISTCONTROL=ignoreboth"),
        Start::new(&["bash"]).file(".bashrc", "HISTIGNORE='*secret*'"),
        Start::new(&["bash"]).file(".bashrc", "set +o history"),
        Start::new(&["zsh"]).file(".zshrc", "setopt hist_ignore_space"),
        Start::new(&["fish"]),
    ];
    for start in shells {
        let mut shell = start.shell().await;
        shell.run("echo public").await;
        shell.run(" echo secret").await;
        assert_eq!(shell.last_command(), None);
        shell.exit(0).await;
    }
}

#[tokio::test]
async fn the_users_files_are_read() {
    let bash = |command: &[&str]| {
        Start::new(command)
            .file(".bashrc", "declare -A read=([in]=rc)")
            .file(".bash_profile", "declare -A read=([in]=profile)")
            .file(".profile", "read=wrong")
    };
    assert_eq!(bash(&["bash"]).shell().await.run("echo ${read[in]}.").await, "rc.\r\n");
    let mut login = bash(&["bash", "-l"]).file(".bash_logout", "echo logged out").shell().await;
    assert_eq!(login.run("echo ${read[in]}.").await, "profile.\r\n");
    assert_eq!(
        login.run("shopt login_shell; shopt -o posix").await,
        "login_shell    \ton\r\nposix          \toff\r\n"
    );
    login.type_keys("logout\r").await;
    login.wait("the logout file", |shell| shell.output().contains("logged out")).await;
    let mut login = Start::new(&["bash", "-l"]).file(".profile", "declare read=it").shell().await;
    assert_eq!(login.run("echo $read.").await, "it.\r\n");

    let zsh = |command: &[&str]| {
        let files = [".zshenv", ".zprofile", ".zshrc", ".zlogin"];
        files.into_iter().fold(Start::new(command), |start, name| {
            start.file(name, &format!("typeset -A read; read[{name}]=$ZDOTDIR; order+=({name})"))
        })
    };
    let order = "echo $order. ${(v)read}.";
    assert_eq!(zsh(&["zsh"]).shell().await.run(order).await, ".zshenv .zshrc. .\r\n");
    let all = ".zshenv .zprofile .zshrc .zlogin. .\r\n";
    assert_eq!(zsh(&["zsh", "-l"]).shell().await.run(order).await, all);

    let start = Start::new(&["fish"]).file(".config/fish/config.fish", "set --global it read");
    assert!(start.shell().await.run("echo is-$it").await.contains("is-read\r\n"));
}

#[tokio::test]
async fn the_prompts_stay_as_they_are() {
    let prompts = "PS1='\\u one '; PS2='two '";
    for (command, file) in [("bash", ".bashrc"), ("zsh", ".zshrc")] {
        let mut shell = Start::new(&[command]).file(file, prompts).shell().await;
        shell.run("true").await;
        assert_eq!(shell.run("printf '%s' \"$PS1$PS2\"; echo").await, "\\u one two \r\n");
        shell.exit(0).await;
    }
}

#[tokio::test]
async fn the_users_zdotdir_is_theirs() {
    let start = Start::new(&["zsh"]).file("z/.zshenv", "order=(env)").file("z/.zshrc", "order+=rc");
    let folder = start.home().join("z");
    let mut shell = start.variable("ZDOTDIR", folder.to_str().unwrap()).shell().await;
    let expected = format!("env rc {}\r\n", folder.display());
    assert_eq!(shell.run("echo $order $(printenv ZDOTDIR)").await, expected);

    let start = Start::new(&["zsh"])
        .file(".zshenv", "ZDOTDIR=$HOME/moved")
        .file("moved/.zshrc", "order=moved");
    assert_eq!(start.shell().await.run("echo $order").await, "moved\r\n");
}

#[tokio::test]
async fn no_variable_reaches_a_program() {
    let with = every_shell();
    let without = every_shell();
    for (with, without) in with.into_iter().zip(without) {
        let mut variables = Vec::new();
        for start in [with, without.without_integration()] {
            let mut shell = start.file("empty", "").spawn();
            let home = shell.home();
            shell.type_keys("env > variables; exit\r").await;
            assert!(!shell.read_until(|_| false).await);
            let text = std::fs::read_to_string(home.join("variables")).unwrap();
            let text = text.replace(home.to_str().unwrap(), "HOME");
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            variables.push(lines);
        }
        assert_eq!(variables[0], variables[1]);
    }
}

/// Types the same with and without the integration, and compares what is visible.
#[tokio::test]
async fn nothing_that_is_seen_changes() {
    let rc = |command: &[&str]| {
        Start::new(command)
            .file(".bashrc", "PS1='two lines\\nPROMPT> '; PS2='more> '")
            .file(".bash_profile", ". ~/.bashrc")
            .file(".zshrc", "PS1=$'two lines\\nPROMPT> '; RPS1=right")
            .file(
                ".config/fish/config.fish",
                "function fish_prompt; printf 'two lines\\nPROMPT> '; end; function fish_greeting; end",
            )
    };
    let lines = ["true", "false", "printf unfinished", "echo 'a\rb'", "cd /"];
    for command in [&["bash"][..], &["bash", "-l"], &["zsh"], &["fish"]] {
        let mut snapshots = Vec::new();
        for start in [rc(command), rc(command).without_integration()] {
            let mut shell = start.spawn();
            shell.wait("a prompt", |shell| shell.output().contains("PROMPT> ")).await;
            for (number, line) in lines.iter().enumerate() {
                shell.type_keys(&format!("echo mark-$(expr 40 + {number}); {line}\r")).await;
                let mark = format!("mark-{}", 40 + number);
                shell.wait("the prompt after", |shell| prompt_follows(shell, &mark)).await;
            }
            snapshots.push(shell.exit(0).await);
        }
        assert_eq!(snapshots[0], snapshots[1], "{command:?}");
        assert!(snapshots[0].contains("unfinished"));
    }
}

fn prompt_follows(shell: &Shell, mark: &str) -> bool {
    shell.output().split_once(mark).is_some_and(|(_, after)| after.contains("PROMPT> "))
}

#[tokio::test]
async fn an_integration_of_the_users_own_is_not_doubled() {
    let own = |command: &[&str]| {
        Start::new(command)
            .file(".bashrc", "PS1='\\[\\e]133;A\\a\\]$ '; PS0='\\e]133;C\\a'")
            .file(
                ".zshrc",
                "own() { printf '\\e]133;A\\a' }; precmd_functions+=(own)\n\
                 before() { printf '\\e]133;C\\a' }; preexec_functions+=(before)",
            )
            .file(
                ".config/fish/config.fish",
                "function fish_greeting; end; function fish_prompt; printf '\\e]133;A\\a'; end\n\
                 function fish_preexec --on-event fish_preexec; printf '\\e]133;C\\a'; end",
            )
    };
    for command in [["bash"], ["zsh"], ["fish"]] {
        let mut shell = own(&command).shell().await;
        shell.run("cd /").await;
        // The folder is reported nevertheless.
        shell.wait("the folder", |shell| shell.state.cwd() == Some("/")).await;
        assert!(!shell.output().contains("aid="), "{command:?}: {:?}", shell.output());
        shell.exit(0).await;
    }
}

#[tokio::test]
async fn a_shell_starts_where_no_script_can_be_written() {
    for start in every_shell() {
        let mut shell = start.file(INTEGRATION, "a file, not a folder").spawn();
        shell.type_keys("exit 0\r").await;
        assert!(!shell.read_until(|_| false).await);
        assert_eq!(shell.found, []);
    }
}
