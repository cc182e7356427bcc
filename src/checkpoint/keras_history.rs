//! `<name>_hist.json`: the reference's history, one JSON object of equally named lists, a value an epoch. Written as
//! Python's `json.dump` writes it, so that the reference's `plot.py` reads it as it is.

mod read;

use std::path::Path;

use super::CheckpointError;
use super::atomic::write_atomically;

/// The lists, in the order of their first value: `loss`, `accuracy`, `lr`, then one a bin.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    lists: Vec<(String, Vec<f64>)>,
}

impl History {
    /// Adds an epoch. `accuracy` is left out for triplet losses, as the reference does.
    pub fn push(&mut self, loss: f64, accuracy: Option<f64>, learning_rate: f64, bins: &[String], accuracies: &[f64]) {
        // Keras keeps the learning rate in a float32.
        let values = [
            Some(("loss", loss)),
            accuracy.map(|value| ("accuracy", value)),
            Some(("lr", f64::from(learning_rate as f32))),
        ];
        for (name, value) in values.into_iter().flatten() {
            self.list(name).push(value);
        }
        for (bin, value) in bins.iter().zip(accuracies) {
            self.list(bin).push(*value);
        }
    }

    fn list(&mut self, name: &str) -> &mut Vec<f64> {
        let at = self.lists.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            self.lists.push((name.to_owned(), Vec::new()));
            self.lists.len() - 1
        });
        &mut self.lists[at].1
    }

    /// The names of the lists, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.lists.iter().map(|(name, _)| name.as_str())
    }

    /// The values of a name.
    pub fn values(&self, name: &str) -> &[f64] {
        self.lists.iter().find(|(known, _)| known == name).map_or(&[], |(_, values)| values)
    }

    /// The newest value of a name.
    pub fn last(&self, name: &str) -> Option<f64> {
        self.values(name).last().copied()
    }

    /// The highest value of a name.
    pub fn best(&self, name: &str) -> Option<f64> {
        self.values(name).iter().copied().filter(|value| value.is_finite()).max_by(f64::total_cmp)
    }

    /// Whether all values of `other` are the first ones here, bit for bit.
    pub fn begins_with(&self, other: &Self) -> bool {
        let same = |(one, two): (&f64, &f64)| one.to_bits() == two.to_bits() || one.is_nan() && two.is_nan();
        other.lists.iter().all(|(name, before)| {
            let values = self.values(name);
            values.len() >= before.len() && values.iter().zip(before).all(same)
        })
    }

    /// The history at `path`; an empty one when nothing is there.
    ///
    /// # Errors
    /// A file that is no such object.
    pub fn read_if_present(path: &Path) -> Result<Self, CheckpointError> {
        match fs_err::read_to_string(path) {
            Ok(text) => Self::parse(&text).map_err(|reason| CheckpointError::Read { path: path.to_path_buf(), reason }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(CheckpointError::Read { path: path.to_path_buf(), reason: error.to_string() }),
        }
    }

    /// Reads Python's JSON, in which `NaN` and `Infinity` are numbers. Of lists with one name the last one counts.
    ///
    /// # Errors
    /// What it is instead of an object of lists, or that these are more or longer than those of any run, as a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let read::Lists(lists) = serde_json::from_str(&read::quoted(text))
            .map_err(|error| format!("it is not a JSON object of lists of numbers: {error}"))?;
        Ok(Self { lists })
    }

    /// Writes it, whole or not at all. Returns its bytes.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, path: &Path) -> Result<u64, CheckpointError> {
        let text = self.to_json();
        write_atomically(path, |temporary| {
            std::fs::write(temporary, &text).map_err(|error| CheckpointError::write(path, error))
        })
    }

    /// As Python's `json.dump` writes it.
    pub fn to_json(&self) -> String {
        let lists = self.lists.iter().map(|(name, values)| {
            let values: Vec<String> = values.iter().map(|value| python_number(*value)).collect();
            format!("{}: [{}]", serde_json::Value::from(name.as_str()), values.join(", "))
        });
        format!("{{{}}}", lists.collect::<Vec<_>>().join(", "))
    }
}

