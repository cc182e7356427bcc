//! Whether what a schedule names is there, and what should be.
//!
//! A question apart from the schedule's own: `facetui check` answers it as advice, a run refuses to start.

use std::path::{Path, PathBuf};

use miette::Severity;

use super::load::Loaded;
use super::model::{Backbone, ModelSource};
use super::problem::Problem;
use super::span::Span;

const TRAIN_LAYOUT: &str = "\
a training set is a folder with a folder of images for each person:
    faces/
    ├── 0/        person 0
    │   ├── 1.jpg
    │   └── 2.jpg
    └── 1/        person 1
        ├── 3.jpg
        └── 4.jpg
or a RecordIO file: a folder with train.rec, train.idx and property, or the .rec file itself
point to yours with FACETUI_DATA=/datasets, if the schedule names that variable, or with
    --set data.train=/datasets/faces
or draw one: `facetui synth DIR --bins`; `facetui demo` does all of it";

const BIN_LAYOUT: &str = "\
a bin is a pickle of image pairs and whether each shows one person, as lfw.bin in the MS1M-ArcFace data set
point to yours with FACETUI_DATA=/datasets, if the schedule names that variable, or with
    --set 'data.bins=[/datasets/lfw.bin]'     (data.bins=[] for none)
or draw some: `facetui synth DIR --bins`";

const MODEL_LAYOUT: &str = "\
a saved model is a Keras .h5 file: checkpoints/NAME.h5 with its head, checkpoints/NAME_basic_*.h5 without
point to yours with --set model.file=checkpoints/NAME.h5";

const WEIGHTS_LAYOUT: &str = "\
a weight file is a Keras .h5 file: of `save_weights`, of a whole model, or one of Keras's own (~/.keras/models)
point to yours with --set model.pretrained=NAME.h5, or leave `pretrained` out to start from scratch";

/// What the schedule names and is not there, or is not what it must be: each with its line, what must lie there and how
/// to get on. Empty when a run can start.
///
/// Looks at names and kinds only; reads no image.
pub fn check_paths(loaded: &Loaded) -> Vec<Problem> {
    let Loaded { schedule, places, .. } = loaded;
    let mut problems = Vec::new();
    let mut note = |at: Span, (message, label): (String, String), help: &str| {
        let problem = Problem::new(Severity::Error, &places.sources, at, message, label, Some(help.to_owned()));
        problems.push(problem);
    };
    let model = match &schedule.model {
        ModelSource::File { path, .. } => Some(("saved model", path, MODEL_LAYOUT)),
        ModelSource::Backbone(Backbone { pretrained, .. }) => {
            pretrained.as_ref().map(|path| ("weight file", path, WEIGHTS_LAYOUT))
        }
    };
    if let (Some((what, path, help)), Some(at)) = (model, places.model)
        && let Some(wrong) = wrong_file(what, path)
    {
        note(at, wrong, help);
    }
    for (set, at) in schedule.data.train.iter().zip(&places.train) {
        if let Some(wrong) = wrong_training_set(&set.path) {
            note(*at, wrong, TRAIN_LAYOUT);
        }
    }
    for (bin, at) in schedule.data.bins.iter().zip(&places.bins) {
        if let Some(wrong) = wrong_file("evaluation bin", bin) {
            note(*at, wrong, BIN_LAYOUT);
        }
    }
    problems
}

/// What is wrong with the training set's folder: the message and its label.
fn wrong_training_set(path: &Path) -> Option<(String, String)> {
    let shown = path.display();
    if !path.exists() {
        return Some((format!("the training set `{shown}` does not exist"), nearest_existing(path)));
    }
    let records = |file: &Path| wrong_file("training set", file);
    if !path.is_dir() {
        if path.extension().is_some_and(|kind| kind.eq_ignore_ascii_case("rec")) {
            return records(path);
        }
        return Some((
            format!("the training set `{shown}` is neither a folder nor a RecordIO file"),
            "expected a folder, or a .rec file".to_owned(),
        ));
    }
    if path.join("train.rec").exists() {
        return records(&path.join("train.rec"));
    }
    let mut entries = match std::fs::read_dir(path) {
        Ok(entries) => entries.flatten(),
        Err(error) => return Some((format!("the training set `{shown}` cannot be read"), error.to_string())),
    };
    if entries.any(|entry| entry.path().is_dir()) {
        return None;
    }
    Some((
        format!("the training set `{shown}` holds no persons"),
        "expected folders of images in it, found none".to_owned(),
    ))
}

/// What is wrong with a file that must be there: the message and its label.
fn wrong_file(what: &str, path: &Path) -> Option<(String, String)> {
    let shown = path.display();
    match path.metadata() {
        Err(_) => Some((format!("the {what} `{shown}` does not exist"), nearest_existing(path))),
        Ok(found) if found.is_dir() => {
            Some((format!("the {what} `{shown}` is a folder"), "expected a file".to_owned()))
        }
        Ok(found) if found.len() == 0 => Some((format!("the {what} `{shown}` is empty"), "0 bytes".to_owned())),
        Ok(_) => None,
    }
}

