//! Output and input of panes, byte by byte.

use std::process::Command;

use moorline_host::driver::tmux::TmuxDriver;
use moorline_shared::session::Size;
use moorline_shared::tmux::{TmuxAction, TmuxSpec};

use super::server::{Shown, TestServer, contains};

/// Bytes of all kinds that a terminal may get, without the titles of tmux. Their end is `marker`.
fn flood(bytes: usize, marker: &str) -> Vec<u8> {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut flood = Vec::with_capacity(bytes + 64);
    let mut line = 0;
    while flood.len() < bytes {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        line += 1;
        match random % 5 {
            0 => flood.extend(format!("\x1b[3{}mline {line} 你好\x1b[m\r\n", random % 8).bytes()),
            1 => flood.extend(random.to_le_bytes().map(|byte| byte | 0x80)),
            2 => flood.extend(b"\\033 back\\slash % %output %1 x\r\n"),
            3 => flood.extend(format!("\x1b[{};{}H", random % 20 + 1, random % 70 + 1).bytes()),
            _ => flood.extend(format!("{:0width$}\r\n", line, width = 40).bytes()),
        }
    }
    flood.extend(format!("\x1b[m\r\n{marker}\r\n").bytes());
    flood
}

/// Has the pane's shell print a file unchanged, and returns what was heard from its beginning on.
async fn printed(server: &TestServer, shown: &Shown, content: &[u8], marker: &str) -> Vec<u8> {
    let file = server.file("flood");
    std::fs::write(&file, content).unwrap();
    // Neither line breaks nor echo of the terminal's own.
    let line = format!("stty raw -echo; printf BEGIN''NING; cat {}; stty sane\r", file.display());
    shown.type_in(line.as_bytes()).await;
    shown.until_text(marker).await;
    shown.heard(|heard| {
        let begin = b"BEGINNING";
        let at = heard.bytes.windows(begin.len()).position(|window| window == begin).unwrap();
        heard.bytes[at + begin.len()..].to_vec()
    })
}

#[tokio::test]
async fn the_output_of_a_pane_is_exact_to_the_byte() {
    let server = TestServer::start();
    let driver = server.driver();
    let shown = server.open(&driver, "%0").await;
    shown.until_text("$ ").await;
    let content = flood(2_000_000, "THE END");
    let heard = printed(&server, &shown, &content, "THE END").await;
    assert_eq!(heard.len().min(content.len()), content.len());
    assert!(heard.starts_with(&content), "not what was printed");
    assert_eq!(shown.heard(|heard| heard.errors.clone()), [""; 0]);
}

#[tokio::test]
async fn the_output_is_exact_if_the_pipe_is_the_users() {
    let server = TestServer::start();
    let own = server.file("own");
    server.tmux(&["pipe-pane", "-t", "%0", &format!("cat >{}", own.display())]);
    let driver = server.driver();
    let shown = server.open(&driver, "%0").await;
    shown.until_text("$ ").await;
    let content = flood(500_000, "THE END");
    let heard = printed(&server, &shown, &content, "THE END").await;
    assert!(heard.starts_with(&content), "not what was printed");
    assert_eq!(server.tmux(&["display-message", "-p", "-t", "%0", "#{pane_pipe}"]), "1");
    let own = std::fs::read(own).unwrap();
    assert!(contains(&own, b"BEGINNING"), "the user's pipe went on");
}

#[tokio::test]
async fn a_pipe_that_the_user_opens_later_is_left_to_them() {
    let server = TestServer::start();
    let driver = server.driver();
    let shown = server.open(&driver, "%0").await;
    shown.until_text("$ ").await;
    let own = server.file("own");
    server.tmux(&["pipe-pane", "-t", "%0", &format!("cat >{}", own.display())]);
    // The pane is drawn anew from the control stream.
    shown.until("the second drawing", |heard| heard.sizes.len() == 2).await;
    let content = flood(200_000, "THE END");
    let heard = printed(&server, &shown, &content, "THE END").await;
    assert!(heard.starts_with(&content), "not what was printed");
    assert!(contains(&std::fs::read(own).unwrap(), b"BEGINNING"));
}

#[tokio::test]
async fn a_log_that_cannot_follow_does_not_stop_the_pane() {
    let server = TestServer::start();
    let driver = server.driver();
    let shown = server.open(&driver, "%0").await;
    shown.until_text("$ ").await;
    shown.read(false);
    let done = server.file("done");
    let command = format!("seq 1 2000000; echo; touch {}; echo LAST''LINE\r", done.display());
    shown.type_in(command.as_bytes()).await;
    super::server::wait_until("the program has ended", || done.exists()).await;
    shown.read(true);
    shown.until_text("LASTLINE").await;
    let (bytes, errors) = shown.heard(|heard| (heard.bytes.len(), heard.errors.clone()));
    assert_eq!(errors, ["output_skipped"]);
    assert!(bytes < 12_000_000, "{bytes} bytes were kept");
    shown.type_in(b"echo on''wards\r").await;
    shown.until_text("onwards").await;
}