/// Python's `repr` of a float.
fn python_number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let size = value.abs();
    if size == 0.0 || (1e-4..1e16).contains(&size) {
        return format!("{value:?}");
    }
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = exponent.strip_prefix('-').map_or(("+", exponent), |digits| ("-", digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_references_file_survives_byte_for_byte() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../shared/cases/train_run/checkpoints/keras_tiny_facenet_32_hist.json"
        );
        let Ok(text) = std::fs::read_to_string(path) else { return };
        let history = History::parse(&text).expect("parses");
        assert_eq!(history.to_json(), text);
        assert_eq!(history.values("accuracy").len() + 2, history.values("loss").len());
    }

    #[test]
    fn numbers_look_like_pythons() {
        let looks = [1.0, 0.1, 1e-5, 1.5e-7, 1e16, 1e22, -0.0].map(python_number);
        assert_eq!(looks, ["1.0", "0.1", "1e-05", "1.5e-07", "1e+16", "1e+22", "-0.0"]);
    }

    #[test]
    fn a_triplet_epoch_has_no_accuracy() {
        let mut history = History::default();
        let bins = ["lfw".to_owned()];
        history.push(1.0, Some(0.5), 0.001, &bins, &[0.9]);
        history.push(0.5, None, 0.001, &bins, &[0.8]);
        assert_eq!(
            history.to_json(),
            r#"{"loss": [1.0, 0.5], "accuracy": [0.5], "lr": [0.0010000000474974513, 0.0010000000474974513], "lfw": [0.9, 0.8]}"#
        );
        assert_eq!(history.best("lfw"), Some(0.9));
    }

    #[test]
    fn what_is_no_history_is_named_with_its_place() {
        let wrong = |text: &str| History::parse(text).expect_err("no history");
        assert_eq!(
            wrong(r#"{"loss": 3}"#),
            "it is not a JSON object of lists of numbers: invalid type: integer `3`, expected a list of numbers as `loss` at line \
             1 column 10"
        );
        let place = |text: &str| wrong(text).split_once("numbers: ").expect("a reason").1.to_owned();
        assert!(place(r#"{"lr": [[1]]}"#).starts_with("invalid type: sequence, expected a number in `lr`"));
        assert!(place(r#"{"lr": ["fast"]}"#).starts_with("invalid value: string \"fast\", expected a number in `lr`"));
        assert!(place("[1, 2]").starts_with("invalid type: sequence, expected an object of lists"));
    }

    #[test]
    fn a_history_beyond_all_runs_is_refused() {
        let lists = |count: usize| {
            let lists: Vec<String> = (0..count).map(|list| format!("\"{list}\": []")).collect();
            History::parse(&format!("{{{}}}", lists.join(", ")))
        };
        assert!(lists(read::MOST_LISTS).is_ok());
        assert!(lists(read::MOST_LISTS + 1).expect_err("too many").contains("more than 1024 lists at line 1"));
        let values = |count: usize| History::parse(&format!("{{\"loss\": [0{}]}}", ",0".repeat(count - 1)));
        assert_eq!(values(read::MOST_VALUES).expect("as many").values("loss").len(), read::MOST_VALUES);
        let wrong = values(read::MOST_VALUES + 1).expect_err("too many");
        assert!(wrong.contains("more than 1048576 values in `loss`"), "{wrong}");
    }

    #[test]
    fn the_last_list_of_a_name_counts_in_the_first_ones_place() {
        let history = History::parse(r#"{"loss": [1], "lr": [NaN, 2], "loss": [3, -Infinity]}"#).expect("parses");
        assert_eq!(history.names().collect::<Vec<_>>(), ["loss", "lr"]);
        assert_eq!(history.values("loss"), [3.0, f64::NEG_INFINITY]);
        assert!(history.values("lr")[0].is_nan());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(values in proptest::collection::vec(any::<f64>(), 0..20), name in "[a-zA-Z\"\\\\ é]{0,8}") {
            let mut history = History::default();
            for value in &values {
                history.push(*value, None, 0.5, &["x".to_owned() + &name], &[*value]);
            }
            let back = History::parse(&history.to_json()).expect("parses");
            let bits = |history: &History| history.values("loss").iter().map(|value| if value.is_nan() { 0 } else { value.to_bits() }).collect::<Vec<_>>();
            prop_assert_eq!(bits(&back), bits(&history));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in ".*") {
            let _ = History::parse(&text);
        }
    }
}
