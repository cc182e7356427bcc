//! A saved network made ready to embed images: read, cut behind its embedding, laid onto a device in fp32. Files of other
//! formats are run as they are (`exported`).

use std::path::{Path, PathBuf};

use miette::Diagnostic;
use tch::{Device, Kind, Tensor};
use thiserror::Error;

use super::exported::{self, Exported};
use crate::checkpoint::{self, CheckpointError};
use crate::graph::embedding::{self, cut, fits};
use crate::nn::device::{self, DeviceError};
use crate::nn::network::normalize_images;
use crate::nn::{Mode, Network};
use crate::schedule::{DeviceChoice, EmbeddingLayer};

/// Sides of the images of a network, in pixels; a damaged file may say anything.
const LONGEST_SIDE: usize = 4096;

/// A network that embeds images.
#[derive(Debug)]
pub struct Model {
    kind: Kinds,
    size: (u32, u32),
    length: usize,
    thresholds: Vec<(String, f64)>,
}

/// What makes the embeddings.
#[derive(Debug)]
enum Kinds {
    Network(Box<Network>),
    Exported(Exported),
}

/// A model that cannot be used.
#[derive(Debug, Error, Diagnostic)]
pub enum ModelError {
    /// The file.
    #[error(transparent)]
    #[diagnostic(transparent)]
    File(#[from] CheckpointError),
    /// The file has no such embedding, or one of another shape.
    #[error("`{}`: {reason}", path.display())]
    #[diagnostic(help(
        "name the layer whose output is the embedding, as --embedding embedding, or its position, as --embedding -2"
    ))]
    Embedding {
        /// The file.
        path: PathBuf,
        /// The layer, what was found, what was expected.
        reason: String,
    },
    /// A file of another format that cannot be run.
    #[error("`{}` cannot be run: {reason}", path.display())]
    #[diagnostic(help(
        "facetui runs .onnx files of floats that take images and give one embedding each (--embedding NAME chooses among \
         several), and .tflite files of its own"
    ))]
    Exported {
        /// The file.
        path: PathBuf,
        /// The node, what was found, what was expected.
        reason: String,
    },
    /// The device.
    #[error(transparent)]
    #[diagnostic(help("choose with --device: auto, cpu, cuda or cuda:N"))]
    Device(#[from] DeviceError),
}

impl Model {
    /// Reads a whole or a basic model, or a file in another format. `embedding` names the layer; without it, it is the input
    /// of the file's head, or the output where there is no head.
    ///
    /// # Errors
    /// A file that cannot be read, a layer or a device that is not there, a network of other things than faces.
    pub fn load(path: &Path, embedding: Option<&EmbeddingLayer>, choice: DeviceChoice) -> Result<Self, ModelError> {
        if exported::is_exported(path) {
            return Self::load_exported(path, embedding, choice);
        }
        let wrong = |reason: String| ModelError::Embedding { path: path.to_path_buf(), reason };
        let saved = checkpoint::read(path)?;
        let node = embedding::find(&saved.graph, embedding).map_err(|error| wrong(error.to_string()))?;
        let trained = embedding::find(&saved.graph, None).ok() == Some(node);
        let known = saved.evaluation.iter().filter(|bin| trained && bin.threshold.is_finite());
        let thresholds = known.map(|bin| (bin.bin.clone(), bin.threshold)).collect();
        let (graph, weights) = cut(&saved.graph, &saved.weights, node);
        let node = graph.output();
        fits(&graph, node).map_err(wrong)?;
        let (size, length) = match (graph.input_shape().map(Vec::as_slice), graph.output_shape().as_slice()) {
            (Some([height, width, _]), [length]) if *height.max(width) <= LONGEST_SIDE && *length > 0 => {
                ((*width as u32, *height as u32), *length)
            }
            (input, output) => {
                let limit = format!("expected sides of at most {LONGEST_SIDE} pixels and an embedding");
                return Err(wrong(format!("it takes images of {input:?} and gives {output:?}; {limit}")));
            }
        };
        device::load_cuda();
        let device = device::choose(choice)?;
        let network = Box::new(Network::new(graph, node, &weights, device, Kind::Float));
        Ok(Self { kind: Kinds::Network(network), size, length, thresholds })
    }

    fn load_exported(
        path: &Path,
        embedding: Option<&EmbeddingLayer>,
        choice: DeviceChoice,
    ) -> Result<Self, ModelError> {
        let wrong = |reason: String| ModelError::Exported { path: path.to_path_buf(), reason };
        let output = match embedding {
            None => None,
            Some(EmbeddingLayer::Name(name)) => Some(name.as_str()),
            Some(EmbeddingLayer::Index(index)) => {
                return Err(wrong(format!("it has no layer {index}: --embedding takes the name of one of its values")));
            }
        };
        device::load_cuda();
        let device = device::choose(choice)?;
        let exported = Exported::load(path, output, device).map_err(wrong)?;
        let (size, length, thresholds) = (exported.size, exported.length, exported.thresholds.clone());
        Ok(Self { kind: Kinds::Exported(exported), size, length, thresholds })
    }

    /// Width and height of the images it takes.
    pub const fn size(&self) -> (u32, u32) {
        self.size
    }

    /// Length of its embeddings.
    pub const fn length(&self) -> usize {
        self.length
    }

    /// The name of the layer or value that is the embedding.
    pub fn layer(&self) -> &str {
        match &self.kind {
            Kinds::Network(network) => &network.graph().nodes()[network.embedding()].name,
            Kinds::Exported(exported) => &exported.output,
        }
    }

    /// The thresholds that the file knows, by bin: the similarities above which two images showed one person best.
    pub fn thresholds(&self) -> &[(String, f64)] {
        &self.thresholds
    }

