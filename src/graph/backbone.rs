//! The registry of backbones: functions that build a [`Graph`] from images to `embedding`. A new one is a file here and a line in
//! [`TABLE`].
//!
//! Those of keras.applications have its layers, names and order, so that its weight files load by name; the reference's
//! embedding head follows the last map. `tests/interop/backbones.rs` compares them with what real Keras builds.

mod builder;
mod layer_order;
mod mobilefacenet;
mod mobilenet;
mod mobilenetv2;
mod mobilenetv3;
mod options;
mod resnetv2;
mod se_mobilefacenet;

use thiserror::Error;

use super::layer::Regularizer;
use super::{Graph, GraphError};
use builder::Builder;

pub use options::{Options, Spelling};

/// Height, width and channels of the images.
const IMAGE: [usize; 3] = [112, 112, 3];

/// A line of the table.
pub struct Backbone {
    /// Its name in a schedule.
    pub name: &'static str,
    /// One line about it.
    pub about: &'static str,
    /// Length of the embedding that the reference gives it.
    pub embedding_size: usize,
    /// The widths of Keras's ImageNet weights; empty where there are none.
    pub pretrained_widths: &'static [f64],
    build: fn(&mut Builder, &Options) -> Result<(), GraphError>,
}

/// Every backbone there is.
pub const TABLE: &[Backbone] = &[
    Backbone {
        name: "mobilefacenet",
        about: "MobileFaceNet (Chen et al. 2018) as the reference builds it",
        embedding_size: 256,
        pretrained_widths: &[],
        build: mobilefacenet::build,
    },
    Backbone {
        name: "se_mobilefacenet",
        about: "MobileFaceNet with squeeze-and-excitation and a GDC head, of the reference's later versions",
        embedding_size: 256,
        pretrained_widths: &[],
        build: se_mobilefacenet::build,
    },
    Backbone {
        name: "mobilenet",
        about: "MobileNet (Howard et al. 2017), keras.applications.MobileNet",
        embedding_size: 256,
        pretrained_widths: &[0.25, 0.5, 0.75, 1.0],
        build: mobilenet::build,
    },
    Backbone {
        name: "mobilenetv2",
        about: "MobileNetV2 (Sandler et al. 2018), keras.applications.MobileNetV2",
        embedding_size: 256,
        pretrained_widths: &[0.35, 0.5, 0.75, 1.0, 1.3, 1.4],
        build: mobilenetv2::build,
    },
    Backbone {
        name: "mobilenetv3_large",
        about: "MobileNetV3 large (Howard et al. 2019), keras.applications.MobileNetV3Large",
        embedding_size: 256,
        pretrained_widths: &[0.75, 1.0],
        build: mobilenetv3::build_large,
    },
    Backbone {
        name: "mobilenetv3_small",
        about: "MobileNetV3 small (Howard et al. 2019), keras.applications.MobileNetV3Small",
        embedding_size: 256,
        pretrained_widths: &[0.75, 1.0],
        build: mobilenetv3::build_small,
    },
    Backbone {
        name: "mobilenetv3_large_minimalistic",
        about: "MobileNetV3 large without squeeze-and-excitation, hard swish and 5x5 kernels",
        embedding_size: 256,
        pretrained_widths: &[1.0],
        build: mobilenetv3::build_large_minimalistic,
    },
    Backbone {
        name: "mobilenetv3_small_minimalistic",
        about: "MobileNetV3 small without squeeze-and-excitation, hard swish and 5x5 kernels",
        embedding_size: 256,
        pretrained_widths: &[1.0],
        build: mobilenetv3::build_small_minimalistic,
    },
    Backbone {
        name: "resnet50v2",
        about: "ResNet50V2 (He et al. 2016), keras.applications.ResNet50V2",
        embedding_size: 512,
        pretrained_widths: &[1.0],
        build: resnetv2::build_50,
    },
    Backbone {
        name: "resnet101v2",
        about: "ResNet101V2 (He et al. 2016), keras.applications.ResNet101V2",
        embedding_size: 512,
        pretrained_widths: &[1.0],
        build: resnetv2::build_101,
    },
    Backbone {
        name: "resnet152v2",
        about: "ResNet152V2 (He et al. 2016), keras.applications.ResNet152V2",
        embedding_size: 512,
        pretrained_widths: &[1.0],
        build: resnetv2::build_152,
    },
];

