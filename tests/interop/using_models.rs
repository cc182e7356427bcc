//! `facetui eval`, `embed` and `compare` as a user sees them, on drawn faces: their numbers are those of the library and
//! of real Keras, and what is wrong with their inputs is one message that leaves nothing behind.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use facetui::checkpoint::npy::{self, Matrix};
use facetui::checkpoint::{self, SavedModel};
use facetui::data::bin::EvalBin;
use facetui::data::decode::decode_into;
use facetui::eval::decoded_bin::{DecodedBin, evaluate};
use facetui::eval::metrics::Figures;
use facetui::eval::model::Model;
use facetui::eval::similarity::MetricsError;
use facetui::graph::Layer;
use facetui::graph::backbone::{Options, build};
use facetui::nn::init;
use facetui::schedule::{DeviceChoice, EmbeddingLayer};
use serde_json::{Value, json};

use crate::place::{Place, plain, text};

/// Drawn faces, bins of them, and a small network saved as `basic.h5` and, with an arcface head, as `whole.h5`.
fn place() -> Place {
    let place = Place::new(4, 6);
    let mut graph = build("mobilefacenet", &Options { embedding_size: 16, dropout: 0.2, width: 0.1 }).expect("builds");
    let embedding = graph.output();
    let mut weights = init::weights(&graph, 5);
    // Shifts would outweigh what an untrained network makes of an image, so that all faces were the same.
    for (node, arrays) in graph.nodes().iter().zip(&mut weights.nodes) {
        for (spec, array) in node.weights.iter().zip(arrays) {
            for (at, value) in array.data.iter_mut().enumerate() {
                let wave = ((at * 37 + 11) % 101) as f32 / 101.0;
                match spec.name {
                    "gamma" => *value = 0.8 + 0.4 * wave,
                    "moving_variance" => *value = 0.5 + wave,
                    _ => {}
                }
            }
        }
    }
    let basic = SavedModel::new(graph.clone(), weights.clone());
    checkpoint::write(&place.path("basic.h5"), &basic).expect("writes");
    graph.add("arcface", Layer::NormDense { units: 4 }, &[embedding]).expect("adds");
    weights.nodes.push(init::weights(&graph, 6).nodes.pop().expect("the head's"));
    checkpoint::write(&place.path("whole.h5"), &SavedModel::new(graph, weights)).expect("writes");
    place
}

fn model(place: &Place) -> Model {
    load(&place.path("basic.h5"))
}

/// A model whose layer `embedding` is the embedding.
fn load(path: &Path) -> Model {
    Model::load(path, Some(&EmbeddingLayer::Name("embedding".into())), DeviceChoice::Cpu).expect("loads")
}

fn json_of(place: &Place, arguments: &[&str]) -> Value {
    let output = place.run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output)))
}

/// The figures as training computes them.
fn by_library(model: &Model, bin: &Path) -> Figures {
    let bin = DecodedBin::decode(&EvalBin::open(bin).expect("opens"), model.size()).expect("decodes");
    let mut embed =
        |images: &[u8], count: usize| Ok::<_, MetricsError>(model.embed(images, count, true).expect("embeds"));
    evaluate(&bin, 64, &mut embed, &|_, _| {}, |measured| measured.figures(&bin.same)).expect("figures")
}

fn near(found: &Value, wanted: f64, tolerance: f64) -> bool {
    found.as_f64().is_some_and(|found| (found - wanted).abs() <= tolerance)
}

