//! Learning rates, evaluation figures and augmentation.

use facetui::data::augment;
use facetui::eval::metrics;
use facetui::schedule::LearningRate;
use tch::{Kind, Tensor};

use crate::root::{Root, difference};

/// The rate of every epoch of `lr.json`.
pub fn learning_rates(root: &Root) {
    let table = root.json("lr.json");
    for case in table["seed_scheduler"].as_array().expect("cases") {
        let number = |name: &str| case[name].as_f64().expect("a number");
        let rates = LearningRate { base: number("lr_base"), decay: number("decay"), hold: 10 };
        let epochs = case["epoch"].as_array().expect("epochs");
        for (epoch, wanted) in epochs.iter().zip(case["lr"].as_array().expect("rates")) {
            let epoch = epoch.as_u64().expect("a number") as u32;
            let (ours, wanted) = (rates.at(epoch), wanted.as_f64().expect("a number"));
            assert!((ours - wanted).abs() <= 1e-12 * wanted, "epoch {epoch} of {case}: {ours}, not {wanted}");
        }
    }
}

/// Accuracy, threshold and folds of every case of `eval.json`.
pub fn evaluation(root: &Root) {
    let file = root.json("eval.json");
    let arrays = root.arrays("eval.npz");
    let cases = file["cases"].as_array().expect("cases");
    assert!(cases.len() >= 4);
    for case in cases {
        let name = case["name"].as_str().expect("a name");
        let array = |suffix: &str| arrays.get(&format!("{name}__{suffix}")).to_kind(Kind::Float).flatten(0, -1);
        let embeddings = Vec::<f32>::try_from(array("emb")).expect("numbers");
        let same: Vec<bool> =
            Vec::<f32>::try_from(array("issame")).expect("flags").iter().map(|flag| *flag > 0.5).collect();
        let ours = metrics::figures(&embeddings, &same).expect("figures");
        let wanted = |path: &str| case.pointer(path).and_then(serde_json::Value::as_f64);
        let close = |what: &str, ours: Option<f64>, path: &str, tolerance: f64| {
            let Some(wanted) = wanted(path) else { return };
            let ours = ours.unwrap_or_else(|| panic!("{name}: no {what}"));
            assert!((ours - wanted).abs() < tolerance, "{name}: {what} {ours}, not {wanted}");
        };
        close("accuracy", Some(ours.accuracy), "/callback/max_acc", 1e-9);
        close("threshold", Some(ours.threshold), "/callback/acc_thresh", 1e-6);
        close("mean of the folds", ours.fold_mean, "/evaluate/mean", 1e-9);
        close("deviation of the folds", ours.fold_deviation, "/evaluate/std", 1e-9);
    }
}

/// Every operation of `augment_ops.npz`, by its name: `contrast1.17`, `crop100_at_5_7_resize112`, `A_after_B_C`.
pub fn augmentation(root: &Root) {
    let arrays = root.arrays("eval_e2e/augment_ops.npz");
    let image = |name: &str| arrays.get(name).permute([2, 0, 1]).unsqueeze(0);
    let names: Vec<&str> = arrays.names().filter(|name| !matches!(*name, "input_u8" | "float01")).collect();
    assert!(names.len() >= 9, "{names:?}");
    for name in names {
        let (last, before) = name.split_once("_after_").unwrap_or((name, ""));
        let x = before.split('_').filter(|step| !step.is_empty()).fold(image("float01"), |x, step| apply(step, &x));
        let error = difference(&apply(last, &x), &image(name));
        assert!(error < 1e-4, "{name}: off by {error}");
    }
}

fn apply(step: &str, x: &Tensor) -> Tensor {
    let value = |text: &str| Tensor::from(text.parse::<f32>().expect(step)).view([1, 1, 1, 1]);
    if let Some(delta) = step.strip_prefix("brightness") {
        x + value(delta)
    } else if let Some(factor) = step.strip_prefix("contrast") {
        augment::contrast(x, &value(factor))
    } else if let Some(factor) = step.strip_prefix("saturation") {
        augment::saturation(x, &value(factor))
    } else if let Some(place) = step.strip_prefix("crop") {
        let numbers: Vec<i64> = place
            .split(|character: char| !character.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .collect();
        let [side, top, left, resized] = numbers[..] else { panic!("{step}") };
        assert_eq!((x.size()[2], x.size()[2] * 100 / 112), (resized, side), "{step}");
        augment::crop_resized(x, &[(top, left)])
    } else {
        assert_eq!(step, "flip");
        x.flip([3])
    }
}
