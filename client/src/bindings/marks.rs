//! Text that is found in a part of the page: scrolled to, and marked where browsers can mark text
//! without changing the page (CSS custom highlights).

use std::rc::Rc;

use gloo_events::EventListener;
use js_sys::{Array, Function, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{Element, HtmlElement, Node, Range, window};

use super::observe::FrameRequest;

/// Marks the text that is searched.
const SEARCHED: &str = "[data-find]";
/// A control that shows more of a part.
const MORE: &str = "[data-more]";
/// The height of the bar of the search, which covers the upper end of the view, in CSS pixels.
const ABOVE_PX: i32 = 60;
/// The name of the highlight of the hit, as in the style sheet.
const HIT: &str = "found";
/// The name of the highlight of the other hits in view.
const OTHERS: &str = "also-found";
/// Most hits in view that are marked, and most rows that are searched for them.
const MARKED_HITS: usize = 500;
const MARKED_ROWS: u32 = 120;

/// The result of a step towards a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkStep {
    /// The view has scrolled to the hit, or to its nearest place on the page.
    Done,
    /// A part was unfolded. It is on the page by the next frame.
    Unfolded,
    /// It is not on the page, and nothing is left to unfold. What was unfolded may come with the next
    /// frames.
    Missing,
}

/// The place of a hit.
#[derive(Debug, Clone, Copy)]
pub struct MarkPlace<'a> {
    /// The number of the item that it is in.
    pub item: u64,
    /// The number of the first item of the group that the item is in, if any.
    pub group: Option<u64>,
    /// The text, as [`folded`] returns it.
    pub text: &'a str,
    /// The number of hits before it in the item.
    pub number: usize,
}

/// Returns a text for comparison: letters without their case, and any white space as one space each.
#[must_use]
pub fn folded(text: &str) -> String {
    text.chars().map(folded_letter).collect()
}

fn folded_letter(letter: char) -> char {
    if letter.is_ascii() {
        return if letter.is_ascii_whitespace() { ' ' } else { letter.to_ascii_lowercase() };
    }
    let lower = letter.to_lowercase().next().unwrap_or(letter);
    if lower.is_whitespace() { ' ' } else { lower }
}

/// Does one step to show and mark a hit in `view`: unfolds one part that may have it, or scrolls to
/// it. With `gives_up`, what is left of it is shown: another hit of the item, or the item.
pub fn show(view: &HtmlElement, place: MarkPlace<'_>, gives_up: bool) -> MarkStep {
    let find = |selector: String| view.query_selector(&selector).ok().flatten();
    let row = find(format!("[data-row=\"{}\"]", place.group.unwrap_or(place.item)));
    let Some(row) = row else { return MarkStep::Missing };
    let item = match place.group {
        None => row,
        Some(_) => match find(format!("[data-place=\"{}\"]", place.item)) {
            Some(item) => item,
            None => return unfold(&row),
        },
    };
    let hits = ranges(&item, place.text);
    let Some(range) = hits.get(place.number) else {
        return match unfold(&item) {
            MarkStep::Missing if gives_up => last(view, &item, hits.last()),
            step => step,
        };
    };
    // What is folded has no place to scroll to.
    if let Some(details) = range.start_container().ok().and_then(|node| closed_above(&node)) {
        open(&details);
        return MarkStep::Unfolded;
    }
    last(view, &item, Some(range))
}

/// Removes the mark of the hit that was shown last.
pub fn clear() {
    remove(HIT);
}

fn remove(name: &str) {
    if let Some((highlights, remove)) = highlights("delete") {
        // Fails only if the page has replaced the browser's own function.
        let _ = remove.call1(&highlights, &name.into());
    }
}

/// Marks ranges with the highlight of this name, above or below others. Without marks, a hit is still
/// scrolled to.
fn mark(name: &str, ranges: &Array, priority: i32) {
    let Some((highlights, set)) = highlights("set") else { return };
    let Ok(class) = global("Highlight").dyn_into::<Function>() else { return };
    if let Ok(made) = Reflect::construct(&class, ranges) {
        let _ = Reflect::set(&made, &"priority".into(), &priority.into());
        let _ = set.call2(&highlights, &name.into(), &made);
    }
}