#[test]
fn eval_gives_the_figures_that_training_gives() {
    let place = place();
    let bins = ["demo/pose.bin", "demo/frontal.bin"];
    let arguments = ["eval", "whole.h5", bins[0], bins[1], "--json", "--points", "--far", "0.25", "--roc", "roc.svg"];
    let told = json_of(&place, &arguments);
    assert_eq!((&told["embedding"]["layer"], &told["embedding"]["size"]), (&json!("embedding"), &json!(16)));
    let model = model(&place);
    for (row, bin) in told["bins"].as_array().expect("a list").iter().zip(bins) {
        let figures = by_library(&model, &place.path(bin));
        assert!(near(&row["accuracy"], figures.accuracy, 1e-9), "{row}");
        assert!(near(&row["threshold"], figures.threshold, 1e-5), "{row}");
        assert!(near(&row["fold_mean"], figures.fold_mean.expect("24 pairs"), 1e-9), "{row}");
        assert_eq!((&row["pairs"], &row["pairs_same"], &row["pairs_different"]), (&json!(24), &json!(12), &json!(12)));
        let rates: Vec<bool> = row["tar_at_far"].as_array().expect("rates").iter().map(|r| r["tar"].is_f64()).collect();
        assert_eq!(rates, [true, false, false, false, true], "12 pairs of two persons allow a FAR of 0.1 and 0.25");
        // Of the pairs of two persons, three in twelve lie above the threshold for 0.25.
        assert_eq!(row["tar_at_far"][4]["false_accepts"], 3);
        assert!(row["roc"].as_array().is_some_and(|points| points.len() > 3));
    }
    assert!(place.read("roc.svg").contains("frontal (24 pairs)"));
    let table = place.runs(&["eval", "basic.h5", bins[0], "--far", "0.25"]);
    let figures = by_library(&model, &place.path(bins[0]));
    assert!(table.contains(&format!("{:.6}", figures.accuracy)) && table.contains("TAR@1e-3"), "{table}");
    assert!(table.contains("at a FAR of 2.5e-1 the threshold is"), "{table}");
    assert!(table.contains("12 pairs of two persons are too few for a FAR of 1e-2, 1e-3, 1e-4"), "{table}");
}

#[test]
fn eval_draws_pairs_from_a_folder_of_persons() {
    let place = place();
    let folder = "demo/faces_112x112_folders";
    let run = |seed: &str| {
        let mut told = json_of(&place, &["eval", "basic.h5", folder, "--json", "--pairs", "40", "--seed", seed]);
        told["bins"][0]["seconds"].take();
        told
    };
    let first = run("1");
    assert_eq!((&first["bins"][0]["pairs_same"], &first["bins"][0]["pairs_different"]), (&json!(20), &json!(20)));
    assert_eq!(first, run("1"));
    assert_ne!(first["bins"][0]["threshold"], run("2")["bins"][0]["threshold"]);
    // An image that cannot be read is named, and its pairs are left out.
    place.write(&format!("{folder}/0/1.jpg"), "not an image");
    let output = place.run(&["eval", "basic.h5", folder, "--json", "--pairs", "100"]);
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((output.status.code(), &told["bins"][0]["images_unreadable"]), (Some(0), &json!(1)));
    assert!(told["bins"][0]["pairs_left_out"].as_u64().is_some_and(|left_out| left_out > 0));
    assert!(plain(&output).contains("0/1.jpg` neither a JPEG nor a PNG image"), "{}", text(&output));
}

#[test]
fn eval_goes_on_after_a_bin_that_is_damaged() {
    let place = place();
    let bytes = std::fs::read(place.path("demo/age.bin")).expect("reads");
    std::fs::write(place.path("short.bin"), &bytes[..bytes.len() / 2]).expect("writes");
    let images: Vec<Vec<u8>> = (0..4).map(|_| b"text".to_vec()).collect();
    std::fs::write(place.path("text.bin"), facetui::data::pickle::write::pairs(&images, &[true, false]))
        .expect("writes");
    let output = place.run(&["eval", "basic.h5", "short.bin", "text.bin", "no.bin", "demo/pose.bin"]);
    let said = plain(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for words in ["short.bin", "image 0 of text.bin neither a JPEG", "no.bin", "accuracy"] {
        assert!(said.contains(words), "`{words}` is not in {said}");
    }
}

/// The raw embeddings of files by the library.
fn rows_of(model: &Model, files: &[PathBuf], flip: bool) -> Vec<f32> {
    let one = 112 * 112 * 3;
    let mut images = vec![0; files.len() * one];
    for (file, pixels) in files.iter().zip(images.chunks_exact_mut(one)) {
        decode_into(&std::fs::read(file).expect("reads"), (112, 112), pixels).expect("decodes");
    }
    model.embed(&images, files.len(), flip).expect("embeds")
}

fn assert_near(found: &[f32], wanted: &[f32]) {
    assert_eq!(found.len(), wanted.len());
    let scale = wanted.iter().fold(0f32, |most, value| most.max(value.abs()));
    let worst = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-4 * scale, "{worst}, of {scale}");
}

