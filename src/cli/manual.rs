//! `facetui completions`, `man` and `keys`: what shells and readers of manuals need, made from the arguments and the keymap
//! themselves.

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::Man;

use super::args::Arguments;
use super::{Failure, say};

/// Prints the completions of a shell.
pub(super) fn completions(shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "facetui", &mut script);
    print(&script);
}

/// Prints the manual page: the program's, then one section for each of its commands.
pub(super) fn page() -> Result<(), Failure> {
    let mut page = Vec::new();
    let mut command = Arguments::command();
    command.build();
    let failed = |error: std::io::Error| Failure::Run(miette::miette!("the page cannot be made: {error}"));
    let man = Man::new(command.clone());
    man.render_title(&mut page).map_err(failed)?;
    man.render_name_section(&mut page).map_err(failed)?;
    man.render_synopsis_section(&mut page).map_err(failed)?;
    man.render_description_section(&mut page).map_err(failed)?;
    man.render_options_section(&mut page).map_err(failed)?;
    for part in command.get_subcommands().filter(|part| part.get_name() != "help") {
        let heading = format!("facetui {}", part.get_name()).to_uppercase();
        page.extend_from_slice(format!(".SH \"{heading}\"\n").as_bytes());
        let part = Man::new(part.clone().disable_help_flag(true));
        let mut sections = Vec::new();
        part.render_description_section(&mut sections).map_err(failed)?;
        part.render_synopsis_section(&mut sections).map_err(failed)?;
        part.render_options_section(&mut sections).map_err(failed)?;
        // Sections of a command are below its own heading.
        page.extend_from_slice(String::from_utf8_lossy(&sections).replace(".SH ", ".SS ").as_bytes());
    }
    print(&page);
    Ok(())
}

/// Prints the actions of the front end with their keys, for the settings.
pub(super) fn keys() {
    let actions = crate::tui::actions();
    let wide = |of: fn(&(String, String, &str)) -> usize| actions.iter().map(of).max().unwrap_or(0);
    let (names, keys) = (wide(|action| action.0.chars().count()), wide(|action| action.1.chars().count()));
    let line = |(name, key, help): &(String, String, &str)| format!("{name:names$}  {key:keys$}  {help}\n");
    say(&actions.iter().map(line).collect::<String>());
}

fn print(text: &[u8]) {
    say(&String::from_utf8_lossy(text));
}
