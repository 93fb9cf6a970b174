//! Shell integration: starts bash, zsh and fish so that they mark their prompts and commands (see
//! [`crate::marks`]), without changing any of the user's files.
//!
//! Each shell has its own way to read an additional script. Bash reads `--rcfile` instead of
//! `~/.bashrc`, or as a login shell ENV in POSIX mode, and the script then reads what bash would
//! have read. Zsh reads `.zshenv` in ZDOTDIR, which the script restores at once. Fish takes
//! `--init-command`. The scripts themselves describe their precautions.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::folder::keep_private;

/// The scripts, with their file names within the folder. Zsh dictates its name.
const BASH: (&str, &str) = ("moorline.bash", include_str!("integration/moorline.bash"));
const ZSH: (&str, &str) = (".zshenv", include_str!("integration/moorline.zsh"));
const FISH: (&str, &str) = ("moorline.fish", include_str!("integration/moorline.fish"));

/// The variables in which scripts find the user's own values of the variables that were replaced.
const USERS_ENV: &str = "MOORLINE_ENV";
const USERS_ZDOTDIR: &str = "MOORLINE_ZDOTDIR";

/// Long options that leave a shell an interactive one that reads the user's files.
const HARMLESS: [&str; 3] = ["--interactive", LOGIN, "--private"];
/// The option that also makes it a login shell.
const LOGIN: &str = "--login";

/// Makes a program that is about to be started mark its prompts, if it is a supported shell. Writes
/// the scripts to `folder`, sets `variables`, and returns the arguments to put before its own.
/// `is_login` is true if it is started as the login shell.
///
/// # Errors
/// The system's error if the scripts cannot be written, or `folder` is not safe from other users.
/// Then nothing was changed, and the program works without integration.
pub(super) fn prepare(
    folder: &Path,
    program: &Path,
    arguments: &[String],
    is_login: bool,
    variables: &mut BTreeMap<OsString, OsString>,
) -> io::Result<Vec<OsString>> {
    let name = program.file_name().and_then(|name| name.to_str());
    // Only fish has a private mode.
    let letters = if name == Some("fish") { "ilP" } else { "il" };
    if !arguments.iter().all(|argument| is_harmless(argument, letters)) {
        return Ok(Vec::new());
    }
    let says_login = |argument: &String| {
        argument == LOGIN || (!argument.starts_with("--") && argument.contains('l'))
    };
    let is_login = is_login || arguments.iter().any(says_login);
    match name {
        Some("bash") if is_login => bash_login(folder, program, variables),
        Some("bash") => {
            let path = write(folder, BASH)?;
            Ok(vec!["--rcfile".into(), path])
        }
        Some("zsh") => {
            write(folder, ZSH)?;
            swap(variables, "ZDOTDIR", folder.into(), USERS_ZDOTDIR);
            Ok(Vec::new())
        }
        Some("fish") => {
            let path = write(folder, FISH)?;
            Ok(vec!["--init-command".into(), fish_source(&path)])
        }
        _ => Ok(Vec::new()),
    }
}

/// Returns true if a shell with this argument is an interactive one that reads the user's files.
/// `letters` are its short options.
fn is_harmless(argument: &str, letters: &str) -> bool {
    let of_letters =
        |short: &str| !short.is_empty() && short.chars().all(|letter| letters.contains(letter));
    HARMLESS.contains(&argument) || argument.strip_prefix('-').is_some_and(of_letters)
}

/// Makes a login shell of bash read the script. ENV in POSIX mode is the only way that also lets
/// the script know that it is a login shell.
fn bash_login(
    folder: &Path,
    program: &Path,
    variables: &mut BTreeMap<OsString, OsString>,
) -> io::Result<Vec<OsString>> {
    // Bash expands ENV like a string in double quotes.
    let expands = folder.as_os_str().as_bytes().iter().any(|byte| b"$`\"\\".contains(byte));
    // The system's bash on macOS is modified to ignore ENV, and too old for the rest.
    let ignores = cfg!(target_os = "macos") && program == Path::new("/bin/bash");
    if expands || ignores || variables.contains_key(&OsString::from("POSIXLY_CORRECT")) {
        return Ok(Vec::new());
    }
    let path = write(folder, BASH)?;
    swap(variables, "ENV", path, USERS_ENV);
    Ok(vec!["--posix".into()])
}

/// Sets a variable, and saves the user's own value in the variable `kept`.
fn swap(variables: &mut BTreeMap<OsString, OsString>, name: &str, value: OsString, kept: &str) {
    match variables.insert(name.into(), value) {
        Some(users) => variables.insert(kept.into(), users),
        None => variables.remove(&OsString::from(kept)),
    };
}

fn fish_source(path: &OsString) -> OsString {
    let mut command = b"source '".to_vec();
    for byte in path.as_bytes() {
        if matches!(byte, b'\'' | b'\\') {
            command.push(b'\\');
        }
        command.push(*byte);
    }
    command.push(b'\'');
    OsString::from_vec(command)
}

/// Writes a script unless it exists unchanged, and returns its path. A shell that reads it at the
/// same time sees either the old or the new one.
fn write(folder: &Path, (name, text): (&str, &str)) -> io::Result<OsString> {
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let folder = std::path::absolute(folder)?;
    keep_private(&folder)?;
    let path = folder.join(name);
    if std::fs::read(&path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(path.into());
    }
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let unfinished = folder.join(format!("{name}.{}.{number}", std::process::id()));
    let mut file = File::create(&unfinished)?;
    file.write_all(text.as_bytes())?;
    std::fs::rename(&unfinished, &path)?;
    Ok(path.into())
}

#[cfg(test)]
mod tests;
