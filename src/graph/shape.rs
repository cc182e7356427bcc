//! Arithmetic of shapes: Keras's, channels last, without the batch.

use thiserror::Error;

use super::layer::{Padding, Window};

/// Axes of a tensor without the batch: (height, width, channels) for maps, (length) for vectors.
pub type Shape = Vec<usize>;

/// Inputs that a layer cannot take.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ShapeError {
    /// Another number of inputs.
    #[error("takes {expected} input(s), but {found} are connected")]
    Inputs {
        /// How many the layer takes, in words.
        expected: &'static str,
        /// How many there are.
        found: usize,
    },
    /// Another number of axes.
    #[error("takes inputs of {expected} axes (the batch not counted), but gets the shape {found:?}")]
    Rank {
        /// Axes the layer takes.
        expected: usize,
        /// What it gets.
        found: Shape,
    },
    /// Shapes that do not go together.
    #[error("cannot combine the shapes {0:?}")]
    Mismatch(Vec<Shape>),
    /// A window larger than the map.
    #[error("has a window of {window:?} that does not fit into a map of {map:?}")]
    Window {
        /// Kernel height and width, dilation included.
        window: [usize; 2],
        /// Map height and width.
        map: [usize; 2],
    },
    /// An order of axes that is none.
    #[error("cannot put the axes of {found:?} into the order {target:?}")]
    Permute {
        /// What it gets.
        found: Shape,
        /// The order.
        target: Vec<i64>,
    },
    /// A target shape with another number of elements.
    #[error("cannot reshape {found:?} to {target:?}")]
    Reshape {
        /// What it gets.
        found: Shape,
        /// What it should become.
        target: Vec<i64>,
    },
}

impl ShapeError {
    /// The rank error of one shape.
    pub fn rank(expected: usize, found: &Shape) -> Self {
        Self::Rank { expected, found: found.clone() }
    }
}

/// The only input.
pub fn one<'a>(inputs: &[&'a Shape]) -> Result<&'a Shape, ShapeError> {
    match inputs {
        [input] => Ok(input),
        _ => Err(ShapeError::Inputs { expected: "1", found: inputs.len() }),
    }
}

fn several<'a>(inputs: &[&'a Shape]) -> Result<&'a Shape, ShapeError> {
    match inputs {
        [first, _, ..] => Ok(first),
        _ => Err(ShapeError::Inputs { expected: "2 or more", found: inputs.len() }),
    }
}

fn mismatch(inputs: &[&Shape]) -> ShapeError {
    ShapeError::Mismatch(inputs.iter().map(|shape| (*shape).clone()).collect())
}

/// Height, width and channels.
pub fn map(shape: &Shape) -> Result<[usize; 3], ShapeError> {
    if let [height, width, channels] = shape[..] {
        Ok([height, width, channels])
    } else {
        Err(ShapeError::rank(3, shape))
    }
}

/// The shape of an element-wise combination: axes of 1 stretch.
pub fn broadcast(inputs: &[&Shape]) -> Result<Shape, ShapeError> {
    let mut result = several(inputs)?.clone();
    for shape in &inputs[1..] {
        if shape.len() != result.len() {
            return Err(mismatch(inputs));
        }
        for (size, other) in result.iter_mut().zip(shape.iter()) {
            match (*size, *other) {
                (1, other) => *size = other,
                (size, other) if size == other || other == 1 => {}
                _ => return Err(mismatch(inputs)),
            }
        }
    }
    Ok(result)
}

/// The shape of inputs put one after the other along an axis, counted from 1; -1 is the last.
pub fn concatenate(inputs: &[&Shape], axis: i64) -> Result<Shape, ShapeError> {
    let mut result = several(inputs)?.clone();
    let at = if axis < 0 { result.len() as i64 + axis } else { axis - 1 };
    let Some(at) = usize::try_from(at).ok().filter(|at| *at < result.len()) else { return Err(mismatch(inputs)) };
    for shape in &inputs[1..] {
        let same = |(place, (size, other)): (usize, (&usize, &usize))| place == at || size == other;
        if shape.len() != result.len() || !result.iter().zip(shape.iter()).enumerate().all(same) {
            return Err(mismatch(inputs));
        }
        result[at] += shape[at];
    }
    Ok(result)
}

/// The axes in another order: `dims` has the place (from 1) of each of the result's axes.
pub fn permute(shape: &Shape, dims: &[usize]) -> Result<Shape, ShapeError> {
    let mut sorted = dims.to_vec();
    sorted.sort_unstable();
    if sorted.iter().copied().eq(1..=shape.len()) {
        Ok(dims.iter().map(|axis| shape[axis - 1]).collect())
    } else {
        let target = dims.iter().map(|axis| *axis as i64).collect();
        Err(ShapeError::Permute { found: shape.clone(), target })
    }
}