    /// Where it computes.
    pub fn device(&self) -> Device {
        match &self.kind {
            Kinds::Network(network) => network.device(),
            Kinds::Exported(exported) => exported.device,
        }
    }

    /// What had to be assumed of a file of another format, in a sentence.
    pub fn note(&self) -> Option<&str> {
        match &self.kind {
            Kinds::Network(_) => None,
            Kinds::Exported(exported) => exported.note.as_deref(),
        }
    }

    /// Raw embeddings, row-major (count, E), of `count` images (count, H, W, 3) of bytes; see [`embed`].
    ///
    /// # Errors
    /// What a file of another format cannot do, as a sentence.
    pub fn embed(&self, images: &[u8], count: usize, flip: bool) -> Result<Vec<f32>, String> {
        match &self.kind {
            _ if count == 0 => Ok(Vec::new()),
            Kinds::Network(network) => Ok(embed(network, images, count, self.size, flip)),
            Kinds::Exported(exported) => exported.embed(images, count, flip),
        }
    }
}

/// Raw embeddings, row-major (count, E), of `count` images of bytes (count, H, W, 3) in the size (width, height); with
/// `flip` the mean of those of the image and of its mirror image, both in one pass.
pub fn embed(network: &Network, images: &[u8], count: usize, (width, height): (u32, u32), flip: bool) -> Vec<f32> {
    if count == 0 {
        return Vec::new();
    }
    tch::no_grad(|| {
        let bytes = Tensor::from_slice(images).view([count as i64, i64::from(height), i64::from(width), 3]);
        let x = normalize_images(&bytes.to_device(network.device()));
        let x = if flip { Tensor::cat(&[&x, &x.flip([3])], 0) } else { x };
        let x = x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]);
        let passes = if flip { 2 } else { 1 };
        let embeddings =
            network.embed(&x, Mode::Infer).view([passes, count as i64, -1]).mean_dim([0i64].as_slice(), false, None);
        let host = embeddings.to_device(Device::Cpu).contiguous();
        let mut values = vec![0f32; host.numel()];
        host.copy_data(&mut values, host.numel());
        values
    })
}

/// Scales each row of `length` numbers to the length 1; rows of zeros, and those that are not finite, stay as they are.
pub fn normalize(rows: &mut [f32], length: usize) {
    for row in rows.chunks_exact_mut(length.max(1)) {
        let norm = row.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        if norm > 0.0 && norm.is_finite() {
            for value in row {
                *value = (f64::from(*value) / norm) as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::SavedModel;
    use crate::graph::Layer;
    use crate::graph::backbone::{Options, build};
    use crate::nn::init;

    /// A small network with an arcface head, saved.
    fn saved(folder: &Path) -> PathBuf {
        let mut graph =
            build("mobilefacenet", &Options { embedding_size: 8, dropout: 0.3, width: 0.1 }).expect("builds");
        let embedding = graph.output();
        graph.add("arcface", Layer::NormDense { units: 5 }, &[embedding]).expect("adds");
        let weights = init::weights(&graph, 3);
        let path = folder.join("whole.h5");
        checkpoint::write(&path, &SavedModel::new(graph, weights)).expect("writes");
        path
    }

    #[test]
    fn a_head_is_cut_off_and_the_flip_is_a_mean() {
        let folder = tempfile::tempdir().expect("a folder");
        let model = Model::load(&saved(folder.path()), None, DeviceChoice::Cpu).expect("loads");
        assert_eq!((model.size(), model.length(), model.layer()), ((112, 112), 8, "embedding"));
        let images: Vec<u8> = (0..2 * 112 * 112 * 3).map(|at: usize| (at * 31 % 251) as u8).collect();
        let mirrored: Vec<u8> = images
            .chunks_exact(112 * 3)
            .flat_map(|row| row.chunks_exact(3).rev().flatten().copied().collect::<Vec<u8>>())
            .collect();
        let embed = |images: &[u8], count, flip| model.embed(images, count, flip).expect("embeds");
        let (one, other) = (embed(&images, 2, false), embed(&mirrored, 2, false));
        let scale = one.iter().fold(0f32, |most, value| most.max(value.abs()));
        for ((one, other), both) in one.iter().zip(&other).zip(embed(&images, 2, true)) {
            assert!((f32::midpoint(*one, *other) - both).abs() < 1e-5 * scale);
        }
        let differ = one.iter().zip(&other).any(|(one, other)| (one - other).abs() > 1e-3 * scale);
        assert!(differ, "the mirror changes nothing");
        assert_eq!(embed(&[], 0, true), [0f32; 0]);
    }

    #[test]
    fn the_layer_may_be_named_or_counted_and_must_be_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = saved(folder.path());
        let load = |layer| Model::load(&path, Some(&layer), DeviceChoice::Cpu);
        assert_eq!(load(EmbeddingLayer::Index(-2)).expect("loads").layer(), "embedding");
        assert_eq!(load(EmbeddingLayer::Index(-1)).expect("loads").length(), 5);
        for (layer, words) in [
            (EmbeddingLayer::Name("embeding".into()), "embeding"),
            (EmbeddingLayer::Name("conv2d".into()), "a list of numbers"),
            (EmbeddingLayer::Index(4000), "4000"),
        ] {
            let message = load(layer).expect_err("is refused").to_string();
            assert!(message.contains("whole.h5") && message.contains(words), "{message}");
        }
    }

    #[test]
    fn rows_get_the_length_1_and_zeros_stay() {
        let mut rows = [3.0, 4.0, 0.0, 0.0, f32::NAN, 1.0];
        normalize(&mut rows, 2);
        assert_eq!(rows[..4], [0.6, 0.8, 0.0, 0.0]);
        assert!(rows[4].is_nan());
    }
}
