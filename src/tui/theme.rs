//! The look, decided once: colours, modifiers and glyphs for this terminal.
//!
//! Where a terminal has many colours, curves take a palette that colour-blind people can tell apart (Okabe and Ito, 2008);
//! text keeps to the terminal's own sixteen, so that its theme decides how they look on a light or a dark ground.
//! Nothing depends on colour alone: every state also has a word or a mark. `NO_COLOR` leaves bold, dim and reversed text;
//! a locale without UTF-8 leaves ASCII.

use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::border;

use super::terminal::abilities::{Abilities, Depth};

/// The user's choice of colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Theme {
    /// What the terminal can do, on the ground it says it has.
    #[default]
    Auto,
    /// For a dark ground.
    Dark,
    /// For a light ground.
    Light,
    /// The terminal's own sixteen colours only.
    Sixteen,
    /// No colours.
    Mono,
}

impl Theme {
    /// Their names, as the settings spell them.
    pub(super) const NAMES: [&'static str; 5] = ["auto", "dark", "light", "sixteen", "mono"];

    /// The theme of a name.
    pub(super) fn named(name: &str) -> Option<Self> {
        let all = [Self::Auto, Self::Dark, Self::Light, Self::Sixteen, Self::Mono];
        Self::NAMES.iter().position(|known| *known == name).map(|at| all[at])
    }
}

/// Colours over those of the theme.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Colors {
    pub(super) accent: Option<Color>,
    pub(super) good: Option<Color>,
    pub(super) warning: Option<Color>,
    pub(super) bad: Option<Color>,
    pub(super) dim: Option<Color>,
    pub(super) series: Vec<Color>,
}

/// What the user chose about the look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) theme: Theme,
    /// No box drawing, blocks and braille.
    pub(super) ascii: bool,
    pub(super) colors: Colors,
}

/// The palette of Okabe and Ito, in two orders: what vanishes on a ground comes last there.
const ON_DARK: [(u8, u8, u8); 8] = [
    (0x56, 0xb4, 0xe9),
    (0xe6, 0x9f, 0x00),
    (0x00, 0x9e, 0x73),
    (0xcc, 0x79, 0xa7),
    (0xf0, 0xe4, 0x42),
    (0xd5, 0x5e, 0x00),
    (0x00, 0x72, 0xb2),
    (0xbb, 0xbb, 0xbb),
];
const ON_LIGHT: [(u8, u8, u8); 8] = [
    (0x00, 0x72, 0xb2),
    (0xd5, 0x5e, 0x00),
    (0x00, 0x9e, 0x73),
    (0xcc, 0x79, 0xa7),
    (0x56, 0xb4, 0xe9),
    (0xe6, 0x9f, 0x00),
    (0x55, 0x55, 0x55),
    (0x00, 0x00, 0x00),
];

/// A colour in the terminal's depth: the nearest of xterm's cube where it has no more.
fn shade((red, green, blue): (u8, u8, u8), depth: Depth) -> Color {
    if depth == Depth::True {
        return Color::Rgb(red, green, blue);
    }
    // The cube's levels are 0, 95, 135, 175, 215 and 255.
    let level = |value: u8| if value < 48 { 0 } else { (value.max(75) - 35) / 40 };
    Color::Indexed(16 + 36 * level(red) + 6 * level(green) + level(blue))
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
    pub(super) series: Vec<Color>,
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
            (false, _) => vec![Color::Reset; 6],
            (true, true) => vec![Color::Blue, Color::Red, Color::Green, Color::Magenta, Color::Cyan, Color::Black],
            (true, false) => vec![Color::Cyan, Color::Yellow, Color::Green, Color::Magenta, Color::Blue, Color::Red],
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

    /// The styles that the user's choice makes of what the terminal can show.
    pub(super) fn chosen(mut abilities: Abilities, depth: Depth, look: &Look) -> Self {
        match look.theme {
            Theme::Dark => abilities.light = false,
            Theme::Light => abilities.light = true,
            Theme::Mono => abilities.color = false,
            Theme::Auto | Theme::Sixteen => {}
        }
        abilities.unicode &= !look.ascii;
        let mut styles = Self::new(abilities);
        if !abilities.color {
            return styles;
        }
        if depth != Depth::Sixteen && look.theme != Theme::Sixteen {
            let palette = if abilities.light { ON_LIGHT } else { ON_DARK };
            styles.series = palette.iter().map(|color| shade(*color, depth)).collect();
        }
        let colors = &look.colors;
        if !colors.series.is_empty() {
            // Curves are chosen by number, and panes count on six.
            styles.series = colors.series.iter().copied().cycle().take(colors.series.len().max(6)).collect();
        }
        let paint = |styles: &mut [&mut Style], color: Option<Color>| {
            for style in styles {
                style.fg = color.or(style.fg);
            }
        };
        let accented = &mut [&mut styles.border_focused, &mut styles.key, &mut styles.active, &mut styles.bar];
        paint(accented, colors.accent);
        paint(&mut [&mut styles.good], colors.good);
        paint(&mut [&mut styles.warning], colors.warning);
        paint(&mut [&mut styles.bad], colors.bad);
        paint(&mut [&mut styles.dim, &mut styles.border], colors.dim);
        styles.ghost = colors.dim.unwrap_or(styles.ghost);
        styles
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

    #[test]
    fn without_colour_no_colour_is_used() {
        let styles = Styles::new(Abilities { color: false, unicode: true, light: false });
        for style in [styles.dim, styles.key, styles.good, styles.warning, styles.bad, styles.active, styles.bar] {
            assert_eq!((style.fg, style.bg), (None, None));
        }
    }

    #[test]
    fn settings_change_the_look_but_not_the_absence_of_colour() {
        let usual = Abilities { color: true, unicode: true, light: false };
        let settings = |theme| Look { theme, ..Look::default() };
        let auto = Styles::chosen(usual, Depth::True, &settings(Theme::Auto));
        assert_eq!(auto.series[0], Color::Rgb(0x56, 0xb4, 0xe9));
        assert_eq!(Styles::chosen(usual, Depth::Indexed, &settings(Theme::Auto)).series[0], Color::Indexed(74));
        assert_eq!(Styles::chosen(usual, Depth::True, &settings(Theme::Sixteen)), Styles::new(usual));
        let mono = Styles::chosen(usual, Depth::True, &settings(Theme::Mono));
        assert!(!mono.has_color() && mono.key.fg.is_none());
        let own = Colors { accent: Some(Color::Red), series: vec![Color::Blue], ..Colors::default() };
        let own = Look { ascii: true, colors: own, ..Look::default() };
        let styles = Styles::chosen(usual, Depth::True, &own);
        assert_eq!((styles.key.fg, styles.series.len(), styles.glyphs.unicode), (Some(Color::Red), 6, false));
        let none = Abilities { color: false, ..usual };
        assert!(!Styles::chosen(none, Depth::True, &own).has_color(), "`NO_COLOR` is stronger than the settings");
    }

    #[test]
    fn palettes_differ_within_themselves_in_every_depth() {
        for depth in [Depth::Indexed, Depth::True] {
            for palette in [ON_DARK, ON_LIGHT] {
                let shades: std::collections::HashSet<Color> = palette.iter().map(|it| shade(*it, depth)).collect();
                assert_eq!(shades.len(), palette.len());
            }
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
