//! Evaluation bins and `RecordIO` files: every image and flag.

use facetui::data::bin::EvalBin;
use facetui::data::loader::{Loader, LoaderOptions};
use facetui::data::recordio::RecordFile;
use facetui::data::sampler::Sampler;
use facetui::data::source::Source;
use facetui::eval::decoded_bin::DecodedBin;
use sha2::{Digest, Sha256};

use crate::root::Root;

fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

fn texts(value: &serde_json::Value) -> Vec<&str> {
    value.as_array().expect("a list").iter().map(|text| text.as_str().expect("a text")).collect()
}

/// Every bin of a root holds the expected images and flags, and its images decode.
pub fn bins(root: &Root) {
    let expected = root.json("recordio/bins/expected.json");
    let same: Vec<bool> =
        expected["issame"].as_array().expect("flags").iter().map(|flag| flag.as_bool().expect("a flag")).collect();
    let files = root.files("recordio/bins", &[".bin"]);
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let bin = EvalBin::open(&root.path(&file)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(bin.same, same, "{file}");
        let name = file.rsplit('/').next().expect("a name");
        let own = &expected["variants"][name]["sha256"];
        let wanted = texts(if own.is_array() { own } else { &expected["sha256"] });
        let places = bin.pairs.as_flattened().iter();
        let ours: Vec<String> = places.map(|place| sha256(&bin.images[*place as usize])).collect();
        assert_eq!(ours, wanted, "{file}");
        let decoded = DecodedBin::decode(&bin, (28, 28)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(decoded.images.len(), bin.images.len() * 28 * 28 * 3);
        if own.is_array() {
            assert!(bin.images.len() < wanted.len(), "{file}: repeated images are held once");
        }
    }
}

/// Every record file of a root holds the expected images and labels, with its index and without.
pub fn records(root: &Root) {
    let mut checked = 0;
    for folder in root.files("recordio", &["_label"]) {
        let expected = root.json(&format!("{folder}/expected.json"));
        let images = expected["images"].as_array().expect("images");
        let alone = tempfile::tempdir().expect("a folder");
        std::fs::copy(root.path(&format!("{folder}/train.rec")), alone.path().join("train.rec")).expect("copies");
        for path in [root.path(&folder), root.path(&format!("{folder}/train.rec")), alone.path().to_owned()] {
            let set = RecordFile::open(&path, &|_, _| {}).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(set.len(), images.len(), "{folder}");
            assert_eq!(set.classes() as u64, expected["n_identities"].as_u64().expect("a number"), "{folder}");
            for (at, image) in images.iter().enumerate() {
                let bytes = set.image_bytes(at).unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(sha256(&bytes), image["sha256"].as_str().expect("a sum"), "{folder}: image {at}");
                let label = image["label"].as_f64().expect("a label") as u32;
                assert_eq!(set.label(at), label, "{folder}: image {at}");
                let mut pixels = vec![0; 28 * 28 * 3];
                set.read(at, (28, 28), &mut Vec::new(), &mut pixels).unwrap_or_else(|error| panic!("{error}"));
            }
        }
        through_the_loader(&alone.path().join("train.rec"), images.len());
        checked += 1;
    }
    assert!(checked > 0);
}

/// An epoch of a record file as training takes it.
fn through_the_loader(path: &std::path::Path, images: usize) {
    let source = facetui::data::open(path, &|_, _| {}).unwrap_or_else(|error| panic!("{error}"));
    let mut wanted = source.labels();
    let sampler = Sampler::shuffled(source.len(), 5, 1).expect("a sampler");
    let options = LoaderOptions { size: (28, 28), workers: Some(2), most_bad: 0.0 };
    let mut loader = Loader::new(source, options).expect("starts");
    loader.start_epoch(sampler.plan(1));
    let mut labels = Vec::new();
    while let Some(batch) = loader.next_batch() {
        labels.extend(batch.unwrap_or_else(|error| panic!("{error}")).labels.iter().map(|label| *label as u32));
    }
    labels.sort_unstable();
    wanted.sort_unstable();
    assert_eq!((labels.len(), labels), (images, wanted));
}
