//! What every export is compared with: facetui's own embeddings of the same images.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

use super::lower::{InputKind, Layout, Options};
use crate::graph::shape::Shape;
use crate::graph::{Graph, Weights};
use crate::nn::{Mode, Network};
use crate::synth;

/// Largest difference of a file in fp32 that is let through, relative to the embedding's norm. Rounding stays far below
/// it; anything wrong goes far above it.
pub const MOST: f64 = 1e-3;

/// Seed of what the checks draw: not a seed that anybody trains on by chance.
const SEED: u64 = 0x6661_6365;

/// Images (count, H, W, C) of bytes for a network that takes maps: drawn faces where it takes colours, else noise. For
/// another network, (count, ...) of fp32 in -1 to 1.
pub fn images(shape: &Shape, count: usize) -> Tensor {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let size: Vec<i64> = std::iter::once(count).chain(shape.iter().copied()).map(|size| size as i64).collect();
    let length = shape.iter().product::<usize>();
    match shape[..] {
        [height, width, 3] => {
            let mut bytes = Vec::with_capacity(count * length);
            for person in 0..count {
                let face = synth::draw(SEED, person as u32, 0);
                let filter = image::imageops::FilterType::Triangle;
                bytes.extend(image::imageops::resize(&face, width as u32, height as u32, filter).into_raw());
            }
            Tensor::from_slice(&bytes).reshape(size.as_slice())
        }
        [_, _, _] => {
            let bytes: Vec<u8> = (0..count * length).map(|_| random.random()).collect();
            Tensor::from_slice(&bytes).reshape(size.as_slice())
        }
        _ => {
            let values: Vec<f32> = (0..count * length).map(|_| random.random_range(-1.0..=1.0)).collect();
            Tensor::from_slice(&values).reshape(size.as_slice())
        }
    }
}

/// Bytes as the networks take them, in the same order of axes: `(x / 255 - 0.5) * 2`. Others as they are.
fn normalized(images: &Tensor) -> Tensor {
    if images.kind() == Kind::Uint8 {
        images.to_kind(Kind::Float) * (2.0 / 255.0) - 1.0
    } else {
        images.shallow_clone()
    }
}

/// The images as a file with these options takes them, contiguous.
pub fn file_input(images: &Tensor, options: Options) -> Tensor {
    let x = if options.input == InputKind::Uint8 { images.shallow_clone() } else { normalized(images) };
    let swaps = options.layout == Layout::Nchw && x.dim() == 4;
    if swaps { x.permute([0, 3, 1, 2]).contiguous() } else { x.contiguous() }
}

/// What facetui's own network makes of the images, maps in Keras's order, with the mirrored images and the
/// normalisation that the options ask for.
pub fn reference(graph: &Graph, weights: &Weights, images: &Tensor, options: Options) -> Tensor {
    let network = Network::new(graph.clone(), graph.output(), weights, Device::Cpu, Kind::Float);
    let x = normalized(images);
    let x = if x.dim() == 4 { x.permute([0, 3, 1, 2]).contiguous() } else { x };
    tch::no_grad(|| {
        let mut y = network.embed(&x, Mode::Infer);
        if options.flip {
            y = (y + network.embed(&x.flip([3]), Mode::Infer)) * 0.5;
        }
        if y.dim() == 4 {
            y = y.permute([0, 2, 3, 1]);
        }
        if options.flip || options.normalize {
            let square = (&y * &y).sum_dim_intlist([-1i64].as_slice(), true, None);
            y = &y * square.clamp_min(1e-12).rsqrt();
        }
        y.contiguous()
    })
}

/// The output of a file with these options in Keras's order.
pub fn file_output(output: &Tensor, options: Options) -> Tensor {
    let swaps = options.layout == Layout::Nchw && output.dim() == 4;
    if swaps { output.permute([0, 2, 3, 1]).contiguous() } else { output.shallow_clone() }
}

/// The largest distance of an image's results, relative to the norm of facetui's own.
///
/// # Errors
/// Other shapes, or numbers that are not finite, as a sentence.
pub fn difference(ours: &Tensor, theirs: &Tensor) -> Result<f64, String> {
    if ours.size() != theirs.size() {
        return Err(format!("it gives the shape {:?}; expected {:?}", theirs.size(), ours.size()));
    }
    let rows = |x: &Tensor| x.to_kind(Kind::Double).reshape([x.size()[0], -1]);
    let (ours, theirs) = (rows(ours), rows(theirs));
    let length = |x: &Tensor| x.square().sum_dim_intlist([1i64].as_slice(), false, None).sqrt();
    let finite = |x: &Tensor| x.isfinite().all().int64_value(&[]) == 1;
    if !finite(&ours) {
        return Err("the network's own embeddings have NaN or infinite values: its weights are broken".to_owned());
    }
    if !finite(&theirs) {
        return Err("it gives NaN or infinite values".to_owned());
    }
    Ok((length(&(&ours - &theirs)) / length(&ours).clamp_min(1e-12)).max().double_value(&[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_relative_and_say_what_does_not_fit() {
        let ours = Tensor::from_slice(&[3.0f32, 4.0, 0.0, 1.0]).view([2, 2]);
        let theirs = Tensor::from_slice(&[3.0f32, 4.5, 0.0, 1.0]).view([2, 2]);
        assert!((difference(&ours, &theirs).expect("is finite") - 0.1).abs() < 1e-6);
        assert!(difference(&ours, &theirs.view([1, 4])).is_err());
        assert!(difference(&ours, &(&theirs * f64::NAN)).is_err());
    }

    #[test]
    fn images_fit_the_network() {
        let faces = images(&vec![96, 112, 3], 2);
        assert_eq!((faces.size(), faces.kind()), (vec![2, 96, 112, 3], Kind::Uint8));
        assert!(faces.to_kind(Kind::Float).std(true).double_value(&[]) > 10.0);
        assert_eq!(images(&vec![5, 4, 1], 2).kind(), Kind::Uint8);
        assert_eq!(images(&vec![7], 3).size(), [3, 7]);
    }
}
