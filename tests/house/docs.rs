//! What the documents name exists: the tests that docs/tui.md says show a feature.

use std::path::{Path, PathBuf};

/// Every source file under a folder.
fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|end| end == "rs") {
            out.push(path);
        }
    }
}

/// The names of all test functions.
fn tests() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    sources(&root.join("tests"), &mut files);
    let mut names = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).expect("reads");
        // A test's name follows its attribute, with other attributes between.
        for part in text.split("#[test]").skip(1) {
            let name = part.split("fn ").nth(1).and_then(|rest| rest.split('(').next());
            names.extend(name.map(str::to_owned));
        }
    }
    names
}

/// The cells of the rows of tables under a heading.
fn rows(text: &str, heading: &str) -> Vec<Vec<String>> {
    let part = text.split("\n## ").find(|part| part.starts_with(heading)).expect("the heading");
    let lines = part.lines().filter(|line| line.starts_with("| "));
    lines.map(|line| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[test]
fn every_feature_of_the_comparison_names_tests_that_exist() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tui.md")).expect("reads");
    let rows = rows(&text, "Against others");
    assert!(rows.len() > 30, "{} rows", rows.len());
    let tests = tests();
    for row in &rows[1..] {
        assert_eq!(row.len(), rows[0].len(), "{row:?}");
        assert!(row.iter().all(|cell| !cell.is_empty()), "an empty cell in {row:?}");
        let named: Vec<&str> = row[row.len() - 1].split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "`{}` names no test", row[0]);
        for name in named {
            assert!(tests.iter().any(|test| test == name), "`{}` names `{name}`, which is no test", row[0]);
        }
    }
}
