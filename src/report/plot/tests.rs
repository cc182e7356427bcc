//! The figure as a whole: what its SVG holds, and that no history breaks it.

use proptest::prelude::*;

use super::curves::{Curves, Span};
use super::figure::Look;
use super::{Format, render};

fn svg(runs: &[Curves], look: &Look) -> String {
    String::from_utf8(render(runs, look, Format::Svg).expect("draws")).expect("text")
}

fn some(values: &[f64]) -> Vec<Option<f64>> {
    values.iter().copied().map(Some).collect()
}

/// A run of two stages, six epochs and two bins; the second stage has no accuracy.
fn run(name: &str) -> Curves {
    Curves {
        name: name.to_owned(),
        before: 0,
        loss: some(&[3.0, 2.0, 1.5, 0.9, 0.7, 0.8]),
        accuracy: vec![Some(0.2), Some(0.5), Some(0.6), None, None, None],
        bins: vec![
            ("lfw".to_owned(), some(&[0.5, 0.6, 0.7, 0.8, 0.9875, 0.9])),
            ("cfp_fp".to_owned(), some(&[0.5, 0.55, 0.6, 0.65, 0.7, 0.7125])),
        ],
        stages: vec![
            Span { name: "softmax".to_owned(), from: 0, to: 3 },
            Span { name: "triplet".to_owned(), from: 3, to: 6 },
        ],
    }
}

fn count(svg: &str, class: &str) -> usize {
    svg.matches(&format!("class=\"{class}\"")).count()
}

/// The texts of a class.
fn texts<'a>(svg: &'a str, class: &str) -> Vec<&'a str> {
    let start = format!("<text class=\"{class}\"");
    svg.lines()
        .filter(|line| line.starts_with(&start))
        .filter_map(|line| line.split('>').nth(1)?.strip_suffix("</text"))
        .collect()
}

#[test]
fn a_run_has_three_panels_a_curve_each_and_its_bins() {
    let svg = svg(&[run("demo")], &Look::default());
    assert_eq!(texts(&svg, "panel"), ["loss", "accuracy", "evaluation accuracy"]);
    assert_eq!(count(&svg, "curve"), 4);
    assert_eq!(texts(&svg, "stage"), ["softmax", "triplet"].repeat(3));
    assert_eq!(count(&svg, "border"), 3);
    // The best of every curve and of the other stage.
    let values = texts(&svg, "value");
    for value in ["0.7000", "0.6000", "0.9875", "0.7125"] {
        assert!(values.contains(&value), "{value} is not in {values:?}");
    }
    assert_eq!(count(&svg, "best"), 7);
    assert_eq!(texts(&svg, "cell"), ["0.7000 (5)", "0.6000 (3)", "0.9875 (5)", "0.7125 (6)"]);
    assert_eq!(texts(&svg, "run"), ["demo"]);
    assert!(texts(&svg, "head").contains(&"cfp_fp"));
}

#[test]
fn runs_are_laid_over_each_other_in_their_own_colours() {
    let two = svg(&[run("first"), run("second")], &Look::default());
    assert_eq!(count(&two, "curve"), 8);
    assert_eq!(texts(&two, "run"), ["first", "second"]);
    assert_eq!(texts(&two, "stage").len(), 6, "equal stages are named once");
    // A run that is added changes no colour of those before it.
    let colour = |svg: &str| {
        let line = svg.lines().find(|line| line.contains("<title>second, loss</title>")).expect("its curve");
        line.split("stroke=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a colour").to_owned()
    };
    let three = svg(&[run("first"), run("second"), run("third")], &Look::default());
    assert_eq!(colour(&two), colour(&three));
}

#[test]
fn a_panel_without_values_is_left_out() {
    let triplet = Curves { accuracy: vec![None; 6], bins: Vec::new(), ..run("triplet") };
    assert_eq!(texts(&svg(&[triplet], &Look::default()), "panel"), ["loss"]);
    assert!(svg(&[Curves::default()], &Look::default()).contains("no finished epoch"));
}

