//! The ROC curves of a model's bins as an SVG picture: the false accept rate on a logarithmic axis, the true accept rate
//! above it.

use std::fmt::Write as _;

use crate::eval::measure::Evaluation;
use crate::eval::roc::RocPoint;

/// Size of the picture, and the box of the curves in it: left, top, right, bottom.
const SIZE: (f64, f64) = (720.0, 520.0);
const BOX: [f64; 4] = [70.0, 46.0, 690.0, 460.0];
/// Colours that are told apart by most eyes (Okabe and Ito).
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];

/// The picture of all sets that have a curve; `title` stands above it. The axis begins at the smallest rate that one
/// pair of the largest set can show, at most 1e-1 and at least 1e-6.
pub fn svg(rows: &[Evaluation], title: &str) -> String {
    let most = rows.iter().map(|row| row.negatives).max().unwrap_or(0).max(1);
    let decades = (most as f64).log10().floor().clamp(1.0, 6.0);
    let x = |far: f64| {
        let share = 1.0 + far.max(1e-12).log10().max(-decades) / decades;
        BOX[0] + share * (BOX[2] - BOX[0])
    };
    let y = |tar: f64| BOX[3] - tar * (BOX[3] - BOX[1]);
    let (width, height) = SIZE;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"{}\" y=\"28\" font-size=\"16\">{}</text>\n",
        BOX[0],
        escaped(title)
    );
    for step in 0..=5 {
        let tar = f64::from(step) / 5.0;
        let place = y(tar);
        line(&mut svg, [BOX[0], place, BOX[2], place]);
        let _ =
            writeln!(svg, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{tar:.1}</text>", BOX[0] - 8.0, place + 4.5);
    }
    for decade in 0..=decades as i32 {
        let far = 10f64.powi(-decade);
        line(&mut svg, [x(far), BOX[1], x(far), BOX[3]]);
        let label = if decade == 0 { "1".to_owned() } else { format!("1e-{decade}") };
        let _ =
            writeln!(svg, "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>", x(far), BOX[3] + 20.0);
    }
    let middle = f64::midpoint(BOX[0], BOX[2]);
    let _ =
        writeln!(svg, "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">false accept rate</text>", height - 14.0);
    let middle = f64::midpoint(BOX[1], BOX[3]);
    let _ = writeln!(
        svg,
        "<text x=\"20\" y=\"{middle}\" text-anchor=\"middle\" transform=\"rotate(-90 20 {middle})\">true accept rate</text>"
    );
    for (at, row) in rows.iter().filter(|row| !row.roc.is_empty()).enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let mut path = String::new();
        let mut last: Option<(f64, f64)> = None;
        for point in thinned(&row.roc, &x) {
            let (to_x, to_y) = (x(point.far), y(point.tar));
            // A curve of counts goes in steps.
            match last {
                None => _ = write!(path, "M{to_x:.1} {to_y:.1}"),
                Some(_) => _ = write!(path, "H{to_x:.1}V{to_y:.1}"),
            }
            last = Some((to_x, to_y));
        }
        let _ = writeln!(svg, "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>");
        let place = BOX[3] - 16.0 - 20.0 * at as f64;
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{place}\" text-anchor=\"end\" fill=\"{colour}\">{} ({} pairs)</text>",
            BOX[2] - 10.0,
            escaped(&row.name),
            row.figures.pairs
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// The points that differ in the picture: the last one of each tenth of a pixel. The large sets have millions.
fn thinned<'a>(points: &'a [RocPoint], x: &'a dyn Fn(f64) -> f64) -> impl Iterator<Item = &'a RocPoint> {
    let place = move |point: &RocPoint| (x(point.far) * 10.0).round();
    let next = points.iter().skip(1).map(Some).chain([None]);
    let kept = points.iter().zip(next).enumerate();
    kept.filter(move |(at, (point, next))| *at == 0 || next.is_none_or(|next| place(point) < place(next)))
        .map(|(_, (point, _))| point)
}

fn line(svg: &mut String, [from_x, from_y, to_x, to_y]: [f64; 4]) {
    let _ = writeln!(
        svg,
        "<path d=\"M{from_x:.1} {from_y:.1}L{to_x:.1} {to_y:.1}\" stroke=\"#dddddd\" stroke-width=\"1\"/>"
    );
}

/// Text as it may stand in XML: names of files may hold anything.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars().filter(|character| !character.is_control()) {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::evaluation::tests::evaluation;
    use super::*;

    #[test]
    fn the_picture_has_a_curve_a_set_and_no_foreign_markup() {
        let svg = svg(&[evaluation("frontal", 1000), evaluation("a<b>&c", 50)], "model.h5");
        assert_eq!(svg.matches("stroke-width=\"2\"").count(), 2);
        assert!(svg.contains("a&lt;b&gt;&amp;c") && svg.contains("1e-3") && !svg.contains("1e-4"));
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && !svg.contains("NaN"));
    }

    #[test]
    fn the_curve_lies_in_its_box_and_is_thinned() {
        let row = evaluation("large", 200_000);
        let picture = svg(&[row], "");
        let path = picture.lines().find(|line| line.contains("stroke-width=\"2\"")).expect("a curve");
        assert!(path.len() < 200_000, "{} bytes", path.len());
        let numbers = path.split(['M', 'H', 'V', ' ', '"']).filter_map(|word| word.parse::<f64>().ok());
        let inside = numbers.filter(|number| *number > 10.0).all(|number| (BOX[1]..=BOX[2]).contains(&number));
        assert!(inside, "{path}");
    }

    #[test]
    fn nothing_to_draw_is_an_empty_box() {
        assert!(!svg(&[], "none").contains("stroke-width=\"2\""));
    }
}
