//! `facetui eval`, `embed` and `compare` on files of other formats: what facetui exported, and what PyTorch did.

use std::path::Path;
use std::process::Command;

use facetui::checkpoint::npy;
use facetui::checkpoint::{self, SavedModel};
use facetui::event::BinResult;
use facetui::graph::backbone::{Options, build};
use facetui::nn::init;
use serde_json::Value;
use tch::Tensor;

use crate::place::{Place, plain, text};

/// Faces, bins, and a small network with figures of two bins.
fn place() -> Place {
    let place = Place::new(4, 6);
    let graph = build("mobilefacenet", &Options { embedding_size: 16, dropout: 0.2, width: 0.1 }).expect("builds");
    let mut weights = init::weights(&graph, 5);
    for (node, arrays) in graph.nodes().iter().zip(&mut weights.nodes) {
        for (spec, array) in node.weights.iter().zip(arrays) {
            for (at, value) in array.data.iter_mut().enumerate().filter(|_| spec.name == "gamma") {
                *value = 0.8 + 0.4 * ((at * 37 + 11) % 101) as f32 / 101.0;
            }
        }
    }
    let bin = |bin: &str, threshold: f64| BinResult {
        bin: bin.to_owned(),
        accuracy: 0.75,
        threshold,
        fold_mean: None,
        fold_deviation: None,
        pairs: 24,
        seconds: 0.5,
        rates: Vec::new(),
    };
    let evaluation = vec![bin("pose", 0.5), bin("age", 0.25)];
    let model = SavedModel { evaluation, ..SavedModel::new(graph, weights) };
    checkpoint::write(&place.path("basic.h5"), &model).expect("writes");
    place
}

fn json_of(place: &Place, arguments: &[&str]) -> Value {
    let output = place.run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output)))
}

/// The figures of a bin by a model.
fn figures(place: &Place, model: &str) -> [f64; 3] {
    let told = json_of(place, &["eval", model, "demo/pose.bin", "--json"]);
    ["accuracy", "threshold", "fold_mean"].map(|name| told["bins"][0][name].as_f64().expect(name))
}

#[test]
fn exported_models_are_used_as_the_model_itself() {
    let place = place();
    let wanted = figures(&place, "basic.h5");
    let image = "demo/faces_112x112_folders/0/1.jpg";
    place.runs(&["embed", "basic.h5", image, "-o", "h5.npy"]);
    let row = npy::read(&place.path("h5.npy")).expect("reads").data;
    for (name, options) in [
        ("a.onnx", &[][..]),
        ("b.onnx", &["--nchw", "--input", "uint8"]),
        ("c.onnx", &["--flip"]),
        ("a.tflite", &["--input", "uint8"]),
    ] {
        let exported = place.runs(&[&["export", "basic.h5", "-o", name], options].concat());
        assert!(exported.contains("thresholds noted in the file: pose 0.5000, age 0.2500"), "{exported}");
        for (found, wanted) in figures(&place, name).into_iter().zip(wanted) {
            assert!((found - wanted).abs() < 1e-4, "{name}: {found}, expected {wanted}");
        }
        // A file that averages with the mirror image gives another raw output.
        if !options.contains(&"--flip") {
            place.runs(&["embed", name, image, "-o", "e.npy"]);
            let found = npy::read(&place.path("e.npy")).expect("reads").data;
            let off = found.iter().zip(&row).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            let scale = row.iter().fold(0.0f32, |most, value| most.max(value.abs()));
            assert!(found.len() == row.len() && off < 1e-4 * scale, "{name}: {off}");
        }
        // The verdict is at the threshold that came along.
        let compared = json_of(&place, &["compare", name, image, "demo/faces_112x112_folders/1/7.jpg", "--json"]);
        assert_eq!((compared["threshold"].as_f64(), compared["threshold_of"].as_str()), (Some(0.25), Some("age")));
    }
    // A threshold that is given counts, and the cut-out model keeps the figures.
    let exported = place.runs(&["export", "basic.h5", "-o", "d.onnx", "--threshold", "age=0.125"]);
    assert!(exported.contains("pose 0.5000, age 0.1250"), "{exported}");
    place.runs(&["export", "basic.h5", "-o", "again.h5"]);
    assert!(place.runs(&["inspect", "again.h5"]).contains("age: accuracy 0.750000 at the threshold 0.250000"));
}

