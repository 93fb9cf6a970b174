//! How well a path matches what was typed.

use moorline_shared::limits::FILE_QUERY_CHARACTERS;

/// For each character that is found.
const FOUND: i64 = 16;
/// For a character that follows the one before.
const FOLLOWS: i64 = 12;
/// For the first character of a word: after a separator, or upper case after lower case.
const WORD: i64 = 10;
/// For the first character of the file's name, besides.
const NAME_START: i64 = 8;
/// For each character within the file's name.
const IN_NAME: i64 = 4;
/// Taken off where characters are left out in between.
const GAP: i64 = 3;
/// No match so far.
const NONE: i64 = i64::MIN / 2;

/// What was typed, without regard to case and spaces.
#[derive(Debug)]
pub(super) struct FileQuery {
    wanted: Vec<char>,
}

impl FileQuery {
    pub(super) fn new(query: &str) -> Self {
        let wanted = query.chars().filter(|it| !it.is_whitespace()).map(lower);
        Self { wanted: wanted.take(FILE_QUERY_CHARACTERS).collect() }
    }

    /// Returns a number that is higher for a better match; `None` if the characters are not all in
    /// the path, in their order.
    pub(super) fn score(&self, path: &str) -> Option<i64> {
        if self.wanted.is_empty() {
            return Some(0);
        }
        if !self.is_in(path) {
            return None;
        }
        let name = path.rfind('/').map_or(0, |slash| slash + 1);
        let mut before = '/';
        let places: Vec<(char, i64)> = path
            .char_indices()
            .map(|(at, character)| {
                let bonus = bonus(before, character, at, name);
                before = character;
                (lower(character), bonus)
            })
            .collect();
        // The best score of all matches whose last character is at each place.
        let mut best: Vec<i64> = vec![NONE; places.len()];
        for (number, wanted) in self.wanted.iter().enumerate() {
            let mut next = vec![NONE; places.len()];
            // The best score that ends before the place before this one.
            let mut apart = NONE;
            for (at, (character, bonus)) in places.iter().enumerate() {
                let adjacent = at.checked_sub(1).map_or(NONE, |before| best[before]);
                if character == wanted {
                    let so_far = match number {
                        0 => 0,
                        _ => (adjacent + FOLLOWS).max(apart - GAP),
                    };
                    next[at] = so_far + FOUND + bonus;
                }
                apart = apart.max(adjacent);
            }
            best = next;
        }
        best.into_iter().max().filter(|score| *score > 0)
    }

    fn is_in(&self, path: &str) -> bool {
        let mut characters = path.chars().map(lower);
        self.wanted.iter().all(|wanted| characters.any(|character| character == *wanted))
    }
}

/// Returns what a match is worth for its place, at the byte `at` of a path whose last part begins
/// at the byte `name`.
fn bonus(before: char, character: char, at: usize, name: usize) -> i64 {
    let separated = matches!(before, '/' | '_' | '-' | '.' | ' ');
    let is_word = separated || (before.is_lowercase() && character.is_uppercase());
    let word = if is_word { WORD } else { 0 };
    let start = if at == name { NAME_START } else { 0 };
    word + start + if at >= name { IN_NAME } else { 0 }
}

/// Returns a character in lower case, as one character.
fn lower(character: char) -> char {
    character.to_lowercase().next().unwrap_or(character)
}
