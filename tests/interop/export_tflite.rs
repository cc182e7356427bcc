//! TFLite files in the runtime of their makers: LiteRT, or TensorFlow's own interpreter, runs what facetui writes of every
//! backbone and every layer.
//!
//! As in `tests/interop/keras_interop.rs`, a missing Python fails the test in CI only: TensorFlow, which is there for Keras, brings
//! the interpreter. Each test starts one process for all its files.

use std::path::{Path, PathBuf};

use facetui::checkpoint;
use facetui::eval::metrics;
use facetui::export::check;
use facetui::export::lower::{InputKind, Layout, Options, lower};
use facetui::export::python::Python;
use facetui::export::tflite::{self, Precision};
use facetui::export::{Request, export};
use facetui::graph::backbone::{self, build};
use facetui::graph::layer::{Activation, Initializer, Layer, Padding, Window};
use facetui::graph::{Graph, Weights};
use facetui::synth;
use tch::{Kind, Tensor};

use crate::trained::trained_like;

/// A file and what facetui makes of the images that it is to be run on.
struct Case {
    name: String,
    file: PathBuf,
    wanted: Tensor,
    in_float: Vec<String>,
}

/// Files to run, and where.
struct Cases {
    folder: tempfile::TempDir,
    python: Python,
    all: Vec<Case>,
}

impl Cases {
    /// None where there is no Python, which only CI may not accept.
    fn new() -> Option<Self> {
        let python = Python::with("ai_edge_litert").or_else(|| Python::with("tensorflow"));
        let Some(python) = python else {
            let ci = std::env::var("CI").is_ok_and(|value| !value.is_empty());
            assert!(!ci, "CI must run this test: use `cargo xtask test`, which installs TensorFlow");
            return None;
        };
        Some(Self { folder: tempfile::tempdir().expect("a folder"), python, all: Vec::new() })
    }

    /// Writes a network's file and its input.
    fn add(&mut self, name: &str, graph: &Graph, weights: &Weights, how: (Options, Precision), images: &Tensor) {
        self.add_calibrated(name, (graph, weights), how, images, images);
    }

    /// The same, calibrated on other images.
    fn add_calibrated(
        &mut self,
        name: &str,
        (graph, weights): (&Graph, &Weights),
        (options, precision): (Options, Precision),
        images: &Tensor,
        calibration: &Tensor,
    ) {
        let lowered = lower(graph, weights, options).expect("lowers");
        let input = check::file_input(images, options);
        let calibration = (precision == Precision::Int8).then(|| check::file_input(calibration, options));
        let encoded = tflite::encode(&lowered, precision, calibration.as_ref(), name, &[]).expect("encodes");
        let file = self.folder.path().join(format!("{}.tflite", self.all.len()));
        std::fs::write(&file, encoded.bytes).expect("writes");
        input.write_npy(file.with_extension("in.npy")).expect("writes");
        let wanted = check::reference(graph, weights, images, options);
        self.all.push(Case { name: name.to_owned(), file, wanted, in_float: encoded.in_float });
    }

    /// Runs all files; each with its outputs for the images, of which the first is run again alone.
    fn run(&self) -> Vec<(&Case, Tensor)> {
        let mut arguments = Vec::new();
        for case in &self.all {
            let [input, output] = ["in.npy", "out.npy"].map(|ending| case.file.with_extension(ending));
            arguments.extend([case.file.clone(), input, output]);
        }
        let arguments: Vec<&Path> = arguments.iter().map(PathBuf::as_path).collect();
        self.python.run(include_str!("../../src/export/tflite/run.py"), &arguments).expect("runs");
        let outputs = self.all.iter().map(|case| {
            let output = Tensor::read_npy(case.file.with_extension("out.npy")).expect("reads");
            let count = case.wanted.size()[0];
            let alone = check::difference(&output.narrow(0, 0, 1), &output.narrow(0, count, 1)).expect("is finite");
            // int8 kernels may round a batch in another way.
            assert!(alone < 0.1, "{}: one image alone is {alone} off", case.name);
            (case, output.narrow(0, 0, count))
        });
        outputs.collect()
    }
}

