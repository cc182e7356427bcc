//! Branches: alternatives that each start from the same state, trained by the real program.

use facetui::event::{Event, Outcome, Record};
use facetui::run::state::RunState;
use serde_json::Value;

use crate::place::{Place, epochs, plain};

const COMMON: &str = "\
model: {backbone: mobilefacenet, embedding: 16, width: 0.1, dropout: 0.2}
data:
  train: demo/faces_112x112_folders
  bins: [demo/pose.bin, demo/frontal.bin]
  augment: 3
batch_size: 8
device: cpu
";

fn place(name: &str, rest: &str) -> Place {
    let place = Place::new(4, 6);
    place.write(&format!("{name}.yaml"), &(COMMON.to_owned() + rest));
    place
}

fn finished(journal: &[Record]) -> &Outcome {
    match &journal.last().expect("events").event {
        Event::Finished { outcome, .. } => outcome,
        other => panic!("the journal ends with {other:?}"),
    }
}

#[test]
fn branches_start_from_one_state_and_end_in_a_table() {
    let place = place(
        "cmp",
        "\
stages:
  - {loss: arcface, epochs: 1}
branches:
  - {name: one, loss: arcface, epochs: 2}
  - {name: broken, loss: softmax, optimizer: {adamw: {weight_decay: 0.99}}, learning_rate: 100, epochs: 9}
  - {name: same, loss: arcface, epochs: 2}
  - {loss: batch_hard_triplet, optimizer: adam, epochs: 1}
  - {name: two, stages: [{loss: softmax, bottleneck_only: true, epochs: 1}, {loss: softmax, epochs: 1}]}
",
    );
    // What a branch does is what the same stages do in a schedule without branches.
    place.write(
        "straight.yaml",
        &(COMMON.to_owned() + "stages: [{loss: arcface, epochs: 1}, {loss: arcface, epochs: 2}]\n"),
    );
    place.runs(&["straight.yaml", "--headless"]);
    let said = place.runs(&["cmp.yaml", "--headless"]);

    let one = place.model("checkpoints/cmp_one.h5");
    assert_eq!(one.weights, place.model("checkpoints/straight.h5").weights);
    assert_eq!(one.optimizer, place.model("checkpoints/straight.h5").optimizer);
    assert_eq!(one.weights, place.model("checkpoints/cmp_same.h5").weights);
    assert_eq!(place.read("checkpoints/cmp_one_hist.json"), place.read("checkpoints/straight_hist.json"));

    let table: Value = serde_json::from_str(&place.read("checkpoints/cmp_branches.json")).expect("JSON");
    let rows = table["branches"].as_array().expect("a list");
    let names: Vec<&str> = rows.iter().map(|row| row["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["one", "broken", "same", "batch_hard_triplet", "two"]);
    let outcomes: Vec<&str> = rows.iter().map(|row| row["outcome"].as_str().expect("one")).collect();
    assert_eq!(outcomes, ["completed", "failed", "completed", "completed", "completed"]);
    assert!(rows[1]["error"].as_str().expect("why").contains("the loss became"), "{}", rows[1]);
    assert_eq!(
        (&rows[0]["loss"], &rows[0]["bins"][1]["accuracy"]),
        (&rows[2]["loss"], &rows[2]["bins"][1]["accuracy"])
    );
    assert_eq!((&rows[0]["epoch"], &rows[3]["epoch"], &rows[4]["epoch"]), (&3.into(), &2.into(), &2.into()));
    assert!(rows[3]["accuracy"].is_null() && rows[0]["accuracy"].is_number());
    assert_eq!(table["start"]["epoch"], 1);
    assert_eq!(table["start"]["bins"].as_array().expect("bins").len(), 2);
    assert_eq!(rows[0]["steps"], 6);

    for words in ["branch", "frontal thresh", "per step", "start, epoch 1", "failed: the loss became"] {
        assert!(said.contains(words), "`{words}` is missing in {said}");
    }

    // The whole journal, and one of an ordinary run for each branch.
    let journals = place.journals("cmp-");
    assert_eq!(journals.len(), 6);
    let state = RunState::replay(&journals[0]);
    assert_eq!(state.planned_epochs(), 17);
    assert!((8..17).contains(&state.done_epochs()), "the broken branch may have ended some epochs");
    let comparison = state.comparison.expect("branches");
    assert_eq!(comparison.lines().count(), 6);
    assert!(matches!(finished(&journals[0]), Outcome::Completed));
    assert!(matches!(finished(&journals[2]), Outcome::Failed { .. }));
    let own = RunState::replay(&journals[5]);
    assert_eq!(own.header.as_ref().expect("a header").name, "cmp_two");
    assert!(own.is_ended() && own.comparison.is_none());
    // A frozen stage counts its own epochs, and the branch begins after the epoch that the stages took.
    assert_eq!(epochs(&journals[5]).iter().map(|(_, epoch, ..)| *epoch).collect::<Vec<_>>(), [1, 2]);
    // It repeats the figures of the state it starts from.
    let history: Value = serde_json::from_str(&place.read("checkpoints/cmp_two_hist.json")).expect("JSON");
    assert_eq!(history["pose"][0], history["pose"][1]);
    assert_eq!(history["loss"].as_array().expect("a list").len(), 3);
}

#[test]
fn the_names_of_the_classes_lie_beside_the_models_of_each_branch() {
    let place = place(
        "cmp",
        "branches:\n  - {name: one, loss: softmax, epochs: 1}\n  - {name: two, loss: arcface, epochs: 1}\n",
    );
    for (number, name) in ["zoe", "bob", "eve", "ann"].into_iter().enumerate() {
        let folder = |name: &str| place.path(&format!("demo/faces_112x112_folders/{name}"));
        std::fs::rename(folder(&number.to_string()), folder(name)).expect("renames");
    }
    place.runs(&["cmp.yaml", "--headless"]);
    let names = place.read("checkpoints/cmp_classes.json");
    assert!(names.find("ann") < names.find("bob") && names.find("eve") < names.find("zoe"), "{names}");
    for branch in ["one", "two"] {
        assert!(place.path(&format!("checkpoints/cmp_{branch}.h5")).is_file());
        assert_eq!(place.read(&format!("checkpoints/cmp_{branch}_classes.json")), names);
    }
}

#[test]
fn json_lines_end_in_the_whole_table_and_a_saved_model_may_be_the_start() {
    let place = place("begin", "stages: [{loss: softmax, epochs: 1}]\n");
    place.runs(&["begin.yaml", "--headless"]);
    let from_file = COMMON.replace(
        "model: {backbone: mobilefacenet, embedding: 16, width: 0.1, dropout: 0.2}",
        "model: checkpoints/begin.h5",
    );
    place.write(
        "cmp.yaml",
        &(from_file + "initial_epoch: 1\nbranches: [{loss: softmax, epochs: 1}, {loss: softmax, bottleneckOnly: true, epochs: 1}]\n"),
    );
    let lines = place.runs(&["cmp.yaml", "--json"]);
    let events: Vec<Event> =
        lines.lines().filter_map(|line| serde_json::from_str::<Record>(line).ok()).map(|record| record.event).collect();
    let Some(Event::BranchesCompared { start: Some(start), branches }) = events.iter().rev().nth(1) else {
        panic!("{lines}");
    };
    // Nothing was trained before the branches: the start was evaluated for the table.
    assert_eq!((start.bins.len(), start.epoch, start.loss), (2, 1, None));
    assert_eq!(branches.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["softmax", "softmax-2"]);
    assert_eq!(branches[1].bins, start.bins, "a frozen branch has the figures of its start");
    let told = |words: &str| {
        let log = |event: &&Event| matches!(event, Event::Log { message, .. } if message.contains(words));
        events.iter().filter(log).count()
    };
    assert_eq!(told("the file's optimiser resumes: Adam after 3 steps"), 1);
    let optimizer = place.model("checkpoints/cmp_softmax.h5").optimizer.expect("one");
    assert_eq!((optimizer.class_name.as_str(), optimizer.iterations), ("Adam", 6));
    assert!(!place.path("checkpoints/cmp.h5").exists(), "nothing was trained under the whole run's name");
}

#[test]
fn what_is_wrong_with_branches_points_at_its_line() {
    let place = place("bad", "");
    for (rest, words) in [
        ("branches: []\n", ["bad.yaml:8", "`branches` is empty", ""]),
        ("branches:\n  - {loss: sofmax, epochs: 1}\n", ["bad.yaml:9", "sofmax", "softmax"]),
        (
            "branches:\n  - {name: a, loss: softmax, epochs: 1}\n  - {name: a, loss: arcface, epochs: 1}\n",
            ["bad.yaml:10", "two branches are called `a`", "line 9"],
        ),
        (
            "branches:\n  - {loss: arcface, bottleneck_only: true, epochs: 1}\n",
            ["bad.yaml:9", "learnt nothing", "model: {file: NAME.h5}"],
        ),
        ("branches:\n  - {name: x/y, loss: arcface, epochs: 1}\n", ["bad.yaml:9", "path separator", ""]),
        ("branches:\n  - {name: x, stages: []}\n", ["bad.yaml:9", "branch 1 are empty", ""]),
        ("branches:\n  - {name: x, stages: [{loss: arcface, epochs: 0}]}\n", ["bad.yaml:9", "`epochs` is 0", ""]),
        ("branches:\n  - {name: basic, loss: arcface, epochs: 1}\n", ["bad.yaml:9", "cannot be called `basic`", ""]),
        ("branches: {loss: softmax}\n", ["bad.yaml:8", "a list of branches", ""]),
    ] {
        place.write("bad.yaml", &(COMMON.to_owned() + rest));
        let output = place.run(&["check", "bad.yaml"]);
        let said = plain(&output);
        assert_eq!(output.status.code(), Some(2), "{rest}: {said}");
        for word in words {
            assert!(said.contains(word), "{rest}: `{word}` is missing in {said}");
        }
    }
}

#[test]
fn a_gentle_stop_ends_the_branch_after_its_epoch_and_begins_no_other() {
    let place = place(
        "long",
        "branches: [{name: first, loss: softmax, epochs: 40000}, {name: second, loss: softmax, epochs: 400}]\n",
    );
    let mut child =
        place.command(&["long.yaml", "--headless"]).stdout(std::process::Stdio::piped()).spawn().expect("starts");
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("a pipe")));
    let mut said = String::new();
    for line in lines {
        let line = line.expect("text");
        if line.contains("epoch 2 ended") {
            let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
            assert!(kill.expect("kills").success());
        }
        said.push_str(&(line + "\n"));
    }
    assert_eq!(child.wait().expect("ends").code(), Some(130), "{said}");
    for words in [
        "the last branch will not be started",
        "1 of 2 branches were not begun",
        "not started: second",
        "stopped on request",
    ] {
        assert!(said.contains(words), "`{words}` is missing in {said}");
    }
    let table: Value = serde_json::from_str(&place.read("checkpoints/long_branches.json")).expect("JSON");
    assert_eq!(
        (table["branches"].as_array().map(Vec::len), &table["branches"][0]["outcome"]),
        (Some(1), &"stopped".into())
    );
    assert!(place.model("checkpoints/long_first.h5").optimizer.is_some(), "its files are whole");
    assert_eq!(place.journals("long").len(), 2);
}
