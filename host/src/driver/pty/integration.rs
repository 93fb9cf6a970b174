//! Shell integration: bash, zsh and fish are started so that they mark their prompts and commands
//! (see [`crate::marks`]), without a change to any of the user's files.
//!
//! Each has its own way to read a script of ours once: bash reads `--rcfile` in the place of
//! `~/.bashrc`, or as a login shell ENV in POSIX mode, and the script then reads what bash would
//! have read; zsh reads `.zshenv` in ZDOTDIR, which is given back at once; fish takes
//! `--init-command`. The scripts themselves say what they take care of.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::folder::keep_private;

/// The scripts, and where they are put within the folder. Zsh's name is not ours to choose.
const BASH: (&str, &str) = ("moorline.bash", include_str!("integration/moorline.bash"));
const ZSH: (&str, &str) = (".zshenv", include_str!("integration/moorline.zsh"));
const FISH: (&str, &str) = ("moorline.fish", include_str!("integration/moorline.fish"));

/// Where the scripts find what a user has set for what was needed to have them read.
const USERS_ENV: &str = "MOORLINE_ENV";
const USERS_ZDOTDIR: &str = "MOORLINE_ZDOTDIR";

/// Arguments in words that do not change what a shell without any is: an interactive one.
const HARMLESS: [&str; 3] = ["--interactive", LOGIN, "--private"];
/// The one that makes it a login shell besides.
const LOGIN: &str = "--login";

/// Makes a program that is to be started mark its prompts, if it is a shell that can be told to:
/// writes the scripts to `folder`, sets `variables`, and gives the arguments to put before its
/// own. `is_login` says that it is started as the login shell.
///
/// # Errors
/// The scripts cannot be written, or `folder` is not safe from other users. Nothing was changed;
/// the program works without.
pub(super) fn prepare(
    folder: &Path,
    program: &Path,
    arguments: &[String],
    is_login: bool,
    variables: &mut BTreeMap<OsString, OsString>,
) -> io::Result<Vec<OsString>> {
    let name = program.file_name().and_then(|name| name.to_str());
    // Fish alone has a private mode.
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

/// Whether a shell with this argument is an interactive one that reads the user's files. `letters`
/// are the short forms.
fn is_harmless(argument: &str, letters: &str) -> bool {
    let of_letters =
        |short: &str| !short.is_empty() && short.chars().all(|letter| letters.contains(letter));
    HARMLESS.contains(&argument) || argument.strip_prefix('-').is_some_and(of_letters)
}

/// The one way that makes a login shell of bash read a file of ours and know that it is one.
fn bash_login(
    folder: &Path,
    program: &Path,
    variables: &mut BTreeMap<OsString, OsString>,
) -> io::Result<Vec<OsString>> {
    // Bash expands ENV as it does a string in double quotes.
    let expands = folder.as_os_str().as_bytes().iter().any(|byte| b"$`\"\\".contains(byte));
    // The system's bash of macOS is changed to ignore ENV, and too old for the rest.
    let ignores = cfg!(target_os = "macos") && program == Path::new("/bin/bash");
    if expands || ignores || variables.contains_key(&OsString::from("POSIXLY_CORRECT")) {
        return Ok(Vec::new());
    }
    let path = write(folder, BASH)?;
    swap(variables, "ENV", path, USERS_ENV);
    Ok(vec!["--posix".into()])
}

/// Sets a variable, and keeps what the user has for it.
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

/// Writes a script, unless it is there, and gives its path. A shell that reads it at this moment
/// reads the old or the new one.
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