/// Prints a figure where somebody wants to see it.
#[expect(clippy::print_stdout, reason = "this is what FACETUI_SHOW asks for")]
fn show(line: &str) {
    if std::env::var_os("FACETUI_SHOW").is_some() {
        println!("{line}");
    }
}

/// Mean and least cosine similarity of what tells the images apart: the mean over all of them says nothing.
fn centred(one: &Tensor, other: &Tensor) -> (f64, f64) {
    let mean = one.mean_dim([0i64].as_slice(), true, None);
    cosines(&(one - &mean), &(other - &mean))
}

fn cosines(one: &Tensor, other: &Tensor) -> (f64, f64) {
    let rows = |x: &Tensor| x.reshape([x.size()[0], -1]);
    let cosines = Tensor::cosine_similarity(&rows(one), &rows(other), 1, 1e-12);
    (cosines.mean(None).double_value(&[]), cosines.min().double_value(&[]))
}

#[test]
fn every_backbone_runs_as_facetui_runs_it() {
    let Some(mut cases) = Cases::new() else { return };
    let images = check::images(&vec![112, 112, 3], 3);
    for backbone in backbone::TABLE {
        let options = backbone::Options { embedding_size: 32, dropout: 0.2, width: 0.25 };
        let graph = build(backbone.name, &options).expect("builds");
        let weights = trained_like(&graph);
        for precision in [Precision::Float32, Precision::Float16] {
            let name = format!("{} {precision:?}", backbone.name);
            cases.add(&name, &graph, &weights, (Options::default(), precision), &images);
        }
    }
    for (case, output) in cases.run() {
        let difference = check::difference(&case.wanted, &output).expect("is finite");
        show(&format!("{}: {difference:.1e}", case.name));
        let most = if case.name.ends_with("Float32") { 1e-4 } else { 1e-2 };
        assert!(difference < most, "{}: {difference}", case.name);
    }
}

