//! Tests the `pty` driver with real programs.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use moorline_host::driver::pty::{Pty, PtyReader, PtyWriter, Spawn, SpawnError};
use moorline_shared::frame::Frame;
use moorline_shared::id::Seq;
use moorline_shared::limits::FRAME_DATA_BYTES;
use moorline_shared::session::{ExitStatus, Size};
use tokio::time::timeout;

/// Far longer than anything in these tests takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn command(words: &[&str]) -> Spawn {
    Spawn {
        command: Some(words.iter().map(|word| (*word).to_owned()).collect()),
        ..Spawn::default()
    }
}

fn sh(script: &str) -> Spawn {
    command(&["/bin/sh", "-c", script])
}

fn code(code: i32) -> ExitStatus {
    ExitStatus { code: Some(code), signal: None, reason: None }
}

fn signal(name: &str) -> ExitStatus {
    ExitStatus { code: None, signal: Some(name.to_owned()), reason: None }
}

async fn read(reader: &mut PtyReader) -> Option<Vec<u8>> {
    let piece = timeout(PATIENCE, reader.read()).await.expect("output in time").unwrap();
    piece.map(|piece| {
        assert!(piece.len() > Frame::DATA_START);
        Frame::seal(Seq(1), 1, piece).unwrap().data().to_vec()
    })
}

/// Reads until the output contains `text`.
async fn read_until(reader: &mut PtyReader, text: &str) -> String {
    let mut output = Vec::new();
    loop {
        let all = String::from_utf8_lossy(&output).into_owned();
        if all.contains(text) {
            return all;
        }
        let piece = read(reader).await;
        output
            .extend(piece.unwrap_or_else(|| panic!("the output ended without {text:?}: {all:?}")));
    }
}

async fn read_all(reader: &mut PtyReader) -> Vec<u8> {
    let mut output = Vec::new();
    while let Some(piece) = read(reader).await {
        output.extend(piece);
    }
    output
}

/// Returns all output, and the exit status, of a program that ends by itself.
async fn run(spawn: &Spawn) -> (String, ExitStatus) {
    let mut pty = Pty::spawn(spawn).unwrap();
    let output = read_all(&mut pty.reader).await;
    let status = timeout(PATIENCE, pty.writer.wait()).await.unwrap();
    assert_eq!(pty.writer.exit_status(), Some(status.clone()));
    (String::from_utf8(output).unwrap(), status)
}

async fn write(writer: &PtyWriter, mut input: &[u8]) {
    while !input.is_empty() {
        match writer.try_write(input).unwrap() {
            0 => timeout(PATIENCE, writer.writable()).await.unwrap().unwrap(),
            written => input = &input[written..],
        }
    }
}

#[tokio::test]
async fn what_is_typed_is_echoed_and_read() {
    let mut pty = Pty::spawn(&command(&["cat"])).unwrap();
    write(&pty.writer, b"hallo\r").await;
    read_until(&mut pty.reader, "hallo\r\nhallo\r\n").await;
    write(&pty.writer, b"\x04").await;
    assert_eq!(read_all(&mut pty.reader).await, b"");
    assert_eq!(pty.writer.wait().await, code(0));
}

#[tokio::test]
async fn the_program_sees_its_size_and_every_change() {
    let mut spawn = sh("stty size; read line; stty size; read line; stty size");
    spawn.size = Size { cols: 97, rows: 31 };
    let mut pty = Pty::spawn(&spawn).unwrap();
    read_until(&mut pty.reader, "31 97\r\n").await;
    pty.writer.resize(Size { cols: 132, rows: 50 }).unwrap();
    write(&pty.writer, b"\r").await;
    read_until(&mut pty.reader, "50 132\r\n").await;
    pty.writer.resize(Size { cols: 0, rows: 9999 }).unwrap();
    write(&pty.writer, b"\r").await;
    read_until(&mut pty.reader, "500 2\r\n").await;
}