#[tokio::test]
async fn input_reaches_the_program_unchanged_even_in_copy_mode() {
    let server = TestServer::start();
    let driver = server.driver();
    let shown = server.open(&driver, "%0").await;
    shown.until_text("$ ").await;
    let file = server.file("typed");
    let line = format!(
        "stty raw -echo; printf REA''DY; head -c 5000 >{}; stty sane; echo DO''NE\r",
        file.display()
    );
    shown.type_in(line.as_bytes()).await;
    shown.until_text("READY").await;
    server.tmux(&["copy-mode", "-t", "%0"]);
    let input: Vec<u8> = (0..5000_u32).map(|number| (number * 7 % 256) as u8).collect();
    shown.type_in(&input).await;
    shown.until_text("DONE").await;
    assert_eq!(std::fs::read(file).unwrap(), input);
}

#[tokio::test]
async fn input_is_confirmed_once_tmux_has_typed_it() {
    let server = TestServer::start();
    let driver = server.driver();
    let shown = server.open(&driver, "%0").await;
    shown.until_text("$ ").await;
    assert!(shown.control.confirms_input());
    shown.type_in(b"stty -echo; cat\r").await;
    shown.until("the first input", |heard| heard.typed == 16).await;
    let pid = server.tmux(&["display-message", "-p", "#{pid}"]);
    let signal = |name: &str| {
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    };
    signal("-STOP");
    shown.type_in(b"kept\r").await;
    assert_eq!(shown.heard(|heard| heard.typed), 16, "tmux cannot have read it");
    signal("-CONT");
    shown.until("the rest", |heard| heard.typed == 21).await;
    shown.until_text("kept").await;
    // What a connection has not typed is typed by the next one, and confirmed once.
    for round in 0..20 {
        server.tmux(&["detach-client", "-s", "work"]);
        shown.type_in(b"line\r").await;
        shown.until("the line", |heard| heard.typed == 21 + 5 * (round + 1)).await;
    }
}

#[tokio::test]
async fn a_pipe_that_nobody_hands_over_is_replaced_by_the_control_stream() {
    let server = TestServer::start();
    let folder = Some(server.folder.path());
    for program in [vec!["false".into()], Vec::new()] {
        let driver = TmuxDriver::new(folder, program);
        let shown = server.open(&driver, "%0").await;
        shown.until_text("$ ").await;
        shown.type_in(b"printf 'a%sc\\n' B\r").await;
        shown.until_text("aBc").await;
        shown.control.close();
        shown.until("the end", |heard| heard.end.is_some()).await;
    }
}

#[tokio::test]
async fn a_pane_is_piped_to_a_folder_of_any_name() {
    let server = TestServer::start();
    let folder = server.folder.path().join(format!("it's #{{pid}} 50% {}", "long ".repeat(30)));
    std::fs::create_dir(&folder).unwrap();
    let program = folder.join("pane pipe");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut words = super::processes::pane_pipe();
    words[0] = program.into();
    let driver = TmuxDriver::new(Some(&folder), words);
    let shown = server.open(&driver, "%0").await;
    shown.until_text("$ ").await;
    let content = flood(100_000, "THE END");
    let heard = printed(&server, &shown, &content, "THE END").await;
    assert!(heard.starts_with(&content), "not what was printed");
    let pipe = server.tmux(&["display-message", "-p", "-t", "%0", "#{pane_pipe}"]);
    assert_eq!((pipe.as_str(), shown.heard(|heard| heard.sizes.len())), ("1", 1));
}

#[tokio::test]
async fn a_pane_is_drawn_anew_in_its_new_size() {
    let server = TestServer::start();
    let driver = server.driver();
    let shown = server.open(&driver, "%0").await;
    shown.until_text("$ ").await;
    shown.type_in(format!("echo {}\r", "x".repeat(120)).as_bytes()).await;
    shown.until("the line", |heard| contains(&heard.bytes, b"xxx\r\n$ ")).await;
    server.tmux(&["split-window", "-h", "-t", "%0", "cat"]);
    let cols = server.tmux(&["display-message", "-p", "-t", "%0", "#{pane_width}"]);
    let narrow = Size { cols: cols.parse().unwrap(), rows: 24 };
    assert!(narrow.cols < 80);
    shown.until("the new size", |heard| heard.sizes.last() == Some(&narrow)).await;
    let session = shown.act(TmuxAction::Fit { window: "@0".into(), cols: 120, rows: 30 }).await;
    assert_eq!((session.windows[0].cols, session.windows[0].rows), (120, 30));
    assert!(session.windows[0].fitted);
    shown.until("the fitted size", |heard| heard.sizes.last().unwrap().rows == 30).await;
    let session = shown.act(TmuxAction::Unfit).await;
    assert!(!session.windows[0].fitted);
}

#[tokio::test]
async fn a_new_session_of_tmux_runs_a_command_in_a_folder() {
    let server = TestServer::start();
    let driver = server.driver();
    let opener = std::sync::Arc::default();
    let tmux = TmuxSpec { session: Some("built #(id)".into()), ..TmuxSpec::default() };
    let mut spec = server.spec(tmux, &opener);
    spec.facts.command = ["sh", "-c", "echo $0 $MARK \"$PWD\"; cat", "a b"].map(Into::into).into();
    spec.facts.env = [("MARK".to_owned(), "marked".to_owned())].into();
    spec.cwd = Some("/usr".into());
    let started = moorline_host::driver::Driver::start(&driver, spec).await.unwrap();
    assert_eq!(started.cwd, "/usr");
    let shown = Shown::follow(started, opener);
    shown.until_text("a b marked /usr").await;
    let names = server.tmux(&["list-sessions", "-F", "#{session_name}"]);
    assert!(names.lines().any(|name| name == "built #(id)"), "{names}");
}
