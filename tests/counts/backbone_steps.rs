//! The backbones in training: every one learns a batch by heart at a small width, and weight decay counts in the loss.

use facetui::graph::backbone::{Options, TABLE, build};
use facetui::graph::layer::{Activation, Initializer, Layer};
use facetui::nn::{Mode, Network, init};
use facetui::schedule::{Backbone, HeadKind, Loss, ModelSource, Optimizer};
use facetui::train::optim::optimizer::OptimizerState;
use facetui::train::{model, step};
use tch::{Device, Kind, Tensor};

use crate::alone::turn;

#[test]
fn every_backbone_learns_a_batch_by_heart() {
    // libtorch's random numbers come from one place: a test that draws them seeds and draws alone.
    let _turn = turn();
    // The deeper kin of ResNet50V2 differ in their number of blocks only.
    for backbone in TABLE.iter().filter(|backbone| !["resnet101v2", "resnet152v2"].contains(&backbone.name)) {
        let options = Options { embedding_size: 16, dropout: 0.0, width: 0.25 };
        let mut graph = build(backbone.name, &options).expect("builds");
        let embedding = graph.output();
        let head = Layer::Dense {
            units: 4,
            use_bias: true,
            activation: Activation::Softmax,
            kernel_initializer: Initializer::GlorotUniform,
        };
        graph.add("softmax", head, &[embedding]).expect("fits");
        let weights = init::weights(&graph, 5);
        let mut network = Network::new(graph, embedding, &weights, Device::Cpu, Kind::Float);
        tch::manual_seed(7);
        let noise = Tensor::rand([8, 112, 112, 3], (Kind::Float, Device::Cpu)).permute([0, 3, 1, 2]);
        // Each person has a colour.
        let colours = Tensor::rand([4, 3, 1, 1], (Kind::Float, Device::Cpu)).repeat([2, 1, 1, 1]);
        let images = noise + colours - 1.0;
        let labels = Tensor::from_slice(&[0i64, 1, 2, 3, 0, 1, 2, 3]);
        let loss = Loss::Softmax { label_smoothing: 0.0 };
        let mut losses = Vec::new();
        for _ in 0..10 {
            let mut learnt = step::learn(&network, &loss, &images, &labels, false);
            tch::no_grad(|| {
                let _ = network.parameters.flat.g_sub_(&(learnt.gradient() * 0.05));
            });
            network.parameters.refresh();
            losses.push(learnt.result.loss.double_value(&[]));
        }
        assert!(losses[9] < 0.7 * losses[0], "{}: {losses:?}", backbone.name);
        let embeddings = tch::no_grad(|| network.embed(&images, Mode::Infer));
        assert_eq!(embeddings.size(), [8, 16], "{}", backbone.name);
        assert!(embeddings.isfinite().all().int64_value(&[]) == 1, "{}", backbone.name);
    }
}

#[test]
fn weight_decay_counts_in_the_loss() {
    // libtorch's random numbers come from one place: a test that draws them seeds and draws alone.
    let _turn = turn();
    let first_step = |weight_decay: f64| {
        let backbone = Backbone { width: 0.1, weight_decay, ..Backbone::new("mobilenetv2", 8) };
        let start = model::start(&ModelSource::Backbone(backbone), 1).expect("builds");
        let squares: f64 = start
            .graph
            .nodes()
            .iter()
            .zip(&start.weights.nodes)
            .flat_map(|(node, arrays)| node.weights.iter().zip(arrays))
            .filter(|(spec, _)| spec.name.ends_with("kernel"))
            .flat_map(|(_, array)| &array.data)
            .map(|value| f64::from(*value).powi(2))
            .sum();
        let (mut network, _) =
            model::with_head(start, HeadKind::Arcface, 4, 1, Device::Cpu, Kind::Float).expect("fits");
        let rule = Optimizer::FIRST;
        let mut optimizer = OptimizerState::new(rule, &network.parameters.flat);
        tch::manual_seed(7);
        let images = Tensor::rand([8, 3, 112, 112], (Kind::Float, Device::Cpu)) * 2.0 - 1.0;
        let labels = Tensor::from_slice(&[0i64, 1, 2, 3, 0, 1, 2, 3]);
        let loss = Loss::Arcface { margin1: 1.0, margin2: 0.5, margin3: 0.0, scale: 64.0 };
        let result = step::step(&mut network, &mut optimizer, &loss, &images, &labels, 0.0, false);
        (result.loss.double_value(&[]), squares)
    };
    let (plain, squares) = first_step(0.0);
    let (decayed, _) = first_step(1e-3);
    let difference = decayed - plain - 1e-3 * squares;
    assert!(difference.abs() < 1e-4 * decayed, "{plain}, {decayed}, {squares}");
}
