//! The settings of the agent: what it offers, and what users have chosen.

use moorline_shared::event::AgentConfig;
use serde::{Deserialize, Serialize};

use super::fit::fit_config;
use super::outbox::Outbox;
use crate::driver::agent::acp::{OfferedOption, OptionSetter};

/// Most settings of one agent.
const OPTIONS: usize = 64;
/// Most choices that are kept for when the agent runs again.
const CHOSEN: usize = 32;

/// The settings of the agent.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct SettingBoard {
    offered: Vec<OfferedOption>,
    /// The values that were chosen, by the setting's id or its category. They are set again after
    /// the agent was loaded again.
    chosen: Vec<(String, String)>,
}

impl SettingBoard {
    /// Creates the settings with what was chosen before the agent was started.
    pub(super) fn new(mode: Option<&String>, model: Option<&String>) -> Self {
        let chosen = [("mode", mode), ("model", model)];
        let chosen =
            chosen.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.clone())));
        Self { offered: Vec::new(), chosen: chosen.collect() }
    }

    /// Replaces all settings by what the agent reports.
    pub(super) fn replace(&mut self, mut offered: Vec<OfferedOption>, out: &mut Outbox) {
        offered.truncate(OPTIONS);
        if self.offered != offered {
            self.offered = offered;
            self.report(out);
        }
    }

    /// Records the value that a setting has now.
    pub(super) fn record(&mut self, id: &str, value: &str, out: &mut Outbox) {
        let mut options = self.offered.iter_mut().map(|offered| &mut offered.option);
        if let Some(option) = options.find(|option| option.id == id)
            && option.value != value
        {
            value.clone_into(&mut option.value);
            self.report(out);
        }
    }

    /// Records the mode that the agent is in now.
    pub(super) fn record_mode(&mut self, value: &str, out: &mut Outbox) {
        let mode = self.find("mode").map(|offered| offered.option.id.clone());
        if let Some(id) = mode {
            self.record(&id, value, out);
        }
    }

    fn report(&self, out: &mut Outbox) {
        let options = self.offered.iter().map(|offered| offered.option.clone()).collect();
        let mut config = AgentConfig { options };
        let is_cut = fit_config(&mut config);
        out.event_cut(&config, is_cut);
    }

    /// Returns the setting with this id, or else of this category.
    fn find(&self, name: &str) -> Option<&OfferedOption> {
        let by_id = self.offered.iter().find(|offered| offered.option.id == name);
        by_id.or_else(|| {
            let mut options = self.offered.iter();
            options.find(|offered| offered.option.category.as_deref() == Some(name))
        })
    }

    /// Records what a user has chosen.
    pub(super) fn choose(&mut self, id: &str, value: &str) {
        // The choice replaces the one that was made by category.
        let category = self.find(id).and_then(|offered| offered.option.category.clone());
        self.chosen.retain(|(name, _)| name != id && Some(name) != category.as_ref());
        self.chosen.push((id.to_owned(), value.to_owned()));
        if self.chosen.len() > CHOSEN {
            self.chosen.remove(0);
        }
    }

    /// Returns the settings that differ from what was chosen, with their new values, and the names
    /// of those whose value the agent does not offer, which are forgotten.
    pub(super) fn due(&mut self) -> (Vec<(OfferedOption, String)>, Vec<String>) {
        let (mut due, mut refused) = (Vec::new(), Vec::new());
        let mut chosen = std::mem::take(&mut self.chosen);
        chosen.retain(|(name, value)| {
            let offered = self.find(name).filter(|offered| offers(offered, value));
            match offered {
                Some(offered) if offered.option.value != *value => {
                    due.push((offered.clone(), value.clone()));
                }
                Some(_) => {}
                None => refused.push(format!("{name}: {value}")),
            }
            offered.is_some()
        });
        self.chosen = chosen;
        (due, refused)
    }

    /// Returns a setting that can have this value.
    pub(super) fn settable(&self, id: &str, value: &str) -> Option<OfferedOption> {
        self.find(id).filter(|offered| offers(offered, value)).cloned()
    }
}

fn offers(offered: &OfferedOption, value: &str) -> bool {
    let choices = &offered.option.choices;
    // Some agents take models that they do not list.
    let is_open = choices.is_empty() && offered.setter != OptionSetter::Switch;
    is_open || choices.iter().any(|choice| choice.value == value)
}
