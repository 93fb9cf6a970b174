//! The forms, those of the documentation and their variants.

use proptest::prelude::*;

use super::*;

fn write(path: &str, content: &str) -> Operation {
    Operation::Write { path: path.into(), content: content.into() }
}

fn edit(search: &str, replace: &str, line: Option<u32>) -> Edit {
    Edit { search: search.into(), replace: replace.into(), line }
}

fn patch(path: &str, edits: &[Edit]) -> Operation {
    Operation::Patch { path: path.into(), edits: edits.to_vec() }
}

fn delete(path: &str) -> Operation {
    Operation::Delete { path: path.into() }
}

fn run(command: &str) -> Operation {
    Operation::Run { command: command.into() }
}

fn rename(path: &str, to: &str) -> Operation {
    Operation::Rename { path: path.into(), to: to.into() }
}

#[test]
fn the_examples_of_the_documentation_are_found() {
    let docs = include_str!("../../../../docs/OPERATIONS.md");
    let mut count = 0;
    for example in docs.split("~~~~~text example\n").skip(1) {
        let (text, rest) = example.split_once("~~~~~\n").unwrap();
        let (_, json) = rest.split_once("```json finds\n").unwrap();
        let (json, _) = json.split_once("```\n").unwrap();
        let expected: Vec<Operation> = serde_json::from_str(json).unwrap();
        assert_eq!(find(text), expected, "{text}");
        count += 1;
    }
    assert_eq!(count, 6);
}

#[test]
fn code_is_labelled_in_many_ways() {
    for text in [
        "```src/a.rs\nx\n```",
        "```rust src/a.rs\nx\n```",
        "```rust:src/a.rs\nx\n```",
        "```path=src/a.rs\nx\n```",
        "```rust {file=\"src/a.rs\"}\nx\n```",
        "```rust title='src/a.rs' more\nx\n```",
        "~~~~rust src/a.rs\nx\n~~~~",
        "## src/a.rs\n\n```\nx\n```",
        "### 2. `src/a.rs`\n```rust\nx\n```",
        "#### Update `src/a.rs` now\n```rust\nx\n```",
        "**src/a.rs**\n```\nx\n```",
        "**`src/a.rs`**:\n```\nx\n```",
        "**File: src/a.rs**\n```\nx\n```",
        "File: `src/a.rs`\n```\nx\n```",
        "`src/a.rs`:\n\n```\nx\n```",
        "src/a.rs\n```\nx\n```",
        "- a list:\n  ```rust src/a.rs\nx\n  ```",
        "```rust src/a.rs\r\nx\r\n```\r\n",
    ] {
        assert_eq!(find(text), [write("src/a.rs", "x\n")], "{text}");
    }
    assert_eq!(find("```\nx\n```\n__init__.py\n```\ny\n```"), [write("__init__.py", "y\n")]);
    assert_eq!(find("# Makefile\n```\na:\n```"), [write("Makefile", "a:\n")]);
    assert_eq!(find("````md a.md\n```\nx\n```\n````"), [write("a.md", "```\nx\n```\n")]);
    assert_eq!(find("``` a.txt\n```"), [write("a.txt", "")]);
}

#[test]
fn code_without_a_label_is_no_file() {
    for text in [
        "```rust\nx\n```",
        "Look at `src/a.rs` again:\n```rust\nx\n```",
        "Like so:\n```\nx\n```",
        "See https://example.com/a.html\n```\nx\n```",
        "```12:15:src/a.rs\nx\n```",
        "```rust src/a.rs\nx\n",
        "src/a.rs\n\n\n```\nx\n```",
        "```inline src/a.rs``` x\ny",
        "<write path=\"a\">x",
        "<writer path=\"a\">x</writer>",
        "<write path=\"\">x</write>",
        "<delete/>",
        "*** Begin Patch\n*** Delete File: a",
        "a.rs\n<<<<<<< SEARCH\nx\n=======\ny\n",
        "a.rs\n<<<<<<< SEARCH\nx\n>>>>>>> REPLACE\n",
        "<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE",
        "--- a\n",
        "--- a/x\n+++ b/x\n",
        "diff --git a/x.png b/x.png\nindex 1..2\nBinary files a/x.png and b/x.png differ\n",
        "@@ -1 +1 @@\n-a\n+b\n",
    ] {
        assert_eq!(find(text), [], "{text}");
    }
}

