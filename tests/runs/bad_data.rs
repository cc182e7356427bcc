//! What is wrong with training data, through the real program: an index, a record file or a bin that disagrees, and images
//! that vanish or shrink while a run goes on.

use crate::place::{Place, plain};

const FACES: &str = "demo/faces_112x112_folders";

#[test]
fn an_index_or_a_bin_that_disagrees_is_named() {
    let place = Place::new(2, 6);
    place.runs(&["prepare", "records", FACES, "-o", "set"]);
    let index = place.read("set/train.idx");
    let schedule = |train: &str, bins: &str| {
        format!(
            "model: {{backbone: mobilefacenet, embedding: 16, width: 0.1}}\ndata: {{train: {train}, bins: [{bins}]}}\n\
             batch_size: 4\ndevice: cpu\nstages: [{{loss: softmax, optimizer: adam, epochs: 1}}]\n"
        )
    };
    place.write("run.yaml", &schedule("set", ""));
    let refused = |words: &[&str]| {
        let output = place.run(&["run.yaml", "--headless"]);
        let said = plain(&output);
        assert!(output.status.code() != Some(0) && !said.contains("panicked"), "{said}");
        for word in words {
            assert!(said.contains(word), "`{word}`: {said}");
        }
    };
    // A record less than record 0 promises, an offset in the middle of a record, and one beyond the end.
    let short: Vec<&str> = index.split_inclusive('\n').filter(|line| !line.starts_with("5\t")).collect();
    place.write("set/train.idx", &short.concat());
    refused(&["promises 12 images, but the index has 11"]);
    let line = index.lines().nth(3).expect("a line");
    let offset: u64 = line.split('\t').nth(1).expect("an offset").parse().expect("a number");
    place.write("set/train.idx", &index.replace(line, &format!("3\t{}", offset + 4)));
    refused(&["record 3 of", &format!("at byte {}", offset + 4)]);
    place.write("set/train.idx", &index.replace(line, "3\t99999999"));
    refused(&["record 3 of", "beyond the file's end"]);
    place.write("set/train.idx", &index.replace(line, "3 three"));
    refused(&["line 4 of the index", "`3 three`"]);
    place.write("set/train.idx", &index);
    let whole = std::fs::read(place.path("set/train.rec")).expect("reads");
    std::fs::write(place.path("set/train.rec"), &whole[..whole.len() / 2]).expect("writes");
    refused(&["train.rec", "cut short"]);

    let image = std::fs::read(place.path(&format!("{FACES}/0/1.jpg"))).expect("reads");
    let pairs = facetui::data::pickle::write::pairs(&vec![image; 6], &[true, false]);
    std::fs::write(place.path("short.bin"), pairs).expect("writes");
    place.write("run.yaml", &schedule(FACES, "short.bin"));
    refused(&["short.bin", "6 images and 2 flags"]);
    let output = place.run(&["data", "short.bin"]);
    assert!(output.status.code() == Some(1) && plain(&output).contains("6 images and 2 flags"));
}

#[test]
fn images_that_vanish_or_shrink_while_a_run_goes_on_are_counted_and_too_many_end_it() {
    let place = Place::new(5, 60);
    place.write(
        "run.yaml",
        &format!(
            "name: gone\nmodel: {{backbone: mobilefacenet, embedding: 16, width: 0.1}}\n\
             data: {{train: {FACES}, bins: []}}\nbatch_size: 4\ndevice: cpu\n\
             stages: [{{loss: softmax, optimizer: adam, epochs: 4000}}]\n"
        ),
    );
    let mut run = place
        .command(&["run.yaml", "--headless"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("starts");
    let journal =
        || if place.path("runs").is_dir() { place.journals("gone").pop().unwrap_or_default() } else { Vec::new() };
    let until = |what: &dyn Fn(&facetui::event::Event) -> bool, run: &mut std::process::Child| {
        while !journal().iter().any(|record| what(&record.event)) && run.try_wait().expect("ours").is_none() {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    };
    until(&|event| matches!(event, facetui::event::Event::EpochEnded { .. }), &mut run);
    let face = |class: usize, number: usize| place.path(&format!("{FACES}/{class}/{}.jpg", class * 60 + number));
    std::fs::remove_file(face(0, 1)).expect("removes");
    std::fs::write(face(1, 2), b"\xff\xd8\xff").expect("shortens");
    until(&|event| matches!(event, facetui::event::Event::BadImage { count: 2, .. }), &mut run);
    let went_on = run.try_wait().expect("ours").is_none();
    assert!(went_on, "2 of 300 is below 1 %");
    (3..20).for_each(|number| std::fs::remove_file(face(2, number)).expect("removes"));
    let output = run.wait_with_output().expect("ends");
    let said = plain(&output);
    assert!(output.status.code() == Some(1) && said.contains("of 300 images cannot be used, more than 1 %"), "{said}");
    let records = place.journals("gone").pop().expect("a run");
    let mut bad: Vec<String> = Vec::new();
    for record in &records {
        if let facetui::event::Event::BadImage { path, .. } = &record.event {
            bad.push(path.clone());
        }
    }
    assert!(bad.len() >= 4 && bad.iter().any(|path| path.ends_with("0/1.jpg")), "{bad:?}");
    let state = facetui::run::state::RunState::replay(&records);
    assert!(state.bad_images >= 4, "{}", state.bad_images);
}
