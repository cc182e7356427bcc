//! Gradient clipping as Keras has it: by value, then by the length of each weight's gradient, then by that of all. A few
//! kernels on the flat gradient; nothing is read back from the device.

use tch::{Device, Kind, Tensor};

use crate::schedule::Clip;

/// Clips flat gradients.
#[derive(Debug, Default)]
pub struct Clipper {
    /// The newest lengths, and the same on the gradient's device.
    cover: Option<(Vec<i64>, Tensor)>,
}

impl Clipper {
    /// Clips `gradient` in place: that of weights which are as long as `lengths` says, one after the other.
    pub fn apply(&mut self, clip: &Clip, gradient: &mut Tensor, lengths: &[i64]) {
        if *clip == Clip::default() {
            return;
        }
        if clip.norm.is_some() && self.cover.as_ref().is_none_or(|(known, _)| known != lengths) {
            self.cover = Some((lengths.to_vec(), on_device(lengths, gradient.device())));
        }
        clip_flat(clip, gradient, self.cover.as_ref().map(|(_, lengths)| lengths));
    }
}

fn on_device(lengths: &[i64], device: Device) -> Tensor {
    Tensor::from_slice(lengths).to_device(device)
}

/// Clips a flat gradient whose weights are as long as `lengths` says.
pub(super) fn clip_flat(clip: &Clip, gradient: &mut Tensor, lengths: Option<&Tensor>) {
    tch::no_grad(|| {
        if let Some(value) = clip.value {
            let _ = gradient.clamp_(-value, value);
        }
        if let (Some(norm), Some(lengths)) = (clip.norm, lengths) {
            let none: Option<&Tensor> = None;
            let squares = &*gradient * &*gradient;
            let sums = Tensor::segment_reduce(&squares, "sum", Some(lengths), none, none, 0, true, 0.0);
            let shares = sums.sqrt().clamp_min(norm).reciprocal() * norm;
            let all = gradient.numel() as i64;
            let _ = gradient.g_mul_(&shares.repeat_interleave_self_tensor(lengths, 0, all));
        }
        if let Some(norm) = clip.global_norm {
            let share = gradient.norm().to_kind(Kind::Float).clamp_min(norm).reciprocal() * norm;
            let _ = gradient.g_mul_(&share);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::backbone::{Options, build};
    use crate::nn::init;
    use crate::nn::parameters::Parameters;

    fn numbers(tensor: &Tensor) -> Vec<f32> {
        Vec::try_from(tensor).expect("numbers")
    }

    #[test]
    fn each_weight_is_shortened_by_itself() {
        let lengths = on_device(&[2, 1, 3], Device::Cpu);
        let mut gradient = Tensor::from_slice(&[3f32, 4.0, 0.5, 0.0, 0.0, 0.0]);
        clip_flat(&Clip { norm: Some(1.0), ..Clip::default() }, &mut gradient, Some(&lengths));
        let wanted = [0.6, 0.8, 0.5, 0.0, 0.0, 0.0];
        assert!(numbers(&gradient).iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6), "{gradient:?}");
    }

    #[test]
    fn values_come_first_and_the_whole_last() {
        let mut gradient = Tensor::from_slice(&[-9f32, 4.0, 0.0]);
        clip_flat(&Clip { value: Some(3.0), norm: None, global_norm: Some(1.0) }, &mut gradient, None);
        let length = 18f32.sqrt();
        let wanted = [-3.0 / length, 3.0 / length, 0.0];
        assert!(numbers(&gradient).iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6), "{gradient:?}");
    }

    #[test]
    fn the_weights_of_a_network_are_found() {
        let graph = build("mobilefacenet", &Options { embedding_size: 16, dropout: 0.0, width: 0.1 }).expect("builds");
        let parameters =
            Parameters::new(&graph, &init::weights(&graph, 3), 0, graph.output(), Device::Cpu, Kind::Float);
        let all = parameters.flat.numel() as i64;
        let before = Tensor::randn([all], (Kind::Float, Device::Cpu));
        let mut gradient = before.copy();
        let clip = Clip { norm: Some(0.5), ..Clip::default() };
        let mut clipper = Clipper::default();
        let nodes = graph.nodes().len();
        clipper.apply(&clip, &mut gradient, &parameters.lengths(0..nodes));
        for segment in parameters.segments().iter().filter(|segment| segment.trainable) {
            let piece = |tensor: &Tensor| tensor.narrow(0, segment.offset, segment.len);
            let norm = piece(&before).norm().double_value(&[]);
            let wanted = piece(&before) * (0.5 / norm.max(0.5));
            assert!((piece(&gradient) - wanted).abs().max().double_value(&[]) < 1e-6);
        }
        // The same optimiser on the last layer only.
        let last = graph.output();
        let (offset, length) = parameters.range(last);
        let mut part = before.narrow(0, offset, length).copy();
        clipper.apply(&clip, &mut part, &parameters.lengths(last..nodes));
        assert!((part - gradient.narrow(0, offset, length)).abs().max().double_value(&[]) < 1e-6);
    }
}