#[test]
fn embed_writes_a_row_an_image_in_the_order_given() {
    let place = place();
    let face = |class: usize, number: usize| format!("demo/faces_112x112_folders/{class}/{number}.jpg");
    place.write("text.jpg", "not an image");
    let (first, last) = (face(3, 20), face(1, 8));
    let folder = "demo/faces_112x112_folders/2";
    let output = place.run(&[
        "embed",
        "whole.h5",
        &first,
        "text.jpg",
        folder,
        &last,
        "nowhere.jpg",
        "-o",
        "e.npy",
        "--names",
        "n.txt",
        "--batch",
        "4",
    ]);
    let said = plain(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("`text.jpg` neither a JPEG nor a PNG image: it begins with `not an i`"), "{said}");
    assert!(said.contains("`nowhere.jpg` cannot be read") && said.contains("10 x 16"), "{said}");
    let Matrix { shape, data } = npy::read(&place.path("e.npy")).expect("reads");
    assert_eq!(shape, [10, 16]);
    let names: Vec<String> = place.read("n.txt").lines().map(str::to_owned).collect();
    let inside: Vec<String> = (13..=18).map(|number| face(2, number)).collect();
    let wanted: Vec<&str> = [&first, "text.jpg"]
        .into_iter()
        .chain(inside.iter().map(String::as_str))
        .chain([last.as_str(), "nowhere.jpg"])
        .collect();
    assert_eq!(names, wanted);
    for bad in [1, 9] {
        assert!(data[bad * 16..][..16].iter().all(|value| value.is_nan()));
    }
    let readable: Vec<PathBuf> = [0, 2, 3, 4, 5, 6, 7, 8].iter().map(|at| place.path(&names[*at])).collect();
    let found: Vec<f32> = data.chunks_exact(16).filter(|row| !row[0].is_nan()).flatten().copied().collect();
    assert_near(&found, &rows_of(&model(&place), &readable, false));
    assert!(leftovers(&place).is_empty());
}

