//! A fault that tests cause: `FACETUI_TEST_NAN=3:5,4:1` makes the images of batch 5 of the third epoch, and those of batch
//! 1 of the fourth, NaN. Epochs and batches are counted from 1.

use std::sync::OnceLock;

use tch::Tensor;

/// The variable.
const VARIABLE: &str = "FACETUI_TEST_NAN";

/// The images, or what a test wants in their place.
pub fn images(images: Tensor, epoch: u32, batch: usize) -> Tensor {
    static WANTED: OnceLock<Vec<(u32, usize)>> = OnceLock::new();
    let wanted = WANTED.get_or_init(|| places(&std::env::var(VARIABLE).unwrap_or_default()));
    if wanted.contains(&(epoch, batch)) { images * f64::NAN } else { images }
}

/// Epochs and batches as the variable names them; what is no such pair is passed over.
fn places(text: &str) -> Vec<(u32, usize)> {
    let pair = |pair: &str| {
        let (epoch, batch) = pair.split_once(':')?;
        Some((epoch.trim().parse().ok()?, batch.trim().parse().ok()?))
    };
    text.split(',').filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_nothing_is_nothing() {
        assert_eq!(places("3:5, 4:1"), [(3, 5), (4, 1)]);
        assert_eq!(places(""), []);
        assert_eq!(places("x:1,2"), []);
    }
}
