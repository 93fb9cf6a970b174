//! A text field with a list below it: typing narrows the list down, and the user picks one entry.
//! Follows the combobox pattern with a listbox; the focus stays in the field.

use leptos::html;
use leptos::prelude::*;

use crate::bindings::page;
use crate::ui::sort::sorted;
use crate::ui::when::effect;
use crate::ui::{Action, Icon, When};

/// The maximum number of entries shown. Typing another letter narrows the list down.
const MOST_SHOWN: usize = 100;
/// The number of entries that Page Up and Page Down move by.
const PAGE: usize = 8;

/// Lets the user pick one of several actions.
#[component]
pub fn Picker(
    /// Prefix of its ids, unique in the page, and name for tests.
    name: &'static str,
    /// Label for screen readers: the kind of thing to pick.
    label: &'static str,
    /// Placeholder that says what may be typed.
    placeholder: &'static str,
    /// Returns the actions to pick from, in order; tracked.
    items: Callback<(), Vec<Action>>,
    /// Called before the picked action runs.
    done: Callback<()>,
) -> impl IntoView {
    let node = NodeRef::<html::Input>::new();
    let wanted = RwSignal::new(String::new());
    let chosen = RwSignal::new(0_usize);
    let found = Memo::new_with_compare(
        move |_| {
            let mut found = narrow(items.run(()), &page::lowercase(&wanted.get()));
            found.truncate(MOST_SHOWN);
            found
        },
        |_, _| true,
    );
    let list = format!("{name}-list");
    prepare(node, list.clone());
    effect(move || page::show(&format!("#{name}-{}", chosen.get())));
    let pick = Callback::new(move |index: usize| {
        let action = found.with_untracked(|found| found.get(index).cloned());
        if let Some(action) = action {
            done.run(());
            action.run.run(());
        }
    });
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        let last = found.with_untracked(Vec::len).saturating_sub(1);
        let now = chosen.get_untracked().min(last);
        if event.key() == "Enter" && !event.is_composing() {
            pick.run(now);
        } else if let Some(next) = moved(&event.key(), now, last) {
            chosen.set(next);
        } else {
            return;
        }
        event.prevent_default();
    };
    view! {
        <div class="picker">
            <input
                node_ref=node
                class="picker-field"
                type="text"
                role="combobox"
                aria-label=label
                aria-activedescendant=move || {
                    (!found.with(Vec::is_empty)).then(|| format!("{name}-{}", chosen.get()))
                }
                placeholder=placeholder
                autocomplete="off"
                autocapitalize="off"
                spellcheck="false"
                data-testid=format!("{name}-field")
                on:keydown=on_key
                on:input=move |event| {
                    chosen.set(0);
                    wanted.set(event_target_value(&event));
                }
            />
            <div id=list class="picker-list" role="listbox" aria-label=label data-testid=format!("{name}-list")>
                {move || {
                    let grouped = wanted.with(|wanted| wanted.trim().is_empty());
                    found.with(|found| options(name, found, grouped, chosen, pick))
                }}
            </div>
            <When condition=move || found.with(Vec::is_empty)>
                <p class="picker-none" role="status">"Nothing matches."</p>
            </When>
        </div>
    }
}

/// Connects the field to its list, and focuses it.
fn prepare(node: NodeRef<html::Input>, list: String) {
    node.on_load(move |field| {
        // Set here and not in the view, which compiles code for each attribute name.
        let fixed =
            [("aria-expanded", "true"), ("aria-autocomplete", "list"), ("enterkeyhint", "go")];
        let fixed = fixed.map(|(name, value)| (name, value.to_owned()));
        page::set_attributes(&field, &fixed);
        page::set_attributes(&field, &[("aria-controls", list)]);
        page::focus_soon(field.into());
    });
}

/// Returns the option that a key moves to from `now`, or `None` if the key does not move.
fn moved(key: &str, now: usize, last: usize) -> Option<usize> {
    Some(match key {
        "ArrowDown" if now == last => 0,
        "ArrowDown" => now + 1,
        "ArrowUp" => now.checked_sub(1).unwrap_or(last),
        "PageDown" => (now + PAGE).min(last),
        "PageUp" => now.saturating_sub(PAGE),
        _ => return None,
    })
}

fn options(
    name: &'static str,
    found: &[Action],
    grouped: bool,
    chosen: RwSignal<usize>,
    pick: Callback<usize>,
) -> AnyView {
    if !grouped {
        let all = found.iter().enumerate();
        let all = all.map(|(index, action)| option(name, index, action, true, chosen, pick));
        return all.collect_view().into_any();
    }
    let mut start = 0;
    let groups = found.chunk_by(|one, other| one.group == other.group).map(|group| {
        let first = start;
        start += group.len();
        let all = group.iter().enumerate();
        let all = all.map(|(at, action)| option(name, first + at, action, false, chosen, pick));
        let heading = group[0].group.to_string();
        view! {
            <div class="picker-group" role="group" aria-label=heading.clone()>
                <div class="picker-heading" aria-hidden="true">{heading.clone()}</div>
                {all.collect_view()}
            </div>
        }
    });
    groups.collect_view().into_any()
}

