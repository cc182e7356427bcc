//! What a user sets about the front end: `config.toml` in facetui's folder of settings, checked like a schedule.
//!
//! ```toml
//! theme = "auto"          # auto, dark, light, sixteen, mono
//! ascii = false           # no box drawing, blocks and braille
//!
//! [colors]                # over the theme's: accent, good, warning, bad, dim, series
//! accent = "#56b4e9"      # or a name of the sixteen: "light blue"
//! series = ["#56b4e9", "#e69f00"]
//!
//! [keys]                  # action = key, or a list of keys; `facetui keys` lists the actions
//! toggle_stop = "s"
//! help = ["?", "f1"]
//! ```
//!
//! Every mistake is reported with its line, all at once, and the front end does not start: a key that does not do what
//! was meant is worse than an error.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceSpan};
use ratatui::style::Color;
use serde::Deserialize;
use toml::Spanned;

use super::keymap::{Key, Keymap};
use super::theme::{Colors, Look, Theme};

/// Largest file that is read, in bytes.
const LARGEST: u64 = 64 << 10;

/// Longest line that is read, in bytes: a message about one draws it whole.
const LONGEST_LINE: usize = 4 << 10;

/// Most mistakes that are told.
const MOST_PROBLEMS: usize = 50;

/// Most colours of curves.
const SERIES: usize = 24;

/// What was set; what was not is as it always is.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub(super) look: Look,
    pub(super) keys: Keymap,
}

/// A file that is wrong, with every mistake in it.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("the settings in `{}` are not valid", path.display())]
#[diagnostic(help("fix these lines, or start without the file: `FACETUI_CONFIG= facetui ...`"))]
pub struct SettingsError {
    path: PathBuf,
    #[related]
    problems: Vec<Problem>,
}

/// One mistake.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Problem {
    message: String,
    label: String,
    span: SourceSpan,
    text: NamedSource<String>,
}

impl Diagnostic for Problem {
    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(&self.text)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(Some(self.label.clone()), self.span))))
    }
}

/// The file as written. Unknown keys are found in a second reading, to name the nearest.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    theme: Option<Spanned<String>>,
    ascii: Option<Spanned<bool>>,
    colors: BTreeMap<Spanned<String>, Spanned<toml::Value>>,
    keys: BTreeMap<Spanned<String>, Spanned<toml::Value>>,
}

impl Settings {
    /// The file's place: `$FACETUI_CONFIG`, or `config.toml` in the user's folder of facetui's settings. None when the
    /// variable is empty, or there is no home.
    pub fn place() -> Option<PathBuf> {
        match std::env::var_os("FACETUI_CONFIG") {
            Some(path) if path.is_empty() => None,
            Some(path) => Some(path.into()),
            None => directories::ProjectDirs::from("", "", "facetui").map(|dirs| dirs.config_dir().join("config.toml")),
        }
    }