#[test]
fn commands_are_listed() {
    assert_eq!(find("```bash\ncargo test\nls\n```"), [run("cargo test\nls")]);
    assert_eq!(find("```console\n$ a\nout\n$ b\n```"), [run("a\nb")]);
    assert_eq!(find("<run>a b</run>"), [run("a b")]);
    assert_eq!(find("<execute_command>\n<command>a</command>\n</execute_command>"), [run("a")]);
    assert_eq!(find("```sh\n\n```"), []);
    assert_eq!(find("```sh run.sh\na\n```"), [write("run.sh", "a\n")]);
}

#[test]
fn blocks_of_one_file_are_one_patch() {
    let block =
        |from: &str, to: &str| format!("<<<<<<< SEARCH\n{from}\n=======\n{to}\n>>>>>>> REPLACE\n");
    let (one, two) = (block("a", "b"), block("c", "d"));
    let both = [edit("a\n", "b\n", None), edit("c\n", "d\n", None)];
    for text in [
        format!("x.rs\n```\n{one}\n{two}```"),
        format!("x.rs\n{one}{two}"),
        format!("```\nx.rs\n{one}\nx.rs\n{two}```"),
        format!("x.rs\n```rust\n{one}```\n\nAnd:\n\n```rust\n{two}```"),
        format!("<patch path='x.rs'>\n{one}{two}</patch>"),
    ] {
        assert_eq!(find(&text), [patch("x.rs", &both)], "{text}");
    }
    let text = format!("x.rs\n{one}\ny.rs\n{two}");
    assert_eq!(find(&text), [patch("x.rs", &both[..1]), patch("y.rs", &both[1..])]);
    let creates = "new.rs\n```\n<<<<<<< SEARCH\n=======\na\n>>>>>>> REPLACE\n```";
    assert_eq!(find(creates), [patch("new.rs", &[edit("", "a\n", None)])]);
    let roo = "<apply_diff>\n<path>x.rs</path>\n<diff>\n<<<<<<< SEARCH\n:start_line:3\n-------\n\
               a\n=======\nb\n>>>>>>> REPLACE\n</diff>\n</apply_diff>";
    assert_eq!(find(roo), [patch("x.rs", &[edit("a\n", "b\n", Some(3))])]);
}

#[test]
fn diffs_are_found_with_and_without_their_headers() {
    let hunk = "@@ -3,2 +3,2 @@ fn x()\n a\n-b\n+c\n";
    let expected = [patch("x.rs", &[edit("a\nb\n", "a\nc\n", Some(3))])];
    for text in [
        format!("--- a/x.rs\n+++ b/x.rs\n{hunk}"),
        format!("--- x.rs\t2026-01-01\n+++ x.rs\n{hunk}"),
        format!("Here:\n\n--- a/x.rs\n+++ b/x.rs\n{hunk}\n- a list\n- of two\n"),
        format!(
            "```diff\ndiff --git a/x.rs b/x.rs\nindex 1..2 100644\n--- a/x.rs\n+++ b/x.rs\n{hunk}```"
        ),
        format!("```diff x.rs\n{hunk}```"),
        format!("**x.rs**\n```diff\n{hunk}```"),
        format!("<patch path=\"x.rs\">\n{hunk}</patch>"),
    ] {
        assert_eq!(find(&text), expected, "{text}");
    }
}

#[test]
fn the_numbers_of_a_hunk_may_be_wrong() {
    let find = |hunk: &str| find(&format!("--- a/x\n+++ b/x\n{hunk}"));
    let expected = |line| [patch("x", &[edit("a\n\nb\n", "a\n\nc\n", line)])];
    assert_eq!(find("@@ -1,3 +1,3 @@\n a\n \n-b\n+c\n"), expected(Some(1)));
    assert_eq!(find("@@ -1,9 +1,9 @@\n a\n\n-b\n+c\n"), expected(Some(1)));
    assert_eq!(
        find("@@ -1,1 +1,1 @@\n a\n-b\n+c\n"),
        [patch("x", &[edit("a\nb\n", "a\nc\n", Some(1))])]
    );
    assert_eq!(find("@@\n a\n\n-b\n+c\n\nText."), expected(None));
    assert_eq!(find("@@ ... @@\n a\n\n-b\n+c\n"), expected(None));
    // The last line is context that has lost its space.
    let ends = [patch("x", &[edit("b\n\n", "c\n\n", Some(1))])];
    assert_eq!(find("@@ -1,2 +1,2 @@\n-b\n+c\n\n"), ends);
    let inserts = [patch("x", &[edit("", "a\n", Some(6))])];
    assert_eq!(find("@@ -5,0 +6 @@\n+a\n"), inserts);
    let unbroken = [patch("x", &[edit("a", "b", Some(1))])];
    let mark = "\\ No newline at end of file\n";
    assert_eq!(find(&format!("@@ -1 +1 @@\n-a\n{mark}+b\n{mark}")), unbroken);
    assert_eq!(find("@@ -1 +1 @@\n a\n"), [], "it changes nothing");
}

