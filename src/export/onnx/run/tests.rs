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
    let why = changed(|graph| {
        graph.node[1]
            .attribute
            .iter_mut()
            .filter(|a| a.name.as_deref() == Some("strides"))
            .for_each(|a| a.ints = vec![1, 1]);
    });
    assert!(why.contains("the file says"), "{why}");
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
