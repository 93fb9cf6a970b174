//! The form for a new template, and for changes of one.

use leptos::html;
use leptos::prelude::*;
use moorline_shared::pod::{PodTemplate, SupervisorWay, WhenIdle};

use super::fields::{TemplateField, TemplateProblem, filled, kept};
use super::state::{PodsScreen, PodsState};
use crate::ui::field::{Choice, choice, typed};
use crate::ui::{Field, When};

/// The values and texts of what can happen to an idle pod.
const WHEN_IDLE: [(WhenIdle, &str, &str); 2] = [
    (WhenIdle::Suspend, "suspend", "Suspend it, and keep its files"),
    (WhenIdle::Delete, "delete", "Delete it, with its files"),
];

/// The values and texts of the ways of the supervisor.
const SUPERVISOR: [(SupervisorWay, &str, &str); 3] = [
    (SupervisorWay::Exec, "exec", "The host sends it (needs sh, head)"),
    (SupervisorWay::Init, "init", "Copied from an image"),
    (SupervisorWay::None, "none", "None: a cut connection ends it"),
];

/// The values and texts of the pull policies. An empty one is the cluster's own.
const PULL_POLICY: [(&str, &str); 4] = [
    ("", "The cluster's"),
    ("Always", "Always"),
    ("IfNotPresent", "If not present"),
    ("Never", "Never"),
];

/// The values typed and selected in the form.
#[derive(Clone, Copy)]
struct TemplateDraft {
    /// The template as it was before it was changed.
    base: StoredValue<PodTemplate>,
    is_new: bool,
    nodes: [NodeRef<html::Input>; TemplateField::COUNT],
    when_idle: RwSignal<WhenIdle>,
    supervisor: RwSignal<SupervisorWay>,
    pull_policy: RwSignal<Option<String>>,
    problem: RwSignal<Option<TemplateProblem>>,
}

impl TemplateDraft {
    fn of(template: Option<PodTemplate>) -> Self {
        let is_new = template.is_none();
        let base = template.unwrap_or_default();
        Self {
            is_new,
            nodes: std::array::from_fn(|_| NodeRef::new()),
            when_idle: RwSignal::new(base.when_idle),
            supervisor: RwSignal::new(base.supervisor),
            pull_policy: RwSignal::new(base.pull_policy.clone()),
            problem: RwSignal::default(),
            base: StoredValue::new(base),
        }
    }

    const fn node(self, field: TemplateField) -> NodeRef<html::Input> {
        self.nodes[field as usize]
    }

    /// Returns the template that the form describes.
    fn template(self) -> Result<PodTemplate, TemplateProblem> {
        let base = PodTemplate {
            when_idle: self.when_idle.get_untracked(),
            supervisor: self.supervisor.get_untracked(),
            pull_policy: self.pull_policy.get_untracked(),
            ..self.base.get_value()
        };
        let before = base.clone();
        filled(base, |field| {
            let node = self.node(field);
            if node.get_untracked().is_some() {
                return typed(node);
            }
            // A field that is not shown keeps its value.
            Some(field.text(&before)).filter(|text| !text.is_empty())
        })
    }

    fn field(self, field: TemplateField) -> AnyView {
        let words = field.words();
        let value = self.base.with_value(|base| field.text(base));
        let problem = Signal::derive(move || {
            let of = |it: &TemplateProblem| (it.field == Some(field)).then(|| it.text.clone());
            self.problem.with(|problem| problem.as_ref().and_then(of))
        });
        let first = if self.is_new { TemplateField::Name } else { TemplateField::Image };
        view! {
            <div>
                <Field
                    label=words.label
                    name=words.test_name
                    node=self.node(field)
                    value
                    placeholder=words.placeholder
                    problem
                    mono=true
                    first={field == first}
                />
            </div>
        }
        .into_any()
    }
}

