//! `facetui man`: the manual page, made from the arguments themselves.

use clap::CommandFactory as _;
use clap_mangen::Man;

use super::args::Arguments;
use super::failure::Failure;
use super::output::say;

/// Prints the manual page: the program's, then one section for each of its commands.
pub(super) fn man() -> Result<(), Failure> {
    let mut page = Vec::new();
    let mut command = Arguments::command();
    command.build();
    let failed = |error: std::io::Error| Failure::Run(miette::miette!("the manual page cannot be made: {error}"));
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
    say(&String::from_utf8_lossy(&page));
    Ok(())
}