    /// Reads a file of settings; one that is not there sets nothing.
    ///
    /// # Errors
    /// [`SettingsError`] with every mistake.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let unreadable = |reason: String| SettingsError {
            path: path.to_path_buf(),
            problems: vec![Problem::new(path, "", 0..0, reason, "")],
        };
        let text = match fs_err::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(unreadable(error.to_string())),
            Ok(meta) if meta.len() > LARGEST => {
                return Err(unreadable(format!("it has more than {} KiB", LARGEST >> 10)));
            }
            Ok(_) => fs_err::read_to_string(path).map_err(|error| unreadable(error.to_string()))?,
        };
        Self::parse(path, &text)
    }

    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, SettingsError> {
        let mut problems = Vec::new();
        if let Some(line) = text.lines().position(|line| line.len() > LONGEST_LINE) {
            let message = format!("line {} has more than {LONGEST_LINE} bytes", line + 1);
            problems.push(Problem::new(path, "", 0..0, message, ""));
            return Err(SettingsError { path: path.to_path_buf(), problems });
        }
        let mut wrong = |span: Range<usize>, message: String, label: &str| {
            if problems.len() < MOST_PROBLEMS {
                problems.push(Problem::new(path, text, span, message, label));
            }
        };
        let file: File = toml::from_str(text).unwrap_or_else(|error| {
            wrong(error.span().unwrap_or(0..0), error.message().to_owned(), "here");
            File::default()
        });
        let known = ["theme", "ascii", "colors", "keys"];
        let all: BTreeMap<Spanned<String>, toml::Value> = toml::from_str(text).unwrap_or_default();
        for key in all.keys().filter(|key| !known.contains(&key.get_ref().as_str())) {
            wrong(key.span(), format!("unknown setting `{}`", key.get_ref()), &nearest(key.get_ref(), &known));
        }
        let mut settings = Self::default();
        settings.look.ascii = file.ascii.is_some_and(|ascii| *ascii.get_ref());
        if let Some(theme) = file.theme {
            match Theme::named(theme.get_ref()) {
                Some(found) => settings.look.theme = found,
                None => {
                    wrong(theme.span(), "unknown theme".to_owned(), &nearest(theme.get_ref(), &Theme::NAMES));
                }
            }
        }
        for (name, value) in &file.colors {
            if let Err((span, message, label)) = settings.look.colors.set(name, value) {
                wrong(span, message, &label);
            }
        }
        let mut bound = Vec::new();
        for (name, value) in &file.keys {
            match keys(value.get_ref()) {
                Ok(keys) => bound.push((name, value.span(), keys)),
                Err(message) => {
                    wrong(value.span(), message, "a key or a list of keys: \"s\", \"ctrl-s\", \"f2\", \"enter\"");
                }
            }
        }
        for (name, span, keys) in bound {
            if let Err(names) = settings.keys.rebind(name.get_ref(), &keys) {
                wrong(name.span(), format!("unknown action `{}`", name.get_ref()), &nearest(name.get_ref(), &names));
            } else if let Some((key, first, second)) = settings.keys.conflict() {
                wrong(
                    span,
                    format!("`{key}` is bound to both `{first}` and `{second}`"),
                    "give one of them another key",
                );
                break;
            }
        }
        if problems.is_empty() { Ok(settings) } else { Err(SettingsError { path: path.to_path_buf(), problems }) }
    }
}

impl Problem {
    fn new(path: &Path, text: &str, span: Range<usize>, message: String, label: &str) -> Self {
        let text = NamedSource::new(path.display().to_string(), text.to_owned());
        Self { message, label: label.to_owned(), span: span.into(), text }
    }
}

/// A hint at what may have been meant.
fn nearest(written: &str, known: &[&str]) -> String {
    let best = known.iter().max_by(|a, b| strsim::jaro(written, a).total_cmp(&strsim::jaro(written, b)));
    match best {
        Some(best) if strsim::jaro(written, best) > 0.75 => format!("did you mean `{best}`?"),
        _ if known.len() <= 8 => format!("use one of {}", known.join(", ")),
        _ => "`facetui keys` lists the actions".to_owned(),
    }
}

type Wrong = (Range<usize>, String, String);

impl Colors {
    fn set(&mut self, name: &Spanned<String>, value: &Spanned<toml::Value>) -> Result<(), Wrong> {
        let place = match name.get_ref().as_str() {
            "accent" => &mut self.accent,
            "good" => &mut self.good,
            "warning" => &mut self.warning,
            "bad" => &mut self.bad,
            "dim" => &mut self.dim,
            "series" => {
                let list = value.get_ref().as_array().filter(|list| (1..=SERIES).contains(&list.len()));
                let list = list.and_then(|list| list.iter().map(color).collect::<Option<Vec<_>>>());
                self.series = list.ok_or_else(|| {
                    let message = "`series` is a list of colours".to_owned();
                    (value.span(), message, format!("for example [\"#56b4e9\", \"red\"], at most {SERIES}"))
                })?;
                return Ok(());
            }
            other => {
                let known = ["accent", "good", "warning", "bad", "dim", "series"];
                return Err((name.span(), format!("unknown colour `{other}`"), nearest(other, &known)));
            }
        };
        let found = color(value.get_ref());
        *place = Some(found.ok_or_else(|| {
            let hint = "write \"#rrggbb\", a number from 0 to 255, or a name such as \"light blue\"".to_owned();
            (value.span(), "not a colour".to_owned(), hint)
        })?);
        Ok(())
    }
}

