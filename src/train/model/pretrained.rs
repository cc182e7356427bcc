//! First weights for a backbone from a file of a network like it, found by the layers' names: keras.applications'
//! ImageNet weights, `save_weights` files, whole models.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use crate::checkpoint::{self, LoadedWeights};
use crate::event::Level;
use crate::graph::backbone::{self, Options, Spelling};
use crate::graph::{Graph, NodeId, Weights};
use crate::train::error::TrainError;

/// Layers named in one message.
const NAMED: usize = 6;

/// Fills `weights` of the backbone `kind` from a file. Returns what is worth saying about it: which layers were loaded,
/// which start fresh.
///
/// The layers that depend on the embedding's length may be missing in the file or have other shapes there: its network
/// had another end. All others must fit where they are there.
///
/// # Errors
/// A file that cannot be read, has no layer of the backbone, or has layers of it in other shapes.
pub fn load(
    path: &Path,
    kind: &str,
    options: &Options,
    weights: &mut Weights,
) -> Result<Vec<(Level, String)>, TrainError> {
    let built = |options: &Options, spelling| {
        backbone::build_spelt(kind, options, spelling).map_err(|error| TrainError::new(error.to_string()))
    };
    let read =
        |graph: &Graph| checkpoint::read_weights(path, graph).map_err(|error| TrainError::from_diagnostic(&error));
    let mut graph = built(options, Spelling::Keras3)?;
    let keras2 = built(options, Spelling::Keras2)?;
    let other = Options { embedding_size: options.embedding_size + 1, ..*options };
    let head = depending(&graph, &built(&other, Spelling::Keras3)?);
    let mut loaded = read(&graph)?;
    if keras2 != graph {
        let again = read(&keras2)?;
        if better(&again, &loaded) {
            (graph, loaded) = (keras2, again);
        }
    }
    if let Some(names) = other_session(&graph, &loaded) {
        let renumbered = graph.clone().renamed(|name| names.get(name).map_or(name, String::as_str).to_owned());
        let again = read(&renumbered)?;
        if again.loaded.len() >= loaded.loaded.len() && again.mismatched.len() <= loaded.mismatched.len() {
            (graph, loaded) = (renumbered, again);
        }
    }
    let notes = judge(path, kind, &graph, &head, &loaded)?;
    loaded.fill(weights);
    Ok(notes)
}

/// Keras numbers layers without a name of their own through a whole session: the head of a second network has
/// `conv2d_1` where that of the first has `conv2d`. The file's names for the graph's, where there are as many of a kind
/// in both and the numbers differ; none where nothing differs.
fn other_session(graph: &Graph, loaded: &LoadedWeights) -> Option<HashMap<String, String>> {
    let weighted = graph.nodes().iter().filter(|node| !node.weights.is_empty() && node.name != "embedding");
    let mut ours: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for node in weighted {
        let stem = node.layer.keras_stem();
        ours.entry(stem).or_default().extend(number(stem, &node.name));
    }
    let mismatched = loaded.mismatched.iter().map(|found| &found.layer);
    let file: Vec<&String> = loaded.loaded.iter().chain(&loaded.unused).chain(mismatched).collect();
    let mut names = HashMap::new();
    for (stem, mut ours) in ours {
        let mut theirs: Vec<usize> = file.iter().filter_map(|name| number(stem, name)).collect();
        ours.sort_unstable();
        theirs.sort_unstable();
        if ours.len() == theirs.len() && ours != theirs {
            let named = |number: usize| if number == 0 { stem.to_owned() } else { format!("{stem}_{number}") };
            names.extend(ours.into_iter().zip(theirs).map(|(ours, theirs)| (named(ours), named(theirs))));
        }
    }
    (!loaded.by_order && !names.is_empty()).then_some(names)
}

/// The number of an unnamed layer: 0 of `conv2d`, 3 of `conv2d_3`; none of a name of another kind.
fn number(stem: &str, name: &str) -> Option<usize> {
    match name.strip_prefix(stem)? {
        "" => Some(0),
        rest => rest.strip_prefix('_')?.parse().ok(),
    }
}

/// The nodes whose weights have other shapes in a graph that differs in the embedding's length only.
fn depending(graph: &Graph, other: &Graph) -> Vec<NodeId> {
    let pairs = graph.nodes().iter().zip(other.nodes()).enumerate();
    pairs.filter(|(_, (one, other))| one.weights != other.weights).map(|(at, _)| at).collect()
}

/// Whether more layers were found by name.
fn better(one: &LoadedWeights, other: &LoadedWeights) -> bool {
    let by_name = |loaded: &LoadedWeights| if loaded.by_order { 0 } else { loaded.loaded.len() };
    by_name(one) > by_name(other)
}

