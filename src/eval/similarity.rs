//! The cosine similarity and the distance of each pair, also while its images are still being embedded: each pair as soon as
//! both of its rows are there.

use thiserror::Error;

/// Embeddings that give no figures.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MetricsError {
    /// Not a number.
    #[error("the embedding of image {0} has NaN or infinite values")]
    NotFinite(usize),
    /// No pairs.
    #[error("there are no pairs")]
    Empty,
}

/// How alike the two images of each pair are.
#[derive(Debug, Clone, PartialEq)]
pub struct PairSimilarities {
    /// Cosine similarities, -1 to 1.
    pub similarities: Vec<f64>,
    /// Squared distances of the embeddings scaled to length 1, 0 to 4.
    pub distances: Vec<f64>,
}

impl PairSimilarities {
    /// Measures pairs of raw embeddings, row-major (rows, E), of which each pair names two; every row is in a pair.
    ///
    /// # Errors
    /// A value that is not finite, or no pairs at all.
    pub fn new(embeddings: &[f32], pairs: &[[u32; 2]]) -> Result<Self, MetricsError> {
        let rows = pairs.as_flattened().iter().max().map_or(0, |last| *last as usize + 1);
        if rows == 0 || embeddings.len() < rows {
            return Err(MetricsError::Empty);
        }
        let length = embeddings.len() / rows;
        let mut measuring = RunningSimilarities::new(pairs);
        measuring.add(&embeddings[..rows * length], rows);
        measuring.finish()
    }
}

/// The similarities and distances of pairs so far.
#[derive(Debug)]
pub struct RunningSimilarities<'a> {
    pairs: &'a [[u32; 2]],
    /// The pairs by their later row, and how many of them are measured.
    order: Vec<u32>,
    done: usize,
    /// Rows of length 1, one after the other; those of zeros stay zeros, as scikit-learn's `normalize` has it.
    units: Vec<f64>,
    /// Numbers of a row.
    length: usize,
    rows: usize,
    similarities: Vec<f64>,
    distances: Vec<f64>,
    /// The first image of a pair, as its pair counts, that is not finite.
    bad: Option<usize>,
}

impl<'a> RunningSimilarities<'a> {
    /// Of pairs of rows, none of which is there yet.
    pub fn new(pairs: &'a [[u32; 2]]) -> Self {
        let mut order: Vec<u32> = (0..pairs.len() as u32).collect();
        order.sort_by_key(|pair| pairs[*pair as usize].iter().max());
        let (similarities, distances) = (vec![0.0; pairs.len()], vec![0.0; pairs.len()]);
        Self { pairs, order, done: 0, units: Vec::new(), length: 0, rows: 0, similarities, distances, bad: None }
    }

    /// Takes the next rows in, raw and row-major (count, E), and measures what they complete. All rows have one length.
    pub fn add(&mut self, rows: &[f32], count: usize) {
        if self.rows == 0 {
            self.length = rows.len() / count.max(1);
        }
        let before = self.units.len();
        self.units.extend(rows.iter().map(|value| f64::from(*value)));
        for row in self.units[before..].chunks_exact_mut(self.length.max(1)) {
            let norm = dot(row, row).sqrt();
            if norm > 0.0 {
                for value in row {
                    *value /= norm;
                }
            }
        }
        self.rows += count;
        while let Some(pair) = self.order.get(self.done).map(|pair| *pair as usize)
            && self.pairs[pair].iter().all(|row| (*row as usize) < self.rows)
        {
            self.measure(pair);
            self.done += 1;
        }
    }

    fn measure(&mut self, pair: usize) {
        let [a, b] = self.pairs[pair].map(|row| &self.units[row as usize * self.length..][..self.length]);
        if let Some(image) = [a, b].iter().position(|row| row.iter().any(|value| !value.is_finite())) {
            let image = 2 * pair + image;
            self.bad = Some(self.bad.map_or(image, |bad| bad.min(image)));
            return;
        }
        self.similarities[pair] = dot(a, b);
        self.distances[pair] = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
    }

    /// All pairs.
    ///
    /// # Errors
    /// A value that is not finite, rows that are missing, or no pairs at all.
    pub fn finish(self) -> Result<PairSimilarities, MetricsError> {
        match self.bad {
            Some(image) => Err(MetricsError::NotFinite(image)),
            None if self.done < self.pairs.len() || self.pairs.is_empty() => Err(MetricsError::Empty),
            None => Ok(PairSimilarities { similarities: self.similarities, distances: self.distances }),
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rows_have_length_1_and_zeros_stay() {
        let mut measuring = RunningSimilarities::new(&[[0, 1]]);
        measuring.add(&[0.0, 0.0, 3.0, 4.0], 2);
        assert_eq!(measuring.units, [0.0, 0.0, 0.6, 0.8]);
    }

    #[test]
    fn a_pair_is_measured_with_its_later_row() {
        let pairs = [[3, 0], [0, 1], [2, 2]];
        let mut measuring = RunningSimilarities::new(&pairs);
        for (row, done) in [(0, 0), (1, 1), (2, 2), (3, 3)] {
            measuring.add(&[1.0, row as f32], 1);
            assert_eq!(measuring.done, done, "after row {row}");
        }
        let mut short = RunningSimilarities::new(&pairs);
        short.add(&[1.0, 0.0, 1.0, 1.0], 2);
        assert_eq!(short.finish(), Err(MetricsError::Empty));
    }

    proptest! {
        /// The pieces that the rows come in change no bit, nor which image is named as not finite.
        #[test]
        fn pieces_change_nothing(
            rows in prop::collection::vec(prop::array::uniform3(-2f32..2.0), 2..40),
            picks in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..40),
            piece in 1usize..12,
            bad in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let mut values = rows.concat();
            if let Some(bad) = bad {
                values[bad.index(rows.len() * 3)] = f32::NAN;
            }
            let mut pairs: Vec<[u32; 2]> =
                picks.iter().map(|(a, b)| [a.index(rows.len()) as u32, b.index(rows.len()) as u32]).collect();
            // Every row is in a pair.
            pairs.push([0, rows.len() as u32 - 1]);
            let mut measuring = RunningSimilarities::new(&pairs);
            for piece in values.chunks(3 * piece) {
                measuring.add(piece, piece.len() / 3);
            }
            prop_assert_eq!(measuring.finish(), PairSimilarities::new(&values, &pairs));
        }
    }
}
