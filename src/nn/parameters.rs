//! The weights of a network: one flat fp32 buffer of everything an optimiser changes, one of the moving statistics and the
//! weights of frozen layers, and views of both in the shapes libtorch computes with.
//!
//! The views of trainable weights are autograd leaves. libtorch returns their gradients one by one;
//! [`Parameters::gradient_pieces`] makes vectors of them that lie as the buffer does. In bf16 the leaves of the
//! basic model's convolutions, dense layers and `PReLU`s are views of a second buffer that [`Parameters::refresh`] casts once
//! a step; a head stays in fp32.
//!
//! Heads have up to millions of classes, so nothing here holds a weight a second time: arrays and drawn numbers go into the
//! buffers a few rows at a time.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use super::init;
use crate::checkpoint::Floats as _;
use crate::graph::{Array, Graph, NodeId, Weights};

mod layout;

use layout::Layout;
pub use layout::{Piece, block};

/// Where one weight lies.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Its node.
    pub node: usize,
    /// Its place among the node's weights.
    pub place: usize,
    /// Offset into its buffer.
    pub offset: i64,
    /// Number of elements.
    pub len: i64,
    /// Whether it lies in the trainable buffer.
    pub trainable: bool,
    layout: Layout,
}

/// The weights of one network on one device.
#[derive(Debug)]
pub struct Parameters {
    /// Every weight that is trained, fp32, in the order of the graph.
    pub flat: Tensor,
    /// Every moving statistic and every weight of a frozen layer, fp32.
    pub statistics: Tensor,
    /// The basic model's part of `flat` in the compute format, when that is not fp32.
    cast: Option<Tensor>,
    segments: Vec<Segment>,
    views: Vec<Tensor>,
    /// Index of the first segment of each node, and one past the last.
    nodes: Vec<usize>,
}

impl Parameters {
    /// Lays the weights of a graph into buffers on a device. Weights of the nodes that `weights` does not reach are drawn
    /// as a fresh head's from `seed`. The nodes up to `embedding` compute in `compute`.
    pub fn new(graph: &Graph, weights: &Weights, seed: u64, embedding: NodeId, device: Device, compute: Kind) -> Self {
        let mut segments = Vec::new();
        let mut nodes = vec![0];
        let mut offsets = [0i64; 2];
        let mut cast_len = 0;
        for (node, layer) in graph.nodes().iter().enumerate() {
            for (place, spec) in layer.weights.iter().enumerate() {
                let layout = Layout::of(&layer.layer, spec);
                let trainable = spec.trainable && layer.trainable;
                let offset = &mut offsets[usize::from(!trainable)];
                let len = spec.len() as i64;
                segments.push(Segment { node, place, offset: *offset, len, trainable, layout });
                *offset += len;
            }
            nodes.push(segments.len());
            if node <= embedding {
                cast_len = offsets[0];
            }
        }
        let [flat, statistics] = offsets.map(|len| Tensor::empty([len], (Kind::Float, device)));
        for segment in &segments {
            let buffer = if segment.trainable { &flat } else { &statistics };
            let place = buffer.narrow(0, segment.offset, segment.len);
            if let Some(arrays) = weights.nodes.get(segment.node) {
                segment.layout.import(&arrays[segment.place], &place);
            } else {
                let spec = &graph.nodes()[segment.node].weights[segment.place];
                // Streams far away from those of the layers: a head starts the same whatever the backbone is.
                let mut drawn = init::Draw::new(spec, seed, u64::MAX - segment.place as u64);
                segment.layout.fill(&place, |block| block.fill_with(|| drawn.number()));
            }
        }
        let cast = (compute != Kind::Float).then(|| flat.narrow(0, 0, cast_len).to_kind(compute));
        // Frozen weights never change: they are cast once.
        let frozen = (compute != Kind::Float).then(|| statistics.to_kind(compute));
        let views = segments
            .iter()
            .map(|segment| {
                let spec = &graph.nodes()[segment.node].weights[segment.place];
                let (exact, cast) = if segment.trainable { (&flat, &cast) } else { (&statistics, &frozen) };
                let buffer = match cast {
                    // Normalisations compute in fp32 whatever their input is.
                    Some(cast)
                        if spec.trainable && segment.node <= embedding && !matches!(spec.name, "gamma" | "beta") =>
                    {
                        cast
                    }
                    _ => exact,
                };
                let view = segment.layout.view(&buffer.narrow(0, segment.offset, segment.len)).detach();
                if segment.trainable { view.set_requires_grad(true) } else { view }
            })
            .collect();
        Self { flat, statistics, cast, segments, views, nodes }
    }

    /// The weights of a node, in Keras's order and libtorch's shapes.
    pub fn node(&self, node: usize) -> &[Tensor] {
        &self.views[self.nodes[node]..self.nodes[node + 1]]
    }

    /// The weight of a segment as a vector; gradients flow through it into its leaf.
    pub(super) fn flat_view(&self, segment: usize) -> Tensor {
        self.segments[segment].layout.flatten(&self.views[segment])
    }

