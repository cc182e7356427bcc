//! The ROC curves of a model's bins as a picture, SVG or PNG: the false accept rate on a logarithmic axis, the true accept
//! rate above it.

use std::path::Path;

use super::plot::scene::{Anchor, GRID, INK, Item, PALETTE, Scene, Stroke};
use super::plot::{self, Format, PlotError};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::atomic::write_atomically;
use crate::eval::evaluate::Evaluation;
use crate::eval::roc::RocPoint;

/// Size of the picture, and the box of the curves in it: left, top, right, bottom.
const SIZE: (f64, f64) = (720.0, 520.0);
const BOX: [f64; 4] = [70.0, 46.0, 690.0, 460.0];
/// Height of the texts' em.
const TEXT: f64 = 13.0;

/// Writes the picture, whole or not at all, as the file's name asks.
///
/// # Errors
/// A name that ends in neither `.svg` nor `.png`, or a file that cannot be written.
pub fn write(rows: &[Evaluation], title: &str, path: &Path) -> Result<(), PlotError> {
    let bytes = plot::encode(&draw(rows, title), Format::of(path)?)?;
    write_atomically(path, |temporary| {
        fs_err::write(temporary, &bytes)
            .map_err(|error| CheckpointError::Write { path: path.to_path_buf(), reason: error.to_string() })
    })?;
    Ok(())
}

/// The picture of all sets that have a curve; `title` stands above it. The axis begins at the smallest rate that one
/// pair of the largest set can show, at most 1e-1 and at least 1e-6.
fn draw(rows: &[Evaluation], title: &str) -> Scene {
    let most = rows.iter().map(|row| row.negatives).max().unwrap_or(0).max(1);
    let decades = (most as f64).log10().floor().clamp(1.0, 6.0);
    let x = |far: f64| {
        let share = 1.0 + far.max(1e-12).log10().max(-decades) / decades;
        BOX[0] + share * (BOX[2] - BOX[0])
    };
    let y = |tar: f64| BOX[3] - tar * (BOX[3] - BOX[1]);
    let mut scene = Scene { width: SIZE.0, height: SIZE.1, title: title.to_owned(), items: Vec::new() };
    let grid = Stroke::solid(GRID, 1.0);
    scene.text((BOX[0], 28.0), Anchor::Start, 16.0, INK, title, "title");
    for step in 0..=5 {
        let tar = f64::from(step) / 5.0;
        scene.line((BOX[0], y(tar)), (BOX[2], y(tar)), grid, "grid");
        scene.text((BOX[0] - 8.0, y(tar) + 4.5), Anchor::End, TEXT, INK, format!("{tar:.1}"), "tick");
    }
    for decade in 0..=decades as i32 {
        let at = x(10f64.powi(-decade));
        scene.line((at, BOX[1]), (at, BOX[3]), grid, "grid");
        let label = if decade == 0 { "1".to_owned() } else { format!("1e-{decade}") };
        scene.text((at, BOX[3] + 20.0), Anchor::Middle, TEXT, INK, label, "tick");
    }
    let middle = f64::midpoint(BOX[0], BOX[2]);
    scene.text((middle, SIZE.1 - 14.0), Anchor::Middle, TEXT, INK, "false accept rate", "axis");
    scene.text((BOX[2], 36.0), Anchor::End, TEXT, INK, "true accept rate", "axis");
    for (at, row) in rows.iter().filter(|row| !row.roc.is_empty()).enumerate() {
        let colour = PALETTE[at % PALETTE.len()];
        let mut points: Vec<(f64, f64)> = Vec::new();
        for point in thinned(&row.roc, &x) {
            let to = (x(point.far), y(point.tar));
            // A curve of counts goes in steps.
            if let Some((_, height)) = points.last().copied().filter(|(_, height)| (height - to.1).abs() > 0.0) {
                points.push((to.0, height));
            }
            points.push(to);
        }
        let label = format!("{} ({} pairs)", row.name, row.figures.pairs);
        let place = (BOX[2] - 10.0, BOX[3] - 16.0 - 20.0 * at as f64);
        let stroke = Stroke::solid(colour, 2.0);
        scene.items.push(Item::Lines { parts: vec![points], stroke, class: "curve", label: Some(label.clone()) });
        scene.text(place, Anchor::End, TEXT, colour, label, "name");
    }
    scene
}

/// The points that differ in the picture: the last one of each tenth of a pixel. The large sets have millions.
fn thinned<'a>(points: &'a [RocPoint], x: &'a dyn Fn(f64) -> f64) -> impl Iterator<Item = &'a RocPoint> {
    let place = move |point: &RocPoint| (x(point.far) * 10.0).round();
    let next = points.iter().skip(1).map(Some).chain([None]);
    let kept = points.iter().zip(next).enumerate();
    kept.filter(move |(at, (point, next))| *at == 0 || next.is_none_or(|next| place(point) < place(next)))
        .map(|(_, (point, _))| point)
}

#[cfg(test)]
mod tests {
    use super::super::evaluation_table::tests::evaluation;
    use super::*;

    fn svg(rows: &[Evaluation], title: &str) -> String {
        String::from_utf8(plot::encode(&draw(rows, title), Format::Svg).expect("draws")).expect("is text")
    }

    #[test]
    fn the_picture_has_a_curve_a_set_and_no_foreign_markup() {
        let svg = svg(&[evaluation("frontal", 1000), evaluation("a<b>&c", 50)], "model.h5");
        assert_eq!(svg.matches("class=\"curve\"").count(), 2);
        assert!(svg.contains("a&lt;b&gt;&amp;c") && svg.contains("1e-3") && !svg.contains("1e-4"));
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && !svg.contains("NaN"));
    }

    #[test]
    fn the_curve_lies_in_its_box_and_is_thinned() {
        let scene = draw(&[evaluation("large", 200_000)], "");
        let curve = scene.items.iter().find_map(|item| match item {
            Item::Lines { parts, class: "curve", .. } => Some(&parts[0]),
            _ => None,
        });
        let curve = curve.expect("a curve");
        assert!(curve.len() < 15_000, "{} points", curve.len());
        let inside = |(x, y): &(f64, f64)| (BOX[0]..=BOX[2]).contains(x) && (BOX[1]..=BOX[3]).contains(y);
        assert!(curve.iter().all(inside));
    }

    #[test]
    fn nothing_to_draw_is_an_empty_box_and_a_png_is_one() {
        assert!(!svg(&[], "none").contains("class=\"curve\""));
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("roc.PNG");
        write(&[evaluation("frontal", 1000)], "model.h5", &path).expect("writes");
        let picture = image::open(&path).expect("is a picture");
        assert_eq!((picture.width(), picture.height()), (1440, 1040));
        let gif = write(&[], "", &folder.path().join("roc.gif")).expect_err("is refused").to_string();
        assert!(gif.contains("neither an SVG nor a PNG"), "{gif}");
    }
}
