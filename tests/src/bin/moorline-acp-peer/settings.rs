//! Modes and config options of a session.

use serde_json::{Value, json};

use crate::dialect::{PeerDialect, PeerFeature};

const MODES: [(&str, &str); 2] = [("ask", "Ask"), ("code", "Code")];
const MODELS: [(&str, &str); 2] = [("small", "Small"), ("large", "Large")];

/// The current values.
#[derive(Debug, Clone)]
pub(crate) struct PeerSettings {
    mode: String,
    model: String,
    /// A boolean option, offered only to clients that show such.
    brave: bool,
}

impl Default for PeerSettings {
    fn default() -> Self {
        Self { mode: "ask".to_owned(), model: "small".to_owned(), brave: false }
    }
}

impl PeerSettings {
    /// Changes the option of this id.
    ///
    /// # Errors
    /// If there is no such option or value.
    pub(crate) fn set(&mut self, id: &str, value: &Value) -> Result<(), String> {
        let known = |values: &[(&str, &str)]| {
            let value = value.as_str().filter(|value| values.iter().any(|known| known.0 == *value));
            value
                .map(str::to_owned)
                .ok_or_else(|| format!("{id} has another type of value or value"))
        };
        match (id, value) {
            ("mode", _) => self.mode = known(&MODES)?,
            ("model", _) => self.model = known(&MODELS)?,
            ("brave", Value::Bool(brave)) => self.brave = *brave,
            _ => return Err(format!("{id} is no option, or has another type of value")),
        }
        Ok(())
    }

    /// The updates that tell of a change of this option.
    pub(crate) fn updates(&self, dialect: &PeerDialect, id: &str) -> Vec<Value> {
        let mut updates = Vec::new();
        if id == "mode" && dialect.version == 1 && dialect.has(PeerFeature::Modes) {
            let kind = "current_mode_update";
            updates.push(json!({"sessionUpdate": kind, "currentModeId": self.mode}));
        }
        if dialect.has(PeerFeature::Config) {
            let (kind, options) = ("config_option_update", self.options(dialect));
            updates.push(json!({"sessionUpdate": kind, "configOptions": options}));
        }
        updates
    }

    /// The fields that results about a session have besides its id.
    pub(crate) fn fields(&self, dialect: &PeerDialect, legacy_models: bool) -> Value {
        let mut fields = json!({});
        if dialect.version == 1 && dialect.has(PeerFeature::Modes) {
            let modes: Vec<Value> =
                MODES.iter().map(|(id, name)| json!({"id": id, "name": name})).collect();
            fields["modes"] = json!({"currentModeId": self.mode, "availableModes": modes});
        }
        if dialect.version == 1 && legacy_models {
            let models: Vec<Value> =
                MODELS.iter().map(|(id, name)| json!({"modelId": id, "name": name})).collect();
            fields["models"] = json!({"currentModelId": self.model, "availableModels": models});
        }
        if dialect.has(PeerFeature::Config) {
            fields["configOptions"] = self.options(dialect);
        }
        fields
    }

    /// All config options.
    pub(crate) fn options(&self, dialect: &PeerDialect) -> Value {
        let id = if dialect.version > 1 { "configId" } else { "id" };
        let select = |name: &str, title: &str, current: &str, values: &[(&str, &str)]| {
            let values: Vec<Value> =
                values.iter().map(|(value, name)| json!({"value": value, "name": name})).collect();
            json!({
                id: name,
                "name": title,
                "category": name,
                "type": "select",
                "currentValue": current,
                "options": values,
            })
        };
        let mut options = vec![
            select("mode", "Mode", &self.mode, &MODES),
            select("model", "Model", &self.model, &MODELS),
        ];
        if dialect.boolean_options {
            options.push(json!({
                id: "brave",
                "name": "Brave",
                "type": "boolean",
                "currentValue": self.brave,
            }));
        }
        options.into()
    }
}