/// Networks of one layer each, on maps (8, 9, 4).
fn layers() -> Vec<(String, Graph)> {
    let same = Window::square(3, 2, Padding::Same);
    let conv = |window: Window, groups: usize, activation: Activation| Layer::Conv2D {
        filters: 8,
        window,
        groups,
        use_bias: true,
        activation,
    };
    let valid = Window::square(3, 1, Padding::Valid);
    let mut chains: Vec<(String, Vec<Layer>)> = Vec::new();
    let mut chain = |name: &str, layers: Vec<Layer>| chains.push((name.to_owned(), layers));
    chain("conv same", vec![conv(same, 1, Activation::Relu)]);
    chain("conv dilated", vec![conv(Window { dilation: [2, 2], strides: [1, 1], ..same }, 1, Activation::Linear)]);
    chain("conv oblong", vec![conv(Window { kernel: [1, 3], strides: [2, 1], ..valid }, 1, Activation::Tanh)]);
    chain("conv grouped", vec![conv(valid, 2, Activation::Relu6)]);
    let around = Layer::ZeroPadding2D { padding: [1, 1, 1, 1] };
    chain("padding then conv", vec![around.clone(), conv(Window::square(3, 2, Padding::Valid), 1, Activation::Linear)]);
    chain("padding", vec![Layer::ZeroPadding2D { padding: [1, 0, 2, 3] }, Layer::Flatten]);
    let depthwise = |depth_multiplier: usize, window: Window| Layer::DepthwiseConv2D {
        window,
        depth_multiplier,
        use_bias: true,
        activation: Activation::Linear,
    };
    chain("depthwise", vec![depthwise(1, same)]);
    chain("depthwise doubled", vec![depthwise(2, Window { dilation: [2, 2], ..valid })]);
    let separable = Layer::SeparableConv2D {
        filters: 6,
        window: same,
        depth_multiplier: 2,
        use_bias: true,
        activation: Activation::Linear,
    };
    chain("separable", vec![separable]);
    let dense = |units: usize, activation: Activation| Layer::Dense {
        units,
        use_bias: true,
        activation,
        kernel_initializer: Initializer::GlorotUniform,
    };
    chain("dense on maps", vec![dense(5, Activation::Relu)]);
    chain("dense on rows", vec![Layer::Reshape { target_shape: vec![9, -1] }, dense(5, Activation::Linear)]);
    chain("dense", vec![Layer::Flatten, dense(7, Activation::Softmax)]);
    let norm = Layer::BatchNormalization { momentum: 0.99, epsilon: 1e-3, center: true, scale: true };
    chain("batch norm first", vec![norm.clone(), Layer::Activation { activation: Activation::Relu }]);
    chain("batch norm folded", vec![conv(valid, 1, Activation::Linear), norm.clone()]);
    chain("batch norm after relu", vec![conv(valid, 1, Activation::Relu), norm]);
    chain("layer norm", vec![Layer::LayerNormalization { epsilon: 1e-3, center: true, scale: true }]);
    chain("layer norm plain", vec![Layer::LayerNormalization { epsilon: 1e-6, center: false, scale: false }]);
    chain("unit", vec![Layer::UnitNormalization]);
    chain("unit and on", vec![Layer::UnitNormalization, conv(valid, 1, Activation::Linear)]);
    chain("prelu", vec![Layer::PReLU { shared_axes: vec![1, 2] }]);
    chain("prelu everywhere", vec![Layer::PReLU { shared_axes: vec![] }]);
    for (max_value, negative_slope, threshold) in
        [(Some(6.0), 0.0, 0.0), (Some(0.5), 0.0, 0.0), (None, 0.1, 0.0), (Some(0.7), 0.1, 0.2), (None, 0.0, 0.2)]
    {
        let name = format!("relu {max_value:?} {negative_slope} {threshold}");
        chain(&name, vec![Layer::ReLU { max_value, negative_slope, threshold }]);
    }
    chain("leaky relu", vec![Layer::LeakyReLU { negative_slope: 0.3 }]);
    chain("elu", vec![Layer::ELU { alpha: 1.0 }]);
    chain("elu of another alpha", vec![Layer::ELU { alpha: 0.6 }]);
    chain("softmax", vec![Layer::Softmax]);
    for activation in [
        Activation::Selu,
        Activation::Softplus,
        Activation::Softsign,
        Activation::Exponential,
        Activation::Sigmoid,
        Activation::HardSigmoid,
        Activation::HardSigmoid6,
        Activation::Swish,
        Activation::HardSwish,
        Activation::Mish,
        Activation::Tanh,
        Activation::Gelu,
        Activation::GeluTanh,
    ] {
        let wide = Layer::Rescaling { scale: vec![4.0], offset: vec![0.5] };
        chain(activation.name(), vec![wide, Layer::Activation { activation }]);
    }
    chain("reshape", vec![Layer::Reshape { target_shape: vec![4, -1, 2] }]);
    chain("permute", vec![Layer::Permute { dims: vec![3, 1, 2] }]);
    chain("global average", vec![Layer::GlobalAveragePooling2D { keepdims: true }]);
    chain("global max", vec![Layer::GlobalMaxPooling2D { keepdims: false }]);
    chain("max pool", vec![Layer::MaxPooling2D { window: same }]);
    chain("average pool", vec![Layer::AveragePooling2D { window: same }]);
    chain("average pool valid", vec![Layer::AveragePooling2D { window: Window::square(2, 2, Padding::Valid) }]);
    chain("cropping", vec![Layer::Cropping2D { cropping: [1, 2, 0, 3] }]);
    chain("nearest", vec![Layer::UpSampling2D { size: [2, 3], bilinear: false }]);
    chain("bilinear", vec![Layer::UpSampling2D { size: [2, 2], bilinear: true }]);
    let each = Layer::Rescaling { scale: vec![1.0, 2.0, 0.5, -1.0], offset: vec![0.0, 0.3, -0.3, 1.0] };
    chain("rescaling", vec![each]);
    chain("cosine head", vec![Layer::Flatten, Layer::NormDense { units: 7 }]);
    let mut networks: Vec<(String, Graph)> = chains
        .into_iter()
        .map(|(name, layers)| {
            let (mut graph, mut last) = input(&name);
            for (place, layer) in layers.into_iter().enumerate() {
                last = graph.add(format!("layer{place}"), layer, &[last]).expect("fits");
            }
            (name, graph)
        })
        .collect();
    for layer in [
        Layer::Add,
        Layer::Multiply,
        Layer::Subtract,
        Layer::Average,
        Layer::Maximum,
        Layer::Minimum,
        Layer::Concatenate { axis: -1 },
        Layer::Concatenate { axis: 1 },
    ] {
        let name = format!("{} {:?}", layer.class_name(), layer);
        let (mut graph, first) = input(&name);
        let relu = Layer::Activation { activation: Activation::Sigmoid };
        let second = graph.add("second", relu, &[first]).expect("fits");
        let three = matches!(layer, Layer::Add | Layer::Average | Layer::Maximum);
        let stretched = Layer::GlobalAveragePooling2D { keepdims: true };
        let third = graph.add("third", stretched, &[first]).expect("fits");
        let inputs = if three { vec![third, first, second] } else { vec![first, second] };
        let last = graph.add("layer", layer, &inputs).expect("fits");
        graph.add("relu", Layer::Activation { activation: Activation::Relu }, &[last]).expect("fits");
        networks.push((name, graph));
    }
    networks
}

