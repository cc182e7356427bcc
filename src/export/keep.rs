//! A file is written under a temporary name, checked, and only then put in its place.

use std::path::Path;

use super::error::ExportError;
use crate::checkpoint::CheckpointError;
use crate::checkpoint::atomic::write_atomically;

/// Has `fill` write and check a temporary file, then puts it in its place. Returns its length and what `fill` says.
pub(super) fn keep<T>(
    output: &Path,
    fill: impl FnOnce(&Path) -> Result<T, ExportError>,
) -> Result<(u64, T), ExportError> {
    let mut said = None;
    let mut failure = None;
    let written = write_atomically(output, |temporary| match fill(temporary) {
        Ok(result) => {
            said = Some(result);
            Ok(())
        }
        Err(error) => {
            failure = Some(error);
            Err(CheckpointError::Write { path: output.to_path_buf(), reason: "it was not filled".to_owned() })
        }
    });
    match (written, failure, said) {
        (_, Some(error), _) => Err(error),
        (Err(error), ..) => Err(error.into()),
        (Ok(bytes), None, Some(said)) => Ok((bytes, said)),
        (Ok(_), None, None) => Err(check_failed(output, "nothing was written")),
    }
}

pub(super) fn check_failed(output: &Path, reason: impl Into<String>) -> ExportError {
    ExportError::Check { path: output.to_path_buf(), reason: reason.into() }
}
