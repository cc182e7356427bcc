//! Stages as the reference means them: heads, frozen stages, numbering, learning rates, where a model starts from. The
//! real program on drawn faces.

use std::path::Path;

use facetui::checkpoint;
use facetui::event::Event;
use serde_json::Value;

use crate::place::{Place, epochs, plain};

/// The reference's example with all its stages, or the first `stages` of them, shrunk to drawn faces.
fn example(stages: usize) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules/mobilefacenet.yaml");
    let text = std::fs::read_to_string(path).expect("reads");
    let mut kept = 0;
    let lines = text.lines().filter(|line| {
        let stage = line.starts_with("  - {loss");
        kept += usize::from(stage);
        !stage || kept <= stages
    });
    lines.map(|line| line.to_owned() + "\n").collect()
}

/// Epochs of the stages; the reference's are 15, 10, 4, 15, 15, 10 and 30.
const EPOCHS: [u32; 7] = [2, 1, 2, 1, 1, 1, 10];

fn run(place: &Place, name: &str, stages: usize) {
    place.write(&format!("{name}.yaml"), &example(stages));
    let mut sets = vec![
        format!("name={name}"),
        "data.train=demo/faces_112x112_folders".to_owned(),
        "data.bins=[demo/pose.bin, demo/frontal.bin]".to_owned(),
        "model.width=0.1".to_owned(),
        "model.embedding=32".to_owned(),
        // Few steps must tell something: nothing that only makes them noisy.
        "model.dropout=0".to_owned(),
        "data.augment=1".to_owned(),
        "batch_size=12".to_owned(),
        "learning_rate={base: 0.002, hold: 2}".to_owned(),
        "device=cpu".to_owned(),
    ];
    sets.extend(EPOCHS.iter().take(stages).enumerate().map(|(at, epochs)| format!("stages.{at}.epochs={epochs}")));
    let file = format!("{name}.yaml");
    let mut arguments = vec![file.as_str(), "--headless"];
    for set in &sets {
        arguments.extend(["--set", set]);
    }
    place.runs(&arguments);
}

