//! Tests startup files of users that must not get in the way of the integration.

use super::*;

const BASH: &[&str] = &[
    "readonly PROMPT_COMMAND='true'",
    "readonly PROMPT_COMMAND",
    "readonly REPLY host line code text begin assign control",
    "export LC_ALL=C.UTF-8; readonly LC_ALL",
    "HISTTIMEFORMAT='%F %T '; readonly HISTTIMEFORMAT HISTCONTROL HISTFILE",
    "builtin() { echo no; }; printf() { echo no; }; history() { echo no; }",
    "unset() { echo no; }; set() { echo no; }; trap() { echo no; }; local() { echo no; }",
    "set -TE; trap ': seen' DEBUG; trap ': failed' ERR",
    "PS1='\\[\\e]133;A\\a\\]$ \\[\\e]133;B\\a\\]'",
    "PROMPT_COMMAND='printf \"\\e]133;D\\a\\e]133;A\\a\"'",
];

const ZSH: &[&str] = &[
    "setopt sh_word_split",
    "setopt ksh_arrays no_unset no_clobber null_glob",
    "setopt err_return posix_builtins glob_subst",
    "emulate sh",
    "emulate ksh",
    "precmd() { printf '\\e]133;A\\a' }",
    "mine() { print mine }; precmd_functions=(mine)",
    "mine() { print mine }; preexec_functions=(mine)",
    "mine() { print mine }; precmd_functions=(mine); preexec_functions=(mine)",
    "typeset -r REPLY=x code=1 line=2 hides=1 hook own; HOST=elsewhere; TTY=/dev/null",
    "typeset -r precmd_functions preexec_functions",
    "local() { print no }; alias -g builtin=no",
];

const FISH: &[&str] = &[
    "function fish_prompt; printf '\\e]133;A\\a$ '; end",
    // Fish's own files use both functions, and continue with the output of the second.
    "function printf; end",
    "function functions; contains -- --all $argv; and echo __vsc_a; builtin functions $argv; end",
    "set -g line x; set -g code y",
];

fn starts() -> impl Iterator<Item = (Start, &'static str)> {
    let of = |shell: &'static str, file: &'static str, rcs: &'static [&'static str]| {
        rcs.iter().map(move |rc| (Start::new(&[shell]).file(file, rc).file(".zshenv", ""), *rc))
    };
    of("bash", ".bashrc", BASH).chain(of("zsh", ".zshrc", ZSH)).chain(of(
        "fish",
        ".config/fish/config.fish",
        FISH,
    ))
}

#[tokio::test]
async fn nothing_of_the_users_is_in_the_way() {
    for (start, rc) in starts() {
        let mut shell = start.shell().await;
        let from = shell.output().len();
        shell.type_keys("sh -c 'exit 3'\r").await;
        shell.wait(rc, |shell| shell.state.exit_code().is_some()).await;
        assert_eq!(shell.state.exit_code(), Some(3), "{rc}");
        let is_ours = |mark: &Mark| match mark {
            Mark::CommandStart { command_line } => {
                command_line.as_deref() == Some("sh -c 'exit 3'")
            }
            _ => false,
        };
        assert!(shell.found.iter().any(is_ours), "{rc}: {:?}", shell.output());
        assert_eq!(shell.state.cwd(), shell.home().to_str(), "{rc}");
        for complaint in ["read", "no such", "warning", "moorline", "no\r\n"] {
            let written = &shell.output()[from..];
            let plain = written.replace("/moorline", "");
            assert!(!plain.contains(complaint), "{rc}: {complaint} in {written:?}");
        }
        // Marks of other programs are ignored while a command runs.
        shell.type_keys("sh -c 'printf \"\\033]133;A\\a\"; echo up-$((40+2)); cat'\r").await;
        shell.wait("the command", |shell| shell.output().contains("up-42")).await;
        assert_eq!(shell.state.activity(), ShellActivity::Running, "{rc}");
        shell.type_keys("\x04").await;
        shell.wait("its end", |shell| shell.state.activity() == ShellActivity::Idle).await;
        assert_eq!(shell.state.exit_code(), Some(0), "{rc}");
    }
}

/// The shell itself warns about it once.
#[tokio::test]
async fn a_locale_that_is_not_installed_is_not_made_worse() {
    for command in [["bash"], ["zsh"]] {
        let mut warnings = Vec::new();
        for integrated in [true, false] {
            let start = Start::new(&command).variable("LC_ALL", "xx_YY.UTF-8").file(".zshrc", "");
            let start = if integrated { start } else { start.without_integration() };
            let mut shell = start.spawn();
            shell.type_keys("echo a-$((40+2)); cd /\recho b-$((40+2))\r").await;
            shell.wait("both", |shell| shell.output().contains("b-42")).await;
            warnings.push(shell.output().matches("setlocale").count());
        }
        assert_eq!(warnings[0], warnings[1], "{command:?}");
    }
}