    /// Where every weight lies, in the order of the graph.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The trainable leaves of the nodes `nodes`, in the order of the buffer.
    pub fn leaves(&self, nodes: Range<NodeId>) -> Vec<&Tensor> {
        let all = self.segments.iter().zip(&self.views);
        all.filter(|(segment, _)| segment.trainable && nodes.contains(&segment.node)).map(|(_, view)| view).collect()
    }

    /// The part of the flat buffer that belongs to the nodes from `first` on: (offset, length).
    pub fn range(&self, first: usize) -> (i64, i64) {
        let total = self.flat.numel() as i64;
        let start = self.segments.iter().find(|segment| segment.trainable && segment.node >= first);
        start.map_or((total, 0), |segment| (segment.offset, total - segment.offset))
    }

    /// The gradients of [`Parameters::leaves`] as fp32 vectors that lie as their weights do, one after the other. Undefined
    /// gradients (of weights the loss does not reach) are zero.
    pub fn gradient_pieces(&self, nodes: Range<NodeId>, gradients: &[Tensor]) -> Vec<Tensor> {
        let segments = self.segments.iter().filter(|segment| segment.trainable && nodes.contains(&segment.node));
        let pieces = segments.zip(gradients).map(|(segment, gradient)| {
            if gradient.defined() {
                segment.layout.flatten(gradient).to_kind(Kind::Float)
            } else {
                Tensor::zeros([segment.len], (Kind::Float, self.flat.device()))
            }
        });
        pieces.collect()
    }

    /// How long each trainable weight of the nodes `nodes` is, in the order of the buffer.
    pub fn lengths(&self, nodes: Range<NodeId>) -> Vec<i64> {
        let segments = self.segments.iter().filter(|segment| segment.trainable && nodes.contains(&segment.node));
        segments.map(|segment| segment.len).collect()
    }

    /// Casts the changed weights into the compute format: call it after every optimiser step.
    pub fn refresh(&mut self) {
        if let Some(cast) = &mut self.cast {
            tch::no_grad(|| cast.copy_(&self.flat.narrow(0, 0, cast.numel() as i64)));
        }
    }

    /// Every weight as Keras's arrays, for a graph of `nodes` nodes. On the CPU no other copy is made on the way.
    pub fn weights(&self, nodes: usize) -> Weights {
        each(&self.segments, [&self.flat, &self.statistics], nodes, |piece| piece.array())
    }

    /// Whether every weight and statistic is a number. Waits for the device.
    pub fn are_finite(&self) -> bool {
        let finite = |tensor: &Tensor| tensor.numel() == 0 || tensor.isfinite().all().int64_value(&[]) == 1;
        finite(&self.flat) && finite(&self.statistics)
    }

    /// A copy of every weight on the host, cheap enough for the training thread; [`Snapshot::pieces`] makes Keras's
    /// numbers of it elsewhere.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot_of(self.nodes.len())
    }

    /// The same of the first `nodes` nodes alone: of a basic model without its head.
    pub fn snapshot_of(&self, nodes: usize) -> Snapshot {
        let segments: Vec<Segment> = self.segments.iter().filter(|segment| segment.node < nodes).cloned().collect();
        let copy = |tensor: &Tensor, trainable: bool| {
            let own = segments.iter().filter(|segment| segment.trainable == trainable);
            let end = own.map(|segment| segment.offset + segment.len).max().unwrap_or(0);
            let host = tensor.detach().narrow(0, 0, end).to_device(Device::Cpu);
            if tensor.device() == Device::Cpu { host.copy() } else { host }
        };
        let (flat, statistics) = (copy(&self.flat, true), copy(&self.statistics, false));
        Snapshot { flat, statistics, segments }
    }
}

/// Every weight of a network at one moment, on the host.
#[derive(Debug)]
pub struct Snapshot {
    flat: Tensor,
    statistics: Tensor,
    segments: Vec<Segment>,
}

impl Snapshot {
    /// About how many bytes they are.
    pub fn bytes(&self) -> u64 {
        4 * (self.flat.numel() + self.statistics.numel()) as u64
    }

    /// As Keras's arrays, for a graph of `nodes` nodes (those of a basic model are the first of the whole one).
    pub fn weights(&self, nodes: usize) -> Weights {
        each(&self.segments, [&self.flat, &self.statistics], nodes, |piece| piece.array())
    }

    /// The same without making them: they share this snapshot's memory.
    pub fn pieces(&self, nodes: usize) -> Weights<Piece> {
        each(&self.segments, [&self.flat, &self.statistics], nodes, |piece| piece)
    }

    /// A vector that lies as the trainable buffer does (an optimiser's slot, on the host) weight by weight: (node, place
    /// among its weights, numbers), trainable weights only. They share the vector's memory.
    pub fn slot(&self, flat: &Tensor) -> Vec<(usize, usize, Piece)> {
        let segments = self.segments.iter().filter(|segment| segment.trainable);
        segments
            .map(|segment| {
                let piece = flat.narrow(0, segment.offset, segment.len);
                (segment.node, segment.place, Piece::new(&segment.layout, &piece))
            })
            .collect()
    }
}