/// How far a path exists.
fn nearest_existing(path: &Path) -> String {
    let within = path.ancestors().skip(1).find(|folder| folder.as_os_str().is_empty() || folder.is_dir());
    match within {
        Some(folder) if folder.as_os_str().is_empty() => {
            let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
            format!("looked for from `{}`", here.display())
        }
        Some(folder) if path.parent() == Some(folder) => format!("`{}` exists, without it", folder.display()),
        Some(folder) => format!("the path exists as far as `{}`", folder.display()),
        None => "no such path".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Labels, parse};
    use super::*;

    fn loaded(train: &Path, bin: &Path) -> Loaded {
        let text = format!(
            "model: {{backbone: mobilefacenet}}\ndata:\n  train: {}\n  bins:\n    - {}\n\
             stages:\n  - {{loss: softmax, epochs: 1}}\n",
            train.display(),
            bin.display()
        );
        parse("x.yaml", &text, &[], &|_| None).unwrap()
    }

    #[test]
    fn missing_paths_are_named_with_their_lines() {
        let dir = tempfile::tempdir().unwrap();
        let problems = check_paths(&loaded(&dir.path().join("faces"), &dir.path().join("a/lfw.bin")));
        let lines: Vec<usize> = problems.iter().map(Problem::line).collect();
        assert_eq!(lines, [3, 5]);
        assert!(problems[0].message().ends_with("faces` does not exist"), "{}", problems[0].message());
        assert!(problems[1].message().contains("lfw.bin` does not exist"));
    }

    #[test]
    fn several_training_sets_are_read_and_each_is_looked_for() {
        let text = "model: {backbone: mobilefacenet}\ndata:\n  bins: []\n  most_bad: 0.2\n  train:\n    - /nowhere/a\n    \
                    - {path: /nowhere/b, labels: merge}\nstages: [{loss: softmax, epochs: 1}]\n";
        let loaded = parse("x.yaml", text, &[], &|_| None).unwrap();
        let sets: Vec<_> = loaded.schedule.data.train.iter().map(|set| (set.path.clone(), set.labels)).collect();
        assert_eq!(sets, [("/nowhere/a".into(), Labels::Offset), ("/nowhere/b".into(), Labels::Merge)]);
        assert!((loaded.schedule.data.most_bad - 0.2).abs() < 1e-12);
        let lines: Vec<usize> = check_paths(&loaded).iter().map(Problem::line).collect();
        assert_eq!(lines, [6, 7]);
        for (from, to, words) in [
            ("labels: merge", "labels: merg", "there is no labels `merg`"),
            ("path: /nowhere/b, ", "", "has no `path`"),
            ("labels: merge", "label: merge", "has no field `label`"),
            ("0.2", "1.5", "`most_bad`"),
        ] {
            let error = parse("x.yaml", &text.replace(from, to), &[], &|_| None).unwrap_err();
            let said = format!("{:?}", miette::Report::new(error));
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn a_missing_weight_file_is_named_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(dir.path().join("faces/0")).unwrap();
        let text = format!(
            "data: {{train: {}, bins: []}}\nmodel:\n  backbone: mobilenet\n  pretrained: {}\n\
             stages: [{{loss: softmax, epochs: 1}}]\n",
            dir.path().join("faces").display(),
            dir.path().join("mobilenet.h5").display()
        );
        let problems = check_paths(&parse("x.yaml", &text, &[], &|_| None).unwrap());
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].line(), 4);
        assert!(problems[0].message().ends_with("mobilenet.h5` does not exist"), "{}", problems[0].message());
    }

    #[test]
    fn what_is_there_must_be_of_the_kind() {
        let dir = tempfile::tempdir().unwrap();
        let (faces, bin) = (dir.path().join("faces"), dir.path().join("lfw.bin"));
        fs_err::create_dir(&faces).unwrap();
        fs_err::write(&bin, b"").unwrap();
        let messages: Vec<String> =
            check_paths(&loaded(&faces, &bin)).iter().map(|problem| problem.message().to_owned()).collect();
        assert!(messages[0].ends_with("holds no persons"), "{messages:?}");
        assert!(messages[1].ends_with("is empty"), "{messages:?}");

        fs_err::create_dir(faces.join("0")).unwrap();
        fs_err::write(&bin, b"pickle").unwrap();
        assert!(check_paths(&loaded(&faces, &bin)).is_empty());
        assert_eq!(check_paths(&loaded(&bin, &faces)).len(), 2);

        let records = dir.path().join("records");
        fs_err::create_dir(&records).unwrap();
        fs_err::write(records.join("train.rec"), b"").unwrap();
        let empty = check_paths(&loaded(&records, &bin));
        assert!(empty[0].message().ends_with("train.rec` is empty"), "{}", empty[0].message());
        fs_err::write(records.join("train.rec"), b"records").unwrap();
        assert!(check_paths(&loaded(&records, &bin)).is_empty());
        assert!(check_paths(&loaded(&records.join("train.rec"), &bin)).is_empty());
    }
}