#[tokio::test]
async fn the_way_it_ended_is_told() {
    assert_eq!(run(&sh("exit 0")).await.1, code(0));
    assert_eq!(run(&sh("echo last words; exit 41")).await, ("last words\r\n".into(), code(41)));
    assert_eq!(run(&sh("kill -KILL $$")).await.1, signal("SIGKILL"));
    assert_eq!(run(&sh("kill -TERM $$")).await.1, signal("SIGTERM"));
}

#[tokio::test]
async fn it_starts_in_its_folder_with_its_variables() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    let mut spawn = sh("pwd; echo $GIVEN/$TERM/$COLORTERM/${MOORLINE_TOKEN-none}");
    spawn.cwd = Some(path.clone());
    spawn.env = BTreeMap::from([("GIVEN".to_owned(), "größe".to_owned())]);
    let expected = format!("{}\r\ngröße/xterm-256color/truecolor/none\r\n", path.display());
    assert_eq!(run(&spawn).await, (expected, code(0)));
}

#[tokio::test]
async fn no_command_is_a_login_shell() {
    // The user's own profile could take any time.
    let home = tempfile::tempdir().unwrap();
    let env = [("PS1", "$ "), ("HOME", home.path().to_str().unwrap())];
    let env = BTreeMap::from(env.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let mut pty = Pty::spawn(&Spawn { env, ..Spawn::default() }).unwrap();
    write(&pty.writer, b"echo is:$0; exit 3\r").await;
    read_until(&mut pty.reader, "is:-").await;
    read_all(&mut pty.reader).await;
    assert_eq!(pty.writer.wait().await, code(3));
}

#[tokio::test]
async fn what_cannot_start_is_an_error_that_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "no program").unwrap();

    let no_program = Pty::spawn(&command(&["no-such-program-here"])).unwrap_err();
    assert!(
        matches!(&no_program, SpawnError::NoSuchProgram(name) if name == "no-such-program-here")
    );
    assert_eq!(no_program.to_string(), "program not found: no-such-program-here");
    let line = Pty::spawn(&command(&["echo hello"])).unwrap_err().to_string();
    assert!(line.contains("[\"echo\", \"hello\"]"), "{line}");
    let not_executable = Pty::spawn(&command(&[file.to_str().unwrap()])).unwrap_err();
    assert!(matches!(not_executable, SpawnError::NotExecutable(_)));
    for empty in [&[][..], &[""]] {
        assert!(matches!(Pty::spawn(&command(empty)), Err(SpawnError::EmptyCommand)));
    }

    let mut spawn = sh("true");
    spawn.cwd = Some(folder.path().join("missing"));
    assert!(matches!(Pty::spawn(&spawn), Err(SpawnError::NoSuchFolder { .. })));
    spawn.cwd = Some(file);
    assert!(matches!(Pty::spawn(&spawn), Err(SpawnError::NotAFolder(_))));

    let mut spawn = sh("true");
    spawn.env = BTreeMap::from([("A=B".to_owned(), String::new())]);
    assert!(matches!(Pty::spawn(&spawn), Err(SpawnError::InvalidText(_))));
    assert!(matches!(Pty::spawn(&sh("a\0b")), Err(SpawnError::InvalidText(_))));
}

#[tokio::test]
async fn what_the_system_cannot_run_is_an_error_that_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let program = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Pty::spawn(&command(&[path.to_str().unwrap()])).unwrap_err()
    };
    let no_interpreter = program("script", b"#!/no/such/interpreter\n");
    assert!(no_interpreter.to_string().contains("its interpreter does not exist"));
    let circle = folder.path().join("circle");
    std::os::unix::fs::symlink(&circle, &circle).unwrap();
    let circle = Pty::spawn(&command(&[circle.to_str().unwrap()]));
    assert!(matches!(circle, Err(SpawnError::Unusable { .. })));

    let long = "x".repeat(200 * 1024);
    assert!(matches!(Pty::spawn(&command(&["true", &long])), Err(SpawnError::TooLarge)));
    let mut spawn = sh("true");
    spawn.env = BTreeMap::from([("A".to_owned(), long)]);
    assert!(matches!(Pty::spawn(&spawn), Err(SpawnError::TooLarge)));
    let many = (0..40).map(|number| (format!("A{number}"), "x".repeat(100 * 1024)));
    spawn.env = many.collect();
    assert!(matches!(Pty::spawn(&spawn), Err(SpawnError::TooLarge)));
}

