//! Files that real Keras wrote: what our network makes of their images.

use facetui::checkpoint;
use facetui::nn::Mode;
use facetui::nn::network::normalize_images;
use facetui::schedule::HeadKind;
use facetui::train::model::head_kind;

use crate::root::{Arrays, Root, difference, network, with_unpacked};

/// Embeddings, and the head's output where it is told, of every model of a root.
pub fn embeddings(root: &Root) {
    let images = normalize_images(root.arrays("models/inputs.npz").get("images"));
    let index = root.json("models/index.json");
    let mut checked = Vec::new();
    for folder in ["models", "models_2020_layout"] {
        for file in root.files(folder, &[".h5", ".h5.gz"]) {
            if file.contains(".weights.") {
                continue;
            }
            let expected = expected(root, &file);
            let saved = root.model(&file);
            let name = file.rsplit('/').next().expect("a name");
            if let Some(parameters) = index[name]["params"].as_u64() {
                let (trainable, fixed) = saved.graph.count_weights();
                assert_eq!(trainable + fixed, parameters, "{file}");
            }
            let head = head_kind(&saved.graph.nodes()[saved.graph.output()].layer);
            let network = network(saved);
            let (ours, output) = tch::no_grad(|| {
                let ours = network.embed(&images, Mode::Infer);
                let output = network.head_output(&ours);
                (ours, if head == Some(HeadKind::Softmax) { output.softmax(-1, None) } else { output })
            });
            for name in ["emb", "emb_f64"] {
                let Some(wanted) = expected.find(name) else { continue };
                let error = difference(&ours, wanted);
                assert!(error < 1e-4, "{file}: {name} off by {error}");
            }
            if let Some(wanted) = expected.find("head_output").or_else(|| expected.find("output")) {
                assert!(head.is_some(), "{file}: has no head");
                let error = difference(&output, wanted);
                assert!(error < 1e-4, "{file}: the head's output is off by {error}");
            }
            checked.push(name.to_owned());
        }
    }
    let known = index.as_object().expect("files").keys();
    let left: Vec<&String> = known.filter(|name| !checked.contains(name)).collect();
    assert!(checked.len() >= 6 && left.is_empty(), "{} models were compared, but not {left:?}", checked.len());
}

/// `a.k3.h5` has `a.k3.expected.npz` or, when it shares its weights with others, `a.expected.npz`.
fn expected(root: &Root, file: &str) -> Arrays {
    let stem = file.trim_end_matches(".gz").trim_end_matches(".h5");
    let own = format!("{stem}.expected.npz");
    if root.path(&own).exists() {
        return root.arrays(&own);
    }
    let (stem, _) = stem.rsplit_once('.').unwrap_or_else(|| panic!("nothing is expected of {file}"));
    root.arrays(&format!("{stem}.expected.npz"))
}

/// The files that `save_weights` wrote, put into the graph of the whole model of the same name: the same embeddings.
pub fn weights(root: &Root) {
    let images = normalize_images(root.arrays("models/inputs.npz").get("images"));
    let files = root.files("models", &[".weights.h5", ".weights.h5.gz"]);
    assert!(!files.is_empty());
    for file in files {
        let whole = file.replace(".weights.h5", ".h5");
        let whole = if root.path(&whole).exists() { whole } else { format!("{whole}.gz") };
        let mut saved = root.model(&whole);
        for array in saved.weights.nodes.iter_mut().flatten() {
            array.data.fill(0.0);
        }
        let loaded = with_unpacked(&root.path(&file), |path| {
            checkpoint::read_weights(path, &saved.graph).unwrap_or_else(|error| panic!("{error}"))
        });
        assert!(loaded.is_complete() && loaded.unused.is_empty(), "{file}: {loaded:?}");
        loaded.fill(&mut saved.weights);
        let ours = tch::no_grad(|| network(saved).embed(&images, Mode::Infer));
        let error = difference(&ours, expected(root, &whole).get("emb"));
        assert!(error < 1e-4, "{file}: off by {error}");
    }
}

/// The layers of a file, with the shapes of their weights, as Keras lists them.
pub fn layers(root: &Root) {
    let lists = root.files("models", &[".layers.json"]);
    assert!(!lists.is_empty());
    for list in lists {
        let stem = list.trim_end_matches(".layers.json");
        let mut files = root.files("models", &[".h5", ".h5.gz"]).into_iter();
        let file = files.find(|file| file.starts_with(&format!("{stem}.")) && !file.contains(".weights."));
        let graph = root.model(&file.unwrap_or_else(|| panic!("{list} is of no file"))).graph;
        let layers = root.json(&list);
        let layers = layers.as_array().expect("layers");
        assert_eq!(graph.nodes().len(), layers.len(), "{list}");
        for layer in layers {
            let (name, class) = (layer[0].as_str().expect("a name"), layer[1].as_str().expect("a class"));
            let node = &graph.nodes()[graph.find(name).unwrap_or_else(|| panic!("{list}: no {name}"))];
            assert_eq!(node.layer.class_name(), class, "{list}: {name}");
            let ours: Vec<serde_json::Value> = node.weights.iter().map(|weight| weight.shape.clone().into()).collect();
            let wanted: Vec<&serde_json::Value> =
                layer[2].as_array().expect("weights").iter().map(|weight| &weight[1]).collect();
            assert_eq!(ours.iter().collect::<Vec<_>>(), wanted, "{list}: {name}");
        }
    }
}
