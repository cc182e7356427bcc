//! Charts as text.

use proptest::prelude::*;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;

use super::*;
use crate::tui::terminal::abilities::Abilities;
use crate::tui::theme::Styles;

fn buffer(chart: &Chart, width: u16, height: u16, unicode: bool) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    chart.render(area, &mut buffer, &Styles::new(Abilities { color: true, unicode, light: false }));
    buffer
}

fn rows(buffer: &Buffer) -> Vec<String> {
    let area = buffer.area;
    let row = |y| (0..area.width).map(|x| buffer[(x, y)].symbol().to_owned()).collect::<String>().trim_end().to_owned();
    (0..area.height).map(row).collect()
}

fn drawn(chart: &Chart, width: u16, height: u16) -> Vec<String> {
    rows(&buffer(chart, width, height, false))
}

fn curve(y: &[f64]) -> Curve {
    let x = (1..=y.len()).map(|at| at as f64).collect();
    Curve { x, y: y.to_vec(), color: Color::Cyan, stroke: Stroke::Line }
}

#[test]
fn without_points_it_says_so() {
    let chart = Chart { empty: "no steps yet", ..Chart::default() };
    assert!(drawn(&chart, 30, 8).iter().any(|row| row.contains("no steps yet")));
    let gaps = Chart { curves: vec![curve(&[f64::NAN, f64::INFINITY])], x: (1.0, 2.0), ..chart };
    assert!(drawn(&gaps, 30, 8).iter().any(|row| row.contains("no steps yet")));
}

#[test]
fn one_point_shows() {
    let chart = Chart { curves: vec![curve(&[3.0])], x: (1.0, 2.0), ..Chart::default() };
    assert!(drawn(&chart, 30, 8).iter().any(|row| row.contains('*')));
    assert!(rows(&buffer(&chart, 30, 8, true)).iter().any(|row| row.contains('•')));
}

#[test]
fn epochs_are_whole_numbers_under_ticks() {
    let chart =
        Chart { curves: vec![curve(&[6.0, 5.0, 4.0, 4.0, 3.0, 3.0, 3.0, 2.0])], x: (1.0, 8.0), ..Chart::default() };
    let rows = drawn(&chart, 40, 8);
    let labels: Vec<f64> = rows[7].split_whitespace().map(|label| label.parse().expect("a whole number")).collect();
    assert_eq!(labels, [2.0, 4.0, 6.0, 8.0]);
    let ticks = rows[6].chars().skip_while(|letter| *letter != '-').filter(|letter| *letter == '+').count();
    assert_eq!(ticks, labels.len());
}

#[test]
fn a_gap_is_a_gap() {
    let mut y = vec![1.0; 40];
    y[15..25].fill(f64::NAN);
    let chart = Chart { curves: vec![curve(&y)], x: (1.0, 40.0), ..Chart::default() };
    let row = drawn(&chart, 60, 10).into_iter().find(|row| row.contains('*')).expect("a curve");
    assert!(row.contains("*        "), "{row}");
}

#[test]
fn a_logarithmic_axis_leaves_out_what_it_cannot_hold() {
    let curves = vec![curve(&[0.0, -1.0])];
    let chart = Chart { curves, x: (1.0, 2.0), log_y: true, empty: "nothing", ..Chart::default() };
    assert!(drawn(&chart, 30, 8).iter().any(|row| row.contains("nothing")));
}

#[test]
fn raw_values_give_way_to_the_line() {
    let ghost = Curve { stroke: Stroke::Ghost, color: Color::DarkGray, ..curve(&[1.0, 2.0, 1.0, 2.0, 1.0]) };
    let line = curve(&[1.5, 1.5, 1.5, 1.5, 1.5]);
    let chart = Chart { curves: vec![line, ghost], x: (1.0, 5.0), ..Chart::default() };
    let buffer = buffer(&chart, 30, 10, true);
    let colors = |color| buffer.content().iter().filter(|cell| cell.fg == color && cell.symbol() > "\u{2800}").count();
    assert!(colors(Color::Cyan) >= 20 && colors(Color::DarkGray) > 5);
}

#[test]
fn values_far_beyond_the_window_are_cut_off() {
    let chart = Chart {
        curves: vec![curve(&[0.0, 1e300, -1e300, 0.5])],
        x: (1.0, 4.0),
        y: Some((0.0, 1.0)),
        ..Chart::default()
    };
    assert!(drawn(&chart, 30, 10).iter().any(|row| row.contains('*')));
}

