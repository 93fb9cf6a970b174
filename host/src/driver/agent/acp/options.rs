//! The settings of a session: modes, models, and options of any kind.

use moorline_shared::agent::content::{AgentChoice, AgentOption};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::content::id;
use super::{AcpVersion, AgentCall, line, list};

/// A setting, and how it is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct OfferedOption {
    /// The setting.
    pub(in super::super) option: AgentOption,
    /// The request that sets it.
    pub(in super::super) setter: OptionSetter,
}

/// The request that sets a setting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) enum OptionSetter {
    /// The one for a choice of an option.
    #[default]
    Choice,
    /// The one for an option that is on or off.
    Switch,
    /// The one for modes.
    Mode,
    /// The one for models, which older agents have.
    Model,
}

/// Reads the settings of an answer or update. Options replace modes and models if an agent has
/// both, because they are in step. `None` if there are none of them at all.
pub(in super::super) fn offered(answer: &Value) -> Option<Vec<OfferedOption>> {
    if let Some(options) = list(answer, "configOptions") {
        return Some(options.iter().filter_map(option).collect());
    }
    let modes = answer.get("modes").and_then(|modes| {
        let value = line(modes, "currentModeId")?;
        Some(selection("mode", "Mode", value, list(modes, "availableModes")?, OptionSetter::Mode))
    });
    let models = answer.get("models").and_then(|models| {
        let value = line(models, "currentModelId")?;
        let choices = list(models, "availableModels")?;
        Some(selection("model", "Model", value, choices, OptionSetter::Model))
    });
    let offered: Vec<_> = modes.into_iter().chain(models).collect();
    (!offered.is_empty()).then_some(offered)
}

fn selection(
    id: &str,
    name: &str,
    value: String,
    choices: &[Value],
    setter: OptionSetter,
) -> OfferedOption {
    let choices = choices.iter().filter_map(|choice| {
        let value = line(choice, "id").or_else(|| line(choice, "modelId"))?;
        Some(choice_of(choice, value, None))
    });
    let category = Some(id.to_owned());
    let (id, name, choices) = (id.to_owned(), name.to_owned(), choices.collect());
    let option = AgentOption { id, name, description: None, category, value, choices };
    OfferedOption { option, setter }
}

fn option(value: &Value) -> Option<OfferedOption> {
    let id = id(value, "id").or_else(|| id(value, "configId"))?;
    let current = value.get("currentValue");
    let (setter, current, choices) = match current {
        Some(Value::Bool(on)) => (OptionSetter::Switch, on.to_string(), switch()),
        current => {
            let current = current.and_then(Value::as_str).unwrap_or_default().to_owned();
            (OptionSetter::Choice, current, choices(list(value, "options").unwrap_or_default()))
        }
    };
    let option = AgentOption {
        name: line(value, "name").unwrap_or_else(|| id.clone()),
        id,
        description: line(value, "description"),
        category: line(value, "category"),
        value: current,
        choices,
    };
    Some(OfferedOption { option, setter })
}

fn switch() -> Vec<AgentChoice> {
    let choice = |value: &str, name: &str| AgentChoice {
        value: value.to_owned(),
        name: name.to_owned(),
        ..AgentChoice::default()
    };
    vec![choice("true", "On"), choice("false", "Off")]
}

/// Reads choices, or groups of them.
fn choices(values: &[Value]) -> Vec<AgentChoice> {
    let mut choices = Vec::new();
    for value in values {
        match list(value, "options") {
            Some(members) => {
                let group = line(value, "name").or_else(|| line(value, "group"));
                let member =
                    |member: &Value| Some(choice_of(member, line(member, "value")?, group.clone()));
                choices.extend(members.iter().filter_map(member));
            }
            None => {
                choices.extend(line(value, "value").map(|choice| choice_of(value, choice, None)));
            }
        }
    }
    choices
}

fn choice_of(choice: &Value, value: String, group: Option<String>) -> AgentChoice {
    let name = line(choice, "name").unwrap_or_else(|| value.clone());
    AgentChoice { value, name, description: line(choice, "description"), group }
}

/// Returns the request that sets a setting.
pub(in super::super) fn set_option(
    dialect: AcpVersion,
    session_id: &str,
    offered: &OfferedOption,
    value: &str,
) -> AgentCall {
    let OfferedOption { option, setter } = offered;
    let mut params = json!({ "sessionId": session_id });
    match setter {
        OptionSetter::Mode => {
            params["modeId"] = value.into();
            return ("session/set_mode", params);
        }
        OptionSetter::Model => {
            params["modelId"] = value.into();
            return ("session/set_model", params);
        }
        OptionSetter::Switch => {
            params["type"] = "boolean".into();
            params["value"] = (value == "true").into();
        }
        OptionSetter::Choice => {
            if dialect == AcpVersion::V2 {
                params["type"] = "id".into();
            }
            params["value"] = value.into();
        }
    }
    params["configId"] = option.id.as_str().into();
    ("session/set_config_option", params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_before_modes() {
        let modes = json!({ "currentModeId": "ask", "availableModes": [
            { "id": "ask", "name": "Ask" }, { "id": "code", "name": "Code" }, {}] });
        let offers = offered(&json!({ "modes": modes })).unwrap();
        assert_eq!(offers.len(), 1);
        assert_eq!((&*offers[0].option.value, offers[0].setter), ("ask", OptionSetter::Mode));
        assert_eq!(offers[0].option.choices.len(), 2);

        let offers = offered(&json!({ "modes": modes, "configOptions": [
            { "id": "m", "name": "Model", "category": "model", "type": "select",
              "currentValue": "a", "options": [
                { "group": "g", "name": "Group", "options": [{ "value": "a", "name": "A" }] },
                { "value": "b" }] },
            { "id": "fast", "name": "Fast", "type": "boolean", "currentValue": true },
            { "name": "no id" }] }))
        .unwrap();
        let ids: Vec<_> = offers.iter().map(|offer| (&*offer.option.id, offer.setter)).collect();
        assert_eq!(ids, [("m", OptionSetter::Choice), ("fast", OptionSetter::Switch)]);
        let choices = &offers[0].option.choices;
        assert_eq!(choices[0].group.as_deref(), Some("Group"));
        assert_eq!((&*choices[1].value, &*choices[1].name), ("b", "b"));
        assert_eq!(offered(&json!(null)), None);
    }

    #[test]
    fn each_setting_is_set_by_its_own_request() {
        let offer = |setter| OfferedOption {
            option: AgentOption { id: "x".into(), ..AgentOption::default() },
            setter,
        };
        let set = |dialect, setter, value| set_option(dialect, "s", &offer(setter), value);
        let (method, params) = set(AcpVersion::V1, OptionSetter::Mode, "code");
        assert_eq!((method, &params["modeId"]), ("session/set_mode", &json!("code")));
        let (_, params) = set(AcpVersion::V1, OptionSetter::Switch, "true");
        assert_eq!(params["value"], true);
        let (method, params) = set(AcpVersion::V1, OptionSetter::Choice, "a");
        assert_eq!(method, "session/set_config_option");
        assert_eq!(params, json!({ "sessionId": "s", "configId": "x", "value": "a" }));
        let (_, params) = set(AcpVersion::V2, OptionSetter::Choice, "a");
        assert_eq!(params["type"], "id");
    }
}
