//! Numbers as people read them on a narrow screen, and text cut to a width.
//!
//! Every function keeps its result's width as steady as the value allows, so that columns do not jump while training.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Seconds as `0:42`, `1:02:03` or `2d 03:04`; a dash for what is not known.
pub(super) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "-".to_owned();
    }
    let whole = seconds.round() as u64;
    let (days, hours, minutes, rest) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60, whole % 60);
    if days > 0 {
        format!("{days}d {hours:02}:{minutes:02}")
    } else if hours > 0 {
        format!("{hours}:{minutes:02}:{rest:02}")
    } else {
        format!("{minutes}:{rest:02}")
    }
}

/// A count in full: `85,742`.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count in three digits and a letter: `998`, `1.21M`.
pub(super) fn short_count(count: u64) -> String {
    let value = count as f64;
    for (unit, letter) in [(1e9, 'G'), (1e6, 'M'), (1e3, 'k')] {
        if value >= unit {
            let scaled = value / unit;
            return if scaled >= 100.0 { format!("{scaled:.0}{letter}") } else { format!("{scaled:.2}{letter}") };
        }
    }
    count.to_string()
}

/// Bytes in binary units: `1.2 GiB`.
pub(super) fn bytes(count: u64) -> String {
    let mut value = count as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" || value >= 100.0 {
                format!("{value:.0} {unit}")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// A learning rate: `1.00e-3`.
pub(super) fn learning_rate(rate: f64) -> String {
    format!("{rate:.2e}")
}

/// Images a second: `812`, `36.4`.
pub(super) fn rate(per_second: f64) -> String {
    if !per_second.is_finite() || per_second <= 0.0 {
        "-".to_owned()
    } else if per_second < 100.0 {
        format!("{per_second:.1}")
    } else {
        grouped(per_second.round() as u64)
    }
}

/// A loss with five significant places: `31.402`, `0.08123`.
pub(super) fn loss(value: f64) -> String {
    if !value.is_finite() {
        return "NaN".to_owned();
    }
    match value.abs() {
        size if size >= 1000.0 => format!("{value:.0}"),
        size if size >= 100.0 => format!("{value:.1}"),
        size if size >= 10.0 => format!("{value:.2}"),
        size if size >= 1.0 => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

/// An accuracy between 0 and 1, as the reference prints it: `0.9925`.
pub(super) fn accuracy(value: f64) -> String {
    if value.is_finite() { format!("{value:.4}") } else { "NaN".to_owned() }
}

/// A share between 0 and 1 in percent: `3%`.
pub(super) fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.0}%", share * 100.0) } else { "-".to_owned() }
}

/// The time of day in a zone: `07:48:12`.
pub(super) fn time_of_day(at: f64, zone: &TimeZone) -> String {
    zoned(at, zone, "%H:%M:%S")
}

/// Date and time in a zone: `2026-11-24 07:48`.
pub(super) fn date(at: f64, zone: &TimeZone) -> String {
    zoned(at, zone, "%Y-%m-%d %H:%M")
}

fn zoned(at: f64, zone: &TimeZone, pattern: &str) -> String {
    Timestamp::from_millisecond((at * 1000.0) as i64)
        .map_or_else(|_| "-".to_owned(), |moment| zone.to_datetime(moment).strftime(pattern).to_string())
}

/// Columns a text takes.
pub(super) fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// The text cut to `limit` columns, `ellipsis` (one column) at the end when something was lost.
pub(super) fn cut(text: &str, limit: usize, ellipsis: char) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for letter in text.chars() {
        let columns = letter.width().unwrap_or(0);
        if used + columns + 1 > limit {
            break;
        }
        used += columns;
        kept.push(letter);
    }
    if limit > 0 {
        kept.push(ellipsis);
    }
    kept
}

/// The text cut to `limit` columns from its beginning: what matters of a path is its end.
pub(super) fn cut_front(text: &str, limit: usize, ellipsis: char) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    let mut kept: Vec<char> = Vec::new();
    let mut used = 0;
    for letter in text.chars().rev() {
        let columns = letter.width().unwrap_or(0);
        if used + columns + 1 > limit {
            break;
        }
        used += columns;
        kept.push(letter);
    }
    let cut = if limit > 0 { Some(ellipsis) } else { None };
    cut.into_iter().chain(kept.into_iter().rev()).collect()
}

/// The text broken into lines of at most `limit` columns, at spaces where there are any. Wide letters are never split.
pub(super) fn wrap(text: &str, limit: usize) -> Vec<String> {
    if limit == 0 {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        let bare = width(word.trim_end_matches(' '));
        if used > 0 && used + bare > limit {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
            used = 0;
        }
        for letter in word.chars() {
            let columns = letter.width().unwrap_or(0);
            if columns > limit || (used + columns > limit && letter == ' ') {
                continue;
            }
            if used + columns > limit {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(letter);
            used += columns;
        }
    }
    let last = line.trim_end();
    if !last.is_empty() || lines.is_empty() {
        lines.push(last.to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_read_like_a_clock() {
        assert_eq!(duration(0.4), "0:00");
        assert_eq!(duration(42.0), "0:42");
        assert_eq!(duration(3723.0), "1:02:03");
        assert_eq!(duration(183_840.0), "2d 03:04");
        assert_eq!(duration(f64::NAN), "-");
    }

    #[test]
    fn counts_and_sizes() {
        assert_eq!(grouped(85_742), "85,742");
        assert_eq!(grouped(998), "998");
        assert_eq!(short_count(1_208_000), "1.21M");
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(1_288_490_189), "1.2 GiB");
        assert_eq!(rate(36.44), "36.4");
        assert_eq!(rate(4123.2), "4,123");
    }

    #[test]
    fn cutting_keeps_wide_letters_whole() {
        assert_eq!(cut("training", 5, '…'), "trai…");
        assert_eq!(cut("顔認識", 4, '…'), "顔…");
        assert_eq!(cut_front("checkpoints/demo.h5", 8, '…'), "…demo.h5");
    }

    #[test]
    fn wrapping_breaks_at_spaces() {
        assert_eq!(wrap("the quick brown fox", 10), ["the quick", "brown fox"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("", 4), [""]);
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_asked(text in "\\PC{0,60}", limit in 1_usize..30) {
            prop_assert!(width(&cut(&text, limit, '…')) <= limit);
            prop_assert!(width(&cut_front(&text, limit, '…')) <= limit);
            for line in wrap(&text, limit) {
                // A sequence of joined letters may measure differently from its parts, never by more than its parts.
                let sum: usize = line.chars().map(|letter| letter.width().unwrap_or(0)).sum();
                prop_assert!(sum <= limit);
            }
        }
    }
}
