//! What a session is called, and where it belongs.

use moorline_shared::control::Hosted;
use moorline_shared::id::ProjectId;

use super::Session;
use crate::record;

impl Session {
    /// Takes over what the host says about the session that it has started.
    pub fn started(&mut self, hosted: &Hosted) {
        self.record.cwd = Some(hosted.cwd.clone());
        self.record.driver.clone_from(&hosted.facts.driver);
        self.record.command.clone_from(&hosted.facts.command);
        self.name_changed();
    }

    /// Renames the session; without a name it is called by its program.
    pub fn rename(&mut self, name: Option<String>) {
        self.record.name = name;
        self.name_changed();
    }

    /// Moves the session to a project, or out of any.
    pub fn move_to(&mut self, project: Option<ProjectId>) {
        self.record.project = project;
        self.storing.changed();
    }

    fn name_changed(&mut self) {
        self.name = record::name(&self.record);
        self.revision += 1;
        self.storing.changed();
    }
}