/// What PyTorch exports: NCHW, fixed and open batches, no metadata, weights in a second file.
#[test]
fn files_of_pytorch_give_its_embeddings() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/onnx");
    let arrays = Tensor::read_npz(cases.join("torch.npz")).expect("reads");
    let array = |wanted: &str| &arrays.iter().find(|(name, _)| name == wanted).expect("is there").1;
    let place = Place::new(4, 6);
    let images = array("images");
    let size = images.size();
    let mut arguments = Vec::new();
    for at in 0..size[0] {
        let pixels = Vec::<u8>::try_from(&images.get(at).reshape([-1])).expect("bytes");
        let picture = image::RgbImage::from_raw(size[2] as u32, size[1] as u32, pixels).expect("fits");
        picture.save(place.path(&format!("{at}.png"))).expect("saves");
        arguments.push(format!("{at}.png"));
    }
    for name in ["iresnet_11", "iresnet_dynamo", "mobile_13", "mobile_dynamo"] {
        let model = cases.join(format!("torch_{name}.onnx")).display().to_string();
        let mut words = vec!["embed", &model];
        words.extend(arguments.iter().map(String::as_str));
        words.extend(["-o", "e.npy", "--batch", "3"]);
        let output = place.run(&words);
        assert!(output.status.success(), "{name}: {}", text(&output));
        assert!(plain(&output).contains("it is fed RGB, (x / 255 - 0.5) * 2"), "{}", text(&output));
        let found = npy::read(&place.path("e.npy")).expect("reads").data;
        let wanted = Vec::<f32>::try_from(&array(name).reshape([-1])).expect("numbers");
        let scale = wanted.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        let off = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(found.len() == wanted.len() && off < 1e-4 * scale, "{name}: {off} of {scale}");
        let figures = json_of(&place, &["eval", &model, "demo/pose.bin", "--json"]);
        assert_eq!(figures["embedding"]["size"], 16);
    }
    // Another value of the file by its name; one that is not there.
    let model = cases.join("torch_mobile_13.onnx").display().to_string();
    let output = place.run(&["embed", &model, "0.png", "-o", "e.npy", "--embedding", "fc7"]);
    assert!(output.status.code() == Some(1) && plain(&output).contains("it makes no `fc7`"), "{}", text(&output));
    // An operator that nothing here runs is named.
    let bytes = std::fs::read(&model).expect("reads");
    // The field of a node that names its operator: values are called so too.
    let at = bytes.windows(13).position(|word| word == b"\x22\x0bHardSigmoid").expect("has one") + 2;
    let mut strange = bytes.clone();
    strange[at..at + 11].copy_from_slice(b"HardStrange");
    std::fs::write(place.path("strange.onnx"), strange).expect("writes");
    std::fs::write(place.path("short.onnx"), &bytes[..bytes.len() / 2]).expect("writes");
    place.write("text.onnx", "no model");
    place.write("text.tflite", "no model");
    for (model, words) in [
        ("strange.onnx", "`HardStrange`, which facetui does not run"),
        ("short.onnx", "`short.onnx` cannot be run"),
        ("text.onnx", "`text.onnx` cannot be run"),
        ("text.tflite", "`text.tflite` cannot be run"),
        ("gone.onnx", "gone.onnx"),
    ] {
        let output = place.run(&["embed", model, "0.png", "-o", "x.npy"]);
        let said = plain(&output);
        assert!(output.status.code() == Some(1) && said.contains(words) && !said.contains("panicked"), "{said}");
        assert!(!place.path("x.npy").exists());
    }
}

/// A disk without space, stood in for by a limit on the size of files: one message, the old file stays, nothing else.
#[test]
fn a_full_disk_leaves_no_half_of_a_file() {
    let place = place();
    let limited = |arguments: &[&str]| {
        let mut command = Command::new("bash");
        command.args(["-c", "ulimit -f 1; trap '' XFSZ; exec \"$@\"", "bash", env!("CARGO_BIN_EXE_facetui")]);
        command.args(arguments).current_dir(place.path(".")).env("HDF5_USE_FILE_LOCKING", "FALSE");
        command.env("FACETUI_EXPORT_PYTHON", "/nowhere/python3").output().expect("starts")
    };
    let names = || {
        let entries = std::fs::read_dir(place.path(".")).expect("reads").flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    for kept in ["x.onnx", "x.tflite", "x.safetensors", "x.h5", "x.json", "x.svg", "x.png"] {
        place.write(kept, "old");
    }
    let before = names();
    let eval = ["eval", "basic.h5", "demo/pose.bin"];
    for (arguments, file) in [
        (&["export", "basic.h5", "-o", "x.onnx"][..], "x.onnx"),
        (&["export", "basic.h5", "-o", "x.tflite"], "x.tflite"),
        (&["export", "basic.h5", "-o", "x.safetensors", "--pytorch"], "x.safetensors"),
        (&["export", "basic.h5", "-o", "x.h5"], "x.h5"),
        (&[&eval[..], &["--points", "-o", "x.json"]].concat(), "x.json"),
        (&[&eval[..], &["--roc", "x.svg"]].concat(), "x.svg"),
        (&[&eval[..], &["--roc", "x.png"]].concat(), "x.png"),
    ] {
        let output = limited(arguments);
        let said = plain(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains(&format!("`{file}` cannot be written")), "{arguments:?}: {said}");
        assert!(said.matches('×').count() == 1 && !said.contains("panicked"), "{arguments:?}: {said}");
        assert_eq!(place.read(file), "old");
        assert_eq!(names(), before, "{arguments:?}");
    }
    // What is printed onto a full disk is lost, and that is told.
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("opens");
    let mut command = Command::new(env!("CARGO_BIN_EXE_facetui"));
    command.args(eval).arg("--json").current_dir(place.path(".")).env("HDF5_USE_FILE_LOCKING", "FALSE").stdout(full);
    let output = command.output().expect("starts");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(plain(&output).contains("the standard output cannot be written"), "{}", text(&output));
}
