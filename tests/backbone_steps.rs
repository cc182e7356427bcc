//! The backbones in training: every one learns a batch by heart at a small width.

use facetui::graph::backbone::{Options, TABLE, build};
use facetui::graph::layer::{Activation, Initializer, Layer};
use facetui::nn::{Mode, Network, init};
use tch::{Device, Kind, Tensor};

#[test]
fn every_backbone_learns_a_batch_by_heart() {
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
        let mut losses = Vec::new();
        for _ in 0..10 {
            let logits = network.head_output(&network.embed(&images, Mode::Train));
            let loss = logits.cross_entropy_for_logits(&labels);
            let leaves = network.parameters.leaves(0);
            let gradients = Tensor::run_backward(&[&loss], &leaves, false, false);
            let gradient = network.parameters.flatten_gradients(0, &gradients);
            tch::no_grad(|| {
                let _ = network.parameters.flat.g_sub_(&(gradient * 0.05));
            });
            network.parameters.refresh();
            losses.push(loss.double_value(&[]));
        }
        assert!(losses[9] < 0.7 * losses[0], "{}: {losses:?}", backbone.name);
        let embeddings = tch::no_grad(|| network.embed(&images, Mode::Infer));
        assert_eq!(embeddings.size(), [8, 16], "{}", backbone.name);
        assert!(embeddings.isfinite().all().int64_value(&[]) == 1, "{}", backbone.name);
    }
}
