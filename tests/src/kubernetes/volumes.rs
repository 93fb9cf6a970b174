//! Volumes of the fake cluster: folders of this machine that stand at the places where containers
//! expect their mounts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::json::{list, text};

/// The folders of all volumes.
#[derive(Debug)]
pub(super) struct VolumeFolders {
    root: PathBuf,
}

/// Where a container's mounts really are. Replaces the paths in what the container is told.
#[derive(Debug, Clone, Default)]
pub(super) struct MountTable {
    /// Path in the container and folder of this machine, the longest path first.
    mounts: Vec<(String, String)>,
}

impl VolumeFolders {
    pub(super) const fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The folder of a claim: kept until the claim is deleted.
    pub(super) fn of_claim(&self, uid: &str) -> PathBuf {
        self.root.join("c").join(short(uid))
    }

    /// The folder of a pod: its own volumes, its logs, and the folder that its processes start in.
    pub(super) fn of_pod(&self, uid: &str) -> PathBuf {
        self.root.join("p").join(short(uid))
    }

    pub(super) fn remove_claim(&self, uid: &str) {
        // It is not there if no pod has used it. Anything else is removed with the cluster.
        _ = fs::remove_dir_all(self.of_claim(uid));
    }

    pub(super) fn remove_pod(&self, uid: &str) {
        _ = fs::remove_dir_all(self.of_pod(uid));
    }

    /// Makes the folders of a pod, and returns the mounts of one of its containers. `claim` returns
    /// the uid of a claim by its name.
    ///
    /// # Errors
    /// If a folder cannot be made.
    pub(super) fn mount(
        &self,
        pod: &Value,
        container: &Value,
        claim: impl Fn(&str) -> Option<String>,
    ) -> io::Result<MountTable> {
        let pod_folder = self.of_pod(text(&pod["metadata"]["uid"]));
        fs::create_dir_all(pod_folder.join("work"))?;
        let mut mounts = Vec::new();
        for mount in list(&container["volumeMounts"]) {
            let name = text(&mount["name"]);
            let volume = list(&pod["spec"]["volumes"]).iter().find(|volume| volume["name"] == name);
            let claim_name =
                volume.map(|volume| text(&volume["persistentVolumeClaim"]["claimName"]));
            let folder = match claim_name.filter(|name| !name.is_empty()).and_then(&claim) {
                Some(uid) => self.of_claim(&uid),
                None => pod_folder.join("v").join(name),
            };
            let folder = match text(&mount["subPath"]).trim_start_matches('/') {
                "" => folder,
                part => folder.join(part),
            };
            fs::create_dir_all(&folder)?;
            let path = text(&mount["mountPath"]).trim_end_matches('/');
            mounts.push((path.to_owned(), folder.to_string_lossy().into_owned()));
        }
        Ok(MountTable::new(mounts))
    }
}

impl MountTable {
    fn new(mut mounts: Vec<(String, String)>) -> Self {
        mounts.retain(|(path, _)| !path.is_empty());
        mounts.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        Self { mounts }
    }

    /// Replaces each path of a mount by its folder. A path counts only as a whole: not `/work` in
    /// `/home/work`, in `$HOME/work` or in `/workspace`.
    pub(super) fn translate(&self, told: &str) -> String {
        let mut translated = String::with_capacity(told.len());
        let mut rest = told;
        while let Some(character) = rest.chars().next() {
            let here = if character == '/' && !continues_path(&told[..told.len() - rest.len()]) {
                self.mounts.iter().find(|(path, _)| begins_with_path(rest, path))
            } else {
                None
            };
            if let Some((path, folder)) = here {
                translated.push_str(folder);
                rest = &rest[path.len()..];
            } else {
                translated.push(character);
                rest = &rest[character.len_utf8()..];
            }
        }
        translated
    }
}

/// The part of a uid that folders are named by: the path of a socket may have 107 bytes only, and
/// programs put sockets into their volumes.
fn short(uid: &str) -> &str {
    uid.get(..13).unwrap_or(uid)
}

/// The folder of one of a pod's containers' logs.
pub(super) fn log_file(pod_folder: &Path, container: &str) -> PathBuf {
    pod_folder.join(format!("{container}.log"))
}

fn is_of_path(character: char) -> bool {
    character.is_alphanumeric() || "._-".contains(character)
}

fn begins_with_path(text: &str, path: &str) -> bool {
    text.strip_prefix(path).is_some_and(|rest| !rest.starts_with(is_of_path))
}

/// Returns whether a slash after this text is within a path that began before.
fn continues_path(before: &str) -> bool {
    let path = before.trim_end_matches(is_of_path);
    path.ends_with(['/', '$', '}', '~'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_is_replaced_where_it_stands_as_a_whole() {
        let mounts = [("/work", "/tmp/w"), ("/work/deep", "/tmp/d"), ("/tmp", "/real/tmp")];
        let mounts = mounts.map(|(path, folder)| (path.to_owned(), folder.to_owned()));
        let table = MountTable::new(mounts.into());
        for (told, expected) in [
            ("/work", "/tmp/w"),
            ("cd /work/a && ls /work/deep/b", "cd /tmp/w/a && ls /tmp/d/b"),
            (
                "PATH=/bin:/work/bin -C/work --to=/tmp",
                "PATH=/bin:/tmp/w/bin -C/tmp/w --to=/real/tmp",
            ),
            ("/home/work /workspace $HOME/work ~/work", "/home/work /workspace $HOME/work ~/work"),
            ("'/work';/work", "'/tmp/w';/tmp/w"),
            ("ü/work", "ü/tmp/w"),
        ] {
            assert_eq!(table.translate(told), expected);
        }
    }
}
