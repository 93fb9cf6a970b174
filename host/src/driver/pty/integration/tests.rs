use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::*;

struct Prepared {
    arguments: Vec<String>,
    variables: BTreeMap<OsString, OsString>,
}

fn prepared(folder: &Path, program: &str, arguments: &[&str], set: &[(&str, &str)]) -> Prepared {
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let mut variables = set.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let arguments = prepare(folder, Path::new(program), &arguments, false, &mut variables).unwrap();
    let arguments = arguments.into_iter().map(|argument| argument.into_string().unwrap());
    Prepared { arguments: arguments.collect(), variables }
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

#[test]
fn each_shell_is_told_in_its_own_way() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("shell's");
    let bash = prepared(&folder, "/bin/bash", &["-i"], &[]);
    assert_eq!(bash.arguments, ["--rcfile", &path(&folder, "moorline.bash")]);
    assert!(bash.variables.is_empty());

    for login in ["-l", "-il", "--login"] {
        let bash = prepared(&folder, "bash", &[login], &[("ENV", "mine")]);
        assert_eq!(bash.arguments, ["--posix"]);
        let set = [("ENV", path(&folder, "moorline.bash")), (USERS_ENV, "mine".to_owned())];
        assert_eq!(bash.variables, set.map(|(name, value)| (name.into(), value.into())).into());
    }

    let zsh = prepared(&folder, "zsh", &["-l"], &[(USERS_ZDOTDIR, "of another session")]);
    assert!(zsh.arguments.is_empty());
    assert_eq!(zsh.variables, [("ZDOTDIR".into(), folder.clone().into())].into());

    for arguments in [&[][..], &["--private"], &["-P", "-l"], &["-ilP"]] {
        let fish = prepared(&folder, "/usr/bin/fish", arguments, &[]);
        let quoted = path(&folder, "moorline.fish").replace('\'', "\\'");
        assert_eq!(fish.arguments, ["--init-command", &format!("source '{quoted}'")]);
    }

    for (name, text) in [BASH, ZSH, FISH] {
        assert_eq!(fs::read_to_string(folder.join(name)).unwrap(), text);
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 3, "nothing unfinished is left");
}

#[test]
fn what_is_no_interactive_shell_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let others: [(&str, &[&str]); 8] = [
        ("bash", &["-P"]),
        ("zsh", &["-lf"]),
        ("bash", &["-"]),
        ("bash", &["-c", "true"]),
        ("zsh", &["script"]),
        ("fish", &["--no-config"]),
        ("/bin/sh", &[]),
        ("bash-5", &["-i"]),
    ];
    for (program, arguments) in others {
        let prepared = prepared(&home.path().join("x"), program, arguments, &[]);
        assert!(prepared.arguments.is_empty() && prepared.variables.is_empty());
    }
    let posix = prepared(home.path(), "bash", &["-l"], &[("POSIXLY_CORRECT", "")]);
    assert!(posix.arguments.is_empty());
    let expanded = prepared(&home.path().join("$HOME"), "bash", &["-l"], &[]);
    assert!(expanded.arguments.is_empty());
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "nothing was written");
}

#[test]
fn the_scripts_are_safe_from_others_and_renewed() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("a/b");
    let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    write(&folder, BASH).unwrap();
    assert_eq!(mode(&folder), 0o700);
    fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
    fs::write(folder.join("moorline.bash"), "of an older version").unwrap();
    write(&folder, BASH).unwrap();
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(fs::read_to_string(folder.join("moorline.bash")).unwrap(), BASH.1);

    let link = home.path().join("link");
    std::os::unix::fs::symlink("/tmp", &link).unwrap();
    assert_eq!(write(&link, BASH).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    fs::write(home.path().join("file"), "").unwrap();
    write(&home.path().join("file"), BASH).unwrap_err();
}
