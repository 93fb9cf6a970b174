//! What a browser downloads before the first screen.

use anyhow::{Context as _, Result, bail};
use brotli::enc::BrotliEncoderParams;
use walkdir::WalkDir;

use crate::progress;
use crate::workspace::Workspace;

/// Everything in `dist/`, compressed as the relay does.
const FIRST_LOAD_BYTES: u64 = 350 * 1024;

/// Compares the size of `dist/` with its budget.
///
/// # Errors
/// Where it is over budget, or empty.
pub(crate) fn check(workspace: &Workspace) -> Result<String> {
    let mut sizes = Vec::new();
    for entry in WalkDir::new(workspace.dist()).sort_by_file_name() {
        let entry = entry.context("can't read dist/")?;
        if entry.file_type().is_file() {
            let size = compressed(&std::fs::read(entry.path())?)?;
            sizes.push((size, entry.file_name().to_string_lossy().into_owned()));
        }
    }
    sizes.sort_unstable_by(|one, other| other.cmp(one));
    verdict(&sizes)
}

fn compressed(content: &[u8]) -> Result<u64> {
    let mut output = Vec::new();
    brotli::BrotliCompress(&mut &content[..], &mut output, &BrotliEncoderParams::default())?;
    Ok(output.len() as u64)
}

fn verdict(sizes: &[(u64, String)]) -> Result<String> {
    let total: u64 = sizes.iter().map(|(size, _)| size).sum();
    if total == 0 {
        bail!("dist/ is empty");
    }
    let summary = format!(
        "first load {} KiB of {} KiB (brotli)",
        total.div_ceil(1024),
        FIRST_LOAD_BYTES / 1024
    );
    if total <= FIRST_LOAD_BYTES {
        return Ok(summary);
    }
    for (size, name) in sizes {
        progress::line(&format!("  {:>5} KiB  {name}", size.div_ceil(1024)));
    }
    bail!("{summary}: over budget");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_for_all_files_together() {
        let file = |size| (size, "a".to_owned());
        assert!(verdict(&[file(FIRST_LOAD_BYTES - 1), file(1)]).is_ok());
        assert!(verdict(&[file(FIRST_LOAD_BYTES), file(1)]).is_err());
        assert!(verdict(&[]).is_err());
    }

    #[test]
    fn what_repeats_is_compressed() {
        assert!(compressed(&[7; 10_000]).unwrap() < 100);
    }
}
