//! Every layer and setting that is read, against real Keras: small models of `tests/cases/layers`, written by `tf_keras`
//! and Keras 3 (`tests/python/make_layer_cases.py`), with inputs and outputs. Each is read, run, written, read again; and
//! what is written is opened by both Kerases.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use facetui::checkpoint::{self, SavedModel};
use facetui::nn::network::normalize_images;
use facetui::nn::{Mode, Network};
use tch::{Device, Kind, Tensor};

/// A case: `tf_keras_conv_groups`, its unpacked file, its input and output in Keras's order.
struct Case {
    name: String,
    path: PathBuf,
    x: Tensor,
    y: Tensor,
    loss: Option<f64>,
}

/// Unpacks a `.gz` into a folder.
fn unpack(packed: &Path, folder: &Path) -> PathBuf {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(packed).expect("opens");
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).expect("unpacks");
    let path = folder.join(packed.file_stem().expect("has a name"));
    std::fs::write(&path, bytes).expect("writes");
    path
}

fn cases(unpacked: &Path) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/layers");
    let mut arrays: HashMap<String, Tensor> = HashMap::new();
    for keras in ["tf_keras", "keras3"] {
        let tensors = Tensor::read_npz(folder.join(format!("{keras}.npz"))).expect("reads");
        arrays.extend(tensors.into_iter().map(|(name, tensor)| (format!("{keras}_{name}"), tensor)));
    }
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(&folder).expect("is there").flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let Some(name) = file.strip_suffix(".h5.gz") else { continue };
        let path = unpack(&entry.path(), unpacked);
        let mut array = |what: &str| arrays.remove(&format!("{name}/{what}"));
        let (x, y) = (array("x").expect("has an input"), array("y").expect("has an output"));
        let loss = array("loss").map(|loss| loss.double_value(&[]));
        cases.push(Case { name: name.to_owned(), path, x, y, loss });
    }
    assert!(cases.len() > 100, "the cases are not there");
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

fn network(model: &SavedModel) -> Network {
    Network::new(model.graph.clone(), model.graph.output(), &model.weights, Device::Cpu, Kind::Float)
}

/// What a model makes of an input in Keras's order, in Keras's order.
fn run(network: &Network, x: &Tensor) -> Tensor {
    let x = if x.dim() == 4 { x.permute([0, 3, 1, 2]) } else { x.shallow_clone() };
    let y = tch::no_grad(|| network.embed(&x, Mode::Infer));
    if y.dim() == 4 { y.permute([0, 2, 3, 1]) } else { y }
}

/// The largest difference, relative to values above 1.
fn error(ours: &Tensor, theirs: &Tensor) -> f64 {
    if ours.size() != theirs.size() {
        return f64::INFINITY;
    }
    ((ours - theirs).abs() / theirs.abs().clamp_min(1.0)).max().double_value(&[])
}

fn rewritten(model: &SavedModel, path: &Path) -> SavedModel {
    checkpoint::write(path, model).expect("writes");
    checkpoint::read(path).expect("reads what it wrote")
}

