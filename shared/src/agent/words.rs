//! The words of a command, as far as they are certain.

/// Splits a command into the words that a program would get. Returns `None` for an empty command,
/// and for one of which a shell would do more than split it: lists and pipelines (`;`, `&`, `|`,
/// line breaks), redirections, expansions (`$`, backquotes, `*`, `?`, `[`, `{`, `~`), subshells,
/// comments and history.
///
/// ```
/// use moorline_shared::agent::words::words;
///
/// assert_eq!(words("git commit -m 'a b'").unwrap(), ["git", "commit", "-m", "a b"]);
/// assert_eq!(words("git status; rm -rf /"), None);
/// ```
#[must_use]
pub fn words(command: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    // `None` between words; `Some` of an empty text after empty quotes.
    let mut word: Option<String> = None;
    let mut rest = command.chars();
    while let Some(next) = rest.next() {
        match next {
            ' ' | '\t' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next()? {
                        '\'' => break,
                        inner => word.push(plain(inner)?),
                    }
                }
            }
            '"' => quoted(&mut rest, word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(plain(rest.next()?)?),
            '~' | '#' if word.is_none() => return None,
            ';' | '&' | '|' | '<' | '>' | '(' | ')' | '$' | '`' | '*' | '?' | '[' | '{' | '!' => {
                return None;
            }
            other => word.get_or_insert_default().push(plain(other)?),
        }
    }
    words.extend(word);
    (!words.is_empty()).then_some(words)
}

/// Reads the rest of a text in double quotes.
fn quoted(rest: &mut std::str::Chars<'_>, word: &mut String) -> Option<()> {
    loop {
        match rest.next()? {
            '"' => return Some(()),
            '$' | '`' | '!' => return None,
            '\\' => match rest.next()? {
                escaped @ ('$' | '`' | '"' | '\\') => word.push(escaped),
                other => word.extend(['\\', plain(other)?]),
            },
            inner => word.push(plain(inner)?),
        }
    }
}

/// Returns the character, unless it is a control character, such as a line break.
fn plain(character: char) -> Option<char> {
    (!character.is_control()).then_some(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_that_a_program_gets() {
        let cases: [(&str, &[&str]); 8] = [
            ("ls", &["ls"]),
            ("  git\tpush  origin ", &["git", "push", "origin"]),
            ("echo 'a b' \"c d\" e\\ f", &["echo", "a b", "c d", "e f"]),
            (r#"echo "\$a \\ \x" ''"#, &["echo", r"$a \ \x", ""]),
            ("a'b'c\"d\"", &["abcd"]),
            ("echo '; rm -rf / | $(x) `y` > z *'", &["echo", "; rm -rf / | $(x) `y` > z *"]),
            ("FOO=1 make a~b a#b", &["FOO=1", "make", "a~b", "a#b"]),
            ("grep ä€😀", &["grep", "ä€😀"]),
        ];
        for (command, want) in cases {
            assert_eq!(words(command).unwrap(), want, "{command}");
        }
    }

    #[test]
    fn what_a_shell_would_do_more_with_has_no_words() {
        for command in [
            "",
            " ",
            "a; b",
            "a && b",
            "a & b",
            "a | b",
            "a > b",
            "a < b",
            "a 2>&1",
            "$(a)",
            "a `b`",
            "a $b",
            "a \"$b\"",
            "a \"`b`\"",
            "a\nb",
            "a\rb",
            "(a)",
            "rm *",
            "rm a?",
            "rm [a]",
            "rm {a,b}",
            "rm ~",
            "rm ~/x",
            "# a",
            "a #b",
            "! a",
            "a !!",
            "a 'b",
            "a \"b",
            "a \\",
            "a \\\nb",
            "a \0",
            "a 'b\nc'",
            "a \"b\\\nc\"",
        ] {
            assert_eq!(words(command), None, "{command:?}");
        }
    }
}
