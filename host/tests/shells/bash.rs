//! Tests features that only bash has.

use super::*;

/// Part of `.bashrc`: a command for each prompt that prints the exit code.
const TELLS: &str = "tell() { echo \"told $?\"; }\n";

#[tokio::test]
async fn a_prompt_command_lives_on() {
    let forms = [
        "PROMPT_COMMAND=tell",
        "PROMPT_COMMAND='tell;'",
        "PROMPT_COMMAND=(true tell)",
        "PROMPT_COMMAND='true\ntell # and no more'",
        "export PROMPT_COMMAND='tell 2>/dev/null'",
    ];
    for form in forms {
        // If `true` comes first in a single text, it sets `$?`, with or without integration.
        let told = if form.contains("\ntell") { "told 0" } else { "told 7" };
        let mut shell =
            Start::new(&["bash"]).file(".bashrc", &format!("{TELLS}{form}")).shell().await;
        let from = shell.output().len();
        shell.run("(exit 7)").await;
        assert_eq!(shell.state.exit_code(), Some(7), "{form}");
        assert!(shell.output()[from..].contains(told), "{form}: {:?}", &shell.output()[from..]);
        // A shell that inherits variables reports nothing as missing.
        let prompts = shell.prompts();
        shell.type_keys("PS1=inner- bash --norc\rexit\r").await;
        shell.wait("the outer prompt", |shell| shell.prompts() > prompts).await;
        assert!(!shell.output()[from..].contains("not found"), "{:?}", &shell.output()[from..]);
        shell.exit(0).await;
    }
}

#[tokio::test]
async fn a_later_prompt_command_does_not_end_it() {
    let mut shell = Start::new(&["bash"]).shell().await;
    shell.run("PROMPT_COMMAND='echo later'").await;
    shell.run("false").await;
    assert_eq!(shell.state.exit_code(), Some(1));
    assert!(shell.output().contains("later\r\n"));
}

#[tokio::test]
async fn a_debug_trap_lives_on_and_sees_nothing() {
    let rc = "trap 'echo \"[$BASH_COMMAND]\"' DEBUG";
    let mut shell = Start::new(&["bash"]).file(".bashrc", rc).shell().await;
    let from = shell.output().len();
    assert_eq!(shell.run("echo 1").await, "[echo 1]\r\n1\r\n");
    shell.run("").await;
    assert!(!shell.output()[from..].contains("__moorline"), "{:?}", shell.output());
    shell.exit(0).await;
}

#[tokio::test]
async fn options_of_the_user_change_nothing() {
    let mut shell = Start::new(&["bash"]).shell().await;
    for options in
        ["set -u", "set -e", "set -o noglob", "set -o noclobber", "shopt -s extdebug nullglob"]
    {
        shell.run(options).await;
        assert_eq!(shell.run("echo is-$((40+2))").await, "is-42\r\n", "{options}");
        assert_eq!(shell.last_command(), Some("echo is-$((40+2))"), "{options}");
    }
    let from = shell.output().len();
    shell.run("set -x").await;
    assert_eq!(shell.run("echo 1").await, "+ echo 1\r\n1\r\n");
    assert!(!shell.output()[from..].contains("moorline"), "{:?}", &shell.output()[from..]);
    shell.exit(0).await;
}

#[tokio::test]
async fn aliases_and_functions_of_the_user_are_not_used() {
    let rc = "alias builtin='echo no' local='echo no' set='echo no' return='echo no'\n\
              printf() { echo no; }; history() { echo no; }; shopt() { echo no; }; IFS=x13";
    let mut shell = Start::new(&["bash"]).file(".bashrc", rc).shell().await;
    assert_eq!(shell.run("echo 1").await, "1\r\n");
    assert_eq!(shell.last_command(), Some("echo 1"));
    shell.exit(0).await;
}