fn option(
    name: &'static str,
    index: usize,
    action: &Action,
    with_group: bool,
    chosen: RwSignal<usize>,
    pick: Callback<usize>,
) -> AnyView {
    let mark = match action.tone {
        Some(tone) => view! { <span class="state picker-mark" data-tone=tone></span> }.into_any(),
        None => view! { <Icon name=action.icon /> }.into_any(),
    };
    let group =
        with_group.then(|| view! { <span class="picker-of">{action.group.to_string()}</span> });
    view! {
        <div
            id=format!("{name}-{index}")
            class="picker-option"
            role="option"
            data-action=action.name
            aria-selected=move || (chosen.get() == index).to_string()
            on:pointermove=move |_| if chosen.get_untracked() != index { chosen.set(index) }
            on:click=move |_| pick.run(index)
        >
            {mark}
            <bdi class="picker-title">{action.title.clone()}</bdi>
            <bdi class="picker-detail">{action.detail.clone()}</bdi>
            {group}
            <kbd>{action.keys}</kbd>
        </div>
    }
    .into_any()
}

/// Returns the actions that match `wanted`, the best first. If `wanted` is blank, returns all in
/// their order.
fn narrow(items: Vec<Action>, wanted: &str) -> Vec<Action> {
    if wanted.trim().is_empty() {
        return items;
    }
    let found: Vec<(u32, Action)> = items
        .into_iter()
        .filter_map(|action| {
            let title = page::lowercase(&action.title);
            let rest = page::lowercase(&format!("{title} {}", action.detail));
            let score = score(&title, wanted).map(|score| score * 2);
            Some((score.or_else(|| self::score(&rest, wanted))?, action))
        })
        .collect();
    // Ten digits hold every score.
    let best = sorted(&found, |(score, _)| format!("{:010}", u32::MAX - score));
    best.into_iter().map(|(_, action)| action).collect()
}

/// Scores how well `text` matches each word of `wanted`, as a whole or letter by letter. Returns
/// `None` if a word does not match. Both must be in lower case.
fn score(text: &str, wanted: &str) -> Option<u32> {
    wanted.split_whitespace().map(|word| word_score(text, word)).sum()
}

fn word_score(text: &str, word: &str) -> Option<u32> {
    let begins = |at: usize| !text[..at].ends_with(char::is_alphanumeric);
    let whole = text
        .match_indices(word)
        .map(|(at, _)| 100 + u32::from(at == 0) + 50 * u32::from(begins(at)));
    whole.max().or_else(|| {
        // Letters in order: those that begin words or follow each other count more.
        let (mut score, mut from, mut follows) = (0, 0, false);
        for letter in word.chars() {
            let at = from + text[from..].find(letter)?;
            follows &= at == from;
            score += if begins(at) {
                8
            } else if follows {
                4
            } else {
                1
            };
            from = at + letter.len_utf8();
            follows = true;
        }
        Some(score)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn best<'a>(wanted: &str, of: &[&'a str]) -> Vec<&'a str> {
        let mut found: Vec<_> =
            of.iter().filter_map(|text| Some((score(text, wanted)?, *text))).collect();
        found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        found.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn whole_words_come_before_their_parts_and_letters() {
        let texts = ["new shell", "renew", "narrow terminal way", "delete…"];
        assert_eq!(best("new", &texts), ["new shell", "renew", "narrow terminal way"]);
        assert_eq!(best("shell new", &texts), ["new shell"]);
        assert_eq!(best("ns", &texts), ["new shell"]);
        assert_eq!(best("x", &texts), [""; 0]);
    }

    #[test]
    fn arrows_go_around_and_pages_do_not() {
        assert_eq!(["ArrowUp", "ArrowDown"].map(|key| moved(key, 0, 0)), [Some(0), Some(0)]);
        assert_eq!([moved("ArrowDown", 9, 9), moved("ArrowUp", 0, 9)], [Some(0), Some(9)]);
        assert_eq!([moved("PageDown", 3, 9), moved("PageUp", 3, 9)], [Some(9), Some(0)]);
        assert_eq!(moved("x", 3, 9), None);
    }

    #[test]
    fn letters_of_any_length_are_letters() {
        assert!(score("größe ändern", "ä").is_some());
        assert!(score("größe ändern", "gßn").is_some());
        assert_eq!(score("größe", "gn"), None);
    }
}