#[test]
fn every_case_gives_kerass_numbers_and_survives_a_round_trip() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut wrong = Vec::new();
    for case in cases(folder.path()) {
        let model = match checkpoint::read(&case.path) {
            Ok(model) => model,
            Err(error) => {
                wrong.push(format!("{}: {error}", case.name));
                continue;
            }
        };
        let ours = network(&model);
        let first = run(&ours, &case.x);
        let off = error(&first, &case.y);
        if off > 1e-4 {
            wrong.push(format!("{}: off by {off}, {:?} against {:?}", case.name, first.size(), case.y.size()));
        }
        let again = rewritten(&model, &folder.path().join("again.h5"));
        let off = error(&run(&network(&again), &case.x), &first);
        if off > 1e-5 {
            wrong.push(format!("{}: off by {off} after writing", case.name));
        }
        for (network, when) in [(&ours, "read"), (&network(&again), "written")] {
            let loss = network.regularization_loss(0..network.graph().nodes().len()).map(|loss| loss.double_value(&[]));
            let same = match (loss, case.loss) {
                (Some(ours), Some(theirs)) => (ours / theirs - 1.0).abs() < 1e-5,
                (ours, theirs) => ours.is_none() && theirs.is_none(),
            };
            if !same {
                wrong.push(format!("{} {when}: regularisation {loss:?}, Keras has {:?}", case.name, case.loss));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The reference's own models, where `../shared/cases` lies beside the clone: all of them, their embeddings, and the same
/// embeddings after writing.
#[test]
fn the_references_models_give_their_embeddings() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases");
    if !shared.is_dir() {
        return;
    }
    let images = Tensor::read_npz(shared.join("models/inputs.npz")).expect("reads");
    let images = normalize_images(&images.into_iter().find(|(name, _)| name == "images").expect("is there").1);
    let folder = tempfile::tempdir().expect("a folder");
    let mut checked = 0;
    for place in ["models", "models_2020_layout"] {
        for entry in std::fs::read_dir(shared.join(place)).expect("is there").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = match (name.strip_suffix(".h5.gz"), name.strip_suffix(".h5")) {
                (Some(_), _) => unpack(&entry.path(), folder.path()),
                (_, Some(stem)) if !stem.ends_with(".weights") => entry.path(),
                _ => continue,
            };
            let stem = name.split(".h5").next().expect("a stem");
            let short = stem.split(".k212").next().and_then(|stem| stem.split(".tfk218").next()).expect("a stem");
            let expected = [stem, short].map(|stem| shared.join(place).join(format!("{stem}.expected.npz")));
            let expected =
                expected.iter().find(|path| path.is_file()).unwrap_or_else(|| panic!("no numbers of {name}"));
            let arrays = Tensor::read_npz(expected).expect("reads");
            let wanted = &arrays.iter().find(|(name, _)| name == "emb").expect("embeddings").1;
            let model = checkpoint::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
            let again = rewritten(&model, &folder.path().join("again.h5"));
            for model in [model, again] {
                let output = model.graph.output();
                let node = &model.graph.nodes()[output];
                let embedding = if node.shape == wanted.size()[1..].iter().map(|n| *n as usize).collect::<Vec<_>>() {
                    output
                } else {
                    node.inputs[0]
                };
                let network = Network::new(model.graph, embedding, &model.weights, Device::Cpu, Kind::Float);
                let ours = tch::no_grad(|| network.embed(&images, Mode::Infer));
                let off = (ours - wanted).abs().max().double_value(&[]);
                assert!(off < 1e-4, "{name}: off by {off}");
                checked += 1;
            }
        }
    }
    assert!(checked >= 16, "only {checked} models were found");
}

#[test]
fn bfloat16_runs_every_layer_both_ways() {
    let folder = tempfile::tempdir().expect("a folder");
    for case in cases(folder.path()) {
        let model = checkpoint::read(&case.path).expect("reads");
        let (graph, output) = (model.graph.clone(), model.graph.output());
        let network = Network::new(graph, output, &model.weights, Device::Cpu, Kind::BFloat16);
        let off = error(&run(&network, &case.x), &case.y);
        assert!(off < 0.25, "{}: off by {off}", case.name);
        let x = if case.x.dim() == 4 { case.x.permute([0, 3, 1, 2]) } else { case.x.shallow_clone() };
        let loss = network.embed(&x, Mode::Train).square().mean(Kind::Float);
        let leaves = network.parameters.leaves(0..network.graph().nodes().len());
        if !leaves.is_empty() {
            let gradients = Tensor::run_backward(&[loss], &leaves, false, false);
            let finite = gradients.iter().all(|gradient| gradient.isfinite().all().int64_value(&[]) == 1);
            assert!(finite, "{}: a gradient is not finite", case.name);
        }
    }
}

#[test]
fn both_kerases_open_every_case_written_again() {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (Some(python), Some(path)) = (set("FACETUI_TEST_PYTHON"), set("FACETUI_KERAS_PYTHONPATH")) else {
        assert!(set("CI").is_none(), "CI must run this test: use `cargo xtask test`, which installs Keras");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let written = tempfile::tempdir().expect("a folder");
    for case in cases(folder.path()) {
        let model = checkpoint::read(&case.path).expect("reads");
        checkpoint::write(&written.path().join(format!("{}.h5", case.name)), &model).expect("writes");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let run = Command::new(python)
        .arg(root.join("python/check_layer_cases.py"))
        .arg(root.join("cases/layers"))
        .arg(written.path())
        .env("PYTHONPATH", path)
        .env("PYTHONNOUSERSITE", "1")
        .env("TF_CPP_MIN_LOG_LEVEL", "3")
        .env("CUDA_VISIBLE_DEVICES", "")
        .output()
        .expect("python starts");
    assert!(run.status.success(), "{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
}
