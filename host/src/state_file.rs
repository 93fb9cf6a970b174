//! Small files in the host's folder that keep settings as JSON.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::marker::PhantomData;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A file that keeps one value as JSON, and that only its owner can read.
#[derive(Debug)]
pub(crate) struct StateFile<T> {
    path: PathBuf,
    /// Held while the file is written, so that the last write has the last value.
    saving: Mutex<()>,
    value: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned + Default> StateFile<T> {
    /// Reads the file, of at most `bytes`. A missing file has the default value. So has a file that
    /// cannot be understood: it is renamed to end in `.broken`, and the log says so. Blocks.
    pub(crate) fn open(path: PathBuf, bytes: u64) -> (Self, T) {
        let value = match read(&path, bytes) {
            Ok(value) => value,
            Err(error) if error.kind() == io::ErrorKind::NotFound => T::default(),
            Err(error) => {
                set_aside(&path, &error);
                T::default()
            }
        };
        (Self { path, saving: Mutex::default(), value: PhantomData }, value)
    }

    /// Writes the file with what `value` returns: as a whole, or not at all. Blocks.
    ///
    /// # Errors
    /// The system's error; then the file is as before.
    pub(crate) fn save(&self, value: impl FnOnce() -> T) -> io::Result<()> {
        let _saving = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        let text = serde_json::to_vec_pretty(&value()).map_err(io::Error::other)?;
        let new = with_suffix(&self.path, ".new");
        let mut options = OpenOptions::new();
        let mut written = options.create(true).write(true).truncate(true).mode(0o600).open(&new)?;
        written.write_all(&text)?;
        written.sync_all()?;
        std::fs::rename(&new, &self.path)
    }
}

fn read<T: DeserializeOwned>(path: &Path, bytes: u64) -> io::Result<T> {
    let mut text = Vec::new();
    File::open(path)?.take(bytes + 1).read_to_end(&mut text)?;
    if text.len() as u64 > bytes {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the file is too large"));
    }
    Ok(serde_json::from_slice(&text)?)
}

fn set_aside(path: &Path, error: &io::Error) {
    let aside = with_suffix(path, ".broken");
    let moved = std::fs::rename(path, &aside);
    let (path, aside) = (path.display(), aside.display());
    match moved {
        Ok(()) => tracing::error!(%path, %error, "the file cannot be read; moved to {aside}"),
        Err(cannot) => tracing::error!(%path, %error, %cannot, "the file cannot be read"),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    type Numbers = BTreeMap<String, u32>;

    const BYTES: u64 = 1000;

    #[test]
    fn a_value_is_kept_for_the_next_process_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers.json");
        let (file, empty) = StateFile::<Numbers>::open(path.clone(), BYTES);
        assert_eq!(empty, Numbers::new());
        let numbers = Numbers::from([("a".to_owned(), 1)]);
        file.save(|| numbers.clone()).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(StateFile::<Numbers>::open(path, BYTES).1, numbers);
    }

    #[test]
    fn a_file_that_cannot_be_understood_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers.json");
        let broken = folder.path().join("numbers.json.broken");
        for text in ["", "{", "[1]", r#"{"a":"b"}"#] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(StateFile::<Numbers>::open(path.clone(), BYTES).1, Numbers::new());
            assert_eq!(std::fs::read_to_string(&broken).unwrap(), text);
            assert!(!path.exists());
        }
        File::create(&path).unwrap().set_len(BYTES + 1).unwrap();
        assert_eq!(StateFile::<Numbers>::open(path.clone(), BYTES).1, Numbers::new());
        assert!(!path.exists());
    }
}