fn input(name: &str) -> (Graph, usize) {
    let mut graph = Graph::new(name);
    let input = graph.add("input", Layer::Input { shape: vec![8, 9, 4] }, &[]).expect("fits");
    (graph, input)
}

#[test]
fn every_layer_runs_as_facetui_runs_it() {
    let Some(mut cases) = Cases::new() else { return };
    let images = check::images(&vec![8, 9, 4], 5);
    for (name, graph) in layers() {
        let weights = trained_like(&graph);
        for precision in [Precision::Float32, Precision::Int8] {
            cases.add(&format!("{name} {precision:?}"), &graph, &weights, (Options::default(), precision), &images);
        }
    }
    for (case, output) in cases.run() {
        if case.name.ends_with("Int8") {
            let (mean, least) = cosines(&case.wanted, &output);
            show(&format!("{}: {mean:.5} {least:.5} {:?}", case.name, case.in_float));
            assert!(least > 0.99, "{}: {mean} {least}", case.name);
        } else {
            let difference = check::difference(&case.wanted, &output).expect("is finite");
            assert!(difference < 1e-5, "{}: {difference}", case.name);
        }
    }
}

/// Quantised and not: every combination of what is built around a network.
#[test]
fn options_run_as_they_say() {
    let Some(mut cases) = Cases::new() else { return };
    let images = check::images(&vec![112, 112, 3], 3);
    let options = backbone::Options { embedding_size: 16, dropout: 0.0, width: 0.25 };
    let graph = build("mobilenet", &options).expect("builds");
    let weights = trained_like(&graph);
    for input in [InputKind::Float, InputKind::Uint8] {
        for layout in [Layout::Nhwc, Layout::Nchw] {
            for (flip, normalize) in [(false, false), (true, false), (false, true)] {
                let options = Options { input, layout, flip, normalize };
                for precision in [Precision::Float32, Precision::Int8] {
                    let name = format!("{options:?} {precision:?}");
                    cases.add(&name, &graph, &weights, (options, precision), &images);
                }
            }
        }
    }
    for (case, output) in cases.run() {
        if case.name.ends_with("Int8") {
            let (mean, least) = cosines(&case.wanted, &output);
            show(&format!("{}: {mean:.5} {least:.5} {:?}", case.name, case.in_float));
            assert!(least > 0.97, "{}: {mean} {least}", case.name);
        } else {
            let difference = check::difference(&case.wanted, &output).expect("is finite");
            assert!(difference < 1e-4, "{}: {difference}", case.name);
        }
    }
}