/// Another last axis.
pub fn replace_last(shape: &Shape, last: usize) -> Result<Shape, ShapeError> {
    let mut result = shape.clone();
    *result.last_mut().ok_or_else(|| ShapeError::rank(1, shape))? = last;
    Ok(result)
}

/// Another shape of as many elements; one place may be -1.
pub fn reshape(shape: &Shape, target: &[i64]) -> Result<Shape, ShapeError> {
    let total: usize = shape.iter().product();
    let error = || ShapeError::Reshape { found: shape.clone(), target: target.to_vec() };
    let known: usize = target.iter().filter(|size| **size >= 0).map(|size| *size as usize).product();
    let open = target.iter().filter(|size| **size < 0).count();
    if open > 1 || (open == 1 && (known == 0 || !total.is_multiple_of(known))) || (open == 0 && known != total) {
        return Err(error());
    }
    Ok(target.iter().map(|size| if *size < 0 { total / known } else { *size as usize }).collect())
}

/// The zeros that a window's padding puts before and after one axis of length `n`, as TensorFlow places them.
pub fn same_padding(n: usize, kernel: usize, stride: usize, dilation: usize) -> (usize, usize) {
    let reach = (kernel - 1) * dilation + 1;
    let total = ((n.div_ceil(stride) - 1) * stride + reach).saturating_sub(n);
    (total / 2, total - total / 2)
}

/// The map after a sliding window; `channels` makes the new number of channels of the old one.
pub fn slide(window: &Window, shape: &Shape, channels: impl Fn(usize) -> usize) -> Result<Shape, ShapeError> {
    let [height, width, depth] = map(shape)?;
    let mut size = [height, width];
    let reach = [0, 1].map(|axis| (window.kernel[axis] - 1) * window.dilation[axis] + 1);
    for axis in [0, 1] {
        size[axis] = match window.padding {
            Padding::Same => size[axis].div_ceil(window.strides[axis]),
            Padding::Valid if reach[axis] <= size[axis] => (size[axis] - reach[axis]) / window.strides[axis] + 1,
            Padding::Valid => return Err(ShapeError::Window { window: reach, map: [height, width] }),
        };
    }
    Ok(vec![size[0], size[1], channels(depth)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_puts_the_odd_pixel_behind() {
        assert_eq!(same_padding(112, 3, 2, 1), (0, 1));
        assert_eq!(same_padding(7, 3, 2, 1), (1, 1));
        assert_eq!(same_padding(56, 3, 1, 1), (1, 1));
        assert_eq!(same_padding(56, 1, 2, 1), (0, 0));
    }

    #[test]
    fn windows_slide() {
        let same = Window::square(3, 2, Padding::Same);
        assert_eq!(slide(&same, &vec![7, 112, 3], |_| 8), Ok(vec![4, 56, 8]));
        let valid = Window::square(7, 1, Padding::Valid);
        assert_eq!(slide(&valid, &vec![7, 7, 512], |depth| depth), Ok(vec![1, 1, 512]));
        assert!(slide(&valid, &vec![6, 7, 512], |depth| depth).is_err());
    }

    #[test]
    fn reshapes_keep_the_count() {
        assert_eq!(reshape(&vec![2, 3, 4], &[-1, 6]), Ok(vec![4, 6]));
        assert!(reshape(&vec![2, 3, 4], &[-1, 5]).is_err());
        assert!(reshape(&vec![2, 3, 4], &[23]).is_err());
    }

    #[test]
    fn shapes_combine() {
        let (a, b, c) = (vec![4, 4, 8], vec![1, 1, 8], vec![4, 4, 3]);
        assert_eq!(broadcast(&[&a, &b]), Ok(vec![4, 4, 8]));
        assert_eq!(concatenate(&[&a, &c], -1), Ok(vec![4, 4, 11]));
        assert_eq!(concatenate(&[&a, &c], 3), Ok(vec![4, 4, 11]));
        assert_eq!(concatenate(&[&a, &a], 1), Ok(vec![8, 4, 8]));
        assert!(concatenate(&[&a, &c], 1).is_err());
        assert!(concatenate(&[&a, &a], 4).is_err());
        assert!(broadcast(&[&a, &vec![8]]).is_err());
        assert!(broadcast(&[&a]).is_err());
        assert_eq!(permute(&vec![2, 3, 4], &[3, 1, 2]), Ok(vec![4, 2, 3]));
        assert!(permute(&vec![2, 3, 4], &[1, 1, 2]).is_err());
    }
}