/// Asks for the properties of a template.
#[component]
pub fn TemplateForm(
    /// The template to change; none to add one.
    #[prop(optional)]
    template: Option<PodTemplate>,
) -> impl IntoView {
    let state = PodsState::expect();
    let heading = match &template {
        Some(template) => format!("Change {}", template.name),
        None => "New template".to_owned(),
    };
    let kept = template.as_ref().map(kept).filter(|kept| !kept.is_empty());
    let kept = kept.map(|kept| {
        view! { <p class="row-note" data-testid="template-kept">"Also set, and kept: " {kept.join(", ")} "."</p> }
    });
    let draft = TemplateDraft::of(template);
    let save = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        draft.problem.set(None);
        save(state, draft);
    };
    let at_top = move || {
        let of = |it: &TemplateProblem| it.field.is_none().then(|| it.text.clone());
        draft.problem.with(|problem| problem.as_ref().and_then(of))
    };
    view! {
        <h3 class="pods-heading">{heading}</h3>
        <form class="pods-form" on:submit=save data-testid="template-form">
            <p class="problem" role="alert" data-testid="template-problem">{at_top}</p>
            {fields(draft)}
            {kept}
            <div class="actions">
                <button
                    type="button"
                    class="button"
                    data-testid="pods-cancel"
                    on:click=move |_| state.go(PodsScreen::List)
                >
                    "Cancel"
                </button>
                <button class="button primary" data-testid="save-template" disabled=state.busy>
                    "Save"
                </button>
            </div>
        </form>
    }
}

fn save(state: PodsState, draft: TemplateDraft) {
    let refuse = move |problem| _ = draft.problem.try_set(Some(problem));
    match draft.template() {
        Ok(template) if draft.is_new && state.has_template(&template.name) => {
            let text = "There is a template of this name. Change that one, or use another name.";
            refuse(TemplateProblem::of(TemplateField::Name, text));
        }
        Ok(template) => state.save(&template, move |error| {
            refuse(TemplateProblem::of_relay(error.to_string()));
        }),
        Err(problem) => refuse(problem),
    }
}

fn fields(draft: TemplateDraft) -> AnyView {
    let field = move |field| draft.field(field);
    let is_init = move || draft.supervisor.get() == SupervisorWay::Init;
    view! {
        {draft.is_new.then(|| field(TemplateField::Name))}
        {field(TemplateField::Image)}
        <div class="pods-fields">
            {field(TemplateField::Cpu)}
            {field(TemplateField::Memory)}
            {field(TemplateField::Storage)}
            {field(TemplateField::StorageClass)}
            {field(TemplateField::Namespace)}
            {field(TemplateField::User)}
        </div>
        <div class="pods-fields wide">
            {field(TemplateField::IdleMinutes)}
            {when_idle(draft)}
            {pull_policy(draft)}
            {supervisor(draft)}
        </div>
        <When condition=is_init>{field(TemplateField::SupervisorImage)}</When>
    }
    .into_any()
}

fn when_idle(draft: TemplateDraft) -> AnyView {
    let options = move || {
        let chosen = draft.when_idle.get_untracked();
        WHEN_IDLE.iter().map(|(it, value, text)| option(value, text, *it == chosen)).collect()
    };
    choice("When it is idle", "template-when-idle", options, move |value| {
        let picked = WHEN_IDLE.iter().find(|(_, known, _)| *known == value);
        draft.when_idle.set(picked.map(|(it, ..)| *it).unwrap_or_default());
    })
}

fn supervisor(draft: TemplateDraft) -> AnyView {
    let options = move || {
        let chosen = draft.supervisor.get_untracked();
        SUPERVISOR.iter().map(|(it, value, text)| option(value, text, *it == chosen)).collect()
    };
    choice("Supervisor", "template-supervisor", options, move |value| {
        let picked = SUPERVISOR.iter().find(|(_, known, _)| *known == value);
        draft.supervisor.set(picked.map(|(it, ..)| *it).unwrap_or_default());
    })
}

fn pull_policy(draft: TemplateDraft) -> AnyView {
    let options = move || {
        let chosen = draft.pull_policy.get_untracked().unwrap_or_default();
        PULL_POLICY.iter().map(|(value, text)| option(value, text, *value == chosen)).collect()
    };
    choice("Pull the image", "template-pull", options, move |value| {
        draft.pull_policy.set(Some(value).filter(|value| !value.is_empty()));
    })
}

fn option(value: &str, text: &str, chosen: bool) -> Choice {
    Choice { value: value.to_owned(), text: text.to_owned(), chosen }
}
