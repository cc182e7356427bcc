//! How a weight lies in its buffer, and the way between that and Keras's order, some numbers at a time.

use std::io;

use tch::{Device, Tensor};

use crate::checkpoint::Floats;
use crate::graph::Array;
use crate::graph::layer::{Layer, WeightSpec};

/// Numbers of a dense kernel that are laid into the buffer at a time.
const BLOCK: usize = 1 << 24;

/// Numbers of any other weight that are handed on at a time.
const PLAIN: usize = 1 << 16;

/// How a weight lies in memory, given Keras's shape.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Layout {
    /// As in Keras.
    Plain(Vec<i64>),
    /// Keras's (H, W, I, O) as (O, H, W, I): channels-last of libtorch's (O, I, H, W).
    Convolution([i64; 4]),
    /// Keras's (H, W, C, M) as (C, M, H, W), for libtorch's (C * M, 1, H, W).
    Depthwise([i64; 4]),
    /// Keras's (I, O) as (O, I), seen as (I, O): what belongs to one class of a head lies together.
    Dense([i64; 2]),
}

impl Layout {
    pub(super) fn of(layer: &Layer, spec: &WeightSpec) -> Self {
        let shape: Vec<i64> = spec.shape.iter().map(|size| *size as i64).collect();
        match (layer, spec.name, shape.as_slice()) {
            (Layer::Conv2D { .. }, "kernel", &[h, w, i, o])
            | (Layer::SeparableConv2D { .. }, "pointwise_kernel", &[h, w, i, o]) => Self::Convolution([h, w, i, o]),
            (_, "depthwise_kernel", &[h, w, c, m]) => Self::Depthwise([h, w, c, m]),
            (Layer::Dense { .. }, "kernel", &[i, o]) | (Layer::NormDense { .. }, _, &[i, o]) => Self::Dense([i, o]),
            _ => Self::Plain(shape),
        }
    }

    /// The flat piece in the shape libtorch computes with.
    pub(super) fn view(&self, flat: &Tensor) -> Tensor {
        match self {
            Self::Plain(shape) => flat.view(shape.as_slice()),
            Self::Convolution([h, w, i, o]) => flat.view([*o, *h, *w, *i]).permute([0, 3, 1, 2]),
            Self::Depthwise([h, w, c, m]) => flat.view([c * m, 1, *h, *w]),
            Self::Dense([i, o]) => flat.view([*o, *i]).tr(),
        }
    }

    /// A gradient of [`Layout::view`] as a flat vector in the buffer's order.
    pub(super) fn flatten(&self, gradient: &Tensor) -> Tensor {
        match self {
            Self::Convolution(_) => gradient.permute([0, 2, 3, 1]).reshape([-1]),
            Self::Dense(_) => gradient.tr().reshape([-1]),
            _ => gradient.reshape([-1]),
        }
    }

    /// Lays numbers in Keras's order into `flat`, their place in the buffer. `next` fills the slice it is given with those
    /// that follow the ones before.
    pub(super) fn fill(&self, flat: &Tensor, mut next: impl FnMut(&mut [f32])) {
        tch::no_grad(|| {
            if let Self::Dense([i, o]) = *self {
                let columns = flat.view([o, i]);
                let rows = rows(o);
                let mut block = vec![0f32; (rows.min(i) * o) as usize];
                for from in (0..i).step_by(rows as usize) {
                    let count = rows.min(i - from);
                    let block = &mut block[..(count * o) as usize];
                    next(block);
                    columns.narrow(1, from, count).copy_(&Tensor::from_slice(block).view([count, o]).tr());
                }
                return;
            }
            let mut data = vec![0f32; flat.numel()];
            next(&mut data);
            let tensor = Tensor::from_slice(&data);
            let piece = match self {
                Self::Plain(_) | Self::Dense(_) => tensor,
                Self::Convolution([h, w, i, o]) => tensor.view([*h, *w, *i, *o]).permute([3, 0, 1, 2]).reshape([-1]),
                Self::Depthwise([h, w, c, m]) => tensor.view([*h, *w, *c, *m]).permute([2, 3, 0, 1]).reshape([-1]),
            };
            let mut flat = flat.shallow_clone();
            flat.copy_(&piece);
        });
    }

    /// Lays Keras's array into `flat`, its place in the buffer.
    pub(super) fn import(&self, array: &Array, flat: &Tensor) {
        let mut rest = array.data.as_slice();
        self.fill(flat, |block| {
            let (now, later) = rest.split_at(block.len());
            block.copy_from_slice(now);
            rest = later;
        });
    }

    /// The axes of Keras's array.
    fn shape(&self) -> Vec<usize> {
        let shape: &[i64] = match self {
            Self::Plain(shape) => shape,
            Self::Convolution(shape) | Self::Depthwise(shape) => shape,
            Self::Dense(shape) => shape,
        };
        shape.iter().map(|size| *size as usize).collect()
    }

    /// Hands a flat vector on the host to `take` in Keras's order, some numbers at a time.
    fn each(&self, flat: &Tensor, take: &mut dyn FnMut(&[f32]) -> io::Result<()>) -> io::Result<()> {
        let mut buffer: Vec<f32> = Vec::new();
        let mut take = |numbers: &Tensor| {
            buffer.resize(numbers.numel(), 0.0);
            numbers.copy_data(&mut buffer, numbers.numel());
            take(&buffer)
        };
        let kernel = match self {
            Self::Dense([i, o]) => {
                let columns = flat.view([*o, *i]);
                let rows = rows(*o);
                for from in (0..*i).step_by(rows as usize) {
                    take(&columns.narrow(1, from, rows.min(i - from)).tr().reshape([-1]))?;
                }
                return Ok(());
            }
            Self::Plain(_) => flat.shallow_clone(),
            Self::Convolution([h, w, i, o]) => flat.view([*o, *h, *w, *i]).permute([1, 2, 3, 0]).reshape([-1]),
            Self::Depthwise([h, w, c, m]) => flat.view([*c, *m, *h, *w]).permute([2, 3, 0, 1]).reshape([-1]),
        };
        let length = kernel.numel() as i64;
        for from in (0..length).step_by(PLAIN) {
            take(&kernel.narrow(0, from, (length - from).min(PLAIN as i64)))?;
        }
        Ok(())
    }
}

/// Rows of a dense kernel of `columns` columns that are moved at a time.
fn rows(columns: i64) -> i64 {
    (BLOCK as i64 / columns.max(1)).clamp(1, 16)
}

/// Numbers of a dense kernel of `columns` columns that are in memory a second time while they are moved.
pub fn block(columns: u64) -> u64 {
    columns * rows(columns as i64) as u64
}

/// A weight of a snapshot, or what an optimiser keeps for it, as Keras has it.
#[derive(Debug)]
pub struct Piece {
    layout: Layout,
    /// A vector on the host.
    flat: Tensor,
}

impl Piece {
    /// Of the vector of a weight that lies as `layout` says.
    pub(super) fn new(layout: &Layout, flat: &Tensor) -> Self {
        Self { layout: layout.clone(), flat: flat.to_device(Device::Cpu) }
    }
}

impl Floats for Piece {
    fn shape(&self) -> Vec<usize> {
        self.layout.shape()
    }

    fn each(&self, take: &mut dyn FnMut(&[f32]) -> io::Result<()>) -> io::Result<()> {
        self.layout.each(&self.flat, take)
    }
}
