//! Kernels in int8 and biases in int32.

use super::super::op::{Fused, Op, Sliding};
use super::super::tensor::{Kind, Tensor, TensorId};
use super::scales::Quantization;
use super::{BYTE_SHIFT, Quantizer};

/// The largest bias in steps: the sum of products has room beside it in 32 bits.
const LARGEST_BIAS: f64 = (1u32 << 30) as f64;

/// The smallest factor between the sum of products and the result that the runtime's fixed-point numbers can hold.
const SMALLEST_FACTOR: f64 = 1.0 / (1u32 << 30) as f64;

/// The largest number of a kernel: -128 is not used, so that products are symmetric.
const LARGEST: f64 = 127.0;

impl Quantizer<'_> {
    /// The kernel and bias of an operator: a scale for each place of the axis `channels`.
    pub(super) fn weights(
        &mut self,
        inputs: &[TensorId],
        channels: usize,
        result: &Quantization,
    ) -> (TensorId, TensorId) {
        let (kernel, bias) = (&self.from.tensors[inputs[1]], &self.from.tensors[inputs[2]]);
        let weights = kernel.floats().unwrap_or_default();
        let mut biases: Vec<f64> = bias.floats().unwrap_or_default().into_iter().map(f64::from).collect();
        let input = f64::from(self.quantization(inputs[0]).scales[0]);
        // Elements of a channel lie `inner` in a row, again after `inner` times the number of channels.
        let inner: usize = kernel.shape[channels + 1..].iter().map(|size| *size as usize).product();
        let channel = |at: usize| at / inner % biases_len(kernel, channels);
        let mut largest = vec![0.0f64; biases.len()];
        let mut sums = vec![0.0f64; biases.len()];
        for (at, weight) in weights.iter().enumerate() {
            let weight = f64::from(*weight);
            largest[channel(at)] = largest[channel(at)].max(weight.abs());
            sums[channel(at)] += weight;
        }
        if self.shifted[inputs[0]] {
            biases.iter_mut().zip(&sums).for_each(|(bias, sum)| *bias += BYTE_SHIFT * sum);
        }
        let output = f64::from(result.scales[0]);
        let scales = largest.iter().zip(&biases).map(|(largest, bias)| {
            let needed = (bias.abs() / (input * LARGEST_BIAS)).max(SMALLEST_FACTOR * output / input);
            (largest / LARGEST).max(needed) as f32
        });
        let scales: Vec<f32> = scales.collect();
        let byte = |(at, weight): (usize, &f32)| {
            let scale = f64::from(scales[channel(at)]);
            ((f64::from(*weight) / scale).round().clamp(-LARGEST, LARGEST) as i8).cast_unsigned()
        };
        let data = Some(weights.iter().enumerate().map(byte).collect());
        let step = |channel: usize| input * f64::from(scales[channel]);
        let ints = biases.iter().enumerate().map(|(at, bias)| (bias / step(at)).round() as i32);
        let bias_data = Some(ints.flat_map(i32::to_le_bytes).collect());
        let bias_scales: Vec<f32> = (0..biases.len()).map(|at| step(at) as f32).collect();
        let (kernel, bias) = (kernel.clone(), bias.clone());
        let quantization = Some(Quantization { scales, zero_point: 0, axis: channels as i32 });
        let kernel = self.to.tensor(Tensor { kind: Kind::Int8, quantization, data, ..kernel });
        let quantization = Some(Quantization { scales: bias_scales, zero_point: 0, axis: 0 });
        let bias = self.to.tensor(Tensor { kind: Kind::Int32, quantization, data: bias_data, ..bias });
        (kernel, bias)
    }

    /// A dense layer as a convolution of one pixel: every int8 kernel of TFLite knows a scale a channel there, dense ones
    /// only lately.
    pub(super) fn dense(&mut self, inputs: &[TensorId], output: TensorId, fused: Fused, quantization: Quantization) {
        let rows = self.int8(inputs[0], None);
        let (kernel, bias) = self.weights(inputs, 0, &quantization);
        let [outputs, columns] = [0, 1].map(|axis| self.to.tensors[kernel].shape[axis]);
        self.to.tensors[kernel].shape = vec![outputs, 1, 1, columns];
        let result = &self.from.tensors[output];
        let name = result.name.clone();
        let count = result.shape.iter().rev().skip(1).product::<i32>();
        let signature = result.signature.clone().unwrap_or_default();
        let of_rows = self.to.tensors[rows].quantization.clone();
        let mut pixels = |suffix: &str, last: i32, quantization: Option<Quantization>| {
            let (name, shape, signature) = (format!("{name}/{suffix}"), vec![count, 1, 1, last], vec![-1, 1, 1, last]);
            let pixels = self.to.flow(name, Kind::Int8, shape, signature);
            self.to.tensors[pixels].quantization = quantization;
            pixels
        };
        let x = pixels("pixels", columns, of_rows);
        let product = pixels("product", outputs, Some(quantization.clone()));
        let shape = self.to.ints(format!("{name}/pixels/shape"), vec![4], &[-1, 1, 1, columns]);
        self.to.operator(Op::Reshape, vec![rows, shape], x);
        let at = Sliding { strides: [1; 2], dilation: [1; 2], same: false, fused };
        self.to.operator(Op::Conv2d(at), vec![x, kernel, bias], product);
        let shape = self.to.ints(format!("{name}/shape"), vec![signature.len() as i32], &signature);
        let y = self.result(output, quantization);
        self.to.operator(Op::Reshape, vec![product, shape], y);
    }
}

fn biases_len(kernel: &Tensor, channels: usize) -> usize {
    (kernel.shape[channels] as usize).max(1)
}
