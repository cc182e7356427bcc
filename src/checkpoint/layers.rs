//! The layers that a file holds weights of, in each of Keras's three layouts:
//!
//! - `layer_names` with a group a layer and `weight_names` in it: whole models (below `model_weights`) and `save_weights`
//!   to `.h5`, of every Keras;
//! - `layers/<place>/vars/0`, ... : Keras 3's `.weights.h5`, where newer versions note the layer's name;
//! - `_layer_checkpoint_dependencies/<place>/vars/0`, ... : that of Keras 2.12.
//!
//! The places of the last two are the layer's class and a counter (`conv2d`, `conv2d_1`): without a noted name, layers
//! are known by their class and their order alone.

use hdf5::Group;

use super::h5_file::H5File;
use super::strings::{text, texts};

/// Most layers that a file may have.
const MOST: usize = 20_000;
/// Most weights of a layer that is not a model.
const MOST_WEIGHTS: u64 = 100;
/// Most models around a layer.
const DEEPEST: usize = 4;

/// One layer of a file.
pub(super) struct FileLayer {
    /// Its name; in the newer layouts the place where no name is noted.
    pub(super) name: String,
    /// In the newer layouts without names: the class as in `batch_normalization`, and the counter after it.
    pub(super) class: Option<(String, u64)>,
    /// Where its weights lie.
    pub(super) group: Group,
    /// The names of their datasets, in Keras's order.
    pub(super) weights: Vec<String>,
}

/// The layers of a file in its own order, those without weights included where the file names them.
///
/// # Errors
/// None of the layouts, or a damaged one, as a sentence.
pub(super) fn list(source: &H5File) -> Result<Vec<FileLayer>, String> {
    let root = source.file.group("model_weights").or_else(|_ignored| source.file.group("/"));
    let root = root.map_err(|error| format!("its root cannot be read: {error}"))?;
    if let Some(names) = texts(source, &root, "layer_names")? {
        return named(source, &root, names);
    }
    for container in ["layers", "_layer_checkpoint_dependencies"] {
        if let Ok(group) = root.group(container) {
            let mut layers = Vec::new();
            numbered(source, &group, 0, &mut layers)?;
            // HDF5 lists `conv2d_10` before `conv2d_2`.
            layers.sort_by(|a, b| a.class.cmp(&b.class));
            return Ok(layers);
        }
    }
    Err("it has no weights: neither `layer_names` nor `layers`".to_owned())
}

fn named(source: &H5File, root: &Group, names: Vec<String>) -> Result<Vec<FileLayer>, String> {
    if names.len() > MOST {
        return Err(format!("it has {} layers; at most {MOST} are read", names.len()));
    }
    names.into_iter().map(|name| one(source, root, name)).collect()
}

fn one(source: &H5File, root: &Group, name: String) -> Result<FileLayer, String> {
    let group = root.group(&name).map_err(|_ignored| format!("the group of layer `{name}` is missing"))?;
    let weights = texts(source, &group, "weight_names").map_err(|why| format!("layer `{name}`: {why}"))?;
    Ok(FileLayer { name, class: None, group, weights: weights.unwrap_or_default() })
}

/// A layer of a whole model that its list leaves out, as it does with those that the output does not depend on.
///
/// # Errors
/// It is not there, as a sentence.
pub(super) fn unlisted(source: &H5File, name: &str) -> Result<FileLayer, String> {
    let root = source.file.group("model_weights").map_err(|error| format!("its weights cannot be read: {error}"))?;
    one(source, &root, name.to_owned())
}

/// Adds the layers of a container, those of the models in it included.
fn numbered(source: &H5File, container: &Group, depth: usize, layers: &mut Vec<FileLayer>) -> Result<(), String> {
    if container.len() > MOST as u64 || depth > DEEPEST {
        return Err(format!("it has more than {MOST} layers, or models in models deeper than {DEEPEST}"));
    }
    let places = container.member_names().map_err(|error| format!("its layers cannot be read: {error}"))?;
    for place in places {
        if let Ok(inner) = container.group(&format!("{place}/layers")) {
            numbered(source, &inner, depth + 1, layers)?;
            continue;
        }
        let Ok(group) = container.group(&format!("{place}/vars")) else { continue };
        let count = group.len();
        if count > MOST_WEIGHTS || layers.len() > MOST {
            return Err(format!("layer `{place}` has {count} weights; at most {MOST_WEIGHTS} are read"));
        }
        let weights = (0..count).map(|number| number.to_string()).collect();
        let noted = text(source, &group, "name")?.filter(|name| !name.is_empty());
        let class = noted.is_none().then(|| counted(&place));
        layers.push(FileLayer { name: noted.unwrap_or(place), class, group, weights });
    }
    Ok(())
}

/// `conv2d_10` is the tenth after the first `conv2d`.
fn counted(place: &str) -> (String, u64) {
    let parts = place.rsplit_once('_').and_then(|(class, number)| Some((class, number.parse().ok()?)));
    parts.map_or_else(|| (place.to_owned(), 0), |(class, number)| (class.to_owned(), number))
}

/// A class as Keras names its places: `BatchNormalization` becomes `batch_normalization`.
pub(super) fn snake_case(class: &str) -> String {
    let characters: Vec<char> = class.chars().collect();
    let mut name = String::new();
    for (at, character) in characters.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| characters[at]);
        let after = characters.get(at + 1);
        let starts_word = after.is_some_and(char::is_ascii_lowercase);
        let follows_word = before.is_some_and(|before| before.is_ascii_lowercase());
        if character.is_ascii_uppercase() && before.is_some() && (starts_word || follows_word) {
            name.push('_');
        }
        name.push(character.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_become_places_as_in_keras() {
        // What `keras.src.utils.naming.to_snake_case` gave.
        for (class, place) in [
            ("Conv2D", "conv2d"),
            ("BatchNormalization", "batch_normalization"),
            ("PReLU", "p_re_lu"),
            ("ReLU", "re_lu"),
            ("DepthwiseConv2D", "depthwise_conv2d"),
            ("SeparableConv2D", "separable_conv2d"),
            ("LayerNormalization", "layer_normalization"),
            ("GlobalAveragePooling2D", "global_average_pooling2d"),
            ("NormDense", "norm_dense"),
            ("Dense", "dense"),
        ] {
            assert_eq!(snake_case(class), place);
        }
    }

    #[test]
    fn counters_are_read_from_places() {
        assert_eq!(counted("p_re_lu_12"), ("p_re_lu".to_owned(), 12));
        assert_eq!(counted("dense"), ("dense".to_owned(), 0));
        assert_eq!(counted("batch_normalization"), ("batch_normalization".to_owned(), 0));
    }
}
