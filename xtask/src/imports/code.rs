//! Removal of comments, literals and test code from source text.

/// Replaces comments, string literals and characters by blanks. Lines keep their numbers.
pub(super) fn without_texts(content: &str) -> String {
    let all: Vec<char> = content.chars().collect();
    let mut plain = String::with_capacity(content.len());
    let mut at = 0;
    while at < all.len() {
        let end = match all[at..] {
            ['/', '/', ..] => line_end(&all, at),
            ['/', '*', ..] => comment_end(&all, at),
            ['"', ..] => text_end(&all, at),
            ['r', '"' | '#', ..] if !follows_name(&all, at) => raw_text_end(&all, at),
            ['\'', ..] => character_end(&all, at),
            _ => at,
        };
        if end == at {
            plain.push(all[at]);
            at += 1;
        } else {
            plain.extend(all[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    plain
}

pub(super) fn is_of_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Returns true if the character before belongs to a name, so that no raw string begins here. A `b`
/// before it is part of the literal.
fn follows_name(all: &[char], at: usize) -> bool {
    let before = |steps: usize| at.checked_sub(steps).map(|at| all[at]);
    match before(1) {
        Some('b') => before(2).is_some_and(is_of_name),
        other => other.is_some_and(is_of_name),
    }
}

fn line_end(all: &[char], at: usize) -> usize {
    all[at..].iter().position(|c| *c == '\n').map_or(all.len(), |length| at + length)
}

fn comment_end(all: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < all.len() {
        match all[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn text_end(all: &[char], at: usize) -> usize {
    let mut end = at + 1;
    while end < all.len() && all[end] != '"' {
        end += if all[end] == '\\' { 2 } else { 1 };
    }
    (end + 1).min(all.len())
}

/// End of a raw string literal; `at` itself if this is only a name such as `r#type`.
fn raw_text_end(all: &[char], at: usize) -> usize {
    let hashes = all[at + 1..].iter().take_while(|c| **c == '#').count();
    let first = at + 1 + hashes;
    if all.get(first) != Some(&'"') {
        return at;
    }
    let closes = |end: usize| {
        all[end] == '"' && all[end + 1..].iter().take_while(|c| **c == '#').count() >= hashes
    };
    let end = (first + 1..all.len()).find(|end| closes(*end));
    end.map_or(all.len(), |end| end + 1 + hashes)
}

/// End of a character literal; `at` itself if this is only a lifetime.
fn character_end(all: &[char], at: usize) -> usize {
    match all[at + 1..] {
        ['\\', _, ..] => {
            let rest = all.get(at + 3..).unwrap_or_default();
            rest.iter().position(|c| *c == '\'').map_or(all.len(), |length| at + length + 4)
        }
        [_, '\'', ..] => at + 3,
        _ => at,
    }
}

/// Replaces code that is compiled only for tests by blanks. Also returns the test modules that are
/// files of their own.
pub(super) fn without_tests(code: &str) -> (String, Vec<String>) {
    let mut rest = code;
    let (mut plain, mut modules) = (String::with_capacity(code.len()), Vec::new());
    while let Some(start) = rest.find("#[cfg(") {
        let end = start + item_end(&rest[start..]);
        let attribute = rest[start..].split_once(']').map_or("", |(attribute, _)| attribute);
        let is_test = attribute.contains("(test") && !attribute.contains("not(test");
        if is_test {
            plain.push_str(&rest[..start]);
            let item = &rest[start..end];
            plain.extend(item.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            modules.extend(module_elsewhere(item));
            rest = &rest[end..];
        } else {
            let (kept, left) = rest.split_at(start + 1);
            plain.push_str(kept);
            rest = left;
        }
    }
    plain.push_str(rest);
    (plain, modules)
}

/// End of the item that begins with these attributes.
fn item_end(code: &str) -> usize {
    let mut depth = 0;
    for (at, character) in code.char_indices() {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return at;
        }
        if depth == 0 && matches!(character, ';' | '}') {
            return at + 1;
        }
    }
    code.len()
}

/// The name in `mod name;`.
fn module_elsewhere(item: &str) -> Option<String> {
    let declaration = item.strip_suffix(';')?;
    let (_, name) = declaration.rsplit_once("mod ")?;
    Some(name.trim().to_owned()).filter(|name| name.chars().all(is_of_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_texts_are_blank_and_lines_stay() {
        let code = "a /* b /* c */\n */ d // e\n\"f\\\"g\" r#\"h\"\"# 'i' '\\'' &'j k r#type";
        let plain = without_texts(code);
        let words: Vec<&str> = plain.split_whitespace().collect();
        assert_eq!(words, ["a", "d", "&'j", "k", "r#type"]);
        assert_eq!(plain.lines().count(), code.lines().count());
    }

    #[test]
    fn what_is_for_tests_is_blank() {
        let code = "#[cfg(test)]\nmod tests;\nmod a;\n#[cfg(all(test, unix))]\n#[x]\nfn f() { 1; }\n\
                    #[cfg(not(test))]\nmod b;";
        let (plain, modules) = without_tests(code);
        assert_eq!(modules, ["tests"]);
        let words: Vec<&str> = plain.split_whitespace().collect();
        assert_eq!(words, ["mod", "a;", "#[cfg(not(test))]", "mod", "b;"]);
    }
}