#[test]
fn values_that_are_not_finite_are_gaps_with_a_cross() {
    let loss = some(&[3.0, 2.0, f64::NAN, f64::INFINITY, 1.0, 0.5]);
    let svg = svg(&[Curves { loss, ..run("gaps") }], &Look::default());
    assert_eq!(count(&svg, "gap"), 1);
    let curve = svg.lines().find(|line| line.contains("<title>loss</title>")).expect("the curve");
    let path = curve.split("d=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("its path");
    assert_eq!(path.matches('M').count(), 2, "{path}");
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}

#[test]
fn long_names_are_shortened_and_escaped() {
    let long = format!("<{}&end", "n".repeat(200));
    let mut run = run(&long);
    run.bins[0].0.clone_from(&long);
    run.stages[0].name.clone_from(&long);
    let svg = svg(&[run], &Look { title: Some(long.clone()), ..Look::default() });
    assert!(texts(&svg, "run")[0].chars().count() < 90);
    assert!(texts(&svg, "head").iter().all(|name| name.chars().count() < 40));
    // Its stage is told by its number, which a note explains.
    assert!(texts(&svg, "stage").contains(&"1"));
    assert!(texts(&svg, "note").iter().any(|note| note.contains("2 triplet")));
    assert!(svg.contains("&lt;n") && !svg.contains("<n"));
}

#[test]
fn ten_thousand_epochs_make_a_small_file() {
    let loss: Vec<_> = (0..10_000).map(|at| Some(5.0 + (f64::from(at) * 0.7).sin())).collect();
    let svg = svg(&[Curves { loss, bins: Vec::new(), ..run("long") }], &Look::default());
    assert!(svg.len() < 100_000, "{} bytes", svg.len());
}

#[test]
fn a_picture_has_twice_the_figures_pixels() {
    let look = Look { size: (600, 320), ..Look::default() };
    let bytes = render(&[run("demo")], &look, Format::Png).expect("draws");
    let picture = image::load_from_memory(&bytes).expect("a picture").to_rgb8();
    assert_eq!(picture.dimensions(), (1200, 640));
    let blue = picture.pixels().filter(|pixel| pixel.0 == super::scene::PALETTE[0]).count();
    let white = picture.pixels().filter(|pixel| pixel.0 == [255, 255, 255]).count();
    assert!(blue > 100 && white > picture.pixels().len() / 2, "{blue} {white}");
}

#[test]
fn more_runs_than_can_be_told_apart_are_refused() {
    let runs: Vec<Curves> = (0..25).map(|at| run(&at.to_string())).collect();
    let error = render(&runs, &Look::default(), Format::Svg).expect_err("refused");
    assert!(error.to_string().contains("25 runs"));
    assert_eq!(texts(&svg(&runs[..24], &Look::default()), "run").len(), 24);
}

fn values() -> impl Strategy<Value = Vec<Option<f64>>> {
    let value = prop_oneof![any::<f64>(), 0.0..1.0f64, Just(f64::NAN), Just(f64::INFINITY), Just(0.0)];
    proptest::collection::vec(proptest::option::weighted(0.9, value), 0..12)
}

fn curves() -> impl Strategy<Value = Curves> {
    let bins = proptest::collection::vec((".{0,12}", values()), 0..5);
    let stages = proptest::collection::vec((".{0,12}", 0usize..15, 0usize..15), 0..4);
    (".{0,250}", any::<u32>(), values(), values(), bins, stages).prop_map(
        |(name, before, loss, accuracy, bins, stages)| Curves {
            name,
            before: before >> 8,
            loss,
            accuracy,
            bins,
            stages: stages.into_iter().map(|(name, from, to)| Span { name, from, to }).collect(),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_history_is_drawn(runs in proptest::collection::vec(curves(), 0..4), width in 300u32..1200, height in 200u32..600, log: bool) {
        let look = Look { title: runs.first().map(|run| run.name.clone()), size: (width, height), log };
        let text = svg(&runs, &look);
        prop_assert!(text.ends_with("</svg>\n"));
        for (number, line) in text.lines().enumerate() {
            prop_assert!(!line.contains("\"NaN") && !line.contains("\"inf") && !line.contains("MNaN"), "line {}: {}", number, line);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn any_history_is_a_picture(runs in proptest::collection::vec(curves(), 0..3), log: bool) {
        let look = Look { size: (300, 200), log, ..Look::default() };
        let bytes = render(&runs, &look, Format::Png);
        prop_assert!(bytes.is_ok());
    }
}
