//! The templates of a host's pods.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use moorline_shared::failure::HostFailure;
use moorline_shared::limits::POD_TEMPLATES;
use moorline_shared::pod::PodTemplate;
use serde::{Deserialize, Serialize};

use super::error::ClusterError;
use crate::clock::random_bits;
use crate::state_file::StateFile;

/// The file of the templates, in the host's folder.
const FILE: &str = "pods.json";
/// The most bytes of that file.
const FILE_BYTES: u64 = 4 * 1024 * 1024;
/// The name of the template that every host has.
const DEFAULT: &str = "default";

/// The templates of a host's pods, and the name by which it knows its own pods.
#[derive(Debug)]
pub(super) struct PodTemplates {
    file: Option<StateFile<StoredTemplates>>,
    stored: Mutex<StoredTemplates>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct StoredTemplates {
    /// A random word; empty until it is drawn.
    installation: String,
    templates: Vec<PodTemplate>,
}

impl PodTemplates {
    /// Reads the templates from the host's folder. A host without one forgets them. Blocks.
    pub(super) fn open(folder: Option<&Path>) -> Self {
        let opened = folder.map(|folder| StateFile::open(folder.join(FILE), FILE_BYTES));
        let (file, mut stored): (_, StoredTemplates) = match opened {
            Some((file, stored)) => (Some(file), stored),
            None => (None, StoredTemplates::default()),
        };
        stored.templates.retain(|template| template.check().is_ok());
        Self { file, stored: Mutex::new(stored) }
    }

    /// Returns the word by which this host knows its own pods. Blocks when it is drawn.
    pub(super) fn installation(&self) -> String {
        let mut stored = self.stored();
        if stored.installation.is_empty() {
            stored.installation = format!("{:026x}", random_bits() >> 24);
            let value = stored.clone();
            drop(stored);
            if let Err(error) = self.save(value) {
                tracing::error!(%error, "pods will not be recognised after a restart");
            }
            stored = self.stored();
        }
        stored.installation.clone()
    }

    /// Returns all templates, the default one first.
    pub(super) fn list(&self) -> Vec<PodTemplate> {
        let stored = self.stored();
        let default = stored.templates.iter().find(|it| it.name == DEFAULT).cloned();
        let default = default
            .unwrap_or_else(|| PodTemplate { name: DEFAULT.to_owned(), ..PodTemplate::default() });
        let others = stored.templates.iter().filter(|it| it.name != DEFAULT).cloned();
        std::iter::once(default).chain(others).collect()
    }

    /// Returns the template of this name; the default one if it is `None`.
    ///
    /// # Errors
    /// [`ClusterError::NoTemplate`].
    pub(super) fn find(&self, name: Option<&str>) -> Result<PodTemplate, ClusterError> {
        let name = name.unwrap_or(DEFAULT);
        let found = self.list().into_iter().find(|template| template.name == name);
        found.ok_or_else(|| ClusterError::NoTemplate(name.to_owned()))
    }

    /// Stores a template, instead of one of the same name. Blocks.
    ///
    /// # Errors
    /// A failure with the code `bad_request`, `overloaded` or `internal`.
    pub(super) fn put(&self, template: PodTemplate) -> Result<(), HostFailure> {
        let refused =
            |error: &dyn std::fmt::Display| HostFailure::new("bad_request", error.to_string());
        template.check().map_err(|error| refused(&error))?;
        self.change(|templates| {
            templates.retain(|other| other.name != template.name);
            if templates.len() >= POD_TEMPLATES {
                let message = format!("A host has at most {POD_TEMPLATES} templates: remove one.");
                return Err(HostFailure::new("overloaded", message));
            }
            templates.push(template);
            Ok(())
        })
    }

    /// Removes a template. The default one is then as it was at first. Blocks.
    ///
    /// # Errors
    /// A failure with the code `no_such_template` or `internal`.
    pub(super) fn remove(&self, name: &str) -> Result<(), HostFailure> {
        self.change(|templates| {
            let before = templates.len();
            templates.retain(|template| template.name != name);
            if templates.len() == before && name != DEFAULT {
                return Err(ClusterError::NoTemplate(name.to_owned()).into());
            }
            Ok(())
        })
    }

    fn change(
        &self,
        change: impl FnOnce(&mut Vec<PodTemplate>) -> Result<(), HostFailure>,
    ) -> Result<(), HostFailure> {
        let mut stored = self.stored();
        let mut changed = stored.clone();
        change(&mut changed.templates)?;
        *stored = changed.clone();
        drop(stored);
        self.save(changed).map_err(|error| HostFailure::new("internal", error.to_string()))
    }

    fn save(&self, value: StoredTemplates) -> std::io::Result<()> {
        self.file.as_ref().map_or(Ok(()), |file| file.save(|| value))
    }

    fn stored(&self) -> MutexGuard<'_, StoredTemplates> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let templates = PodTemplates::open(Some(folder.path()));
        assert_eq!(templates.find(None).unwrap().image, "debian:stable-slim");
        let installation = templates.installation();
        assert_eq!(installation.len(), 26);
        let small = PodTemplate { name: "small".into(), ..PodTemplate::default() };
        templates.put(small.clone()).unwrap();
        let changed = PodTemplate { image: "busybox".into(), ..small };
        templates.put(changed).unwrap();
        let reopened = PodTemplates::open(Some(folder.path()));
        assert_eq!(reopened.installation(), installation);
        let names: Vec<_> = reopened.list().into_iter().map(|it| (it.name, it.image)).collect();
        let default = ("default".to_owned(), "debian:stable-slim".to_owned());
        assert_eq!(names, [default, ("small".to_owned(), "busybox".to_owned())]);
        reopened.remove("small").unwrap();
        assert_eq!(reopened.remove("small").unwrap_err().code, "no_such_template");
        assert!(matches!(reopened.find(Some("small")), Err(ClusterError::NoTemplate(_))));
    }
}