/// Every backbone becomes integers throughout. Of networks with random weights that is most that can be asked: different
/// images give nearly the same embedding, and only its direction is compared here.
#[test]
fn every_backbone_becomes_int8_throughout() {
    let Some(mut cases) = Cases::new() else { return };
    let images = check::images(&vec![112, 112, 3], 6);
    for backbone in backbone::TABLE {
        let options = backbone::Options { embedding_size: 32, dropout: 0.2, width: 0.25 };
        let graph = build(backbone.name, &options).expect("builds");
        let weights = trained_like(&graph);
        cases.add(backbone.name, &graph, &weights, (Options::default(), Precision::Int8), &images);
    }
    for (case, output) in cases.run() {
        let (mean, least) = cosines(&case.wanted, &output);
        show(&format!("{}: {mean:.5} {least:.5}", case.name));
        assert!(least > 0.98, "{}: {mean} {least}", case.name);
        assert!(case.in_float.is_empty(), "{}: {:?}", case.name, case.in_float);
    }
}

/// Faces (2 N, 112, 112, 3): pair i is of one person when i is even.
fn pairs(count: u32, first: u32) -> (Tensor, Vec<bool>) {
    let mut bytes = Vec::new();
    for pair in 0..count {
        let person = first + 2 * pair;
        let other = if pair.is_multiple_of(2) { person } else { person + 1 };
        bytes.extend(synth::draw(SEED, person, 0).into_raw());
        bytes.extend(synth::draw(SEED, other, 1).into_raw());
    }
    let images = Tensor::from_slice(&bytes).reshape([2 * i64::from(count), 112, 112, 3]);
    (images, (0..count).map(|pair| pair.is_multiple_of(2)).collect())
}

/// A seed that the demo's faces are not drawn from.
const SEED: u64 = 77;

/// The demo's basic model after its 11 epochs, on faces that it has not seen, calibrated on others.
#[test]
fn int8_keeps_the_demos_embeddings() {
    let Some(mut cases) = Cases::new() else { return };
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/export/demo_basic.h5.gz");
    let model = checkpoint::read(&unpack(&packed, cases.folder.path())).expect("reads");
    let (images, same) = pairs(300, 0);
    let (calibration, _) = pairs(50, 2000);
    for (input, flip) in [(InputKind::Float, false), (InputKind::Uint8, true)] {
        let options = Options { input, flip, ..Options::default() };
        let name = format!("{options:?}");
        cases.add_calibrated(&name, (&model.graph, &model.weights), (options, Precision::Int8), &images, &calibration);
    }
    for (case, output) in cases.run() {
        let (mean, least) = cosines(&case.wanted, &output);
        let (apart, _) = centred(&case.wanted, &output);
        let accuracy = |embeddings: &Tensor| {
            let embeddings = embeddings.to_kind(Kind::Float).contiguous();
            let mut values = vec![0f32; embeddings.numel()];
            embeddings.copy_data(&mut values, embeddings.numel());
            metrics::figures(&values, &same).expect("figures").accuracy
        };
        let (before, after) = (accuracy(&case.wanted), accuracy(&output));
        show(&format!("{}: {mean:.4} {least:.4} centred {apart:.4}, accuracy {before:.4} to {after:.4}", case.name));
        assert!(mean > 0.98 && apart > 0.98, "{}: {mean} {least} {apart}", case.name);
        assert!((before - after).abs() <= 0.01, "{}: {before} to {after}", case.name);
    }
}

fn unpack(packed: &Path, folder: &Path) -> PathBuf {
    let unpacked = folder.join(packed.file_stem().expect("a name"));
    let mut packed = flate2::read::GzDecoder::new(std::fs::File::open(packed).expect("opens"));
    std::io::copy(&mut packed, &mut std::fs::File::create(&unpacked).expect("creates")).expect("unpacks");
    unpacked
}