/// A backbone that cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BackboneError {
    /// Not in the table.
    #[error("there is no backbone `{0}`; there are: {1}")]
    Unknown(String, String),
    /// The options make no network.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

/// Adds `factor` times the sum of squares of every kernel to what training minimises: Keras's `l2` regulariser on the
/// kernels of convolutions and dense layers. 0 takes it away.
pub fn decay_weights(graph: &mut Graph, factor: f64) {
    let regularizer = (factor > 0.0).then_some(Regularizer { l1: 0.0, l2: factor });
    for node in 0..graph.nodes().len() {
        for place in 0..graph.nodes()[node].weights.len() {
            if graph.nodes()[node].weights[place].name.ends_with("kernel") {
                graph.set_regularizer(node, place, regularizer);
            }
        }
    }
}

/// The line of a name.
///
/// # Errors
/// A name that is not in [`TABLE`].
pub fn find(name: &str) -> Result<&'static Backbone, BackboneError> {
    TABLE.iter().find(|backbone| backbone.name == name).ok_or_else(|| {
        let names: Vec<&str> = TABLE.iter().map(|backbone| backbone.name).collect();
        BackboneError::Unknown(name.to_owned(), names.join(", "))
    })
}

/// Builds a backbone for 112x112 RGB images.
///
/// # Errors
/// A name that is not in [`TABLE`].
pub fn build(name: &str, options: &Options) -> Result<Graph, BackboneError> {
    build_spelt(name, options, Spelling::Keras3)
}

/// As [`build`], with the layers' names spelt for another Keras: the same nodes at the same places.
///
/// # Errors
/// A name that is not in [`TABLE`].
pub fn build_spelt(name: &str, options: &Options, spelling: Spelling) -> Result<Graph, BackboneError> {
    let backbone = find(name)?;
    let title = format!("{name}_{}", options.embedding_size);
    let mut builder = Builder::new(title, IMAGE.to_vec(), spelling)?;
    (backbone.build)(&mut builder, options)?;
    Ok(builder.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_backbone_names_the_known_ones() {
        let options = Options { embedding_size: 8, dropout: 0.0, width: 1.0 };
        let error = build("resnet9000", &options).expect_err("is refused").to_string();
        assert!(error.contains("resnet9000") && error.contains("mobilefacenet"), "{error}");
    }

    #[test]
    fn every_backbone_of_any_width_ends_in_its_embedding() {
        for backbone in TABLE {
            for width in [0.05, 1.0, 2.0] {
                let options = Options { embedding_size: 24, dropout: 0.5, width };
                let graph = build(backbone.name, &options).expect(backbone.name);
                assert_eq!(graph.output_shape(), &vec![24], "{}", backbone.name);
                assert_eq!(graph.output(), graph.nodes().len() - 1, "{}", backbone.name);
                assert_eq!(graph.nodes()[graph.output()].name, "embedding");
                assert!(graph.nodes().iter().all(|node| !node.name.contains('/')), "{}", backbone.name);
                let ordered = graph.nodes().iter().enumerate();
                assert!(ordered.into_iter().all(|(at, node)| node.inputs.iter().all(|input| *input < at)));
            }
        }
    }

    #[test]
    fn only_kernels_decay() {
        let options = Options { embedding_size: 8, dropout: 0.0, width: 0.25 };
        let mut graph = build("mobilefacenet", &options).expect("builds");
        decay_weights(&mut graph, 5e-4);
        for weight in graph.nodes().iter().flat_map(|node| &node.weights) {
            assert_eq!(weight.regularizer.is_some(), weight.name.contains("kernel"), "{}", weight.name);
        }
        decay_weights(&mut graph, 0.0);
        assert_eq!(graph, build("mobilefacenet", &options).expect("builds"));
    }

    #[test]
    fn spellings_differ_in_names_only() {
        let options = Options { embedding_size: 8, dropout: 0.0, width: 0.25 };
        let ours = build("mobilenetv3_small", &options).expect("builds");
        let keras2 = build_spelt("mobilenetv3_small", &options, Spelling::Keras2).expect("builds");
        assert_eq!(ours.nodes().len(), keras2.nodes().len());
        for (one, other) in ours.nodes().iter().zip(keras2.nodes()) {
            assert_eq!((&one.layer, &one.inputs, &one.weights), (&other.layer, &other.inputs, &other.weights));
        }
        assert!(keras2.find("expanded_conv_1/expand/BatchNorm").is_some());
        assert!(ours.find("expanded_conv_1_expand_bn").is_some());
    }
}
