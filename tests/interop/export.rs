//! `facetui export` as a user meets it: formats, options, and what happens when something is wrong.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use facetui::checkpoint::{self, SavedModel, SavedOptimizer};
use facetui::export::onnx::interpreter::Program;
use facetui::graph::backbone::{Options, build};
use facetui::graph::layer::{Activation, Initializer, Layer};
use facetui::nn::init;
use serde_json::json;

fn export(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_facetui"));
    // No Python: the interpreter alone is enough, and quick.
    command.arg("export").args(arguments).current_dir(folder).env("FACETUI_EXPORT_PYTHON", "/nowhere/python3");
    command.output().expect("starts")
}

fn said(output: &Output) -> String {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // Messages are wrapped and decorated for terminals.
    text.replace(['│', '×', '╰', '─', '▶', '├'], " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A folder with a full model, `full.h5`.
fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut graph = build("mobilefacenet", &Options { embedding_size: 8, dropout: 0.1, width: 0.1 }).expect("builds");
    let head = Layer::Dense {
        units: 5,
        use_bias: true,
        activation: Activation::Softmax,
        kernel_initializer: Initializer::GlorotUniform,
    };
    graph.add("softmax", head, &[graph.output()]).expect("fits");
    let weights = init::weights(&graph, 1);
    let mut model = SavedModel::new(graph, weights);
    model.optimizer = Some(SavedOptimizer {
        class_name: "SGD".to_owned(),
        config: json!({"name": "SGD", "learning_rate": 0.1, "decay": 0.0, "momentum": 0.0, "nesterov": false}),
        iterations: 7,
        momentum_cache: None,
        slots: Vec::new(),
    });
    let path = folder.path().join("full.h5");
    checkpoint::write(&path, &model).expect("writes");
    (folder, path)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("is there").flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn the_extension_is_the_format() {
    let (folder, _) = place();
    let run = |arguments: &[&str]| {
        let output = export(arguments, folder.path());
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        said(&output)
    };
    let text = run(&["full.h5", "-o", "a.onnx", "--input", "uint8", "--flip", "--threshold", "lfw=0.25"]);
    assert!(text.contains("layer `embedding` (8)") && text.contains("interpreter on 8 drawn faces"), "{text}");
    let program = Program::open(&folder.path().join("a.onnx")).expect("is sound");
    assert!(program.takes_bytes());
    assert_eq!(program.output_shape(), Some(vec![8]));
    for (key, value) in [
        ("thresholds", r#"{"lfw":0.25}"#),
        ("embedding_size", "8"),
        ("input_layout", "NHWC"),
        ("l2_normalized", "true"),
        ("facetui_version", env!("CARGO_PKG_VERSION")),
    ] {
        assert_eq!(program.metadata(key), Some(value), "{key}");
    }
    run(&["full.h5", "-o", "b.onnx", "--embedding", "softmax", "--nchw"]);
    let program = Program::open(&folder.path().join("b.onnx")).expect("is sound");
    assert_eq!((program.input_shape(), program.output_shape()), (Some(vec![3, 112, 112]), Some(vec![5])));
    let again = std::fs::read(folder.path().join("b.onnx")).expect("reads");
    run(&["full.h5", "-o", "b.onnx", "--embedding", "-1", "--nchw"]);
    assert_eq!(std::fs::read(folder.path().join("b.onnx")).expect("reads"), again, "the same model, the same bytes");
    run(&["full.h5", "-o", "keras.safetensors"]);
    run(&["full.h5", "-o", "torch.safetensors", "--pytorch"]);
    run(&["full.h5", "-o", "basic.h5"]);
    let basic = checkpoint::read(&folder.path().join("basic.h5")).expect("reads");
    assert_eq!((basic.graph.output_shape(), basic.optimizer.is_some()), (&vec![8], false));
    run(&["full.h5", "-o", "state.h5", "--optimizer"]);
    let state = checkpoint::read(&folder.path().join("state.h5")).expect("reads");
    assert_eq!(state.optimizer.map(|optimizer| optimizer.iterations), Some(7));
    let mut wanted =
        ["a.onnx", "b.onnx", "basic.h5", "full.h5", "keras.safetensors", "state.h5", "torch.safetensors"].to_vec();
    wanted.sort_unstable();
    assert_eq!(names(folder.path()), wanted);
}

#[test]
fn what_is_wrong_is_said_once_and_nothing_is_left() {
    let (folder, full) = place();
    let bytes = std::fs::read(&full).expect("reads");
    std::fs::write(folder.path().join("cut.h5"), &bytes[..bytes.len() / 2]).expect("writes");
    std::fs::write(folder.path().join("text.h5"), "no model").expect("writes");
    let only = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/checkpoint/only_tf_keras.weights.h5.gz");
    let mut unpacked = std::fs::File::create(folder.path().join("only.h5")).expect("creates");
    let packed = std::fs::File::open(only).expect("opens");
    std::io::copy(&mut flate2::read::GzDecoder::new(packed), &mut unpacked).expect("unpacks");
    export(&["full.h5", "-o", "basic.h5"], folder.path());
    std::fs::write(folder.path().join("kept.onnx"), "mine").expect("writes");
    let before = names(folder.path());
    for (arguments, code, wanted) in [
        (&["cut.h5", "-o", "x.onnx"][..], 1, "`cut.h5` cannot be read"),
        (&["text.h5", "-o", "x.onnx"], 1, "`text.h5`"),
        (&["gone.h5", "-o", "x.onnx"], 1, "`gone.h5` cannot be read"),
        (&["only.h5", "-o", "kept.onnx"], 1, "holds weights only"),
        (&["full.h5", "-o", "none/x.onnx"], 1, "there is no folder `none`"),
        (&["full.h5", "-o", "x.pb"], 2, "the extension names no format"),
        (&["full.h5", "-o", "x.onnx", "--embedding", "fc7"], 1, "no layer `fc7`"),
        (&["full.h5", "-o", "full.h5"], 2, "would replace the model itself"),
        (&["full.h5", "-o", "x.h5", "--flip"], 2, "--flip"),
        (&["full.h5", "-o", "x.onnx", "--pytorch"], 2, "--pytorch is for .safetensors"),
        (&["basic.h5", "-o", "x.h5", "--optimizer"], 2, "holds no optimiser"),
    ] {
        let output = export(arguments, folder.path());
        let text = said(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(wanted) && !text.contains("panicked"), "{arguments:?}: {text}");
        assert_eq!(names(folder.path()), before, "{arguments:?}");
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("kept.onnx")).expect("reads"), "mine");
    assert_eq!(std::fs::read(&full).expect("reads"), bytes);
}

#[test]
fn broken_weights_leave_no_file() {
    let (folder, full) = place();
    let mut model = checkpoint::read(&full).expect("reads");
    let kernel = model.weights.nodes.iter_mut().find(|arrays| !arrays.is_empty()).expect("has weights");
    kernel[0].data[0] = f32::NAN;
    checkpoint::write(&folder.path().join("nan.h5"), &model).expect("writes");
    let before = names(folder.path());
    let output = export(&["nan.h5", "-o", "x.onnx"], folder.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("NaN or infinite"), "{}", said(&output));
    assert_eq!(names(folder.path()), before);
}
