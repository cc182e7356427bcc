//! `facetui models` as a user sees it.

use std::process::Command;

fn models(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_facetui")).arg("models").args(arguments).output().expect("starts");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn the_backbones_are_listed() {
    insta::assert_snapshot!(models(&[]));
}

#[test]
fn the_list_is_json_too() {
    let rows: serde_json::Value = serde_json::from_str(&models(&["--json"])).expect("JSON");
    let rows = rows.as_array().expect("a list");
    let row = rows.iter().find(|row| row["name"] == "resnet50v2").expect("is there");
    assert_eq!(row["maps"], serde_json::json!([112, 56, 28, 14, 7, 4]));
    assert_eq!(row["embedding"], 512);
}
