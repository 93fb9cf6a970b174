//! The files that prompts of a session named, for `GET /api/session/:id/context`.

/// The key of the session note that stores them.
pub const NOTE: &str = "named";
/// The number of files kept.
const FILES: usize = 100;
/// The length limit of a path, in bytes. No system has longer ones.
const PATH_BYTES: usize = 4096;

/// Adds the files of a prompt to those kept, oldest first. A file that is named again counts as
/// new.
pub fn add(kept: &mut Vec<String>, named: Vec<String>) {
    let named = named.into_iter().filter(|path| !path.is_empty() && path.len() <= PATH_BYTES);
    for path in named {
        kept.retain(|known| *known != path);
        kept.push(path);
    }
    kept.drain(..kept.len().saturating_sub(FILES));
}

/// Returns the kept files in the order in which a host is asked for them: the last named comes
/// first.
#[must_use]
pub fn newest_first(mut kept: Vec<String>) -> Vec<String> {
    kept.reverse();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_kept_each_once() {
        let mut kept = Vec::new();
        add(&mut kept, ["a", "b", "a"].map(str::to_owned).to_vec());
        add(&mut kept, vec![String::new(), "x".repeat(PATH_BYTES + 1), "c".to_owned()]);
        assert_eq!(newest_first(kept.clone()), ["c", "a", "b"]);
        add(&mut kept, (0..2 * FILES).map(|number| number.to_string()).collect());
        assert_eq!((kept.len(), kept.last().map(String::as_str)), (FILES, Some("199")));
    }
}
