//! How long a frame of the front end takes to draw: `cargo bench --bench frame [-- STEPS]` (a million steps unless given).
//!
//! A run of three stages, three bins and 300 epochs, at 200x60 with all panes on screen, on the thread it is called from.
//! Prints the median and the slowest of many frames for every way of looking at it. Nothing is written to a terminal.

#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use facetui::event::{BinResult, Event, Record, RunHeader, StagePlan};
use facetui::tui::{Abilities, Offscreen};

const EPOCHS: u64 = 300;
const STAGES: u64 = 3;
const BINS: [&str; 3] = ["lfw", "cfp_fp", "agedb_30"];
const FRAMES: usize = 100;

/// Steps a report has.
const REPORT: u64 = 25;

fn main() {
    let steps = std::env::args().skip(1).find_map(|argument| argument.parse::<u64>().ok()).unwrap_or(1_000_000);
    let records = records(steps);
    let mut screen = Offscreen::new(200, 60, Abilities { color: true, unicode: true, light: false });
    let began = Instant::now();
    for record in &records {
        screen.hear(record);
    }
    let folded = began.elapsed();
    println!("{steps} steps in {} events, 200x60, all panes", records.len());
    println!(
        "{:<34} {:>9.1} ms in all, {:.2} us an event",
        "taking the events in",
        millis(folded),
        micros(folded, records.len())
    );
    frames("whole run over steps, smoothed", &mut screen);
    press(&mut screen, "c");
    frames("with the crosshair", &mut screen);
    press(&mut screen, "cy");
    frames("logarithmic", &mut screen);
    press(&mut screen, "ys");
    frames("raw", &mut screen);
    press(&mut screen, "sx");
    frames("over epochs", &mut screen);
    press(&mut screen, "x");
    frames("over time", &mut screen);
    press(&mut screen, "x++++++");
    frames("zoomed in, following", &mut screen);
    press(&mut screen, "0z");
    frames("one chart on the whole screen", &mut screen);
    press(&mut screen, "z");
    let mut times: Vec<Duration> =
        (0..10).map(|at| timed(|| press(&mut screen, if at % 2 == 0 { "]" } else { "[" }))).collect();
    tell("another smoothing (no frame)", &mut times);
}

/// A run of `steps` steps to the middle of its last epoch.
fn records(steps: u64) -> Vec<Record> {
    let plan = |loss: &str| StagePlan {
        loss: loss.to_owned(),
        optimizer: "sgd".to_owned(),
        epochs: (EPOCHS / STAGES) as u32,
        steps_per_epoch: steps / EPOCHS,
        ..StagePlan::default()
    };
    let header = RunHeader {
        run_id: "bench".to_owned(),
        name: "bench".to_owned(),
        schedule: "bench.yaml".to_owned(),
        version: "0".to_owned(),
        model: "mobilefacenet".to_owned(),
        parameters: 1_000_000,
        embedding_size: 256,
        classes: 85_742,
        images: 5_822_653,
        batch_size: 512,
        device: "cpu".to_owned(),
        precision: "fp32".to_owned(),
        bins: BINS.map(str::to_owned).to_vec(),
        stages: ["softmax", "arcface", "triplet"].map(plan).to_vec(),
        initial_epoch: 0,
        pid: 1,
        branches: Vec::new(),
    };
    let mut records = Vec::new();
    let mut at = 1_700_000_000.0;
    let mut say = |seconds: f64, event: Event| {
        at += seconds;
        records.push(Record { at, event });
    };
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        (noise >> 40) as f32 / (1_u64 << 24) as f32
    };
    say(0.0, Event::RunStarted(Box::new(header)));
    let mut taken = 0;
    for index in 1..=EPOCHS {
        let stage = ((index - 1) * STAGES / EPOCHS) as usize;
        if (index - 1).is_multiple_of(EPOCHS / STAGES) {
            say(1.0, Event::StageStarted { stage, optimizer: "sgd".to_owned() });
        }
        let of_epoch = steps * index / EPOCHS - taken;
        let learning_rate = 0.1 * 0.99_f64.powf(index as f64);
        let (epoch, index) = (index as u32, index as u32);
        say(0.1, Event::EpochStarted { stage, epoch, index, steps: of_epoch, learning_rate });
        let mut step = 0;
        while step < of_epoch {
            let count = REPORT.min(of_epoch - step);
            let base = 3.0 + 30.0 * (-(taken as f32) / (steps as f32 / 8.0)).exp();
            let loss: Vec<f32> = (0..count).map(|_| base * (0.8 + 0.4 * random())).collect();
            let accuracy = (0..count).map(|_| 0.7 + 0.2 * random()).collect();
            step += count;
            taken += count;
            let event = Event::Steps {
                index,
                step,
                loss,
                accuracy,
                images_per_second: 4000.0 + 100.0 * f64::from(random()),
                waited: 0.01,
                memory: 1 << 30,
                gradient_norm: Some(2.0 + f64::from(random())),
            };
            say(0.4, event);
        }
        for (number, bin) in BINS.iter().enumerate() {
            let progress = 1.0 - (-f64::from(index) / 60.0).exp();
            let result = BinResult {
                bin: (*bin).to_owned(),
                accuracy: 0.5 + (0.49 - 0.03 * number as f64) * progress + 0.002 * f64::from(random()),
                threshold: 0.2 + 0.01 * f64::from(random()),
                fold_mean: Some(0.9),
                fold_deviation: Some(0.01),
                pairs: 6000,
                seconds: 3.0,
                rates: Vec::new(),
            };
            say(3.0, Event::BinEvaluated { index, result });
        }
        if u64::from(index) < EPOCHS {
            let ended = Event::EpochEnded {
                stage,
                epoch,
                index,
                loss: 3.0,
                accuracy: Some(0.8),
                learning_rate,
                seconds: 60.0,
                images_per_second: 4000.0,
                waited: 0.01,
            };
            say(0.1, ended);
        }
    }
    records
}

fn press(screen: &mut Offscreen, keys: &str) {
    for key in keys.chars() {
        screen.press(KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE));
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

fn frames(name: &str, screen: &mut Offscreen) {
    let mut times: Vec<Duration> = (0..FRAMES)
        .map(|_| {
            timed(|| {
                black_box(screen.draw());
            })
        })
        .collect();
    tell(name, &mut times);
}

fn tell(name: &str, times: &mut [Duration]) {
    times.sort();
    println!(
        "{name:<34} {:>9.2} ms median, {:.2} ms slowest",
        millis(times[times.len() / 2]),
        millis(times[times.len() - 1])
    );
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn micros(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e6 / count.max(1) as f64
}
