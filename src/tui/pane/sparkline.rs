//! A row of little bars: how a value went lately.

use crate::tui::theme::Styles;

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII: [char; 8] = ['_', '.', ':', '-', '=', '+', '*', '#'];

/// The last `columns` values between `low` and `high` as bars, one each, padded at the front; what is NaN or infinite is a gap.
pub(in crate::tui) fn spark(
    values: impl ExactSizeIterator<Item = f64>,
    columns: usize,
    (low, high): (f64, f64),
    styles: &Styles,
) -> String {
    let bars = if styles.glyphs.unicode { BARS } else { ASCII };
    let skip = values.len().saturating_sub(columns);
    let mut text = " ".repeat(columns - (values.len() - skip));
    text.extend(values.skip(skip).map(|value| {
        let share = if high > low { (value - low) / (high - low) } else { 0.5 };
        if share.is_finite() { bars[(share.clamp(0.0, 1.0) * 7.0).round() as usize] } else { ' ' }
    }));
    text
}

/// The lowest and the highest of some values; what is NaN or infinite is left out.
pub(in crate::tui) fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::terminal::abilities::Abilities;

    #[test]
    fn the_newest_values_fill_the_columns() {
        let styles = Styles::new(Abilities { color: true, unicode: true, light: false });
        let of =
            |values: &[f64], columns| spark(values.iter().copied(), columns, range(values.iter().copied()), &styles);
        assert_eq!(of(&[0.0, 0.5, 1.0], 5), "  ▁▅█");
        assert_eq!(of(&[9.0, 0.0, f64::NAN, 1.0], 3), "▁ ▂");
        assert_eq!(of(&[2.0, 2.0], 2), "▅▅");
        assert_eq!(of(&[], 3), "   ");
        assert_eq!(of(&[1.0], 0), "");
        let plain = Styles::new(Abilities { color: false, unicode: false, light: false });
        assert_eq!(spark([0.0, 1.0].into_iter(), 2, (0.0, 1.0), &plain), "_#");
    }
}