#[tokio::test]
async fn a_folder_is_absolute_or_in_a_home() {
    let in_folder = |cwd: &str| {
        let mut spawn = sh("pwd");
        spawn.cwd = Some(cwd.into());
        spawn
    };
    for relative in ["relative", ".", "./x", "../x", "x/~"] {
        let refused = Pty::spawn(&in_folder(relative));
        assert!(matches!(refused, Err(SpawnError::RelativeFolder(_))), "{relative}");
    }
    assert!(matches!(Pty::spawn(&in_folder("~nobody-here/x")), Err(SpawnError::NoSuchUser(_))));
    let home = std::env::var("HOME").unwrap();
    assert_eq!(run(&in_folder("~")).await, (format!("{home}\r\n"), code(0)));
    let below = tempfile::tempdir_in(&home).unwrap();
    let name = below.path().file_name().unwrap().to_str().unwrap();
    for cwd in [format!("~/{name}"), format!("~/{name}/")] {
        assert_eq!(run(&in_folder(&cwd)).await.0, format!("{home}/{name}\r\n"));
    }
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).unwrap().unwrap();
    let theirs = Pty::spawn(&in_folder(&format!("~{}", user.name))).unwrap();
    assert_eq!(theirs.cwd, user.dir);
}

#[tokio::test]
async fn a_symlink_keeps_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    std::fs::create_dir_all(path.join("a/b")).unwrap();
    std::os::unix::fs::symlink(path.join("a"), path.join("link")).unwrap();
    for shell in ["sh", "bash", "zsh", "fish"] {
        let mut spawn = command(&[shell, "-c", "pwd"]);
        spawn.cwd = Some(path.join("link/b/"));
        let expected = format!("{}/link/b\r\n", path.display());
        assert_eq!(run(&spawn).await, (expected, code(0)), "{shell}");
        // Behind a symlink, `..` is a different folder for the system.
        spawn.cwd = Some(path.join("link/../a"));
        assert_eq!(run(&spawn).await.0, format!("{}/a\r\n", path.display()), "{shell}");
    }
}

/// Starts this test again in a process that ignores signals, since no test can ignore one by
/// itself.
#[tokio::test]
async fn signals_that_the_host_ignores_are_not_ignored_in_sessions() {
    const AGAIN: &str = "PTY_TEST_IGNORES_SIGNALS";
    if std::env::var_os(AGAIN).is_none() {
        let again = tokio::process::Command::new("bash")
            .args(["-c", "trap '' HUP INT QUIT PIPE TERM TSTP TTOU CHLD USR1 RTMIN+3; exec \"$@\""])
            .arg("bash")
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "signals_that_the_host_ignores_are_not_ignored_in_sessions"])
            .env(AGAIN, "yes")
            .output();
        let output = timeout(PATIENCE, again).await.unwrap().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    let ignored = |status: &str| {
        let set = status.split("SigIgn:").nth(1).unwrap().split_whitespace().next().unwrap();
        // The system's library reserves these two, and ignores them in processes that it starts.
        u64::from_str_radix(set, 16).unwrap() & !(0b11 << 31)
    };
    let own = ignored(&std::fs::read_to_string("/proc/self/status").unwrap());
    assert!(own.count_ones() > 8, "these are ignored here: {own:b}");
    let (status, _) = run(&command(&["grep", "Sig", "/proc/self/status"])).await;
    assert_eq!(ignored(&status), 0, "{status}");
    assert!(status.contains("SigBlk:\t0000000000000000"), "{status}");
}

