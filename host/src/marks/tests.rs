use proptest::prelude::*;

use super::*;

fn marks_of(pieces: &[&[u8]]) -> Vec<Mark> {
    let (mut marks, mut found) = (Marks::new(), Vec::new());
    for piece in pieces {
        marks.push(piece, |mark, _| found.push(mark));
    }
    found
}

fn marks(output: &str) -> Vec<Mark> {
    marks_of(&[output.as_bytes()])
}

fn start(command_line: Option<&str>) -> Mark {
    Mark::CommandStart { command_line: command_line.map(str::to_owned) }
}

fn end(exit_code: Option<i32>) -> Mark {
    Mark::CommandEnd { exit_code }
}

fn folder(host: &str, path: &str) -> Mark {
    Mark::Folder { host: host.to_owned(), path: path.to_owned() }
}

#[test]
fn every_mark_is_read() {
    assert_eq!(marks("\x1b]133;A\x07"), [Mark::PromptStart]);
    assert_eq!(marks("\x1b]133;A;cl=line;aid=7\x1b\\$ "), [Mark::PromptStart]);
    assert_eq!(marks("\x1b]133;P;k=i\x07"), [Mark::PromptStart]);
    assert_eq!(marks("x\x1b]133;B\x1b\\y"), [Mark::InputStart]);
    assert_eq!(marks("\x1b]133;C\x07"), [start(None)]);
    assert_eq!(marks("\x1b]133;D\x07\x1b]133;D;\x07"), [end(None), end(None)]);
    assert_eq!(marks("\x1b]133;D;130\x07\x1b]133;D;-1;aid=1\x07"), [end(Some(130)), end(Some(-1))]);
    assert_eq!(marks("\x1b]7;file://host/tmp/a%20b%C3%A4\x07"), [folder("host", "/tmp/a bä")]);
    assert_eq!(marks("\x1b]7;file:///\x1b\\"), [folder("", "/")]);
    assert_eq!(marks("\x1b]7;kitty-shell-cwd://h/50%25\x07"), [folder("h", "/50%25")]);
}