#[test]
fn embed_flips_normalises_and_reads_a_list() {
    let place = place();
    let folder = place.path("demo/faces_112x112_folders/0");
    let files: Vec<PathBuf> = (1..=6).rev().map(|number| folder.join(format!("{number}.jpg"))).collect();
    let list: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let list = list.join("\n");
    let mut child = Command::new(env!("CARGO_BIN_EXE_facetui"))
        .args(["embed", "basic.h5", "-", "-o", "e.npy", "--flip", "--normalize", "--device", "cpu"])
        .current_dir(place.path("."))
        .env("HDF5_USE_FILE_LOCKING", "FALSE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    child.stdin.take().expect("piped").write_all(list.as_bytes()).expect("writes");
    let output = child.wait_with_output().expect("ends");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let found = npy::read(&place.path("e.npy")).expect("reads").data;
    let mut wanted = rows_of(&model(&place), &files, true);
    facetui::eval::model::normalize(&mut wanted, 16);
    assert_near(&found, &wanted);
}

#[test]
fn embed_reads_records_and_another_layer() {
    let set = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases/recordio/scalar_label");
    if !set.exists() {
        return;
    }
    let place = place();
    let set = set.canonicalize().expect("is there").display().to_string();
    place.runs(&["embed", "whole.h5", &set, "-o", "e.npy", "--embedding", "-1"]);
    let [rows, columns] = npy::read(&place.path("e.npy")).expect("reads").shape;
    let expected: Value =
        serde_json::from_str(&std::fs::read_to_string(Path::new(&set).join("expected.json")).expect("reads"))
            .expect("JSON");
    assert_eq!((json!(rows), columns), (expected["n_images"].clone(), 4));
}

#[test]
fn compare_tells_similarities_and_verdicts() {
    let place = place();
    let face = |class: usize, number: usize| format!("demo/faces_112x112_folders/{class}/{number}.jpg");
    let names = [face(0, 1), face(0, 2), face(3, 20)];
    let told =
        json_of(&place, &["compare", "whole.h5", &names[0], &names[1], &names[2], "--json", "--threshold", "0.9"]);
    let files: Vec<PathBuf> = names.iter().map(|name| place.path(name)).collect();
    let mut rows = rows_of(&model(&place), &files, true);
    facetui::eval::model::normalize(&mut rows, 16);
    for (pair, (a, b)) in told["pairs"].as_array().expect("pairs").iter().zip([(0, 1), (0, 2), (1, 2)]) {
        let dot: f32 = rows[a * 16..][..16].iter().zip(&rows[b * 16..][..16]).map(|(a, b)| a * b).sum();
        assert!(near(&pair["similarity"], f64::from(dot), 1e-5), "{pair}");
        assert_eq!(pair["same"], json!(dot > 0.9));
        assert!(near(&told["similarities"][b][a], f64::from(dot), 1e-5));
    }
    let two = place.runs(&["compare", "basic.h5", &names[0], &names[1]]);
    assert!(two.contains("similarity") && !two.contains("person"), "{two}");
    let figures = by_library(&model(&place), &place.path("demo/pose.bin"));
    let by_bin = place.runs(&["compare", "basic.h5", &names[0], &names[1], "--bin", "demo/pose.bin"]);
    assert!(by_bin.contains(&format!("one person: a similarity above {:.6}", figures.threshold)), "{by_bin}");
}

/// Files that a command that failed may not leave.
fn leftovers(place: &Place) -> Vec<String> {
    let names = std::fs::read_dir(place.path(".")).expect("reads").flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.contains("partial")).collect()
}

