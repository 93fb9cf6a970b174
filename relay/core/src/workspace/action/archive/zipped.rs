//! Archives in the format zip.

use std::io::{Cursor, Write as _};

use bytes::Bytes;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::{Member, Members};
use crate::api::ApiError;
use crate::workspace::SqlFailure;

/// Packs members.
pub(super) fn write(
    members: impl Iterator<Item = Result<Member, SqlFailure>>,
) -> Result<Vec<u8>, ApiError> {
    let failed = |error: &dyn std::fmt::Display| ApiError::internal(error);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for member in members {
        let Member { path, mode, content } = member?;
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .unix_permissions(mode);
        match content {
            Some(content) => {
                writer.start_file(path.as_str(), options).map_err(|error| failed(&error))?;
                writer.write_all(&content).map_err(|error| failed(&error))?;
            }
            None => {
                writer.add_directory(path.as_str(), options).map_err(|error| failed(&error))?;
            }
        }
    }
    Ok(writer.finish().map_err(|error| failed(&error))?.into_inner())
}

/// Unpacks the files and directories of an archive. Links are left out.
pub(super) fn read(archive: Bytes) -> Result<Vec<Member>, ApiError> {
    let mut members = Members::default();
    let mut archive = ZipArchive::new(Cursor::new(archive)).map_err(ApiError::bad_archive)?;
    for number in 0..archive.len() {
        let mut file = archive.by_index(number).map_err(ApiError::bad_archive)?;
        let name = file.name().map_err(ApiError::bad_archive)?.into_owned();
        let mode = file.unix_mode();
        if file.is_symlink() {
            continue;
        }
        if file.is_dir() {
            members.add(&name, mode, None)?;
        } else {
            members.add(&name, mode, Some(&mut file))?;
        }
    }
    Ok(members.all)
}
