//! Changes of an agent's settings that a client waits for.

use std::time::Duration;

use moorline_shared::agent::content::AgentOption;
use moorline_shared::id::SessionId;
use moorline_shared::rest::ConfigureAgent;
use moorline_shared::rpc::{INTERNAL_ERROR, RpcError, RpcId};
use moorline_shared::time::Time;
use serde_json::{Value, json};

use super::call::{CallPurpose, configure};
use super::context::AcpContext;
use super::failure::{bad_params, failure};
use super::outbox::AcpOutbox;
use super::updates;

/// Time allowed for an agent to confirm a change.
const PATIENCE: Duration = Duration::from_secs(15);

/// The changes of one session's settings that are not confirmed.
#[derive(Debug, Default)]
pub(super) struct SettingBook {
    open: Vec<OpenSetting>,
}

#[derive(Debug)]
struct OpenSetting {
    id: RpcId,
    option: String,
    value: String,
    /// True if the answer lists all settings.
    lists: bool,
    until: Time,
}

impl SettingBook {
    /// Returns the number of changes that are not confirmed.
    pub(super) const fn len(&self) -> usize {
        self.open.len()
    }

    /// Changes the mode.
    ///
    /// # Errors
    /// The error for the client.
    pub(super) fn set_mode(
        &mut self,
        id: RpcId,
        mode: &str,
        options: &[AgentOption],
        session: &SessionId,
        context: &mut AcpContext<'_>,
    ) -> Result<(), RpcError> {
        let option = updates::mode_of(options);
        let option = option.ok_or_else(|| bad_params("This session's agent has no modes."))?;
        self.set(id, option, mode, false, session, context)
    }

    /// Changes a setting.
    ///
    /// # Errors
    /// The error for the client.
    pub(super) fn set_option(
        &mut self,
        id: RpcId,
        params: &Value,
        options: &[AgentOption],
        session: &SessionId,
        context: &mut AcpContext<'_>,
    ) -> Result<(), RpcError> {
        let wanted = params.get("configId").and_then(Value::as_str).unwrap_or_default();
        let option = options.iter().find(|option| option.id == wanted);
        let option = option.ok_or_else(|| bad_params("`configId` must be one of the settings."))?;
        let value = match params.get("value") {
            Some(Value::String(value)) => value.clone(),
            Some(Value::Bool(value)) => value.to_string(),
            _ => return Err(bad_params("`value` must be one of the setting's values.")),
        };
        self.set(id, option, &value, true, session, context)
    }

    fn set(
        &mut self,
        id: RpcId,
        option: &AgentOption,
        value: &str,
        lists: bool,
        session: &SessionId,
        context: &mut AcpContext<'_>,
    ) -> Result<(), RpcError> {
        if !option.choices.iter().any(|choice| choice.value == value) {
            return Err(bad_params("The value must be one of the setting's values."));
        }
        let (option_id, value) = (option.id.clone(), value.to_owned());
        if option.value != value {
            let wanted = ConfigureAgent { option: option_id.clone(), value: value.clone() };
            let purpose = CallPurpose::Configure(session.clone(), id.clone());
            context.calls.send(purpose, configure(session, &wanted), context.out);
        }
        let until = context.now + PATIENCE;
        self.open.push(OpenSetting { id, option: option_id, value, lists, until });
        Ok(())
    }

    /// Takes the relay's refusal of a change.
    pub(super) fn refused(&mut self, id: &RpcId, error: RpcError, out: &mut AcpOutbox) {
        if let Some(place) = self.open.iter().position(|open| open.id == *id) {
            let refused = self.open.remove(place);
            out.refuse(&refused.id, error);
        }
    }

    /// Answers the changes that the agent has made, or has not made in time.
    pub(super) fn progress(&mut self, options: &[AgentOption], now: Time, out: &mut AcpOutbox) {
        self.open.retain(|open| {
            let option = options.iter().find(|option| option.id == open.option);
            let is_made = option.is_some_and(|option| option.value == open.value);
            if is_made && open.lists {
                let all = json!({ "configOptions": updates::config_options(options) });
                out.answer(&open.id, &Ok(all));
            } else if is_made {
                out.answer(&open.id, &Ok(json!({})));
            } else if now >= open.until {
                let message = "The agent has not confirmed the change yet.";
                out.refuse(&open.id, failure(INTERNAL_ERROR, "not_confirmed", message));
            } else {
                return true;
            }
            false
        });
    }

    /// Refuses all changes.
    pub(super) fn fail_all(&mut self, error: &RpcError, out: &mut AcpOutbox) {
        for open in self.open.drain(..) {
            out.refuse(&open.id, error.clone());
        }
    }

    /// Returns when to call [`SettingBook::progress`] at the latest.
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.open.iter().map(|open| open.until).min()
    }
}
