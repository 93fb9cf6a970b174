//! Fenced code, as CommonMark has it.

/// Languages whose code is commands for a shell.
const SHELLS: [&str; 8] =
    ["bash", "sh", "shell", "zsh", "fish", "console", "shell-session", "terminal"];
/// The most characters of white space before a fence. It may be in a list.
const INDENT: usize = 8;
/// The fewest characters of a fence.
const LEAST: usize = 3;

/// A fence.
pub(super) struct Fence<'a> {
    /// The text after the opening.
    pub(super) info: &'a str,
    /// The lines within. `None` if it is never closed.
    pub(super) content: Option<&'a [&'a str]>,
}

/// Reads the fence that the first line opens.
pub(super) fn read<'a>(lines: &'a [&'a str]) -> Option<Fence<'a>> {
    let (char, length, info) = opening(lines.first()?)?;
    let closes = |line: &&str| {
        opening(line)
            .is_some_and(|(other, long, info)| other == char && long >= length && info.is_empty())
    };
    let content = lines[1..].iter().position(closes).map(|end| &lines[1..=end]);
    Some(Fence { info, content })
}

/// Returns the character of a fence, how many there are, and the text after them.
fn opening(line: &str) -> Option<(char, usize, &str)> {
    let text = line.trim_start();
    let char = text.chars().next().filter(|char| matches!(char, '`' | '~'))?;
    let info = text.trim_start_matches(char);
    let length = text.len() - info.len();
    // Code in a line of text, such as ```x```, is not a fence.
    let is_inline = char == '`' && info.contains('`');
    (length >= LEAST && !is_inline && line.len() - text.len() <= INDENT).then_some((
        char,
        length,
        info.trim(),
    ))
}

/// Returns true if the code is commands for a shell.
pub(super) fn is_shell(info: &str) -> bool {
    SHELLS.contains(&language(info))
}

/// Returns the content as commands: without the prompts, and the output, that a transcript has.
pub(super) fn command(content: &[&str]) -> String {
    let typed: Vec<&str> =
        content.iter().filter_map(|line| line.trim_start().strip_prefix("$ ")).collect();
    let commands = if typed.is_empty() { content.join("\n") } else { typed.join("\n") };
    commands.trim().to_owned()
}

/// Returns the language of the code.
pub(super) fn language(info: &str) -> &str {
    info.split([' ', ':', '{', ',']).next().unwrap_or_default()
}
