//! Why the program ends with another exit code than 0.

use super::exit_code::ExitCode;

/// Why the program ends with another exit code than 0.
pub enum Failure {
    /// A schedule or an argument is wrong: [`ExitCode::Usage`].
    Usage(miette::Report),
    /// Something failed: [`ExitCode::Failed`].
    Run(miette::Report),
    /// It was told already.
    Told(ExitCode),
}

impl Failure {
    /// `Ok` for [`ExitCode::Success`], what was told already for all others.
    pub(super) fn told(code: ExitCode) -> Result<(), Self> {
        if code == ExitCode::Success { Ok(()) } else { Err(Self::Told(code)) }
    }
}
