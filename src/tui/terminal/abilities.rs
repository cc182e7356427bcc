//! What the terminal can show, told by the environment: colours and how many, Unicode, a light ground.

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

/// How many colours a terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) enum Depth {
    /// Its own sixteen.
    Sixteen,
    /// The 256 of xterm.
    Indexed,
    /// All of them.
    True,
}

impl Depth {
    /// Asks the environment: `COLORTERM`, `TERM`.
    pub(in crate::tui) fn detect() -> Self {
        Self::from(|name| std::env::var(name).ok())
    }

    fn from(get: impl Fn(&str) -> Option<String>) -> Self {
        let term = get("TERM").unwrap_or_default();
        let wide = get("COLORTERM").is_some_and(|value| value == "truecolor" || value == "24bit");
        if wide || term.ends_with("-direct") {
            Self::True
        } else if term.contains("256color") {
            Self::Indexed
        } else {
            Self::Sixteen
        }
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
    fn the_depth_is_asked_of_the_environment() {
        let depth = |pairs: &[(&str, &str)]| {
            Depth::from(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(depth(&[("TERM", "xterm-256color")]), Depth::Indexed);
        assert_eq!(depth(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]), Depth::True);
        assert_eq!(depth(&[("TERM", "screen")]), Depth::Sixteen);
    }
}
