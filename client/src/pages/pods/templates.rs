//! The list of templates.

use leptos::prelude::*;
use moorline_shared::pod::PodTemplate;

use super::state::{PodsScreen, PodsState};
use crate::ui::When;

/// The name of the template that every host has.
pub(super) const DEFAULT: &str = "default";

/// Lists the templates, the default one first.
#[component]
pub fn TemplateList(
    /// The templates, in the order of the list.
    templates: Vec<PodTemplate>,
) -> impl IntoView {
    let state = PodsState::expect();
    let rows = templates.into_iter().map(|template| row(state, template));
    view! {
        <section aria-labelledby="pods-templates">
            <h3 id="pods-templates">"Templates"</h3>
            <ul class="pods-list" data-testid="templates">{rows.collect_view()}</ul>
            <When condition=move || !state.may_change()>
                <p class="row-note" data-testid="pods-read-only">
                    "Only an administrator's token can change them."
                </p>
            </When>
        </section>
    }
}

fn row(state: PodsState, template: PodTemplate) -> AnyView {
    let name = template.name.clone();
    let is_default = name == DEFAULT;
    let usual = is_default.then(|| view! { <span class="tag">"usual"</span> });
    let (change_label, remove_label) = (format!("Change {name}"), remove_label(&name));
    let is_original = is_original(&template);
    let (image, about) = (template.image.clone(), described(&template));
    let changed = StoredValue::new(Box::new(template));
    let (removed, data_name) = (StoredValue::new(name.clone()), name.clone());
    view! {
        <li class="pods-row" data-testid="template" data-name=data_name>
            <div class="pods-about">
                <p class="pods-name"><bdi>{name}</bdi> {usual}</p>
                <p class="pods-image"><bdi>{image}</bdi></p>
                <p class="row-note">{about}</p>
            </div>
            <When condition=move || state.may_change()>
                <div class="pods-actions">
                    <button
                        class="button"
                        data-testid="change-template"
                        aria-label=change_label.clone()
                        on:click=move |_| state.go(PodsScreen::Change(changed.get_value()))
                    >
                        "Change…"
                    </button>
                    <button
                        class="button quiet bad"
                        data-testid="remove-template"
                        hidden=is_original
                        aria-label=remove_label.clone()
                        on:click=move |_| state.go(PodsScreen::Remove(removed.get_value()))
                    >
                        {if is_default { "Reset…" } else { "Remove…" }}
                    </button>
                </div>
            </When>
        </li>
    }
    .into_any()
}

fn remove_label(name: &str) -> String {
    if name == DEFAULT { format!("Reset {name}") } else { format!("Remove {name}") }
}

/// Returns true if this is the default template as every host has it at first.
fn is_original(template: &PodTemplate) -> bool {
    *template == PodTemplate { name: DEFAULT.to_owned(), ..PodTemplate::default() }
}

/// Describes in a line what a pod may use.
fn described(template: &PodTemplate) -> String {
    let PodTemplate { cpu, memory, storage, idle_minutes, .. } = template;
    let storage = match storage {
        Some(storage) => format!("{storage} storage"),
        None => "no storage".to_owned(),
    };
    let idle = match idle_minutes {
        Some(minutes) => format!(" · idle after {minutes} min"),
        None => String::new(),
    };
    format!("{cpu} CPU · {memory} memory · {storage}{idle}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_template_is_described_by_what_its_pods_may_use() {
        let template = PodTemplate { name: DEFAULT.into(), ..PodTemplate::default() };
        assert_eq!(described(&template), "500m CPU · 512Mi memory · 1Gi storage");
        assert!(is_original(&template));
        let other = PodTemplate { storage: None, idle_minutes: Some(30), ..template };
        assert_eq!(described(&other), "500m CPU · 512Mi memory · no storage · idle after 30 min");
        assert!(!is_original(&other));
    }
}
