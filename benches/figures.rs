//! How long the figures of a bin of 12,000 images (6,000 pairs, embedding 512) keep training after its last forward pass:
//! `cargo bench --profile dev --bench figures`. The forward passes are waits, as those of a GPU are for the CPU.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::time::{Duration, Instant};

use facetui::data::random::{Stream, Use};
use facetui::eval::decoded_bin::{DecodedBin, evaluate};
use facetui::eval::metrics::Figures;
use facetui::eval::roc::{Operating, Scores};
use facetui::eval::similarity::{MetricsError, PairSimilarities};

const IMAGES: usize = 12_000;
const LENGTH: usize = 512;
const BATCH: usize = 64;
/// A batch of a GPU that embeds 12,000 images a second.
const PASS: Duration = Duration::from_micros(5333);

/// The figures that a run tells of a bin.
fn figures(measured: &PairSimilarities, same: &[bool]) -> (Figures, Option<Operating>) {
    (measured.figures(same), Scores::new(&measured.similarities, same).tar_at_far(1e-3))
}

/// The embeddings of `count` images from `at` on.
fn pass(embeddings: &[f32], at: usize, count: usize) -> Vec<f32> {
    std::thread::sleep(PASS);
    embeddings[at * LENGTH..(at + count) * LENGTH].to_vec()
}

/// Milliseconds of a call.
fn timed<T>(call: impl FnOnce() -> T) -> (T, f64) {
    let started = Instant::now();
    let result = call();
    (result, started.elapsed().as_secs_f64() * 1e3)
}

fn main() {
    let mut numbers = Stream::new(1, 0, Use::Order, 0);
    let mut row = || (numbers.word() >> 40) as f32 / (1u64 << 24) as f32 - 0.5;
    let embeddings: Vec<f32> = (0..IMAGES * LENGTH).map(|_| row()).collect();
    let pairs: Vec<[u32; 2]> = (0..IMAGES as u32 / 2).map(|pair| [2 * pair, 2 * pair + 1]).collect();
    let same: Vec<bool> = (0..pairs.len()).map(|pair| pair / 300 % 2 == 0).collect();
    let bin = DecodedBin { name: "x".into(), size: (1, 1), images: vec![0; IMAGES * 3], pairs, same };
    let mut rounds: Vec<[f64; 3]> = Vec::new();
    for _ in 0..9 {
        let mut all = Vec::new();
        let ((), passes) = timed(|| {
            for at in (0..IMAGES).step_by(BATCH) {
                all.extend(pass(&embeddings, at, BATCH.min(IMAGES - at)));
            }
        });
        let (after, later) = timed(|| figures(&PairSimilarities::new(&all, &bin.pairs).expect("figures"), &bin.same));
        let (mut at, mut last) = (0, Instant::now());
        let mut embed = |_: &[u8], count: usize| {
            let rows = pass(&embeddings, at, count);
            (at, last) = (at + count, Instant::now());
            Ok::<_, MetricsError>(rows)
        };
        let look = |measured: PairSimilarities| figures(&measured, &bin.same);
        let beside = evaluate(&bin, BATCH, &mut embed, &|_, _| {}, look).expect("figures");
        rounds.push([passes, later, last.elapsed().as_secs_f64() * 1e3]);
        assert_eq!(after, beside, "the figures are the same");
    }
    let median = |column: usize| {
        let mut values: Vec<f64> = rounds.iter().map(|round| round[column]).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    println!(
        "passes {:.1} ms; after the last one: {:.1} ms for all figures, {:.1} ms for what is left of them",
        median(0),
        median(1),
        median(2)
    );
}
