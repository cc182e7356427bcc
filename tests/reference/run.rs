//! What the reference's trainer wrote and printed for a schedule of six stages: its files are ours.

use facetui::checkpoint::keras_history::History;
use facetui::checkpoint::names;
use facetui::data::bin::EvalBin;
use facetui::data::folder::FolderSet;
use facetui::data::sampler::Sampler;
use facetui::graph::layer::Layer;
use facetui::train::optim::restore;

use crate::root::{Root, network};

/// The history, the model with its optimiser, the names, the data set and the bins of the reference's run.
pub fn reference(root: &Root) {
    let folder = root.path("train_run/checkpoints");
    let stem = "keras_tiny_facenet_32";
    let path = names::history_file(&folder, stem);
    let history = History::read_if_present(&path).expect("reads");
    let text = std::fs::read_to_string(&path).expect("reads");
    assert_eq!(history.to_json(), text, "written again as Python wrote it");
    let lengths = ["loss", "accuracy", "lr", "tinyA", "tinyB"].map(|name| history.values(name).len());
    assert_eq!(lengths, [11, 9, 11, 11, 11]);
    assert_eq!(history.best("tinyB"), Some(0.883_333_333_333_333_3));

    let saved = root.model(&format!("train_run/checkpoints/{stem}.h5"));
    assert_eq!(saved.loss.as_deref(), Some("batch_hard_triplet_loss"));
    let output = &saved.graph.nodes()[saved.graph.output()];
    assert!(matches!(output.layer, Layer::BatchNormalization { .. }), "the last stage has no head");
    let state = saved.optimizer.clone().expect("has an optimiser");
    let network = network(saved);
    let optimizer = restore::optimizer(&state, &network).expect("is known");
    assert_eq!(optimizer.rule.name(), "nadam");
    assert!(optimizer.iterations > 0 && optimizer.slots().iter().all(|slot| slot.abs().max().double_value(&[]) > 0.0));

    // The reference counts the epoch in this name from 0, facetui from 1, as both screens do.
    let log = std::fs::read_to_string(root.path("train_run/console_main.log")).expect("reads");
    let ours = |epoch, accuracy| names::basic_file("./checkpoints".as_ref(), stem, "tinyB", epoch, accuracy);
    for (epoch, accuracy) in [(0, 31.0 / 60.0), (6, 53.0 / 60.0)] {
        assert!(log.contains(&format!("Saving model to: {}\n", ours(epoch, accuracy).display())), "{epoch}");
    }
    assert!(
        log.contains(&format!("saving model to {}\n", names::model_file("./checkpoints".as_ref(), stem).display()))
    );

    let data = root.path("train_run/tinyfaces_112x112_folders");
    let set = FolderSet::open(&data, None, &|_, _| {}).expect("lists");
    assert!(log.contains(&format!("\n89 89 {}\n", set.classes())) && set.len() == 89);
    let shuffled = Sampler::shuffled(set.len(), 16, 1).expect("a sampler");
    let triplets = Sampler::triplet(set.labels(), 16, 1).expect("a sampler");
    assert!(log.contains(&format!("train_dataset batch will be [{}, 112, 112, 3]", triplets.batch())));
    for steps in [shuffled.plan(1).steps(), triplets.plan(1).steps()] {
        assert!(log.contains(&format!("\n{steps}/{steps} [=====")), "{steps}");
    }
    for bin in ["tinyA", "tinyB"] {
        let bin = EvalBin::open(&root.path(&format!("train_run/{bin}.bin"))).expect("reads");
        assert_eq!((bin.same.len(), bin.pairs.len()), (60, 60));
    }
}