/// Marks all hits in view, also while the view is scrolled, until dropped.
#[must_use = "dropping it removes the marks"]
pub struct MarksInView {
    _listener: EventListener,
    frame: Rc<FrameRequest>,
}

impl MarksInView {
    /// Marks the hits of a text, as [`folded`] returns it.
    pub fn of(view: &HtmlElement, text: &str) -> Self {
        let (place, text) = (view.clone(), text.to_owned());
        let frame = Rc::new(FrameRequest::new(move || mark_in_view(&place, &text)));
        let scrolled = Rc::clone(&frame);
        let listener = EventListener::new(view, "scroll", move |_| scrolled.ask());
        frame.ask();
        Self { _listener: listener, frame }
    }

    /// Marks again with the next frame, because the content has changed.
    pub fn refresh(&self) {
        self.frame.ask();
    }
}

impl Drop for MarksInView {
    fn drop(&mut self) {
        remove(OTHERS);
    }
}

fn mark_in_view(view: &HtmlElement, text: &str) {
    let own = view.get_bounding_client_rect();
    let Ok(rows) = view.query_selector_all("[data-row]") else { return };
    let row = |at: u32| rows.item(at)?.dyn_into::<Element>().ok();
    let bottom = |at: u32| row(at).map_or(f64::MAX, |row| row.get_bounding_client_rect().bottom());
    // Rows follow each other, so the first one in view is found by halves.
    let (mut first, mut end) = (0, rows.length());
    while first < end {
        let middle = first + (end - first) / 2;
        if bottom(middle) <= own.top() { first = middle + 1 } else { end = middle }
    }
    let in_view = (first..rows.length().min(first + MARKED_ROWS)).filter_map(row);
    let in_view = in_view.take_while(|row| row.get_bounding_client_rect().top() < own.bottom());
    let marked = Array::new();
    for range in in_view.flat_map(|row| ranges(&row, text)).take(MARKED_HITS) {
        marked.push(&range);
    }
    mark(OTHERS, &marked, 0);
}

/// Unfolds the first part of `element` that is folded, or shows more of one.
fn unfold(element: &Element) -> MarkStep {
    let find = |selector: &str| element.query_selector(selector).ok().flatten();
    if element.matches("details:not([open])").unwrap_or_default() {
        open(element);
    } else if let Some(details) = find("details:not([open])") {
        open(&details);
    } else if let Some(more) = find(MORE).and_then(|more| more.dyn_into::<HtmlElement>().ok()) {
        more.click();
    } else {
        return MarkStep::Missing;
    }
    MarkStep::Unfolded
}

fn open(details: &Element) {
    // Cannot fail: the name is a well-formed constant.
    let _ = details.set_attribute("open", "");
}

fn closed_above(node: &Node) -> Option<Element> {
    let element = node.parent_element()?;
    // The line of a part that is folded is in view.
    if let Some(summary) = element.closest("summary").ok().flatten() {
        return summary.parent_element()?.parent_element()?.closest("details:not([open])").ok()?;
    }
    element.closest("details:not([open])").ok().flatten()
}

/// Scrolls to a hit and marks it; without one, scrolls to the item.
fn last(view: &HtmlElement, item: &Element, range: Option<&Range>) -> MarkStep {
    clear();
    let Some(range) = range else {
        // Only the view: scrolling into view would move what surrounds it, too.
        let by = item.get_bounding_client_rect().top() - view.get_bounding_client_rect().top();
        view.set_scroll_top(view.scroll_top() + by as i32 - ABOVE_PX);
        return MarkStep::Done;
    };
    mark(HIT, &Array::of1(range), 1);
    let mut above = range.start_container().ok().and_then(|node| node.parent_element());
    while let Some(element) = above {
        uncover(&element, range);
        above = if element.is_same_node(Some(view)) { None } else { element.parent_element() };
    }
    MarkStep::Done
}