/// What `make` makes of every weight of the first `nodes` nodes, one after the other.
fn each<A>(
    segments: &[Segment],
    [flat, statistics]: [&Tensor; 2],
    nodes: usize,
    make: impl Fn(Piece) -> A,
) -> Weights<A> {
    let mut weights = Weights::default();
    weights.nodes.resize_with(nodes, Vec::new);
    for segment in segments.iter().filter(|segment| segment.node < nodes) {
        let buffer = if segment.trainable { flat } else { statistics };
        let piece = buffer.narrow(0, segment.offset, segment.len);
        weights.nodes[segment.node].push(make(Piece::new(&segment.layout, &piece)));
    }
    weights
}

/// An optimiser's slot, given as Keras's arrays, as a vector that lies as the trainable buffer does. Weights that
/// `find` does not know are zero.
pub fn import_slot<'a>(parameters: &Parameters, find: impl Fn(usize, usize) -> Option<&'a Array>) -> Tensor {
    let slot = parameters.flat.detach().zeros_like();
    for segment in parameters.segments.iter().filter(|segment| segment.trainable) {
        if let Some(array) = find(segment.node, segment.place)
            && array.data.len() as i64 == segment.len
        {
            segment.layout.import(array, &slot.narrow(0, segment.offset, segment.len));
        }
    }
    slot
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Layer;
    use crate::graph::backbone::{Options, build};

    #[test]
    fn keras_arrays_survive_the_buffers() {
        let graph = build("mobilefacenet", &Options { embedding_size: 16, dropout: 0.1, width: 0.25 }).expect("builds");
        let weights = init::weights(&graph, 3);
        for compute in [Kind::Float, Kind::BFloat16] {
            let parameters = Parameters::new(&graph, &weights, 0, graph.output(), Device::Cpu, compute);
            assert_eq!(parameters.snapshot().weights(graph.nodes().len()), weights);
            let part = parameters.snapshot_of(9);
            assert_eq!(part.weights(9).nodes, weights.nodes[..9]);
            assert!(part.flat.numel() < parameters.flat.numel() && part.statistics.numel() > 0);
        }
    }

    #[test]
    fn slots_survive_too() {
        let graph = build("mobilefacenet", &Options { embedding_size: 16, dropout: 0.0, width: 0.1 }).expect("builds");
        let parameters =
            Parameters::new(&graph, &init::weights(&graph, 3), 0, graph.output(), Device::Cpu, Kind::Float);
        let slot = Tensor::rand([parameters.flat.numel() as i64], (Kind::Float, Device::Cpu));
        let pieces = parameters.snapshot().slot(&slot);
        let arrays: Vec<_> = pieces.iter().map(|(node, place, piece)| (*node, *place, piece.array())).collect();
        let back = import_slot(&parameters, |node, place| {
            arrays.iter().find(|(n, p, _)| (*n, *p) == (node, place)).map(|(_, _, array)| array)
        });
        assert!(back.equal(&slot));
    }

    #[test]
    fn frozen_weights_are_no_part_of_the_trained_ones() {
        let mut graph =
            build("mobilefacenet", &Options { embedding_size: 16, dropout: 0.1, width: 0.25 }).expect("builds");
        let embedding = graph.output();
        let head = graph.add("arcface", Layer::NormDense { units: 5 }, &[embedding]).expect("fits");
        let weights = init::weights(&graph, 3);
        graph.freeze(embedding);
        for compute in [Kind::Float, Kind::BFloat16] {
            let parameters = Parameters::new(&graph, &weights, 0, embedding, Device::Cpu, compute);
            assert_eq!((parameters.range(0), parameters.range(head)), ((0, 80), (0, 80)));
            assert_eq!(parameters.leaves(0..head + 1).len(), 1);
            assert_eq!(parameters.node(2)[0].kind(), Kind::Float);
            assert_eq!(parameters.node(1)[0].kind(), compute);
            assert_eq!(parameters.snapshot().weights(graph.nodes().len()), weights);
        }
        graph.freeze(head);
        let parameters = Parameters::new(&graph, &weights, 0, embedding, Device::Cpu, Kind::Float);
        assert_eq!((parameters.range(0), parameters.lengths(0..head + 1).len()), ((0, 0), 0));
    }

    #[test]
    fn the_head_lies_last() {
        let mut graph =
            build("mobilefacenet", &Options { embedding_size: 16, dropout: 0.0, width: 0.1 }).expect("builds");
        let embedding = graph.output();
        let head = graph.add("arcface", Layer::NormDense { units: 5 }, &[embedding]).expect("fits");
        let parameters =
            Parameters::new(&graph, &init::weights(&graph, 3), 0, graph.output(), Device::Cpu, Kind::Float);
        let (offset, length) = parameters.range(head);
        assert_eq!((offset + length, length), (parameters.flat.numel() as i64, 80));
        assert_eq!(parameters.leaves(head..head + 1).len(), 1);
    }
}