fn color(value: &toml::Value) -> Option<Color> {
    match value {
        toml::Value::String(text) => text.parse().ok(),
        toml::Value::Integer(number) => u8::try_from(*number).ok().map(Color::Indexed),
        _ => None,
    }
}

fn keys(value: &toml::Value) -> Result<Vec<Key>, String> {
    let one = |value: &toml::Value| {
        let text = value.as_str().ok_or_else(|| format!("a {} is not a key", value.type_str()))?;
        Key::parse(text).ok_or_else(|| format!("`{text}` is not a key"))
    };
    match value {
        toml::Value::Array(list) if list.is_empty() => Err("an action needs a key".to_owned()),
        toml::Value::Array(list) if list.len() > 8 => Err("an action has at most 8 keys".to_owned()),
        toml::Value::Array(list) => list.iter().map(one).collect(),
        value => Ok(vec![one(value)?]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Settings, SettingsError> {
        Settings::parse(Path::new("config.toml"), text)
    }

    /// Every mistake's message and label.
    fn mistakes(text: &str) -> Vec<String> {
        let error = parse(text).expect_err("wrong");
        error.problems.iter().map(|problem| format!("{}; {}", problem.message, problem.label)).collect()
    }

    #[test]
    fn a_whole_file_is_read() {
        let text = "theme = \"light\"\nascii = true\n[colors]\naccent = \"#112233\"\nseries = [\"red\", 33]\n\
                    [keys]\ntoggle_stop = \"ctrl-e\"\ntoggle_smoothing = [\"ctrl-s\"]\n";
        let settings = parse(text).expect("right");
        assert_eq!((settings.look.theme, settings.look.ascii), (Theme::Light, true));
        assert_eq!(settings.look.colors.accent, Some(Color::Rgb(0x11, 0x22, 0x33)));
        assert_eq!(settings.look.colors.series, [Color::Red, Color::Indexed(33)]);
    }

    #[test]
    fn an_empty_file_and_no_file_set_nothing() {
        assert_eq!(parse("").expect("right").look.theme, Theme::Auto);
        assert_eq!(Settings::read(Path::new("/nonexistent/config.toml")).expect("none").look.theme, Theme::Auto);
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let text = "theme = \"ligth\"\ncolour = 1\n[colors]\naccent = \"no colour\"\naccnt = \"red\"\n\
                    [keys]\ntogle_stop = \"s\"\nhelp = \"ctrl-shift-alt\"\n";
        let told = mistakes(text);
        assert_eq!(told.len(), 6, "{told:#?}");
        for part in ["`light`", "`colors`", "#rrggbb", "`accent`", "`toggle_stop`", "`ctrl-shift-alt`"] {
            assert!(told.iter().any(|line| line.contains(part)), "{part}: {told:#?}");
        }
    }

    #[test]
    fn two_meanings_of_a_key_are_refused() {
        let told = mistakes("[keys]\nhelp = \"n\"\n");
        assert!(told[0].contains("toggle_stop") && told[0].contains("help"), "{told:#?}");
    }

    #[test]
    fn what_is_no_toml_is_said_with_its_place() {
        let error = parse("theme = \n").expect_err("wrong");
        assert_eq!(error.problems.len(), 1);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,80}") {
            let _ = parse(&text);
        }
    }
}