/// Scrolls `element` so that a range is in its view.
fn uncover(element: &Element, range: &Range) {
    let (hit, own) = (range.get_bounding_client_rect(), element.get_bounding_client_rect());
    if element.scroll_height() > element.client_height() + 1
        && (hit.top() < own.top() + f64::from(ABOVE_PX) || hit.bottom() > own.bottom() - 20.0)
    {
        let by = hit.top() - own.top() - own.height() / 2.0;
        element.set_scroll_top(element.scroll_top() + by as i32);
    }
    if element.scroll_width() > element.client_width() + 1
        && (hit.left() < own.left() || hit.right() > own.right())
    {
        let by = hit.left() - own.left() - own.width() / 2.0;
        element.set_scroll_left(element.scroll_left() + by as i32);
    }
}

/// Returns where `wanted` is in the searched text of an element.
fn ranges(element: &Element, wanted: &str) -> Vec<Range> {
    let wanted: Vec<char> = wanted.chars().collect();
    let mut found = Vec::new();
    let Some(document) = window().and_then(|window| window.document()) else { return found };
    let Ok(parts) = element.query_selector_all(SEARCHED) else { return found };
    for part in (0..parts.length()).filter_map(|at| parts.item(at)) {
        let mut text = SearchedText::default();
        text.read(&part);
        let mut from = 0;
        while let Some(at) = text.find(&wanted, from) {
            from = at + wanted.len();
            let range = document.create_range().ok();
            found.extend(range.and_then(|range| text.select(&range, at, from)));
        }
    }
    found
}

/// The text of a part of the page, letter by letter.
#[derive(Default)]
struct SearchedText {
    letters: Vec<char>,
    /// The node of each letter, by index, and its place there, in UTF-16 units.
    places: Vec<(usize, u32)>,
    nodes: Vec<Node>,
}

impl SearchedText {
    fn read(&mut self, node: &Node) {
        if node.node_type() == Node::TEXT_NODE {
            let mut at = 0;
            for letter in node.text_content().unwrap_or_default().chars() {
                self.letters.push(folded_letter(letter));
                self.places.push((self.nodes.len(), at));
                at += letter.len_utf16() as u32;
            }
            self.nodes.push(node.clone());
        }
        let mut child = node.first_child();
        while let Some(node) = child {
            self.read(&node);
            child = node.next_sibling();
        }
    }

    fn find(&self, wanted: &[char], from: usize) -> Option<usize> {
        let (first, _) = wanted.split_first()?;
        let mut at = from;
        while at + wanted.len() <= self.letters.len() {
            let end = self.letters.len() - wanted.len() + 1;
            at += self.letters[at..end].iter().position(|letter| letter == first)?;
            if self.letters[at..at + wanted.len()] == *wanted {
                return Some(at);
            }
            at += 1;
        }
        None
    }

    fn select(&self, range: &Range, from: usize, end: usize) -> Option<Range> {
        let (node, at) = *self.places.get(from)?;
        range.set_start(self.nodes.get(node)?, at).ok()?;
        let (node, at) = *self.places.get(end - 1)?;
        // Letters beyond the first plane have two units.
        let units = if self.letters.get(end - 1)?.len_utf16() == 2 { 2 } else { 1 };
        range.set_end(self.nodes.get(node)?, at + units).ok()?;
        Some(range.clone())
    }
}

/// Returns the browser's highlights, and one of their functions; `None` if it has none.
fn highlights(function: &str) -> Option<(JsValue, Function)> {
    let highlights = Reflect::get(&global("CSS"), &"highlights".into()).ok()?;
    let function = Reflect::get(&highlights, &function.into()).ok()?.dyn_into().ok()?;
    Some((highlights, function))
}

fn global(name: &str) -> JsValue {
    Reflect::get(&js_sys::global(), &name.into()).unwrap_or_default()
}
