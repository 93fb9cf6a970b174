//! The title of a tool call, in one line.

use moorline_shared::fold::ToolItem;

/// Returns the title of a tool call in one line. One without a title is named by its kind and by what
/// it works on.
pub(super) fn title(tool: &ToolItem) -> String {
    let words: Vec<&str> = tool.title.split_whitespace().collect();
    if !words.is_empty() {
        return words.join(" ");
    }
    let kind = match &*tool.kind {
        "read" => "Read",
        "edit" => "Edit",
        "delete" => "Delete",
        "move" => "Move",
        "search" => "Search",
        "execute" => "Run a command",
        "think" => "Think",
        "fetch" => "Fetch",
        _ => "Tool call",
    };
    match tool.locations.first() {
        Some(at) => format!("{kind} {}", at.path),
        None => kind.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use moorline_shared::agent::content::ToolLocation;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn every_tool_call_has_a_title_of_one_line() {
        let of = |title: &str, kind: &str| {
            let at = ToolLocation { path: "/a.rs".into(), line: None };
            let (title, kind, locations) = (title.to_owned(), kind.to_owned(), vec![at]);
            super::title(&ToolItem { title, kind, locations, ..ToolItem::default() })
        };
        assert_eq!(of("cat <<E\n  x\nE", "execute"), "cat <<E x E");
        assert_eq!(of(" \n", "read"), "Read /a.rs");
        assert_eq!(super::title(&ToolItem::default()), "Tool call");
    }
}
