//! The fields of the form of a template, and their errors.

use moorline_shared::pod::{BadPodSpec, PodTemplate};

/// A text field of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TemplateField {
    Name,
    Image,
    Cpu,
    Memory,
    Storage,
    StorageClass,
    Namespace,
    User,
    IdleMinutes,
    SupervisorImage,
}

/// The texts that a field of the form shows.
pub(super) struct FieldWords {
    pub(super) label: &'static str,
    /// Says what an empty field means.
    pub(super) placeholder: &'static str,
    /// The name for tests.
    pub(super) test_name: &'static str,
    /// The name in the API, by which an error of the relay names the field.
    api_name: &'static str,
}

/// The reason why a template cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TemplateProblem {
    /// The field that is wrong, if it is one of the form.
    pub(super) field: Option<TemplateField>,
    pub(super) text: String,
}

const fn words(
    label: &'static str,
    placeholder: &'static str,
    test_name: &'static str,
    api_name: &'static str,
) -> FieldWords {
    FieldWords { label, placeholder, test_name, api_name }
}

impl TemplateField {
    /// The number of fields.
    pub(super) const COUNT: usize = Self::ALL.len();

    const ALL: [Self; 10] = [
        Self::Name,
        Self::Image,
        Self::Cpu,
        Self::Memory,
        Self::Storage,
        Self::StorageClass,
        Self::Namespace,
        Self::User,
        Self::IdleMinutes,
        Self::SupervisorImage,
    ];

    pub(super) const fn words(self) -> FieldWords {
        match self {
            Self::Name => words("Name", "", "template-name", "name"),
            Self::Image => words("Image", "debian:stable-slim", "template-image", "image"),
            Self::Cpu => words("CPU", "500m", "template-cpu", "cpu"),
            Self::Memory => words("Memory", "512Mi", "template-memory", "memory"),
            Self::Storage => {
                words("Storage", "none: files go with the pod", "template-storage", "storage")
            }
            Self::StorageClass => {
                words("Storage class", "the cluster's", "template-class", "storageClass")
            }
            Self::Namespace => words("Namespace", "the host's", "template-namespace", "namespace"),
            Self::User => words("User", "1000", "template-user", "user"),
            Self::IdleMinutes => {
                words("Idle after minutes", "never", "template-idle", "idleMinutes")
            }
            Self::SupervisorImage => {
                words("Supervisor's image", "", "template-supervisor-image", "supervisorImage")
            }
        }
    }

    /// Returns the field's text of a template.
    pub(super) fn text(self, template: &PodTemplate) -> String {
        match self {
            Self::Name => template.name.clone(),
            Self::Image => template.image.clone(),
            Self::Cpu => template.cpu.clone(),
            Self::Memory => template.memory.clone(),
            Self::Storage => template.storage.clone().unwrap_or_default(),
            Self::StorageClass => template.storage_class.clone().unwrap_or_default(),
            Self::Namespace => template.namespace.clone().unwrap_or_default(),
            Self::User => template.user.to_string(),
            Self::IdleMinutes => template.idle_minutes.map(|it| it.to_string()).unwrap_or_default(),
            Self::SupervisorImage => template.supervisor_image.clone().unwrap_or_default(),
        }
    }
}

impl TemplateProblem {
    pub(super) fn of(field: TemplateField, text: &str) -> Self {
        Self { field: Some(field), text: text.to_owned() }
    }

    /// Finds the field that an error of the relay names.
    pub(super) fn of_relay(text: String) -> Self {
        let names = |field: &TemplateField| {
            let api_name = field.words().api_name;
            text.contains(&format!("`{api_name}`"))
        };
        Self { field: TemplateField::ALL.into_iter().find(names), text }
    }
}

impl From<BadPodSpec> for TemplateProblem {
    fn from(bad: BadPodSpec) -> Self {
        let (field, text) = match bad {
            BadPodSpec::Name(_) => {
                let text = "Use 1 to 63 letters, digits, periods, underscores and hyphens.";
                (TemplateField::Name, text)
            }
            BadPodSpec::Image("image") => {
                (TemplateField::Image, "Name an image, such as debian:stable-slim.")
            }
            BadPodSpec::Image(_) | BadPodSpec::SupervisorImage => {
                let text = "Name the image from which the supervisor is copied.";
                (TemplateField::SupervisorImage, text)
            }
            BadPodSpec::Quantity("cpu") => {
                (TemplateField::Cpu, "Use a number of CPUs, such as 2 or 500m.")
            }
            BadPodSpec::Quantity("memory") => {
                (TemplateField::Memory, "Use a size, such as 512Mi or 2Gi.")
            }
            BadPodSpec::Quantity(_) => {
                (TemplateField::Storage, "Use a size, such as 1Gi, or leave it empty.")
            }
            BadPodSpec::Zero => {
                (TemplateField::IdleMinutes, "Use 1 minute or more, or leave it empty.")
            }
            BadPodSpec::Folder | BadPodSpec::PullPolicy | BadPodSpec::TooLarge => {
                return Self { field: None, text: bad.to_string() };
            }
        };
        Self::of(field, text)
    }
}

