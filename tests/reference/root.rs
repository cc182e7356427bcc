//! A folder of cases: its files, unpacked where they are gzipped.

use std::io::Read;
use std::path::{Path, PathBuf};

use facetui::checkpoint::{self, SavedModel};
use facetui::nn::Network;
use tch::{Device, Kind, Tensor};

/// A folder of cases.
pub struct Root(PathBuf);

impl Root {
    /// The clone's own.
    pub fn own() -> Self {
        Self(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases"))
    }

    /// Those beside the clone, where they are.
    pub fn shared() -> Option<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases");
        folder.is_dir().then_some(Self(folder))
    }

    /// Whether it goes with the clone.
    pub fn is_own(&self) -> bool {
        self.0.ends_with("tests/cases")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn json(&self, name: &str) -> serde_json::Value {
        let text = std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn arrays(&self, name: &str) -> Arrays {
        Arrays { file: name.to_owned(), arrays: Tensor::read_npz(self.path(name)).expect(name) }
    }

    /// The files of a folder whose names end so, sorted; none where there is no such folder.
    pub fn files(&self, folder: &str, ends: &[&str]) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path(folder)) else { return Vec::new() };
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names
            .filter(|name| ends.iter().any(|end| name.ends_with(end)))
            .map(|name| format!("{folder}/{name}"))
            .collect();
        names.sort();
        names
    }

    /// A model; `name` may be gzipped, with or without `.gz` in its name here.
    pub fn model(&self, name: &str) -> SavedModel {
        with_unpacked(&self.path(name), |path| checkpoint::read(path).unwrap_or_else(|error| panic!("{name}: {error}")))
    }
}

/// Hands on the path of a file, unpacked to a temporary place where it is gzipped.
pub fn with_unpacked<T>(path: &Path, use_it: impl FnOnce(&Path) -> T) -> T {
    let packed = if path.extension().is_some_and(|end| end == "gz") {
        path.to_owned()
    } else if path.exists() {
        return use_it(path);
    } else {
        PathBuf::from(format!("{}.gz", path.display()))
    };
    let file = std::fs::File::open(&packed).unwrap_or_else(|error| panic!("{}: {error}", packed.display()));
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).expect("is gzipped");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(packed.file_stem().expect("a name"));
    std::fs::write(&path, bytes).expect("writes");
    use_it(&path)
}

/// An npz file.
pub struct Arrays {
    file: String,
    arrays: Vec<(String, Tensor)>,
}

impl Arrays {
    pub fn get(&self, name: &str) -> &Tensor {
        self.find(name).unwrap_or_else(|| panic!("{name} in {}", self.file))
    }

    pub fn find(&self, name: &str) -> Option<&Tensor> {
        self.arrays.iter().find(|(known, _)| known == name).map(|(_, array)| array)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.arrays.iter().map(|(name, _)| name.as_str())
    }
}

/// The network of a saved model: its embedding is the input of its head, or the output where it has none.
pub fn network(saved: SavedModel) -> Network {
    let output = saved.graph.output();
    let node = &saved.graph.nodes()[output];
    let embedding = if facetui::train::model::head_kind(&node.layer).is_some() { node.inputs[0] } else { output };
    Network::new(saved.graph, embedding, &saved.weights, Device::Cpu, Kind::Float)
}

/// Largest absolute difference.
pub fn difference(ours: &Tensor, wanted: &Tensor) -> f64 {
    assert_eq!(ours.size(), wanted.size());
    let difference = (ours.to_kind(Kind::Double) - wanted.to_kind(Kind::Double)).abs().max().double_value(&[]);
    // NaN compares with nothing.
    if difference.is_nan() { f64::INFINITY } else { difference }
}
