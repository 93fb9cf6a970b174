//! Archives in the format tar.

use tar::{Archive, Builder, EntryType, Header};

use super::{Member, Members};
use crate::api::ApiError;
use crate::workspace::SqlFailure;

/// Packs members.
pub(super) fn write(
    members: impl Iterator<Item = Result<Member, SqlFailure>>,
) -> Result<Vec<u8>, ApiError> {
    let mut builder = Builder::new(Vec::new());
    for member in members {
        let Member { path, mode, content } = member?;
        let mut header = Header::new_gnu();
        header.set_mode(mode);
        header.set_entry_type(match content {
            Some(_) => EntryType::Regular,
            None => EntryType::Directory,
        });
        let content = content.unwrap_or_default();
        header.set_size(content.len() as u64);
        let added = builder.append_data(&mut header, path.as_str(), &content[..]);
        added.map_err(|error| ApiError::internal(&error))?;
    }
    builder.into_inner().map_err(|error| ApiError::internal(&error))
}

/// Unpacks the files and directories of an archive. Links and devices are left out.
pub(super) fn read(archive: &[u8]) -> Result<Vec<Member>, ApiError> {
    let mut members = Members::default();
    let mut archive = Archive::new(archive);
    for entry in archive.entries().map_err(ApiError::bad_archive)? {
        let mut entry = entry.map_err(ApiError::bad_archive)?;
        let name = entry.path_bytes().into_owned();
        let name = String::from_utf8(name).map_err(|_| ApiError::path_invalid())?;
        let mode = entry.header().mode().ok();
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {
                members.add(&name, mode, Some(&mut entry))?;
            }
            EntryType::Directory => members.add(&name, mode, None)?,
            _ => {}
        }
    }
    Ok(members.all)
}
