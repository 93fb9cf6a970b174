//! The files that an agent asks the host to read and write.

use std::path::{Path, PathBuf};

use super::acp::{ServiceAnswer, ServiceRequest};
use super::rpc::{INTERNAL_ERROR, INVALID_PARAMS, NOT_FOUND, RpcError};
use crate::operations::{Folder, TextFileError, read_text, write_text};

/// The folders that an agent may work in. Symbolic links within them are not followed.
#[derive(Debug, Clone)]
pub(super) struct AgentFolders(pub(super) Vec<PathBuf>);

impl AgentFolders {
    /// Does a request for a file. May block.
    ///
    /// # Errors
    /// The error to answer with.
    pub(super) fn serve(&self, request: &ServiceRequest) -> Result<ServiceAnswer, RpcError> {
        match request {
            ServiceRequest::ReadFile { path, line, limit } => {
                let text = self.try_each(path, |folder| read_text(folder, path))?;
                Ok(ServiceAnswer::Content(lines(text, *line, *limit)))
            }
            ServiceRequest::WriteFile { path, content } => {
                self.try_each(path, |folder| write_text(folder, path, content))?;
                Ok(ServiceAnswer::Done)
            }
            _ => Err(RpcError::new(INTERNAL_ERROR, "This is not a request for a file.")),
        }
    }

    /// Returns true if a folder is one of these, or is in one of them.
    pub(super) fn contain(&self, folder: &Path) -> bool {
        let Ok(resolved) = folder.canonicalize() else { return false };
        let mut folders = self.0.iter().filter_map(|folder| folder.canonicalize().ok());
        folders.any(|folder| resolved.starts_with(folder))
    }

    /// Does something in the folder that a path is in.
    fn try_each<T>(
        &self,
        path: &Path,
        mut work: impl FnMut(&Path) -> Result<T, TextFileError>,
    ) -> Result<T, RpcError> {
        if !path.is_absolute() {
            return Err(RpcError::new(INVALID_PARAMS, "The path is not absolute."));
        }
        for folder in &self.0 {
            match work(folder) {
                Err(TextFileError::Outside) => {}
                done => return done.map_err(|error| answer(&error)),
            }
        }
        Err(answer(&TextFileError::Outside))
    }
}

/// Returns the first of these files of a prompt that is a symbolic link or behind one, beneath
/// `folder`. Files that do not exist count as none. Blocks as long as the file system does.
pub(super) fn linked_file(folder: &Path, files: &[String]) -> Option<String> {
    if files.is_empty() {
        return None;
    }
    let folder = Folder::open(folder).ok()?;
    let is_linked = |file: &&String| folder.path_of(file).is_ok_and(|path| folder.has_link(&path));
    files.iter().find(is_linked).cloned()
}

fn answer(error: &TextFileError) -> RpcError {
    let code = match error {
        TextFileError::Outside => INVALID_PARAMS,
        TextFileError::NotFound => NOT_FOUND,
        TextFileError::Refused(_) => INTERNAL_ERROR,
    };
    RpcError::new(code, error.to_string())
}

/// Returns `limit` lines of a text from `line`, which counts from 1.
fn lines(text: String, line: Option<u64>, limit: Option<u64>) -> String {
    if line.is_none_or(|line| line <= 1) && limit.is_none() {
        return text;
    }
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let skipped = number(line.unwrap_or(1).saturating_sub(1));
    let taken = limit.map_or(usize::MAX, number);
    text.split_inclusive('\n').skip(skipped).take(taken).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: PathBuf) -> ServiceRequest {
        ServiceRequest::ReadFile { path, line: None, limit: None }
    }

    #[test]
    fn files_are_reached_within_the_folders_only() {
        let home = tempfile::tempdir().unwrap();
        let (work, other, outside) =
            (home.path().join("work"), home.path().join("other"), home.path().join("outside"));
        for folder in [&work, &other, &outside] {
            std::fs::create_dir(folder).unwrap();
        }
        std::fs::write(outside.join("secret"), "key").unwrap();
        std::os::unix::fs::symlink(&outside, work.join("link")).unwrap();
        std::os::unix::fs::symlink(outside.join("secret"), work.join("file")).unwrap();
        let folders = AgentFolders(vec![work.clone(), other.clone()]);

        let path = other.join("new/notes.txt");
        let write = ServiceRequest::WriteFile { path: path.clone(), content: "a\nb\n".into() };
        assert_eq!(folders.serve(&write), Ok(ServiceAnswer::Done));
        let content = ServiceAnswer::Content("a\nb\n".into());
        assert_eq!(folders.serve(&read(path.clone())), Ok(content));
        let second = ServiceRequest::ReadFile { path, line: Some(2), limit: Some(5) };
        assert_eq!(folders.serve(&second), Ok(ServiceAnswer::Content("b\n".into())));

        let code = |path: PathBuf| folders.serve(&read(path)).unwrap_err().code;
        assert_eq!(code(outside.join("secret")), INVALID_PARAMS);
        assert_eq!(code(work.join("../outside/secret")), INVALID_PARAMS);
        assert_eq!(code("relative".into()), INVALID_PARAMS);
        assert_eq!(code(work.join("link/secret")), INTERNAL_ERROR);
        assert_eq!(code(work.join("file")), INTERNAL_ERROR);
        assert_eq!(code(work.join("missing")), NOT_FOUND);
        assert_eq!(code(work.join("no/such/folder")), NOT_FOUND);
        let through = ServiceRequest::WriteFile { path: work.join("link/x"), content: "".into() };
        assert!(folders.serve(&through).is_err() && !outside.join("x").exists());
        assert!(folders.contain(&work) && !folders.contain(&work.join("link")));
    }

    #[test]
    fn a_file_of_a_prompt_is_no_link() {
        let home = tempfile::tempdir().unwrap();
        let (work, outside) = (home.path().join("work"), home.path().join("outside"));
        for folder in [&work, &outside] {
            std::fs::create_dir(folder).unwrap();
            std::fs::write(folder.join("file"), "text").unwrap();
        }
        std::os::unix::fs::symlink(&outside, work.join("folder")).unwrap();
        std::os::unix::fs::symlink("file", work.join("near")).unwrap();
        std::os::unix::fs::symlink(&work, home.path().join("shortcut")).unwrap();
        let whole = work.join("near").to_string_lossy().into_owned();
        for (files, linked) in [
            (vec!["file", "new", "new/file", "../outside/file", ""], None),
            (vec!["file", "near"], Some("near")),
            (vec!["folder/file", "near"], Some("folder/file")),
            (vec!["./folder"], Some("./folder")),
            (vec![&*whole], Some(&*whole)),
        ] {
            let files: Vec<_> = files.into_iter().map(str::to_owned).collect();
            for folder in [&work, &home.path().join("shortcut")] {
                assert_eq!(linked_file(folder, &files).as_deref(), linked, "{files:?}");
            }
        }
    }

    #[test]
    fn a_part_of_a_file_is_some_lines() {
        let part = |line, limit| lines("1\n2\n3".into(), line, limit);
        assert_eq!(part(None, None), "1\n2\n3");
        assert_eq!(part(Some(2), None), "2\n3");
        assert_eq!(part(None, Some(1)), "1\n");
        assert_eq!(part(Some(9), Some(u64::MAX)), "");
        assert_eq!(part(Some(0), Some(1)), "1\n");
    }
}