/// The whole way from a checkpoint to a file, and what is refused: nothing of it is left.
#[test]
fn files_are_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/export/demo_basic.h5.gz");
    let model = unpack(&packed, folder.path());
    let faces = folder.path().join("faces");
    std::fs::create_dir(&faces).expect("makes");
    let draw = |person: u32| {
        let face = synth::draw(SEED, person, 0);
        face.save(faces.join(format!("{person}.png"))).expect("saves");
    };
    (0..9).for_each(draw);
    let out = folder.path().join("out");
    std::fs::create_dir(&out).expect("makes");
    let request = |name: &str, precision: Precision, calibrate: Option<&Path>| Request {
        model: model.clone(),
        output: out.join(name),
        precision,
        calibrate: calibrate.map(Path::to_path_buf),
        ..Request::default()
    };
    let refused = |request: &Request, word: &str| {
        let error = export(request).expect_err("is refused").to_string();
        assert!(error.contains(word), "{error}");
        assert_eq!(std::fs::read_dir(&out).expect("reads").count(), 0, "{error}");
    };
    refused(&request("a.tflite", Precision::Int8, None), "--calibrate");
    refused(&request("a.onnx", Precision::Float16, None), ".tflite");
    refused(&request("a.tflite", Precision::Int8, Some(&faces)), "9 images");
    refused(&request("a.tflite", Precision::Int8, Some(&folder.path().join("nothing"))), "nothing");
    refused(&request("a.tflite", Precision::Int8, Some(&model)), "demo_basic");
    (9..30).for_each(draw);
    std::fs::write(faces.join("text.jpg"), "no image").expect("writes");
    let sizes = [
        request("a.tflite", Precision::Float32, None),
        request("b.tflite", Precision::Float16, None),
        request("c.tflite", Precision::Int8, Some(&faces)),
    ]
    .map(|request| {
        let report = export(&request).expect("exports");
        assert_eq!(std::fs::metadata(&request.output).expect("is there").len(), report.bytes);
        show(&report.lines.join("\n"));
        report.bytes
    });
    assert!(sizes[1] < sizes[0] * 2 / 3 && sizes[2] < sizes[0] / 2, "{sizes:?}");
    assert_eq!(std::fs::read_dir(&out).expect("reads").count(), 3);
}

/// Models that real Keras wrote, with the embeddings that it computed.
#[test]
fn models_of_keras_give_its_embeddings() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases/models");
    if !folder.is_dir() {
        return;
    }
    let Some(mut cases) = Cases::new() else { return };
    let array = |file: &str, name: &str| {
        let arrays = Tensor::read_npz(folder.join(file)).expect("an npz");
        arrays.into_iter().find(|(known, _)| known == name).map(|(_, array)| array)
    };
    let images = array("inputs.npz", "images").expect("images").to_kind(Kind::Uint8);
    let mut expected = Vec::new();
    for (stem, file) in [
        ("mobile_facenet_128_basic", "mobile_facenet_128_basic.k212.h5"),
        ("mobile_facenet_128_basic.k3", "mobile_facenet_128_basic.k3.h5"),
        ("buildin_MobileNet_a025_emb32", "buildin_MobileNet_a025_emb32.k212.h5.gz"),
        ("buildin_ResNet50V2_emb32", "buildin_ResNet50V2_emb32.k212.h5.gz"),
        ("head_se_mobilefacenet_GDC_emb64", "head_se_mobilefacenet_GDC_emb64.k212.h5.gz"),
    ] {
        let mut path = folder.join(file);
        if path.extension().is_some_and(|extension| extension == "gz") {
            path = unpack(&path, cases.folder.path());
        }
        let model = checkpoint::read(&path).expect(file);
        // Only fp32: their weights are random, and in the MobileNet what fp16 loses of them grows to a tenth of the norm,
        // in Keras too.
        cases.add(stem, &model.graph, &model.weights, (Options::default(), Precision::Float32), &images);
        expected.push(array(&format!("{stem}.expected.npz"), "emb").expect("embeddings"));
    }
    for ((case, output), expected) in cases.run().into_iter().zip(&expected) {
        let difference = check::difference(expected, &output).expect("is finite");
        show(&format!("{}: {difference:.1e}", case.name));
        assert!(difference < 1e-4, "{}: {difference}", case.name);
    }
}
