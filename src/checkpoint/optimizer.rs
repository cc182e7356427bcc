//! An optimiser's state in `optimizer_weights`, as Keras's `legacy` optimisers lay it out: `Adam/iter:0`, then
//! `Adam/<layer>/<weight>/m:0` of every weight, then every `v:0`.

use hdf5::{Group, Location};

use super::strings::{put_names, text, texts};
use super::write::put_array;
use super::{OptimizerSlot, SavedOptimizer};
use crate::graph::{Array, Graph};

/// Writes the state.
pub(super) fn put(group: &Group, state: &SavedOptimizer) -> hdf5::Result<()> {
    let class = &state.class_name;
    let folder = group.create_group(class)?;
    let mut names = vec![format!("{class}/iter:0")];
    folder.new_dataset::<i64>().create("iter:0")?.write_scalar(&state.iterations)?;
    if let Some(cache) = state.momentum_cache {
        names.push(format!("{class}/momentum_cache:0"));
        folder.new_dataset::<f32>().create("momentum_cache:0")?.write_scalar(&cache)?;
    }
    for slot in &state.slots {
        let name = format!("{class}/{}/{}/{}:0", slot.layer, slot.weight, slot.slot);
        put_array(group, &name, &slot.array)?;
        names.push(name);
    }
    put_names(group, "weight_names", &names)
}

/// Reads the state of a file of Keras 2's legacy layout; none when there is none or it is laid out otherwise.
pub(super) fn get(file: &Location, group: &Group, graph: &Graph) -> Option<(SavedOptimizer, Option<String>)> {
    let config: serde_json::Value = serde_json::from_str(&text(file, "training_config")?).ok()?;
    let optimizer = &config["optimizer_config"];
    let class_name = optimizer["class_name"].as_str()?.rsplit('>').next()?.to_owned();
    let names = texts(group, "weight_names")?;
    let mut state = SavedOptimizer {
        class_name,
        config: optimizer["config"].clone(),
        iterations: 0,
        momentum_cache: None,
        slots: Vec::new(),
    };
    for name in &names {
        let dataset = group.dataset(name).ok()?;
        let parts: Vec<&str> = name.trim_end_matches(":0").split('/').collect();
        match parts.as_slice() {
            [.., "iter" | "iteration"] => state.iterations = dataset.read_scalar::<i64>().ok()?,
            [.., "momentum_cache"] => state.momentum_cache = Some(dataset.read_scalar::<f32>().ok()?),
            [.., layer, weight, slot] => {
                let node = graph.find(layer)?;
                let spec = graph.nodes()[node].weights.iter().find(|spec| spec.name == *weight)?;
                if dataset.shape() != spec.shape {
                    return None;
                }
                let array = Array { shape: spec.shape.clone(), data: dataset.read_raw::<f32>().ok()? };
                let (slot, layer, weight) = ((*slot).to_owned(), (*layer).to_owned(), (*weight).to_owned());
                state.slots.push(OptimizerSlot { slot, layer, weight, array });
            }
            _ => return None,
        }
    }
    let loss = &config["loss"];
    let loss = loss.as_str().or_else(|| loss["class_name"].as_str()).map(str::to_owned);
    Some((state, loss))
}
