//! The weights of a network as named arrays: under Keras's names and shapes, or as PyTorch's `state_dict` has them.

use std::collections::HashMap;

use crate::graph::{Array, Graph, Layer, NodeId, Weights};

/// Name and numbers, in the order of the graph.
pub(super) type Named = Vec<(String, Array)>;

/// `<layer>/<weight>`, shaped as Keras does.
pub(super) fn keras(graph: &Graph, weights: &Weights) -> Named {
    let nodes = graph.nodes().iter().zip(&weights.nodes);
    let named = nodes.flat_map(|(node, arrays)| {
        let specs = node.weights.iter().zip(arrays);
        specs.map(|(spec, array)| (format!("{}/{}", node.name, spec.name), array.clone()))
    });
    named.collect()
}

/// `<layer>.weight`, `<layer>.bias`, `<layer>.running_mean`, ... in PyTorch's shapes and order: kernels as (out, in,
/// height, width), dense ones as (out, in), and the elements of a flattened map channel by channel.
pub(super) fn pytorch(graph: &Graph, weights: &Weights) -> Named {
    let flattened = flattened(graph);
    let mut named = Named::new();
    for (node, arrays) in graph.nodes().iter().zip(&weights.nodes) {
        let map = node.inputs.first().and_then(|input| flattened.get(input));
        let mut put = |name: &str, array: Array| named.push((format!("{}.{name}", node.name), array));
        let one = |place: usize| rows_by_channel(&arrays[place], map);
        if arrays.is_empty() {
            continue;
        }
        match &node.layer {
            Layer::Conv2D { .. } => put("weight", permuted(&arrays[0], &[3, 2, 0, 1])),
            Layer::DepthwiseConv2D { .. } => put("weight", depthwise(&arrays[0])),
            Layer::SeparableConv2D { .. } => {
                put("depthwise.weight", depthwise(&arrays[0]));
                put("pointwise.weight", permuted(&arrays[1], &[3, 2, 0, 1]));
            }
            Layer::Dense { .. } | Layer::NormDense { .. } => put("weight", permuted(&one(0), &[1, 0])),
            Layer::PReLU { .. } => {
                let array = one(0);
                let shared = array.data.len() == array.shape.last().copied().unwrap_or(1);
                let array = match (shared, array.shape.len()) {
                    (true, _) => Array { shape: vec![array.data.len()], data: array.data },
                    (false, 3) => permuted(&array, &[2, 0, 1]),
                    (false, _) => array,
                };
                put("weight", array);
            }
            Layer::BatchNormalization { center, scale, .. } => {
                // PyTorch has both factors or none: what Keras left out is 1 and 0.
                let channels = arrays[0].data.len();
                let constant = |value: f32| Array { shape: vec![channels], data: vec![value; channels] };
                put("weight", if *scale { one(0) } else { constant(1.0) });
                put("bias", if *center { one(usize::from(*scale)) } else { constant(0.0) });
                put("running_mean", one(arrays.len() - 2));
                put("running_var", one(arrays.len() - 1));
                continue;
            }
            Layer::LayerNormalization { center, scale, .. } => {
                if *scale {
                    put("weight", one(0));
                }
                if *center {
                    put("bias", one(usize::from(*scale)));
                }
                continue;
            }
            _ => {
                for (spec, array) in node.weights.iter().zip(arrays) {
                    put(spec.name, array.clone());
                }
                continue;
            }
        }
        let bias = node.weights.iter().position(|spec| spec.name == "bias");
        if let Some(place) = bias {
            let inner = if matches!(node.layer, Layer::SeparableConv2D { .. }) { "pointwise.bias" } else { "bias" };
            put(inner, arrays[place].clone());
        }
    }
    named
}

/// The nodes whose result is a flattened map, element by element, with the map's (height, width, channels).
fn flattened(graph: &Graph) -> HashMap<NodeId, [usize; 3]> {
    let mut maps = HashMap::new();
    for (at, node) in graph.nodes().iter().enumerate() {
        let Some(input) = node.inputs.first() else { continue };
        let map = match (&node.layer, &graph.nodes()[*input].shape[..]) {
            (Layer::Flatten, [height, width, channels]) => Some([*height, *width, *channels]),
            (Layer::Dense { .. } | Layer::NormDense { .. }, _) => None,
            (_, before) if before == node.shape => maps.get(input).copied(),
            _ => None,
        };
        map.map(|map| maps.insert(at, map));
    }
    maps
}

/// The first axis, which counts the elements of a flattened map, in the order channels, height, width.
fn rows_by_channel(array: &Array, map: Option<&[usize; 3]>) -> Array {
    let Some([height, width, channels]) = map else { return array.clone() };
    let places = height * width;
    if array.shape.first() != Some(&(places * channels)) {
        return array.clone();
    }
    let row = array.data.len() / (places * channels).max(1);
    let from = |at: usize| (at % places * channels + at / places) * row;
    let data = (0..places * channels).flat_map(|at| array.data[from(at)..][..row].iter().copied()).collect();
    Array { shape: array.shape.clone(), data }
}

