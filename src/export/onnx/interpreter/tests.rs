//! Damaged files are refused, not run.

use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::export::lower::{self, Options};
use crate::export::onnx;
use crate::graph::backbone;
use crate::nn::init;

fn small() -> Vec<u8> {
    let options = backbone::Options { embedding_size: 4, dropout: 0.0, width: 0.05 };
    let graph = backbone::build("mobilefacenet", &options).expect("builds");
    let weights = init::weights(&graph, 1);
    let lowered = lower::lower(&graph, &weights, Options::default()).expect("lowers");
    onnx::encode(&lowered, "small", &[("model".to_owned(), "small".to_owned())])
}

fn changed(change: impl Fn(&mut GraphProto)) -> String {
    let mut model = ModelProto::decode(&*small()).expect("decodes");
    change(model.graph.as_mut().expect("a graph"));
    match Program::decode(&model.encode_to_vec()) {
        Err(why) => why,
        Ok(program) => {
            let images = Tensor::zeros([1, 112, 112, 3], (Kind::Float, Device::Cpu));
            program.run(&images).expect_err("is refused")
        }
    }
}

#[test]
fn a_sound_file_says_what_it_is() {
    let program = Program::decode(&small()).expect("is sound");
    assert_eq!((program.input_shape(), program.output_shape()), (Some(vec![112, 112, 3]), Some(vec![4])));
    assert_eq!((program.metadata("model"), program.takes_bytes()), (Some("small"), false));
    let images = Tensor::zeros([2, 112, 112, 3], (Kind::Float, Device::Cpu));
    assert_eq!(program.run(&images).expect("runs").size(), [2, 4]);
    assert!(program.run(&images.narrow(1, 0, 100)).is_err());
}

#[test]
fn wrong_structure_is_named() {
    let first = |graph: &GraphProto| graph.node[1].name.clone().expect("has a name");
    let name = first(&ModelProto::decode(&*small()).expect("decodes").graph.expect("a graph"));
    let why = changed(|graph| graph.node[1].input[0] = "nowhere".to_owned());
    assert!(why.contains(&name) && why.contains("nowhere"), "{why}");
    let why = changed(|graph| graph.node[1].op_type = Some("Fft".to_owned()));
    assert!(why.contains("Fft"), "{why}");
    let why = changed(|graph| graph.node[2].output[0] = graph.node[1].output[0].clone());
    assert!(why.contains("twice"), "{why}");
    let why = changed(|graph| graph.initializer[0].dims.push(2));
    assert!(why.contains("does not fit"), "{why}");
    let why = changed(|graph| graph.initializer[0].dims = vec![i64::MAX, i64::MAX]);
    assert!(why.contains("does not fit"), "{why}");
    let why = changed(|graph| graph.output[0].name = Some("else".to_owned()));
    assert!(why.contains("else"), "{why}");
    let why = changed(|graph| graph.node[1].domain = Some("com.example".to_owned()));
    assert!(why.contains("`com.example`"), "{why}");
    let why = changed(|graph| graph.output.push(graph.value_info[0].clone()));
    assert!(why.contains("2 outputs"), "{why}");
    let why = changed(|graph| {
        let weights = &mut graph.initializer[0];
        weights.data_location = Some(1);
        weights.external_data = vec![crate::export::onnx::proto::StringStringEntryProto {
            key: Some("location".to_owned()),
            value: Some("../elsewhere".to_owned()),
        }];
    });
    assert!(why.contains("lie in another file"), "{why}");
    let why = changed(|graph| {
        graph.node[1]
            .attribute
            .iter_mut()
            .filter(|a| a.name.as_deref() == Some("strides"))
            .for_each(|a| a.ints = vec![1, 1]);
    });
    assert!(why.contains("the file says"), "{why}");
}

/// Files of other exporters may lay their weights beside the model, and nowhere else.
#[test]
fn weights_lie_beside_the_model() {
    let folder = tempfile::tempdir().expect("a folder");
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).expect("makes");
    std::fs::write(folder.path().join("outside.bin"), vec![0u8; 1 << 20]).expect("writes");
    let write = |location: &str, offset: &str| {
        let mut model = ModelProto::decode(&*small()).expect("decodes");
        let weights = &mut model.graph.as_mut().expect("a graph").initializer[0];
        let raw = weights.raw_data.take().expect("has numbers");
        let mut file = vec![0u8; 16];
        file.extend(raw);
        std::fs::write(inner.join("weights.bin"), file).expect("writes");
        weights.data_location = Some(1);
        let entry = |key: &str, value: &str| crate::export::onnx::proto::StringStringEntryProto {
            key: Some(key.to_owned()),
            value: Some(value.to_owned()),
        };
        weights.external_data = vec![entry("location", location), entry("offset", offset)];
        let path = inner.join("model.onnx");
        std::fs::write(&path, model.encode_to_vec()).expect("writes");
        Program::open(&path)
    };
    let images = Tensor::ones([1, 112, 112, 3], (Kind::Float, Device::Cpu));
    let found = write("weights.bin", "16").expect("reads").run(&images).expect("runs");
    let wanted = Program::decode(&small()).expect("reads").run(&images).expect("runs");
    assert_eq!(found, wanted);
    for (location, offset, word) in [
        ("../outside.bin", "0", "not beside"),
        ("weights.bin", "17", "is shorter"),
        ("gone.bin", "0", "cannot be read"),
    ] {
        let why = write(location, offset).expect_err("is refused");
        assert!(why.contains(word), "{why}");
    }
}

/// Every operator in its variants, as onnxruntime runs it (`tests/python/make_onnx_cases.py`).
#[test]
fn operators_give_onnxruntimes_numbers() {
    let arrays = Tensor::read_npz("tests/cases/onnx/operators.npz").expect("reads");
    let arrays: HashMap<String, Tensor> = arrays.into_iter().collect();
    let mut wrong = Vec::new();
    let mut count = 0;
    for (name, model) in arrays.iter().filter_map(|(name, model)| Some((name.strip_suffix("/model")?, model))) {
        count += 1;
        let bytes = Vec::<u8>::try_from(model).expect("bytes");
        let found = Program::decode(&bytes).and_then(|program| program.run(&arrays[&format!("{name}/x")]));
        let wanted = &arrays[&format!("{name}/y")];
        match found {
            Err(why) => wrong.push(format!("{name}: {why}")),
            Ok(found) if found.size() != wanted.size() => {
                wrong.push(format!("{name}: {:?}, expected {:?}", found.size(), wanted.size()));
            }
            Ok(found) => {
                let off = (found.to_kind(Kind::Float) - wanted).abs().max().double_value(&[]);
                // fp16 is computed in fp32 here.
                let most = if name == "half" { 5e-3 } else { 1e-5 };
                if off > most * wanted.abs().max().double_value(&[]).max(1.0) {
                    wrong.push(format!("{name}: off by {off}"));
                }
            }
        }
    }
    assert!(count > 80, "the cases are not there");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damaged_files_never_panic(at in 0usize..100_000, byte in any::<u8>(), length in 0usize..100_000) {
        let mut bytes = small();
        let length = length % (bytes.len() + 1);
        let _ = Program::decode(&bytes[..length]);
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(program) = Program::decode(&bytes) {
            let _ = program.run(&Tensor::zeros([1, 112, 112, 3], (Kind::Float, Device::Cpu)));
        }
    }
}
