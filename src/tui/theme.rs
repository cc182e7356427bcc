//! The look, decided once: colours, modifiers and glyphs for this terminal.
//!
//! Only the terminal's own sixteen colours are named, so that its theme keeps deciding how they look on a light or a
//! dark ground, and nothing depends on colour alone: every state also has a word or a mark. `NO_COLOR` leaves bold, dim
//! and reversed text; a locale without UTF-8 leaves ASCII.

use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::border;

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// Colours may be used.
    pub color: bool,
    /// Box drawing, blocks and braille may be used.
    pub unicode: bool,
    /// The ground is known to be light.
    pub light: bool,
}

impl Abilities {
    /// Asks the environment: `NO_COLOR`, `TERM`, `COLORFGBG`, `LC_ALL`/`LC_CTYPE`/`LANG`.
    pub fn detect() -> Self {
        Self::from(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    /// The same, from any source of variables.
    fn from(get: impl Fn(&str) -> Option<String>) -> Self {
        let term = get("TERM").unwrap_or_default();
        let locale = get("LC_ALL").or_else(|| get("LC_CTYPE")).or_else(|| get("LANG")).unwrap_or_default();
        let locale = locale.to_ascii_lowercase();
        let ground = get("COLORFGBG").and_then(|value| value.rsplit(';').next().map(str::to_owned));
        Self {
            color: get("NO_COLOR").is_none() && term != "dumb" && !term.ends_with("-mono") && term != "vt100",
            // The Linux console has UTF-8 but neither braille nor rounded corners in its fonts.
            unicode: (locale.contains("utf-8") || locale.contains("utf8")) && term != "linux" && term != "dumb",
            light: matches!(ground.as_deref(), Some("7" | "15")),
        }
    }
}

/// The glyphs that have a plain twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Glyphs {
    pub(super) unicode: bool,
    pub(super) done: &'static str,
    pub(super) current: &'static str,
    pub(super) to_come: &'static str,
    pub(super) failed: &'static str,
    pub(super) halted: &'static str,
    pub(super) selected: &'static str,
    pub(super) up: &'static str,
    pub(super) down: &'static str,
    pub(super) dot: &'static str,
    pub(super) plus_minus: &'static str,
    pub(super) ellipsis: char,
    pub(super) bar: [char; 9],
    pub(super) strokes: [&'static str; 3],
    pub(super) arrows: &'static str,
}

const UNICODE: Glyphs = Glyphs {
    unicode: true,
    done: "✓",
    current: "▸",
    to_come: "·",
    failed: "✗",
    halted: "▪",
    selected: "▸",
    up: "▴",
    down: "▾",
    dot: "·",
    plus_minus: "±",
    ellipsis: '…',
    bar: ['░', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'],
    strokes: ["──", "╌╌", "┈┈"],
    arrows: "↑↓",
};

const ASCII: Glyphs = Glyphs {
    unicode: false,
    done: "+",
    current: ">",
    to_come: ".",
    failed: "!",
    halted: "#",
    selected: ">",
    up: "^",
    down: "v",
    dot: "-",
    plus_minus: "+-",
    ellipsis: '~',
    bar: ['.', '.', '.', '.', '.', '#', '#', '#', '#'],
    strokes: ["--", "- ", ".."],
    arrows: "up/down",
};

/// Frames of plain ASCII.
const ASCII_BORDER: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

/// Every style the panes use. They ask for a role, never for a colour.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Styles {
    pub(super) glyphs: Glyphs,
    pub(super) border_set: border::Set<'static>,
    /// Plain text.
    pub(super) text: Style,
    /// Labels and what is less important.
    pub(super) dim: Style,
    /// What matters most.
    pub(super) strong: Style,
    /// Titles of panes.
    pub(super) title: Style,
    /// The frame of a pane.
    pub(super) border: Style,
    /// The frame of the focused pane.
    pub(super) border_focused: Style,
    /// The open tab, the selected row.
    pub(super) selected: Style,
    /// Names of keys.
    pub(super) key: Style,
    /// Good news.
    pub(super) good: Style,
    /// Something to look at.
    pub(super) warning: Style,
    /// Something went wrong.
    pub(super) bad: Style,
    /// What is happening now.
    pub(super) active: Style,
    /// Filled part of a bar.
    pub(super) bar: Style,
    /// Curves, in order.
    pub(super) series: [Color; 6],
    /// Raw values behind a smoothed curve, and borders of stages.
    pub(super) ghost: Color,
}

impl Styles {
    pub(super) fn new(abilities: Abilities) -> Self {
        let plain = Style::new();
        let paint = |color: Color| if abilities.color { plain.fg(color) } else { plain };
        let strongly = |color: Color| paint(color).add_modifier(Modifier::BOLD);
        // Yellow and cyan vanish on white, dark blue on black.
        let (accent, notice) = if abilities.light { (Color::Blue, Color::Red) } else { (Color::Cyan, Color::Yellow) };
        let series = match (abilities.color, abilities.light) {
            (false, _) => [Color::Reset; 6],
            (true, true) => [Color::Blue, Color::Red, Color::Green, Color::Magenta, Color::Cyan, Color::Black],
            (true, false) => [Color::Cyan, Color::Yellow, Color::Green, Color::Magenta, Color::Blue, Color::Red],
        };
        let dim = if abilities.color { paint(Color::DarkGray) } else { plain.add_modifier(Modifier::DIM) };
        Self {
            glyphs: if abilities.unicode { UNICODE } else { ASCII },
            border_set: if abilities.unicode { border::ROUNDED } else { ASCII_BORDER },
            text: plain,
            dim,
            strong: plain.add_modifier(Modifier::BOLD),
            title: plain.add_modifier(Modifier::BOLD),
            border: dim,
            border_focused: paint(accent),
            selected: plain.add_modifier(Modifier::REVERSED),
            key: strongly(accent),
            good: strongly(Color::Green),
            warning: strongly(notice),
            bad: strongly(Color::Red),
            active: strongly(accent),
            bar: paint(accent),
            series,
            ghost: if abilities.color { Color::DarkGray } else { Color::Reset },
        }
    }

    /// Whether curves can be told apart by colour.
    pub(super) fn has_color(&self) -> bool {
        self.series[0] != Color::Reset
    }

    /// A bar of `width` columns, `share` of it full: the filled text and the empty text.
    pub(super) fn bar_text(&self, width: usize, share: f64) -> (String, String) {
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        let eighths = (share * width as f64 * 8.0).round() as usize;
        let (whole, part) = (eighths / 8, eighths % 8);
        let mut full: String = std::iter::repeat_n(self.glyphs.bar[8], whole).collect();
        let mut rest = width - whole.min(width);
        if part > 0 && rest > 0 && self.glyphs.unicode {
            full.push(self.glyphs.bar[part]);
            rest -= 1;
        }
        (full, std::iter::repeat_n(self.glyphs.bar[0], rest).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn abilities(variables: &[(&str, &str)]) -> Abilities {
        Abilities::from(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_environment_decides() {
        let full = abilities(&[("TERM", "xterm-256color"), ("LANG", "en_GB.UTF-8")]);
        assert_eq!(full, Abilities { color: true, unicode: true, light: false });
        assert!(!abilities(&[("NO_COLOR", "1"), ("LANG", "C.utf8")]).color);
        assert!(!abilities(&[("LANG", "en_GB.UTF-8"), ("LC_ALL", "C")]).unicode);
        assert!(abilities(&[("COLORFGBG", "0;15")]).light);
    }

    #[test]
    fn without_colour_no_colour_is_used() {
        let styles = Styles::new(Abilities { color: false, unicode: true, light: false });
        for style in [styles.dim, styles.key, styles.good, styles.warning, styles.bad, styles.active, styles.bar] {
            assert_eq!((style.fg, style.bg), (None, None));
        }
    }

    #[test]
    fn bars_keep_their_width() {
        for unicode in [true, false] {
            let styles = Styles::new(Abilities { color: true, unicode, light: false });
            for step in 0..=100 {
                let (full, rest) = styles.bar_text(13, f64::from(step) / 100.0);
                assert_eq!(full.chars().count() + rest.chars().count(), 13);
            }
        }
    }
}