/// (height, width, channels, multiplier) as (channels * multiplier, 1, height, width).
fn depthwise(kernel: &Array) -> Array {
    let mut array = permuted(kernel, &[2, 3, 0, 1]);
    if let [channels, multiplier, height, width] = array.shape[..] {
        array.shape = vec![channels * multiplier, 1, height, width];
    }
    array
}

/// The axes in another order: `order` has, for each axis of the result, the axis of the array.
pub(super) fn permuted(array: &Array, order: &[usize]) -> Array {
    let mut strides = vec![1; array.shape.len()];
    for axis in (1..array.shape.len()).rev() {
        strides[axis - 1] = strides[axis] * array.shape[axis];
    }
    let shape: Vec<usize> = order.iter().map(|axis| array.shape[*axis]).collect();
    let mut place = vec![0; shape.len()];
    let mut data = Vec::with_capacity(array.data.len());
    for _ in 0..array.data.len() {
        let from: usize = place.iter().zip(order).map(|(at, axis)| at * strides[*axis]).sum();
        data.push(array.data[from]);
        for axis in (0..shape.len()).rev() {
            place[axis] += 1;
            if place[axis] < shape[axis] {
                break;
            }
            place[axis] = 0;
        }
    }
    Array { shape, data }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;
    use crate::graph::layer::{Activation, Initializer, Padding, Window};
    use crate::nn::{Mode, Network, init};

    fn tensor(named: &Named, name: &str) -> Tensor {
        let array = &named.iter().find(|(known, _)| known == name).expect(name).1;
        let shape: Vec<i64> = array.shape.iter().map(|size| *size as i64).collect();
        Tensor::from_slice(&array.data).reshape(shape.as_slice())
    }

    #[test]
    fn pytorchs_functions_give_the_same_with_pytorchs_weights() {
        let mut graph = Graph::new("small");
        let window = Window::square(3, 1, Padding::Valid);
        let image = graph.add("images", Layer::Input { shape: vec![7, 6, 3] }, &[]).expect("fits");
        let conv = Layer::Conv2D { filters: 4, window, groups: 1, use_bias: true, activation: Activation::Linear };
        let norm = |scale| Layer::BatchNormalization { momentum: 0.9, epsilon: 1e-3, center: true, scale };
        let x = graph.add("conv", conv, &[image]).expect("fits");
        let x = graph.add("norm", norm(false), &[x]).expect("fits");
        let x = graph.add("prelu", Layer::PReLU { shared_axes: vec![1, 2] }, &[x]).expect("fits");
        let depthwise =
            Layer::DepthwiseConv2D { window, depth_multiplier: 2, use_bias: false, activation: Activation::Linear };
        let x = graph.add("depthwise", depthwise, &[x]).expect("fits");
        let x = graph.add("own", Layer::PReLU { shared_axes: vec![] }, &[x]).expect("fits");
        let x = graph.add("flatten", Layer::Flatten, &[x]).expect("fits");
        let x = graph.add("flat_norm", norm(true), &[x]).expect("fits");
        let dense = Layer::Dense {
            units: 5,
            use_bias: true,
            activation: Activation::Linear,
            kernel_initializer: Initializer::GlorotUniform,
        };
        graph.add("dense", dense, &[x]).expect("fits");
        let mut weights = init::weights(&graph, 3);
        for array in weights.nodes.iter_mut().flatten() {
            let data = array.data.iter_mut().enumerate();
            data.for_each(|(at, value)| *value += 0.1 + 0.05 * ((at * 37) % 11) as f32);
        }
        let named = pytorch(&graph, &weights);
        let get = |name: &str| tensor(&named, name);
        let images = Tensor::rand([2, 3, 7, 6], (Kind::Float, Device::Cpu));
        let batch_norm = |x: &Tensor, name: &str| {
            let part = |what: &str| Some(get(&format!("{name}.{what}")));
            let (mean, variance) = (part("running_mean"), part("running_var"));
            x.batch_norm(part("weight"), part("bias"), mean, variance, false, 0.1, 1e-3, false)
        };
        let x = images.conv2d(&get("conv.weight"), Some(get("conv.bias")), 1, 0, 1, 1);
        let x = batch_norm(&x, "norm").prelu(&get("prelu.weight"));
        let x = x.conv2d(&get("depthwise.weight"), None::<Tensor>, 1, 0, 1, 4);
        let x = x.relu() - get("own.weight") * (-x).relu();
        let x = batch_norm(&x.flatten(1, -1), "flat_norm").linear(&get("dense.weight"), Some(get("dense.bias")));
        let network = Network::new(graph.clone(), graph.output(), &weights, Device::Cpu, Kind::Float);
        let ours = tch::no_grad(|| network.embed(&images, Mode::Infer));
        assert!((&ours - x).abs().max().double_value(&[]) < 1e-4 * ours.abs().max().double_value(&[]));
        let names: Vec<String> = keras(&graph, &weights).into_iter().map(|(name, _)| name).collect();
        assert!(names.contains(&"depthwise/depthwise_kernel".to_owned()), "{names:?}");
    }
}