#[tokio::test]
async fn ps0_is_kept_and_harms_no_inner_shell() {
    let mut shell = Start::new(&["bash"]).file(".bashrc", "export PS0='before\\n'").shell().await;
    let from = shell.output().len();
    shell.run("true").await;
    assert!(shell.output()[from..].contains("before"));
    let (from, prompts) = (shell.output().len(), shell.prompts());
    shell.type_keys("PS1=inner- bash --norc\rtrue\rexit\r").await;
    shell.wait("the outer prompt", |shell| shell.prompts() > prompts).await;
    assert!(!shell.output()[from..].contains("not found"), "{:?}", &shell.output()[from..]);
    shell.exit(0).await;
}

#[tokio::test]
async fn repeated_and_edited_lines_are_told() {
    for control in ["ignoredups", "erasedups", ""] {
        let rc = format!("HISTCONTROL={control}; HISTTIMEFORMAT='%F %T '; HISTSIZE=2");
        let mut shell = Start::new(&["bash"]).file(".bashrc", &rc).shell().await;
        for line in ["echo 1", "echo 1", "echo 2", "echo 1", "echo 3  4"] {
            shell.run(line).await;
            assert_eq!(shell.last_command(), Some(line), "{control}");
        }
        shell.run("for i in 1 2; do\recho $i; done").await;
        assert_eq!(shell.last_command().unwrap().split_whitespace().next(), Some("for"));
        shell.exit(0).await;
    }
}

#[tokio::test]
async fn a_login_shell_keeps_its_history_and_env() {
    let start = Start::new(&["bash", "-l"]).variable("ENV", "mine");
    let mut shell = start.variable("HOSTNAME", "of-another-machine").shell().await;
    assert_eq!(shell.state.cwd(), shell.home().to_str());
    let expected = format!("mine {}\r\n", shell.home().join(".bash_history").display());
    assert_eq!(shell.run("echo $(printenv ENV) $HISTFILE").await, expected);
    assert_eq!(shell.run("shopt inherit_errexit").await, "inherit_errexit\toff\r\n");
    shell.exit(0).await;
}

#[tokio::test]
async fn no_option_and_no_variable_of_bash_differs() {
    let dump = "compgen -v > names; shopt > shopt; set -o > set; trap > trap; alias > alias; exit";
    for command in [&["bash"][..], &["bash", "-l"]] {
        let mut dumps = Vec::new();
        for start in [Start::new(command), Start::new(command).without_integration()] {
            let mut shell = start.spawn();
            shell.type_keys(&format!("{dump}\r")).await;
            assert!(!shell.read_until(|_| false).await);
            let read = |name: &str| std::fs::read_to_string(shell.home().join(name)).unwrap();
            let own = ["__moorline_", "PROMPT_COMMAND", "PS0", "BASH_REMATCH", "BASH_LINENO"];
            let names = read("names");
            let names = names.lines().filter(|name| !own.iter().any(|own| name.starts_with(own)));
            let mut all: Vec<String> = names.map(str::to_owned).collect();
            all.extend(["shopt", "set", "trap", "alias"].map(read));
            dumps.push(all);
        }
        assert_eq!(dumps[0], dumps[1], "{command:?}");
    }
}

/// Before 5.1, PROMPT_COMMAND is a single text.
#[tokio::test]
async fn an_older_bash_is_served_too() {
    let script = include_str!("../../src/driver/pty/integration/moorline.bash");
    assert!(script.contains(">= 501"));
    let script = script.replace(">= 501", ">= 9999");
    let forms =
        ["unset PROMPT_COMMAND", "PROMPT_COMMAND=tell", "export PROMPT_COMMAND='tell; true'"];
    for form in forms {
        let start = Start::new(&["bash", "--rcfile", "older"])
            .file("older", &script)
            .file(".bashrc", &format!("{TELLS}{form}"));
        let mut shell = start.shell().await;
        let from = shell.output().len();
        shell.run("(exit 7)").await;
        assert_eq!(shell.state.exit_code(), Some(7), "{form}");
        assert_eq!(shell.last_command(), Some("(exit 7)"));
        if form.contains("tell") {
            shell.wait("the user's own", |shell| shell.output()[from..].contains("told 7")).await;
        }
        shell.run("set -u; trap 'echo \"[$BASH_COMMAND]\"' DEBUG").await;
        assert!(shell.run("echo 1").await.starts_with("[echo 1]\r\n1\r\n"));
        shell.exit(0).await;
    }
}
