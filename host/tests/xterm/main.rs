//! Tests that the page shows the same from a snapshot as from the whole output: the host's emulator
//! against xterm.js itself, without a browser.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod cases;
mod page;
mod random;
mod widths;

use moorline_shared::session::Size;
use page::{Page, Step, snapshot};

const SIZE: Size = Size { cols: 40, rows: 8 };

fn output(bytes: impl AsRef<[u8]>) -> Step {
    Step::Output(bytes.as_ref().to_vec())
}

/// Returns the first difference between a terminal that got all output, and one that got a snapshot
/// of `before` and the output after it; `None` if they are the same.
fn difference(page: &mut Page, size: Size, before: &[Step], after: &[Step]) -> Option<String> {
    difference_of(page, size, before, after, |line| line)
}

/// Like [`difference`], but only compares the part of each line that `telling` keeps.
fn difference_of(
    page: &mut Page,
    size: Size,
    before: &[Step],
    after: &[Step],
    telling: fn(String) -> String,
) -> Option<String> {
    let mut look = |size: Size, steps: &[Step]| -> Vec<String> {
        page.look(size, steps).into_iter().map(telling).collect()
    };
    let whole = look(size, &[before, after].concat());
    let (data, resized) = snapshot(size, before);
    let restored = look(resized, &[&[output(&data)], after].concat());
    first_difference(&whole, &restored)
        .map(|difference| format!("{difference}\nthe snapshot: {}", data.escape_ascii()))
}

fn first_difference(whole: &[String], restored: &[String]) -> Option<String> {
    match whole.iter().zip(restored).find(|(whole, restored)| whole != restored) {
        Some((whole, restored)) => Some(format!("whole:    {whole}\nrestored: {restored}")),
        None if whole.len() != restored.len() => {
            Some(format!("{} and {} lines", whole.len(), restored.len()))
        }
        None => None,
    }
}

fn script(steps: &[Step]) -> String {
    let step = |step: &Step| match step {
        Step::Output(output) => output.escape_ascii().to_string(),
        Step::Resize(size) => format!("<{}x{}>", size.cols, size.rows),
    };
    steps.iter().map(step).collect::<Vec<_>>().join("·")
}