#[test]
fn bad_inputs_are_one_message_and_leave_nothing() {
    let place = place();
    let whole = std::fs::read(place.path("whole.h5")).expect("reads");
    std::fs::write(place.path("short.h5"), &whole[..whole.len() / 2]).expect("writes");
    place.write("text.h5", "not a model");
    place.write("text.jpg", "not an image");
    std::fs::create_dir(place.path("empty")).expect("makes");
    std::fs::create_dir(place.path("folder.npy")).expect("makes");
    std::fs::copy(place.path("text.jpg"), place.path("empty/notes.md")).expect("copies");
    let image = "demo/faces_112x112_folders/0/1.jpg";
    let cases: &[(&[&str], i32, &str)] = &[
        (&["eval", "short.h5", "demo/pose.bin"], 1, "short.h5"),
        (&["embed", "text.h5", image, "-o", "e.npy"], 1, "`text.h5` cannot be read"),
        (&["embed", "nowhere.h5", image, "-o", "e.npy"], 1, "nowhere.h5"),
        (&["embed", "basic.h5", "text.jpg", "-o", "e.npy", "--names", "n.txt"], 1, "none of 1 images"),
        (&["embed", "basic.h5", "empty", "-o", "e.npy"], 1, "there is no image to embed"),
        (&["embed", "basic.h5", image, "-o", "no/e.npy"], 1, "there is no folder `no`"),
        (&["embed", "basic.h5", image, "-o", "e.npy", "--names", "no/n.txt"], 1, "there is no folder `no`"),
        (&["embed", "basic.h5", image, "-o", "folder.npy"], 1, "it is a folder"),
        (&["embed", "basic.h5", image, "-o", "e.npy", "--embedding", "embeding"], 1, "embeding"),
        (&["embed", "basic.h5", image, "-o", "e.npy", "--embedding", "conv2d"], 1, "a list of numbers"),
        (&["embed", "basic.h5", image, "-o", "e.npy", "--device", "cuda:97"], 1, "`cuda:97` was asked for"),
        (&["embed", "basic.h5", image, "-o", "e.npy", "--device", "tpu"], 2, "auto, cpu, cuda"),
        (&["eval", "basic.h5", "demo/pose.bin", "--roc", "no/roc.svg"], 1, "there is no folder `no`"),
        (&["eval", "basic.h5", "demo/pose.bin", "--roc", "roc.gif"], 2, ".svg or .png"),
        (&["eval", "basic.h5", "demo/pose.bin", "--far", "7"], 2, "above 0 and below 1"),
        (&["compare", "basic.h5", image, "text.jpg"], 1, "1 of 2 images can be used"),
        (&["compare", "basic.h5", image, image, "--bin", "demo/pose.bin", "--far", "1e-3"], 1, "too few"),
    ];
    for (arguments, code, words) in cases {
        let output: Output = place.run(arguments);
        let said = plain(&output);
        assert_eq!(output.status.code(), Some(*code), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: `{words}` is not in {said}");
        assert!(!said.contains("panicked"), "{said}");
        assert!(said.matches('×').count() <= 1, "more than one message: {said}");
        for name in ["e.npy", "n.txt", "roc.svg"] {
            assert!(!place.path(name).exists(), "{arguments:?} left `{name}`");
        }
        assert!(leftovers(&place).is_empty(), "{arguments:?} left {:?}", leftovers(&place));
    }
}

/// A disk without space: the file that was there stays.
#[test]
fn a_limit_on_the_size_of_files_leaves_the_old_one() {
    let place = place();
    place.write("e.npy", "old");
    let script = "ulimit -f 1; trap '' XFSZ; exec \"$@\"";
    let mut command = Command::new("bash");
    command.args(["-c", script, "bash", env!("CARGO_BIN_EXE_facetui"), "embed", "basic.h5"]);
    // 24 images of 16 numbers are 1.5 KiB, more than the limit of one.
    command.args(["demo/faces_112x112_folders", "-o", "e.npy"]).current_dir(place.path("."));
    let output = command.env("HDF5_USE_FILE_LOCKING", "FALSE").output().expect("starts");
    let said = plain(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("`e.npy` cannot be written"), "{said}");
    assert_eq!(place.read("e.npy"), "old");
    assert!(leftovers(&place).is_empty());
}

/// Memory that `embed` needs for a number of images, in KiB: the system's own high-water mark.
#[cfg(target_os = "linux")]
fn peak(place: &Place, images: usize) -> u64 {
    let list = format!("{}\n", place.path("tiny.png").display()).repeat(images);
    place.write("list.txt", &list);
    let mut child = Command::new(env!("CARGO_BIN_EXE_facetui"))
        .args(["embed", "tiny.h5", "-", "-o", "e.npy", "--names", "n.txt", "--device", "cpu"])
        .current_dir(place.path("."))
        .env("HDF5_USE_FILE_LOCKING", "FALSE")
        .env("OMP_NUM_THREADS", "1")
        .stdin(std::fs::File::open(place.path("list.txt")).expect("opens"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let mut most = 0;
    while child.try_wait().expect("waits").is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let value = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        most = most.max(value.unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert_eq!(npy::read(&place.path("e.npy")).expect("reads").shape, [images, 64]);
    most
}

/// Ten times the images, the same memory.
#[cfg(target_os = "linux")]
#[test]
fn embed_streams() {
    let place = Place::new(2, 2);
    let mut graph = facetui::graph::Graph::new("tiny");
    let input = graph.add("input_1", Layer::Input { shape: vec![8, 8, 3] }, &[]).expect("adds");
    let flat = graph.add("flatten", Layer::Flatten, &[input]).expect("adds");
    let dense = Layer::Dense {
        units: 64,
        use_bias: false,
        activation: facetui::graph::layer::Activation::Linear,
        kernel_initializer: facetui::graph::layer::Initializer::GlorotUniform,
    };
    graph.add("embedding", dense, &[flat]).expect("adds");
    let weights = init::weights(&graph, 1);
    checkpoint::write(&place.path("tiny.h5"), &SavedModel::new(graph, weights)).expect("writes");
    image::RgbImage::from_pixel(8, 8, image::Rgb([1, 2, 3])).save(place.path("tiny.png")).expect("saves");
    let (few, many) = (peak(&place, 3_000), peak(&place, 30_000));
    // Held rows alone would be 7 MB more.
    assert!(many < few + 3_000, "{few} KiB for 3,000 images, {many} KiB for 30,000");
}

/// What an independent computation in `tf_keras` makes of the same decoded pixels.
#[test]
fn eval_agrees_with_keras() {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (Some(python), Some(path)) = (set("FACETUI_TEST_PYTHON"), set("FACETUI_KERAS_PYTHONPATH")) else {
        assert!(set("CI").is_none(), "CI must run this test: use `cargo xtask test`, which installs Keras");
        return;
    };
    let place = place();
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases/train_run");
    let mut cases = vec![(place.path("whole.h5"), vec![place.path("demo/pose.bin"), place.path("demo/age.bin")])];
    if run.is_dir() {
        let bins = vec![run.join("tinyA.bin"), run.join("tinyB.bin")];
        cases.push((run.join("checkpoints/keras_tiny_facenet_32.h5"), bins));
    }
    for (model_path, bins) in cases {
        let model = load(&model_path);
        let mut command = Command::new(&python);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/eval_check.py"));
        command.args([&model_path]).arg("embedding").arg(place.path("keras.json"));
        let mut decoded = Vec::new();
        for (at, bin) in bins.iter().enumerate() {
            let bin = DecodedBin::decode(&EvalBin::open(bin).expect("opens"), model.size()).expect("decodes");
            let one = model.size().0 as usize * model.size().1 as usize * 3;
            let data = bin.images.iter().map(|byte| f32::from(*byte)).collect();
            let pixels = place.path(&format!("{at}.npy"));
            npy::write(&pixels, &Matrix { shape: [bin.images.len() / one, one], data }).expect("writes");
            let facts = json!({ "size": [model.size().1, model.size().0], "pairs": bin.pairs, "same": bin.same });
            place.write(&format!("{at}.json"), &facts.to_string());
            command.arg(pixels).arg(place.path(&format!("{at}.json")));
            decoded.push(bin);
        }
        command.env("PYTHONPATH", &path).env("PYTHONNOUSERSITE", "1");
        command.env("TF_CPP_MIN_LOG_LEVEL", "3").env("CUDA_VISIBLE_DEVICES", "");
        let output = command.output().expect("python starts");
        assert!(output.status.success(), "{}", text(&output));
        let keras: Value = serde_json::from_str(&place.read("keras.json")).expect("JSON");
        let mut arguments = vec!["eval".to_owned(), model_path.display().to_string(), "--json".to_owned()];
        arguments.extend(bins.iter().map(|bin| bin.display().to_string()));
        let told = json_of(&place, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
        for ((row, keras), bin) in
            told["bins"].as_array().expect("bins").iter().zip(keras.as_array().expect("sets")).zip(&decoded)
        {
            for figure in ["accuracy", "threshold", "fold_mean", "fold_deviation"] {
                assert!(near(&row[figure], keras[figure].as_f64().expect(figure), 1e-4), "{figure}: {row} {keras}");
            }
            assert!(near(&row["tar_at_far"][0]["tar"], keras["tar"].as_f64().expect("one"), 1e-4), "{row} {keras}");
            assert!(near(&row["tar_at_far"][0]["threshold"], keras["tar_threshold"].as_f64().expect("one"), 1e-4));
            let one = model.size().0 as usize * model.size().1 as usize * 3;
            let rows = model.embed(&bin.images[..4 * one], 4, false).expect("embeds");
            let wanted = keras["raw"].as_array().expect("rows").iter().flat_map(|row| row.as_array().expect("a row"));
            let wanted: Vec<f32> = wanted.map(|value| value.as_f64().expect("a number") as f32).collect();
            assert_near(&rows, &wanted);
        }
    }
}