#[test]
fn a_calm_axis_leaves_out_the_wild() {
    let mut y: Vec<f64> = (0..200).map(|at| f64::from(at % 7)).collect();
    y[77] = 1e6;
    let ghost = Curve { stroke: Stroke::Ghost, ..curve(&y) };
    let chart = Chart { curves: vec![ghost], x: (1.0, 200.0), ..Chart::default() };
    assert!(drawn(&chart, 40, 10).iter().any(|row| row.contains("1.0M") || row.contains("1M")));
    let without = Chart { ignore_outliers: true, ..chart };
    assert!(!drawn(&without, 40, 10).iter().any(|row| row.contains('M')));
}

/// A chart with everything on it.
fn full() -> Chart {
    let y: Vec<f64> = (0..60).map(|at| 30.0 * (-0.05 * f64::from(at)).exp()).collect();
    let mut gaps = y.clone();
    gaps[40..44].fill(f64::NAN);
    let best = Best { x: 60.0, y: y[59], text: "1.571".to_owned(), color: Color::Cyan };
    Chart {
        curves: vec![Curve { stroke: Stroke::Ghost, color: Color::DarkGray, ..curve(&y) }, curve(&gaps)],
        bands: vec![(0.0, "softmax".to_owned()), (20.0, "arcface 顔 head".to_owned()), (35.0, "x".repeat(200))],
        x: (0.0, 60.0),
        best: vec![best],
        not_finite: vec![41.0, 44.0],
        cross: Some(Cross { x: 30.0, points: vec![(y[30], Color::Cyan)] }),
        selection: Some(Rect::new(12, 4, 6, 2)),
        ..Chart::default()
    }
}

#[test]
fn everything_on_one_chart() {
    insta::assert_snapshot!("full_chart", rows(&buffer(&full(), 70, 16, true)).join("\n"));
    insta::assert_snapshot!("full_chart_log_ascii", drawn(&Chart { log_y: true, ..full() }, 70, 16).join("\n"));
    insta::assert_debug_snapshot!("full_chart_styles", buffer(&full(), 40, 12, true));
}

#[test]
fn cells_stand_for_data() {
    let chart = Chart { curves: vec![curve(&[0.0, 1.0])], x: (0.0, 100.0), y: Some((0.0, 10.0)), ..Chart::default() };
    let geometry = chart.geometry(Rect::new(0, 0, 54, 12)).expect("room");
    let panel = geometry.panel;
    assert!((geometry.x_edge(panel.x) - 0.0).abs() < 1e-9 && (geometry.x_edge(panel.right()) - 100.0).abs() < 1e-9);
    assert!((geometry.y_edge(panel.y) - 10.0).abs() < 1e-9 && geometry.y_edge(panel.bottom()).abs() < 1e-9);
    for column in panel.left()..panel.right() {
        assert_eq!(geometry.column(geometry.x_at(column)), Some(column));
    }
    assert_eq!(geometry.column(100.1), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_area_and_no_values_panic(
        x in 0_u16..30, y in 0_u16..12, width in 0_u16..120, height in 0_u16..40, unicode: bool, log_y: bool, ignore_outliers: bool,
        values in prop::collection::vec(prop_oneof![
            6 => -100_f64..100.0,
            1 => Just(f64::NAN),
            1 => Just(f64::INFINITY),
            1 => Just(f64::MAX),
            1 => Just(f64::MIN_POSITIVE),
        ], 0..40),
        window in (-50_f64..50.0, 0_f64..80.0),
        zoom in prop::option::of((-10_f64..10.0, -10_f64..10.0)),
    ) {
        let window = (window.0, window.0 + window.1);
        let mut chart = Chart { log_y, ignore_outliers, x: window, y: zoom, ..full() };
        chart.curves.push(Curve { stroke: Stroke::Marked, ..curve(&values) });
        let styles = Styles::new(Abilities { color: unicode, unicode, light: false });
        // The area may hang over the buffer's edge.
        let mut buffer = Buffer::empty(Rect::new(0, 0, 100, 30));
        chart.render(Rect::new(x, y, width, height), &mut buffer, &styles);
    }
}
