//! Numbers on their way into a file: an array, or what makes one piece by piece, so that a large one need not be whole in
//! memory a second time.

use std::io;

use crate::graph::Array;

/// float32 numbers of a known shape, last axis fastest.
pub trait Floats {
    /// Their axes.
    fn shape(&self) -> Vec<usize>;

    /// Hands them to `take` in order, some at a time.
    ///
    /// # Errors
    /// What `take` fails with.
    fn each(&self, take: &mut dyn FnMut(&[f32]) -> io::Result<()>) -> io::Result<()>;

    /// All of them.
    fn array(&self) -> Array {
        let shape = self.shape();
        let mut data = Vec::with_capacity(shape.iter().product());
        let taken = self.each(&mut |piece| {
            data.extend_from_slice(piece);
            Ok(())
        });
        debug_assert!(taken.is_ok(), "nothing fails here");
        Array { shape, data }
    }

    /// Whether one of them is not zero.
    fn any(&self) -> bool {
        // The first one ends the search.
        let mut look = |piece: &[f32]| -> io::Result<()> {
            if piece.iter().all(|value| *value == 0.0) { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
        };
        self.each(&mut look).is_err()
    }
}

impl Floats for Array {
    fn shape(&self) -> Vec<usize> {
        self.shape.clone()
    }

    fn each(&self, take: &mut dyn FnMut(&[f32]) -> io::Result<()>) -> io::Result<()> {
        take(&self.data)
    }

    fn array(&self) -> Array {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_of_either_sign_are_none() {
        let any = |data: &[f32]| Array { shape: vec![data.len()], data: data.to_vec() }.any();
        assert!(!any(&[]) && !any(&[0.0, -0.0]));
        assert!(any(&[0.0, 1e-40]) && any(&[f32::NAN]));
    }
}