/// Returns a template with the texts of the form's fields. `base` has all else.
///
/// # Errors
/// [`TemplateProblem`].
pub(super) fn filled(
    base: PodTemplate,
    text: impl Fn(TemplateField) -> Option<String>,
) -> Result<PodTemplate, TemplateProblem> {
    let number = |field, wrong: &str| {
        let parsed = text(field).map(|text| text.parse::<u32>()).transpose();
        parsed.map_err(|_| TemplateProblem::of(field, wrong))
    };
    let user = number(TemplateField::User, "Use the number of a user, such as 1000.")?;
    let idle_minutes =
        number(TemplateField::IdleMinutes, "Use 1 minute or more, or leave it empty.")?;
    let template = PodTemplate {
        name: text(TemplateField::Name).unwrap_or_default(),
        image: text(TemplateField::Image).unwrap_or_default(),
        cpu: text(TemplateField::Cpu).unwrap_or_default(),
        memory: text(TemplateField::Memory).unwrap_or_default(),
        storage: text(TemplateField::Storage),
        storage_class: text(TemplateField::StorageClass),
        namespace: text(TemplateField::Namespace),
        user: user.unwrap_or(PodTemplate::default().user),
        idle_minutes,
        supervisor_image: text(TemplateField::SupervisorImage),
        ..base
    };
    template.check()?;
    Ok(template)
}

/// Names what a template has beside the fields of the form. It is kept.
pub(super) fn kept(template: &PodTemplate) -> Vec<&'static str> {
    let usual = PodTemplate::default();
    let others = [
        (!template.node_selector.is_empty(), "labels of nodes"),
        (template.service_account.is_some(), "the service account"),
        (!template.env.is_empty(), "environment variables"),
        (template.folder != usual.folder, "the folder"),
        (template.writable_root, "the writable root"),
        (!template.pull_secrets.is_empty(), "secrets for the image"),
        (!template.command.is_empty(), "the command"),
        (template.ready_seconds != usual.ready_seconds, "the time to become ready"),
    ];
    others.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use moorline_shared::pod::SupervisorWay;
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn template() -> PodTemplate {
        PodTemplate { name: "small".into(), ..PodTemplate::default() }
    }

    fn with(field: TemplateField, value: &str) -> Result<PodTemplate, TemplateProblem> {
        let base = template();
        filled(base.clone(), |it| {
            let text = if it == field { value.to_owned() } else { it.text(&base) };
            Some(text).filter(|text| !text.is_empty())
        })
    }

    #[test]
    fn the_fields_give_the_same_template_back_and_keep_the_others() {
        let base = PodTemplate {
            env: [("A".to_owned(), "b".to_owned())].into(),
            idle_minutes: Some(5),
            ..template()
        };
        let text = |field: TemplateField| Some(field.text(&base)).filter(|text| !text.is_empty());
        assert_eq!(filled(base.clone(), text), Ok(base.clone()));
        assert_eq!(kept(&base), ["environment variables"]);
        assert_eq!(with(TemplateField::Storage, "").unwrap().storage, None);
        assert_eq!(with(TemplateField::User, "0").unwrap().user, 0);
    }

    #[test]
    fn an_error_is_shown_beside_its_field() {
        for (field, value) in [
            (TemplateField::Name, "a b"),
            (TemplateField::Image, ""),
            (TemplateField::Cpu, "much"),
            (TemplateField::Memory, "1 Gi"),
            (TemplateField::Storage, "big"),
            (TemplateField::User, "root"),
            (TemplateField::IdleMinutes, "0"),
            (TemplateField::IdleMinutes, "soon"),
            (TemplateField::SupervisorImage, "a b"),
        ] {
            assert_eq!(with(field, value).unwrap_err().field, Some(field), "{value}");
        }
        let init = PodTemplate { supervisor: SupervisorWay::Init, ..template() };
        let missing = filled(init, |field| Some(field.text(&template())));
        assert!(missing.is_err());
        let relay = TemplateProblem::of_relay("Bad request: `cpu` is a quantity".to_owned());
        assert_eq!(relay.field, Some(TemplateField::Cpu));
        assert_eq!(TemplateProblem::of_relay("The host is away".to_owned()).field, None);
    }
}
