//! A key of the keyboard: read from the settings, and named as people write it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key with or without Ctrl, or with Shift where that does not make it another letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) struct Key {
    code: KeyCode,
    control: bool,
    shift: bool,
}

pub(super) const fn plain(code: KeyCode) -> Key {
    Key { code, control: false, shift: false }
}

pub(super) const fn letter(letter: char) -> Key {
    plain(KeyCode::Char(letter))
}

pub(super) const fn control(letter: char) -> Key {
    Key { code: KeyCode::Char(letter), control: true, shift: false }
}

pub(super) const fn shifted(code: KeyCode) -> Key {
    Key { code, control: false, shift: true }
}

impl Key {
    /// The key of an event.
    pub(super) fn of(event: &KeyEvent) -> Self {
        // A letter tells by itself whether Shift was held.
        let shift = event.modifiers.contains(KeyModifiers::SHIFT) && !matches!(event.code, KeyCode::Char(_));
        Self { code: event.code, control: event.modifiers.contains(KeyModifiers::CONTROL), shift }
    }

    /// The event of pressing it.
    #[cfg(test)]
    pub(super) fn event(self) -> KeyEvent {
        let modifiers = match self {
            Self { control: true, .. } => KeyModifiers::CONTROL,
            Self { shift: true, .. } => KeyModifiers::SHIFT,
            _ => KeyModifiers::NONE,
        };
        KeyEvent::new(self.code, modifiers)
    }

    /// The letter that it types, if it does.
    pub(super) const fn typed(self) -> Option<char> {
        match self.code {
            KeyCode::Char(letter) if !self.control => Some(letter),
            _ => None,
        }
    }

    /// Reads a key as people write it: `n`, `N`, `ctrl-s`, `f2`, `enter`, `pgup`, `space`.
    pub(in crate::tui) fn parse(text: &str) -> Option<Self> {
        let strip = |text: &'_ str, head: &str| -> Option<usize> {
            let fits = text.get(..head.len()).is_some_and(|own| own.eq_ignore_ascii_case(head));
            (fits && text.len() > head.len()).then_some(head.len())
        };
        let (control, rest) = strip(text, "ctrl-").map_or((false, text), |at| (true, &text[at..]));
        let (shift, rest) = strip(rest, "shift-").map_or((false, rest), |at| (true, &rest[at..]));
        let mut letters = rest.chars();
        if let (Some(letter), None) = (letters.next(), letters.clone().next()) {
            let letter = if control { letter.to_ascii_lowercase() } else { letter };
            // A letter tells by itself whether Shift is held.
            return (!letter.is_control() && !shift).then_some(Self { code: KeyCode::Char(letter), control, shift });
        }
        let code = match rest.to_ascii_lowercase().as_str() {
            "enter" => KeyCode::Enter,
            "esc" => KeyCode::Esc,
            "tab" => KeyCode::Tab,
            "space" => KeyCode::Char(' '),
            "backspace" => KeyCode::Backspace,
            "delete" => KeyCode::Delete,
            "insert" => KeyCode::Insert,
            "up" => KeyCode::Up,
            "down" => KeyCode::Down,
            "left" => KeyCode::Left,
            "right" => KeyCode::Right,
            "home" => KeyCode::Home,
            "end" => KeyCode::End,
            "pgup" | "pageup" => KeyCode::PageUp,
            "pgdn" | "pagedown" => KeyCode::PageDown,
            other => {
                let number = other.strip_prefix('f')?.parse().ok().filter(|number| (1..=24).contains(number))?;
                KeyCode::F(number)
            }
        };
        Some(Self { code, control, shift })
    }
}

/// A key as people write it: `n`, `Ctrl-C`, `PgUp`.
pub(in crate::tui) fn key_name(key: Key) -> String {
    let base = match key.code {
        KeyCode::Char(' ') => "Space".to_owned(),
        KeyCode::Char(letter) if key.control => letter.to_ascii_uppercase().to_string(),
        KeyCode::Char(letter) => letter.to_string(),
        KeyCode::F(number) => format!("F{number}"),
        KeyCode::PageUp => "PgUp".to_owned(),
        KeyCode::PageDown => "PgDn".to_owned(),
        other => format!("{other:?}"),
    };
    match (key.control, key.shift) {
        (true, _) => format!("Ctrl-{base}"),
        (_, true) => format!("Shift-{base}"),
        _ => base,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_people_write_them() {
        assert_eq!(Key::parse("ctrl-s").map(key_name).as_deref(), Some("Ctrl-S"));
        assert_eq!(Key::parse("PageUp").map(key_name).as_deref(), Some("PgUp"));
        for wrong in ["", "ctrl-", "f0", "f25", "hello", "ctrl-shift-x", "\n"] {
            assert_eq!(Key::parse(wrong), None, "{wrong:?}");
        }
    }
}