/// What is worth saying about what a file had.
fn judge(
    path: &Path,
    kind: &str,
    graph: &Graph,
    head: &[NodeId],
    loaded: &LoadedWeights,
) -> Result<Vec<(Level, String)>, TrainError> {
    let shown = path.display();
    let in_head = |name: &String| head.iter().any(|node| graph.nodes()[*node].name == *name);
    let misfits: Vec<String> = loaded
        .mismatched
        .iter()
        .filter(|mismatch| loaded.by_order || !in_head(&mismatch.layer))
        .map(ToString::to_string)
        .collect();
    if !misfits.is_empty() {
        return Err(TrainError::new(format!("the weights of `{shown}` do not fit `{kind}`: {}", some(&misfits, "; ")))
            .with_help(
                "build the network that the file was made for: `width` is Keras's alpha, and the file's name tells it; \
                 or leave `pretrained` out",
            ));
    }
    if loaded.loaded.iter().all(in_head) {
        return Err(TrainError::new(format!(
            "`{shown}` has no weights for `{kind}`: none of its layers has a name of the backbone's; it has {}",
            some(&quoted(&loaded.unused), ", ")
        ))
        .with_help("give a weight file of the same network, or leave `pretrained` out"));
    }
    let found = if loaded.by_order { ", matched by their order" } else { "" };
    let mut notes =
        vec![(Level::Info, format!("weights of {} layers loaded from `{shown}`{found}", loaded.loaded.len()))];
    let (fresh, lost): (Vec<&String>, Vec<&String>) = loaded.missing.iter().partition(|name| in_head(name));
    if !lost.is_empty() {
        let names = some(&quoted(&lost), ", ");
        notes.push((Level::Warning, format!("`{shown}` lacks {} layers, which start fresh: {names}", lost.len())));
    }
    let fresh: Vec<&String> = fresh.into_iter().chain(loaded.mismatched.iter().map(|found| &found.layer)).collect();
    if !fresh.is_empty() {
        let names = some(&quoted(&fresh), ", ");
        notes.push((Level::Info, format!("{} layers before the embedding start fresh: {names}", fresh.len())));
    }
    if !loaded.unused.is_empty() {
        let names = some(&quoted(&loaded.unused), ", ");
        notes.push((Level::Info, format!("{} layers of the file have no use: {names}", loaded.unused.len())));
    }
    Ok(notes)
}

fn quoted<T: AsRef<str>>(names: &[T]) -> Vec<String> {
    names.iter().map(|name| format!("`{}`", name.as_ref())).collect()
}

/// The first few, and how many more there are.
fn some(parts: &[String], between: &str) -> String {
    let shown = parts[..parts.len().min(NAMED)].join(between);
    match parts.len().saturating_sub(NAMED) {
        0 if parts.is_empty() => "none".to_owned(),
        0 => shown,
        more => format!("{shown}{between}and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::SavedModel;
    use crate::nn::init;

    const OPTIONS: Options = Options { embedding_size: 8, dropout: 0.0, width: 0.25 };

    /// A file of `kind` as it was built with other options, and its weights.
    fn file(folder: &Path, kind: &str, options: &Options, spelling: Spelling) -> (std::path::PathBuf, Weights) {
        let graph = backbone::build_spelt(kind, options, spelling).expect("builds");
        let weights = init::weights(&graph, 99);
        let path = folder.join("weights.h5");
        checkpoint::write(&path, &SavedModel::new(graph, weights.clone())).expect("writes");
        (path, weights)
    }

    fn fresh(kind: &str) -> (Graph, Weights) {
        let graph = backbone::build(kind, &OPTIONS).expect("builds");
        let weights = init::weights(&graph, 1);
        (graph, weights)
    }

    #[test]
    fn the_backbone_is_filled_and_the_head_stays_fresh() {
        let folder = tempfile::tempdir().expect("a folder");
        for (kind, spelling) in [
            ("mobilenet", Spelling::Keras3),
            ("mobilenetv3_small", Spelling::Keras3),
            ("mobilenetv3_small", Spelling::Keras2),
            ("mobilefacenet", Spelling::Keras3),
        ] {
            let wider = Options { embedding_size: 12, ..OPTIONS };
            let (path, theirs) = file(folder.path(), kind, &wider, spelling);
            let (graph, mut weights) = fresh(kind);
            let before = weights.clone();
            let notes = load(&path, kind, &OPTIONS, &mut weights).expect(kind);
            assert!(notes.iter().all(|(level, _)| *level == Level::Info), "{notes:?}");
            for (at, node) in graph.nodes().iter().enumerate() {
                let same_shape = theirs.nodes[at].iter().zip(&before.nodes[at]).all(|(a, b)| a.shape == b.shape);
                let wanted = if same_shape { &theirs.nodes[at] } else { &before.nodes[at] };
                assert_eq!(weights.nodes[at], *wanted, "{kind}: `{}`", node.name);
            }
        }
    }

    #[test]
    fn a_head_of_a_later_session_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        for kind in ["mobilenet", "mobilefacenet"] {
            let later = |name: &str| match ["conv2d", "batch_normalization", "p_re_lu", "dense"]
                .iter()
                .find_map(|stem| Some((stem, number(stem, name)?)))
            {
                Some((stem, number)) => format!("{stem}_{}", number + 3),
                None => name.to_owned(),
            };
            let graph = backbone::build(kind, &OPTIONS).expect("builds").renamed(later);
            let theirs = init::weights(&graph, 99);
            let path = folder.path().join("later.h5");
            checkpoint::write(&path, &SavedModel::new(graph, theirs.clone())).expect("writes");
            let (_, mut weights) = fresh(kind);
            let notes = load(&path, kind, &OPTIONS, &mut weights).expect(kind);
            assert_eq!(weights, theirs, "{kind}: {notes:?}");
        }
    }

    #[test]
    fn another_width_is_refused_with_shapes() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, _) = file(folder.path(), "mobilenet", &Options { width: 0.5, ..OPTIONS }, Spelling::Keras3);
        let (_, mut weights) = fresh("mobilenet");
        let error = load(&path, "mobilenet", &OPTIONS, &mut weights).expect_err("is refused").to_string();
        assert!(error.contains("layer `conv1` has a weight of the shape [3, 3, 3, 16]"), "{error}");
        assert!(error.contains("more"), "{error}");
    }

    #[test]
    fn another_network_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, _) = file(folder.path(), "mobilenetv2", &OPTIONS, Spelling::Keras3);
        let (_, mut weights) = fresh("resnet50v2");
        let error = load(&path, "resnet50v2", &OPTIONS, &mut weights).expect_err("is refused").to_string();
        assert!(error.contains("has no weights for `resnet50v2`"), "{error}");
    }
}
