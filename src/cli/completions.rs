//! `facetui completions`: what a shell needs to complete the arguments, made from the arguments themselves.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::args::Arguments;
use super::output::say;

/// Prints the completions of a shell.
pub(super) fn completions(shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "facetui", &mut script);
    say(&String::from_utf8_lossy(&script));
}