#[tokio::test]
async fn killing_reaches_the_children_and_those_who_ignore_a_hang_up() {
    let script = "sleep 1000 & trap '' HUP; sh -c 'echo child:$$; exec sleep 1000' & \
                  echo ready; while :; do wait; done";
    let mut pty = Pty::spawn(&sh(script)).unwrap();
    let mut output = read_until(&mut pty.reader, "child:").await;
    while !output.contains("ready") || !output.ends_with('\n') {
        output.extend(read(&mut pty.reader).await.map(|piece| String::from_utf8(piece).unwrap()));
    }
    let child = output.split("child:").nth(1).unwrap().split("\r\n").next().unwrap();
    let child = nix::unistd::Pid::from_raw(child.parse().unwrap());
    assert_eq!(nix::unistd::getpgid(Some(child)).unwrap().as_raw(), pty.writer.pid() as i32);

    timeout(PATIENCE, pty.writer.kill(Duration::from_millis(50))).await.unwrap();
    assert_eq!(timeout(PATIENCE, pty.writer.wait()).await.unwrap(), signal("SIGKILL"));
    // The output ends once no process has the terminal open.
    read_all(&mut pty.reader).await;
    pty.writer.kill(Duration::ZERO).await;
}

#[tokio::test]
async fn killing_reaches_the_foreground_job_of_a_shell() {
    let mut pty = Pty::spawn(&command(&["/bin/bash", "--norc", "--noprofile", "-i"])).unwrap();
    write(&pty.writer, b"sh -c 'trap \"\" HUP; echo up-$((40+2)); while :; do sleep 1000; done'\r")
        .await;
    read_until(&mut pty.reader, "up-42").await;
    timeout(PATIENCE, pty.writer.kill(Duration::from_millis(50))).await.unwrap();
    assert!(timeout(PATIENCE, pty.writer.wait()).await.unwrap().signal.is_some());
    read_all(&mut pty.reader).await;
}

#[tokio::test]
async fn a_background_process_does_not_hold_up_the_end() {
    // It ignores the hang-up, and holds the terminal open for longer than anyone waits.
    let script = "trap '' HUP; sleep 1000 & echo $!; exit 5";
    let (output, status) = run(&sh(script)).await;
    assert_eq!(status, code(5));
    let background = nix::unistd::Pid::from_raw(output.trim().parse().unwrap());
    nix::sys::signal::kill(background, nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[tokio::test]
async fn large_output_arrives_byte_for_byte() {
    let script = "stty raw -echo; i=0; while [ $i -lt 8 ]; do seq 200000; i=$((i+1)); done";
    let mut pty = Pty::spawn(&sh(script)).unwrap();
    let mut output = Vec::new();
    while let Some(piece) = pty.reader.read().await.unwrap() {
        assert!(piece.len() <= Frame::DATA_START + FRAME_DATA_BYTES);
        assert!(
            piece.capacity() - piece.len() <= piece.len().max(64),
            "a small piece wastes memory"
        );
        output.extend_from_slice(&piece[Frame::DATA_START..]);
    }
    let once: String = (1..=200_000).map(|number| format!("{number}\n")).collect();
    assert_eq!(output.len(), once.len() * 8);
    assert!(output == once.repeat(8).into_bytes());
    assert_eq!(pty.writer.wait().await, code(0));
}

#[tokio::test]
async fn input_that_the_program_does_not_read_is_held_back() {
    let mut pty = Pty::spawn(&sh("stty raw -echo; echo ready; read line; cat >/dev/null")).unwrap();
    read_until(&mut pty.reader, "ready").await;
    let mut written = 0;
    // Nobody reads: the terminal takes as much as fits, and then nothing.
    loop {
        match pty.writer.try_write(&[b'x'; 4096]).unwrap() {
            0 => break,
            more => written += more,
        }
        assert!(written < 10_000_000);
    }
    pty.writer.kill(Duration::ZERO).await;
    read_all(&mut pty.reader).await;
}
