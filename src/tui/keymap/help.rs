//! The lines of the help: the bindings, by where their keys work.

use super::{Keymap, Scope, key_names};

/// The parts of the help.
const PARTS: [(&str, Scope); 8] = [
    ("while a run is trained", Scope::Live),
    ("charts and panes", Scope::Run),
    ("table of bins", Scope::Bins),
    ("open bin", Scope::BinView),
    ("history", Scope::History),
    ("everywhere", Scope::Everywhere),
    ("always", Scope::Always),
    ("quit dialog", Scope::Quit),
];

/// One line: a heading, or keys and what they do.
pub(in crate::tui) enum HelpLine {
    Heading(&'static str),
    Keys(String, &'static str),
    Blank,
}

/// All lines.
pub(in crate::tui) fn help_lines(keys: &Keymap) -> Vec<HelpLine> {
    let mut lines = Vec::new();
    for (at, (heading, scope)) in PARTS.into_iter().enumerate() {
        if at > 0 {
            lines.push(HelpLine::Blank);
        }
        lines.push(HelpLine::Heading(heading));
        let explained = keys.in_scope(scope).filter(|binding| !binding.help.is_empty());
        lines.extend(explained.map(|binding| HelpLine::Keys(key_names(binding), binding.help)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::format::width;

    /// The columns of the help's window that its texts have.
    const ROOM: usize = 50;

    #[test]
    fn every_line_fits_into_the_window() {
        for line in help_lines(&Keymap::default()) {
            if let HelpLine::Keys(keys, help) = line {
                assert!(width(help) <= ROOM && width(&keys) <= 16, "{keys}: {help}");
            }
        }
    }
}