#[test]
fn diffs_create_rename_and_delete() {
    let created = "--- /dev/null\n+++ b/x\n@@ -0,0 +1,2 @@\n+a\n+b\n";
    assert_eq!(find(created), [write("x", "a\nb\n")]);
    let empty = "diff --git a/x b/x\nnew file mode 100644\nindex 0..0\n";
    assert_eq!(find(empty), [write("x", "")]);
    let gone = "diff --git a/x y b/x y\ndeleted file mode 100644\n";
    assert_eq!(find(gone), [delete("x y")]);
    let moved = "diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to y\n";
    assert_eq!(find(moved), [rename("x", "y")]);
    let two = format!("{created}{moved}");
    assert_eq!(find(&two), [write("x", "a\nb\n"), rename("x", "y")]);
}

#[test]
fn tags_have_what_is_between_them() {
    assert_eq!(find("<write path=\"a\">x</write>"), [write("a", "x")]);
    assert_eq!(find("<write path=\"a\">\n x\n\n  </write>"), [write("a", " x\n\n")]);
    assert_eq!(find("<write path='a'>\n```rust\nx\n```\n</write>"), [write("a", "x\n")]);
    assert_eq!(find("```xml\n<delete path=\"a\"/>\n```"), [delete("a")]);
    assert_eq!(find("<delete path=\"a\"></delete>"), [delete("a")]);
    assert_eq!(find("<rename from=\"a > b\" to='c'/>"), [rename("a > b", "c")]);
    let cline = "<write_to_file>\n<path>a</path>\n<content>\nx</content>\n</content>\n\
                 <line_count>1</line_count>\n</write_to_file>";
    assert_eq!(find(cline), [write("a", "x</content>\n")]);
}

proptest! {
    #[test]
    fn any_text_is_read(text in any::<String>()) {
        let _ = find(&text);
    }

    #[test]
    fn any_pieces_of_forms_are_read(pieces in proptest::collection::vec(piece(), 0..24)) {
        let text = pieces.concat();
        for operation in find(&text) {
            let path = operation.path().unwrap_or("x");
            prop_assert!(!path.is_empty());
        }
    }

    #[test]
    fn a_labelled_file_is_found_as_it_is(lines in proptest::collection::vec("[a-z {}#.]{0,8}", 0..8)) {
        let content: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let text = format!("Text.\n\n```rust src/a.rs\n{content}```\n");
        prop_assert_eq!(find(&text), vec![write("src/a.rs", &content)]);
    }
}

/// Pieces of every form, whole lines or not.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "\n",
        " ",
        "a",
        "é",
        "```",
        "````",
        "~~~",
        "```rust src/a.rs\n",
        "```\n",
        "# a.rs\n",
        "<<<<<<< SEARCH\n",
        "------- SEARCH\n",
        "=======\n",
        ">>>>>>> REPLACE\n",
        "+++++++ REPLACE\n",
        ":start_line:3\n",
        "--- a/x\n",
        "+++ b/x\n",
        "+++ /dev/null\n",
        "@@ -1,2 +1 @@\n",
        "@@\n",
        "+a\n",
        "-a\n",
        " a\n",
        "\\ No\n",
        "diff --git a/x b/é\n",
        "new file mode 1\n",
        "deleted file mode 1\n",
        "*** Begin Patch\n",
        "*** End Patch\n",
        "*** Add File: a\n",
        "*** Update File: é\n",
        "*** Move to: b\n",
        "*** Delete File: a\n",
        "<write path=\"a\">",
        "</write>",
        "<delete path='é'/>\n",
        "<patch>",
        "<path>a</path>",
        "<diff>",
        "</diff>",
        "</patch>",
        "<run>",
        "</run>",
        "@@ -4294967295,0 +1 @@\n",
        "\r\n",
    ])
}