#[test]
fn command_lines_are_read_in_every_form() {
    let encoded = "\x1b]133;C;cmdline_url=ls%20-l%3B%0Aecho%20%C3%A4\x07";
    assert_eq!(marks(encoded), [start(Some("ls -l;\necho ä"))]);
    let quoted = [
        (r"ls\ -l\ \;\ true", "ls -l ; true"),
        (r"$'a\nb\'c\303\244\x'd", "a\nb'cäxd"),
        (r"'a b'\''c'", "a b'c"),
        ("'open", "open"),
        (r"end\", r"end\"),
        (r"$'end\", "end"),
    ];
    for (quoted, line) in quoted {
        assert_eq!(marks(&format!("\x1b]133;C;cmdline={quoted}\x07")), [start(Some(line))]);
    }
    assert_eq!(marks("\x1b]133;C;cmdline_url=\x07"), [start(None)]);
    // Nothing that is displayed may move a cursor.
    assert_eq!(marks("\x1b]133;C;cmdline_url=a%1B[2J\x07"), [start(Some("a\u{fffd}[2J"))]);
}

#[test]
fn the_marks_of_visual_studio_code_are_equals() {
    let output = "\x1b]633;P;Cwd=/a\\x3bb\\\\c\x07\x1b]633;A\x07\x1b]633;B\x07\
                  \x1b]633;E;echo a\\x3b\\x0ab \\xzz;nonce\x07\x1b]633;C\x07\x1b]633;D;2\x07";
    let command = Mark::CommandLine("echo a;\nb \\xzz".to_owned());
    let expected = [
        folder("", "/a;b\\c"),
        Mark::PromptStart,
        Mark::InputStart,
        command,
        start(None),
        end(Some(2)),
    ];
    assert_eq!(marks(output), expected);
}

#[test]
fn what_is_no_mark_is_passed_over() {
    let others = [
        "\x1b]0;title\x07",
        "\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\",
        "\x1b]77;file:///\x07",
        "\x1b]1337;A\x07",
        "\x1b]7\x07",
        "\x1b]7;\x07",
        "\x1b]7;/tmp\x07",
        "\x1b]7;file://host\x07",
        "\x1b]7;file:///a%00b\x07",
        "\x1b]633;P;Prompt=x\x07",
        "\x1b]633;P;Cwd=relative\x07",
        "\x1b]133\x07",
        "\x1b]133;\x07",
        "\x1b]133;AB\x07",
        // Prompts of a command's later lines, and those at the right.
        "\x1b]133;A;k=s\x07",
        // Without a terminator, another control character ends it.
        "\x1b]133;A\r\n\x07",
        "\x1b]133;A\x18\x07",
        "\x1b]133;A\x1b[m\x07",
        "133;A\x07]133;A\x07",
    ];
    for other in others {
        assert_eq!(marks(other), [], "{other:?}");
        assert_eq!(marks(&format!("{other}\x1b]133;B\x07")), [Mark::InputStart], "{other:?}");
    }
    assert_eq!(marks("\x1b]133;A\x1b]133;B\x07"), [Mark::InputStart]);
    assert_eq!(marks("\x1b\x1b]133;B\x07"), [Mark::InputStart]);
}

#[test]
fn a_long_mark_is_bounded() {
    let line = "x".repeat(1_000_000);
    let whole =
        format!("\x1b]133;C;cmdline_url={line}\x07\x1b]7;file:///{line}\x07\x1b]133;D;0\x07");
    let expected = [start(Some(&line[..COMMAND_LINE_CHARS])), end(Some(0))];
    assert_eq!(marks(&whole), expected);
    let mut marks = Marks::new();
    let mut found = Vec::new();
    for piece in whole.as_bytes().chunks(1000) {
        marks.push(piece, |mark, _| found.push(mark));
        assert!(marks.begun.capacity() <= 2 * KEPT_BYTES);
    }
    assert_eq!(found, expected);
    assert_eq!(marks.begun.capacity(), 0);
}

/// Creates the state of the process 7.
fn state() -> ShellState {
    ShellState::new("machine.example.org", 7)
}

#[test]
fn a_shell_is_running_until_it_says_otherwise() {
    let mut state = state();
    assert_eq!(
        (state.activity(), state.cwd(), state.exit_code()),
        (ShellActivity::Running, None, None)
    );
    assert!(state.fold(Mark::PromptStart, Speaker::Program));
    assert_eq!(state.activity(), ShellActivity::Idle);
    assert!(!state.fold(Mark::InputStart, Speaker::Program));
    assert!(state.fold(start(Some("false")), Speaker::Program));
    assert_eq!((state.activity(), state.command_line()), (ShellActivity::Running, Some("false")));
    assert!(state.fold(end(Some(1)), Speaker::Program));
    assert_eq!((state.activity(), state.command_line()), (ShellActivity::Idle, None));
    assert_eq!(state.exit_code(), Some(1));
    assert!(!state.fold(Mark::PromptStart, Speaker::Program));

    assert!(!state.fold(Mark::CommandLine("make".to_owned()), Speaker::Program));
    assert!(state.fold(start(None), Speaker::Program));
    assert_eq!(state.command_line(), Some("make"));
    assert!(!state.fold(start(None), Speaker::Program), "a second integration says the same");
    assert_eq!(state.command_line(), Some("make"));
    assert!(state.fold(end(None), Speaker::Program));
    assert_eq!(state.exit_code(), Some(1), "a line that was given up has no code");
    assert!(state.fold(start(None), Speaker::Program));
    assert_eq!(state.command_line(), None);
}

#[test]
fn only_this_machines_folders_count() {
    let mut state = state();
    for (host, path) in [("", "/a"), ("localhost", "/b"), ("machine", "/c"), ("MACHINE.lan", "/d")]
    {
        assert!(state.fold(folder(host, path), Speaker::Program));
        assert_eq!(state.cwd(), Some(path));
        assert!(!state.fold(folder(host, path), Speaker::Program));
    }
    assert!(!state.fold(folder("elsewhere", "/e"), Speaker::Program));
    assert_eq!(state.cwd(), Some("/d"));
}

/// Returns the displayed state, with the command.
fn shown(state: &ShellState) -> (ShellActivity, Option<&str>) {
    (state.activity(), state.command_line())
}

const AT_PROMPT: Foreground = Foreground::Shell { editing: true, image: 1 };
const IN_BUILTIN: Foreground = Foreground::Shell { editing: false, image: 1 };

#[test]
fn the_process_that_a_mark_names_is_read() {
    let mut found = Vec::new();
    let output =
        b"\x1b]133;A;cl=m;aid=7\x07\x1b]133;D;1;aid=x\x07\x1b]133;C;aid=8;cmdline_url=a\x07\
        \x1b]133;C;cmdline=a\\;aid=7\x07\x1b]7;file:///aid=7\x07";
    Marks::new().push(output, |mark, origin| found.push((mark, origin)));
    let expected = [
        (Mark::PromptStart, Some(7)),
        (end(Some(1)), None),
        (start(Some("a")), Some(8)),
        (start(Some("a;aid=7")), None),
        (folder("", "/aid=7"), None),
    ];
    assert_eq!(found, expected);
    assert_eq!(state().speaker(Some(7), true), Speaker::Integration);
    assert_eq!(state().speaker(Some(8), false), Speaker::Program);
    assert_eq!(state().speaker(None, true), Speaker::Job);
}

#[test]
fn others_are_not_listened_to_while_the_integration_speaks() {
    let mut state = state();
    state.fold(Mark::PromptStart, Speaker::Integration);
    state.fold(start(Some("ssh there")), Speaker::Integration);
    for speaker in [Speaker::Job, Speaker::Program] {
        assert!(!state.fold(Mark::PromptStart, speaker));
        assert!(!state.fold(end(Some(3)), speaker));
        assert_eq!(shown(&state), (ShellActivity::Running, Some("ssh there")));
    }
    assert!(state.fold(folder("", "/tmp"), Speaker::Job), "folders are nobody's own");
    state.fold(end(Some(1)), Speaker::Integration);
    assert!(!state.fold(start(Some("x")), Speaker::Program));
    assert_eq!((shown(&state), state.exit_code()), ((ShellActivity::Idle, None), Some(1)));
}

#[test]
fn without_marks_the_system_tells() {
    let mut state = state();
    assert!(!state.observe(Foreground::Program));
    assert_eq!(state.activity(), ShellActivity::Running);
    for foreground in [IN_BUILTIN, AT_PROMPT] {
        assert!(state.observe(foreground));
        assert_eq!(state.activity(), ShellActivity::Idle);
        assert!(state.observe(Foreground::Child));
        assert_eq!(state.activity(), ShellActivity::Running);
    }
}

#[test]
fn a_builtin_runs_as_long_as_the_marks_say() {
    let mut state = state();
    for speaker in [Speaker::Program, Speaker::Integration] {
        state.fold(Mark::PromptStart, speaker);
        state.observe(AT_PROMPT);
        state.fold(start(Some("read x")), speaker);
        assert!(!state.observe(IN_BUILTIN));
        assert_eq!(shown(&state), (ShellActivity::Running, Some("read x")));
        assert!(state.fold(end(Some(0)), speaker));
    }
}

#[test]
fn a_shell_that_lost_its_integration_is_idle_at_its_prompt() {
    let replaced_by = [
        // The hooks were replaced.
        AT_PROMPT,
        // The shell was replaced by `exec` of another one, which may have no line editor.
        Foreground::Shell { editing: false, image: 2 },
    ];
    for prompt in replaced_by {
        let mut state = state();
        state.fold(Mark::PromptStart, Speaker::Integration);
        state.observe(AT_PROMPT);
        state.fold(start(Some("exec sh")), Speaker::Integration);
        assert!(state.observe(prompt));
        assert_eq!(shown(&state), (ShellActivity::Idle, None));
        assert!(state.observe(Foreground::Child));
        assert_eq!(shown(&state), (ShellActivity::Running, None));
        assert!(state.observe(prompt));
        // Other sources count again, and so does the integration once it is back.
        assert!(state.fold(start(Some("make")), Speaker::Program));
        assert!(state.fold(start(Some("other")), Speaker::Integration));
        assert_eq!(shown(&state), (ShellActivity::Running, Some("other")));
    }
}

/// Any program can print a mark, without ever printing the matching one.
#[test]
fn a_shell_without_a_line_editor_is_idle_whatever_was_printed() {
    let mut state = state();
    state.observe(IN_BUILTIN);
    for _ in 0..2 {
        assert!(state.fold(start(Some("x")), Speaker::Program));
        assert_eq!(shown(&state), (ShellActivity::Running, Some("x")));
        assert!(state.observe(IN_BUILTIN));
        assert_eq!(shown(&state), (ShellActivity::Idle, None));
        assert!(state.observe(Foreground::Child));
        assert!(state.observe(IN_BUILTIN));
        assert_eq!(shown(&state), (ShellActivity::Idle, None));
    }
    state.fold(start(Some("read x")), Speaker::Integration);
    assert!(!state.observe(IN_BUILTIN), "which sees to it that the end is marked");
}

#[test]
fn a_program_in_the_place_of_the_shell_runs() {
    let mut state = state();
    state.fold(Mark::PromptStart, Speaker::Integration);
    state.observe(AT_PROMPT);
    state.fold(start(Some("exec vi")), Speaker::Integration);
    assert!(!state.observe(Foreground::Program));
    assert_eq!(shown(&state), (ShellActivity::Running, Some("exec vi")));
}

#[test]
fn a_prompt_that_alone_is_marked_is_not_idle_for_ever() {
    for speaker in [Speaker::Program, Speaker::Integration] {
        let mut state = state();
        state.fold(Mark::PromptStart, speaker);
        state.observe(AT_PROMPT);
        assert!(state.observe(Foreground::Child));
        assert_eq!(shown(&state), (ShellActivity::Running, None));
        assert!(state.fold(Mark::PromptStart, speaker));
        assert_eq!(state.activity(), ShellActivity::Idle);
    }
}

#[test]
fn a_job_that_marks_its_prompts_is_listened_to_until_it_ends() {
    let mut state = state();
    state.observe(Foreground::Child);
    assert!(state.fold(Mark::PromptStart, Speaker::Job));
    assert!(!state.observe(Foreground::Child));
    assert_eq!(state.activity(), ShellActivity::Idle);
    assert!(state.fold(start(Some("far")), Speaker::Job));
    // The job was cut off.
    assert!(state.observe(IN_BUILTIN));
    assert_eq!(shown(&state), (ShellActivity::Idle, None));
    assert!(state.observe(Foreground::Child));
    assert_eq!(state.activity(), ShellActivity::Running);
}

/// Generates output that comes close to marks more often than random bytes do.
fn output() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => prop::sample::select(vec![
            &b"\x1b]133;A\x07"[..], b"\x1b]133;D;1\x1b\\", b"\x1b]7;file://h/a%20b\x07",
            b"\x1b]133;C;cmdline_url=a%0Ab\x07", b"\x1b]133;C;cmdline=$'a\\n'\x07",
            b"\x1b]633;E;a\\x3b\x07", b"\x1b]633;P;Cwd=/x\x1b\\", b"\x1b]0;title\x07", b"\x1b[31m",
        ]).prop_map(<[u8]>::to_vec),
        4 => prop::sample::select(vec![
            &b"\x1b"[..], b"]", b"7;", b"133;", b"633;", b"\\", b"\x07", b"C;cmdline=", b"E;", b"$'",
            b"cmdline_url=", b"%", b"\\x", b"P;Cwd=/", b"file://", b"\n",
        ]).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(part, 0..30).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn pieces_make_no_difference(output in output(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let whole = marks_of(&[&output]);
        let every_byte: Vec<&[u8]> = output.chunks(1).collect();
        prop_assert_eq!(&marks_of(&every_byte), &whole);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(output.len() + 1)).collect();
        cuts.extend([0, output.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &output[cut[0]..cut[1]]).collect();
        prop_assert_eq!(&marks_of(&pieces), &whole);
    }
}