#[test]
fn all_seven_stages_of_the_references_example_in_one_go() {
    let place = Place::new(6, 9);
    run(&place, "two", 2);
    run(&place, "three", 3);
    run(&place, "seven", 7);

    // Numbering and learning rates: the frozen stage counts its own epochs and leaves the global ones alone.
    let journal = &place.journals("seven")[0];
    let ends = epochs(journal);
    let numbers: Vec<(usize, u32)> = ends.iter().map(|(stage, epoch, ..)| (*stage, *epoch)).collect();
    let mut expected = vec![(0, 1), (0, 2), (1, 3), (2, 1), (2, 2), (3, 4), (4, 5), (5, 6)];
    expected.extend((7..=16).map(|epoch| (6, epoch)));
    assert_eq!(numbers, expected);
    for (_, epoch, _, rate) in &ends {
        let e = f64::from(epoch - 1);
        let reference = if e < 2.0 { 0.002 } else { 0.002 * (0.05 * (2.0 - e)).exp() };
        assert!((rate - reference).abs() < 1e-15, "epoch {epoch}: {rate} instead of {reference}");
    }

    // The frozen stage changes the head and nothing else, bit for bit, statistics included.
    let (before, after) = (place.model("checkpoints/two.h5"), place.model("checkpoints/three.h5"));
    let basic = before.graph.find("embedding").expect("an embedding") + 1;
    assert_eq!(before.weights.nodes[..basic], after.weights.nodes[..basic]);
    let head = |name: &str| {
        let model = place.model(name);
        model.graph.nodes().last().expect("layers").name.clone()
    };
    assert_eq!(
        ["two", "three", "seven"].map(|name| head(&format!("checkpoints/{name}.h5"))),
        ["softmax", "arcface", "embedding"]
    );
    let history: Value = serde_json::from_str(&place.read("checkpoints/seven_hist.json")).expect("JSON");
    let list = |name: &str| history[name].as_array().expect("a list").clone();
    assert_eq!([list("loss").len(), list("accuracy").len(), list("lr").len(), list("pose").len()], [18, 8, 18, 18]);
    assert_eq!((&list("pose")[2], &list("pose")[2]), (&list("pose")[3], &list("pose")[4]), "its figures are repeated");
    let evaluated = journal.iter().filter(|record| matches!(record.event, Event::BinEvaluated { .. })).count();
    assert_eq!(evaluated, 2 * 16, "and not computed again");

    // The stages that are the same are the same run, whatever follows.
    let three = &place.journals("three")[0];
    assert_eq!(epochs(three), ends[..5]);

    // An optimiser that is not named goes on.
    let names: Vec<String> = journal
        .iter()
        .filter_map(|record| match &record.event {
            Event::StageStarted { optimizer, .. } => Some(optimizer.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(names, ["nadam", "nadam", "nadam", "nadam", "nadam", "sgd", "nadam"]);

    // Triplets learn.
    let triplet: Vec<f64> = ends.iter().filter(|(stage, ..)| *stage == 6).map(|(_, _, loss, _)| *loss).collect();
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    assert!(mean(&triplet[7..]) < mean(&triplet[..3]), "{triplet:?}");

    // The same seed gives the same run.
    run(&place, "again", 7);
    assert_eq!(place.read("checkpoints/again_hist.json"), place.read("checkpoints/seven_hist.json"));
    assert_eq!(place.model("checkpoints/again.h5").weights, place.model("checkpoints/seven.h5").weights);
}

/// The schedule that the reference's own log was written with, on its data: the same numbers of epochs, the same lists.
#[test]
fn numbering_and_history_are_the_references_own() {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases/train_run");
    let Ok(log) = std::fs::read_to_string(case.join("console_main.log")) else { return };
    let history = std::fs::read_to_string(case.join("checkpoints/keras_tiny_facenet_32_hist.json")).expect("reads");
    let place = Place::new(2, 6);
    place.write(
        "keras_tiny_facenet_32.yaml",
        "\
model: {backbone: mobilefacenet, embedding: 32, width: 0.1}
data:
  train: ${CASE}/tinyfaces_112x112_folders
  bins: ['${CASE}/tinyA.bin', '${CASE}/tinyB.bin']
batch_size: 16
device: cpu
stages:
  - {loss: categorical_crossentropy, optimizer: nadam, epoch: 3}
  - {loss: margin_softmax, epoch: 1}
  - {loss: ArcfaceLoss(), bottleneckOnly: true, epoch: 2}
  - {loss: ArcfaceLoss(), epoch: 2}
  - {loss: ArcfaceLoss(scale=32.0), optimizer: SGD(momentum=0.9), epoch: 1}
  - {loss: batch_hard_triplet_loss, optimizer: nadam, epoch: 2}
"
        .replace("${CASE}", &case.display().to_string())
        .as_str(),
    );
    let said = place.runs(&["keras_tiny_facenet_32.yaml", "--headless"]);
    let ends = epochs(&place.journals("keras_tiny")[0]);
    let number = |line: &str| line.strip_prefix("Learning rate for epoch ")?.split(' ').next()?.parse::<u32>().ok();
    let theirs: Vec<u32> = log.lines().filter_map(number).collect();
    assert_eq!(ends.iter().map(|(_, epoch, ..)| *epoch).collect::<Vec<_>>(), theirs);
    let lists = |text: &str| -> Vec<(String, usize)> {
        let object: serde_json::Map<String, Value> = serde_json::from_str(text).expect("JSON");
        object.into_iter().map(|(name, list)| (name, list.as_array().expect("a list").len())).collect()
    };
    let ours = place.read("checkpoints/keras_tiny_facenet_32_hist.json");
    assert_eq!(lists(&ours), lists(&history));
    // One class has five images: its fifth fills no group. The steps of an epoch are theirs too.
    assert!(said.contains("leave out 0 of 8 classes"), "{said}");
}

#[test]
fn a_model_goes_on_from_a_file_in_every_way() {
    let place = Place::new(4, 6);
    let with = |model: &str, rest: &str| {
        format!(
            "model: {model}\ndata: {{train: demo/faces_112x112_folders, bins: [demo/pose.bin]}}\nbatch_size: 8\ndevice: cpu\n{rest}"
        )
    };
    let stages = "stages: [{loss: softmax, epochs: 1}]\n";
    place.write("begin.yaml", &with("{backbone: mobilefacenet, embedding: 16, width: 0.1}", stages));
    place.runs(&["begin.yaml", "--headless"]);
    let begun = place.model("checkpoints/begin.h5");

    // A whole model, its embedding by position or by name; head and optimiser go on.
    for (name, model) in [
        ("by_position", "{file: checkpoints/begin.h5, embedding: -2}"),
        ("by_name", "{file: checkpoints/begin.h5, embedding: embedding, custom_objects: {margin_softmax: x}}"),
    ] {
        place.write(&format!("{name}.yaml"), &with(model, &format!("initial_epoch: 1\n{stages}")));
        let said = place.runs(&[&format!("{name}.yaml"), "--headless"]);
        assert!(said.contains("optimiser resumes: Adam after 3 steps") && !said.contains("a new head"), "{said}");
        let optimizer = place.model(&format!("checkpoints/{name}.h5")).optimizer.expect("one");
        assert_eq!(optimizer.iterations, 6);
        assert!(said.contains("epoch 2 ended"), "{said}");
    }
    assert_eq!(place.read("checkpoints/by_name_hist.json"), place.read("checkpoints/by_position_hist.json"));

    // Without its optimiser, as the reference's `compile=False`.
    place.write("anew.yaml", &with("{file: checkpoints/begin.h5, compile: false}", stages));
    let said = place.runs(&["anew.yaml", "--headless"]);
    assert!(said.contains("left alone, as `compile: false` says"), "{said}");
    assert_eq!(place.model("checkpoints/anew.h5").optimizer.expect("one").iterations, 3);

    // A basic model has no head: a frozen first stage trains a fresh one.
    let basic = std::fs::read_dir(place.path("checkpoints")).expect("reads").flatten();
    let mut basic = basic.filter(|file| file.file_name().to_string_lossy().starts_with("begin_basic_"));
    let basic = basic.next().expect("a basic model").path();
    let model = format!("{{file: '{}'}}", basic.display());
    place.write("head.yaml", &with(&model, "stages: [{loss: arcface, bottleneckOnly: true, epochs: 1}]\n"));
    let said = place.runs(&["head.yaml", "--headless"]);
    assert!(said.contains("a new head `arcface` of 4 classes is added"), "{said}");
    assert!(said.contains("holds no optimiser"), "{said}");
    let basic = facetui::checkpoint::read(&basic).expect("reads");
    let count = basic.graph.nodes().len();
    assert_eq!(place.model("checkpoints/head.h5").weights.nodes[..count], basic.weights.nodes[..]);

    // A model saved by the reference in a frozen stage is trained again; one frozen layer stays as it is.
    let frozen = |only: Option<&str>| {
        let mut model = begun.clone();
        for node in 0..model.graph.nodes().len() - 1 {
            let name = model.graph.nodes()[node].name.clone();
            model.graph.set_trainable(node, only.is_some_and(|only| only != name));
        }
        model
    };
    checkpoint::write(&place.path("frozen.h5"), &frozen(None)).expect("writes");
    checkpoint::write(&place.path("partly.h5"), &frozen(Some("conv2d"))).expect("writes");
    place.write("frozen_on.yaml", &with("frozen.h5", stages));
    assert!(place.runs(&["frozen_on.yaml", "--headless"]).contains("it is trained again"));
    let first = begun.graph.find("conv2d").expect("a convolution");
    assert_ne!(place.model("checkpoints/frozen_on.h5").weights.nodes[first], begun.weights.nodes[first]);
    place.write("partly_on.yaml", &with("partly.h5", stages));
    assert!(place.runs(&["partly_on.yaml", "--headless"]).contains("1 of the file's layers are frozen"));
    let partly = place.model("checkpoints/partly_on.h5");
    assert_eq!(partly.weights.nodes[first], begun.weights.nodes[first], "a frozen layer stays");
    assert_ne!(partly.weights.nodes[first + 3], begun.weights.nodes[first + 3], "the others learn");

    // Other people: a new head, said plainly.
    let fewer = place.path("fewer");
    for class in 0..3 {
        let from = place.path(&format!("demo/faces_112x112_folders/{class}"));
        std::fs::create_dir_all(fewer.join(class.to_string())).expect("makes");
        for file in std::fs::read_dir(from).expect("reads").flatten() {
            std::fs::copy(file.path(), fewer.join(class.to_string()).join(file.file_name())).expect("copies");
        }
    }
    place.write("others.yaml", &with("checkpoints/begin.h5", stages));
    let said = place.runs(&["others.yaml", "--headless", "--set", "data.train=fewer"]);
    assert!(said.contains("the head `softmax` has 4 classes and the training set has 3: a new head"), "{said}");

    // What cannot be is refused before anything is trained, at its line.
    let runs = place.journals("").len();
    for (text, words) in [
        (
            with("\n  file: checkpoints/begin.h5\n  embedding: nowhere", stages),
            ["bad.yaml:3", "nowhere", "`embedding`"],
        ),
        (with("\n  file: checkpoints/begin.h5\n  embedding: -400", stages), ["bad.yaml:3", "-400", "embedding: -2"]),
        (
            with("\n  file: checkpoints/begin.h5\n  embedding: conv2d", stages),
            ["bad.yaml:3", "`conv2d`", "list of numbers"],
        ),
        (with("\n  file: begin.yaml", stages), ["bad.yaml:2", "begin.yaml", "HDF5"]),
        (
            with("checkpoints/begin.h5", stages).replace("{train:", "{classes: 9, train:"),
            ["bad.yaml:2", "has 4 classes, not 9", "classes"],
        ),
        (
            with("checkpoints/begin.h5", stages).replace(
                "train: demo/faces_112x112_folders",
                "classes: 4, train: [demo/faces_112x112_folders, demo/faces_112x112_folders]",
            ),
            ["bad.yaml:2", "has 8 classes, not 4", "classes"],
        ),
        (
            with(
                "checkpoints/begin.h5",
                "stages:\n  - {loss: softmax, centerloss: 'Center_loss(num_classes=85742)', epochs: 1}\n",
            ),
            ["bad.yaml:6", "has 4 classes, not 85742", "num_classes"],
        ),
        (
            with("checkpoints/begin.h5", "stages:\n  - {loss: batch_hard_triplet, centerloss: true, epochs: 1}\n"),
            ["bad.yaml:6", "cannot be added to `batch_hard_triplet`", "no logits"],
        ),
        (
            with("checkpoints/begin.h5", "stages:\n  - {loss: softmax, optimizer: adamm, epochs: 1}\n"),
            ["bad.yaml:6", "`adamm`", "did you mean `adam`?"],
        ),
    ] {
        place.write("bad.yaml", &text);
        for arguments in [&["check", "bad.yaml"][..], &["bad.yaml", "--headless"]] {
            let output = place.run(arguments);
            let said = plain(&output);
            assert_eq!(output.status.code(), Some(2), "{text}: {said}");
            for word in words {
                assert!(said.contains(word), "`{word}` is missing in {said}");
            }
        }
    }
    assert_eq!(place.journals("").len(), runs, "no run was begun");
}

#[test]
fn numbers_may_be_given_per_stage() {
    let place = Place::new(4, 6);
    place.write(
        "numbers.yaml",
        "\
model: {backbone: mobilefacenet, embedding: 16, width: 0.1}
data: {train: demo/faces_112x112_folders, bins: []}
batch_size: 8
learning_rate: {base: 0.001, decay: 0.5, hold: 0}
device: cpu
stages:
  - {name: warm-up, loss: softmax, epochs: 2, batch_size: 12, learning_rate: 0.01, augment: 2}
  - {loss: arcface, epochs: 1, lr: {base: 0.002, hold: 5}}
  - {loss: batch_hard_triplet, epochs: 1, batch_size: 16}
",
    );
    let said = place.runs(&["check", "numbers.yaml"]);
    for words in
        ["warm-up: softmax", "epochs 1 to 2", "batch 12", "1.000e-2 to 6.065e-3", "augment 2", "batch 8", "2.000e-3"]
    {
        assert!(said.contains(words), "`{words}` is missing in {said}");
    }
    let said = place.runs(&["numbers.yaml", "--headless"]);
    assert!(said.contains("leave out 0 of 4 classes"), "{said}");
    let journal = &place.journals("numbers")[0];
    let rates: Vec<f64> = epochs(journal).iter().map(|(.., rate)| *rate).collect();
    let expected = [0.01, 0.01 * (-0.5f64).exp(), 0.002, 0.001 * (-1.5f64).exp()];
    for (rate, expected) in rates.iter().zip(expected) {
        let wanted = if (rate - expected).abs() < 1e-12 { continue } else { expected };
        panic!("{rates:?}: {rate} instead of {wanted}");
    }
    let Event::RunStarted(header) = journal
        .iter()
        .find_map(|record| match &record.event {
            started @ Event::RunStarted(_) => Some(started.clone()),
            _ => None,
        })
        .expect("a header")
    else {
        panic!("no header")
    };
    let plans: Vec<(u64, u64, u8)> =
        header.stages.iter().map(|plan| (plan.batch_size, plan.steps_per_epoch, plan.augment)).collect();
    assert_eq!(plans, [(12, 2, 2), (8, 3, 0), (24, 1, 0)]);
    assert_eq!(header.stages[0].name.as_deref(), Some("warm-up"));
    assert_eq!((header.stages[2].left_out.classes, header.stages[2].left_out.images), (0, 8));
}
