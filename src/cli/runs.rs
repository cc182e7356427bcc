//! `facetui runs`: every run under a folder and every one that is training on this machine, as a table or as JSON.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::output::say;
use crate::event::{Outcome, StopKind};
use crate::run::find::{self, Found};
use crate::run::journal;
use crate::run::lock::LockState;
use crate::run::state::{Phase, RunState};

/// Ended runs that are listed unless all are wanted.
const MOST_ENDED: usize = 10;

/// Seconds without a word after which a run on another machine is called silent.
const SILENCE: f64 = 600.0;

/// `facetui runs`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Request {
    /// Folder of the runs; runs that are training on this machine are listed wherever they are
    #[arg(long, default_value = "runs")]
    runs: PathBuf,
    /// List all ended runs, not only the newest
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Row {
    run: String,
    /// `preparing`, `training`, `evaluating`, `paused`, `stopping`; `completed`, `stopped`, `failed`, `killed`; `silent`.
    state: &'static str,
    live: bool,
    pid: Option<u32>,
    host: Option<String>,
    /// The stage, from 1, of how many, and its loss.
    stage: Option<usize>,
    stages: usize,
    loss: Option<String>,
    /// Epochs that ended, of all that are planned.
    epochs: u32,
    planned: u32,
    /// When it began and was written last, in seconds since the Unix epoch.
    started: Option<f64>,
    updated: f64,
    folder: PathBuf,
}

/// Lists the runs.
pub(super) fn runs(request: &Request) {
    let mut rows: Vec<Row> = find::all(&request.runs).into_iter().filter_map(row).collect();
    // Those that are training first; each part is the newest first already.
    rows.sort_by_key(|row| !row.live);
    let live = rows.iter().filter(|row| row.live).count();
    let older = rows.len().saturating_sub(live + MOST_ENDED);
    if !request.all {
        rows.truncate(live + MOST_ENDED);
    }
    if request.json {
        let text = serde_json::to_string_pretty(&rows).unwrap_or_default();
        say(&format!("{text}\n"));
        return;
    }
    if rows.is_empty() {
        say(&format!("no runs in `{}`, and none is training on this machine\n", request.runs.display()));
        return;
    }
    say(&table(&rows, now()));
    if older > 0 && !request.all {
        say(&format!("{older} older runs; --all lists them\n"));
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

fn row(found: Found) -> Option<Row> {
    let path = journal::path(&found.folder);
    let updated = find::modified(&path);
    let state = RunState::replay(&journal::read(&path, false).ok()?);
    let elsewhere = matches!(found.lock, Some(LockState::Elsewhere(_)));
    let live = !state.is_ended() && (found.is_live() || elsewhere && now() - updated < SILENCE);
    let owner = found.owner();
    let stage = state.current.as_ref().map(|current| current.stage);
    let header = state.header.as_ref();
    Some(Row {
        state: word(&state, live, elsewhere),
        live,
        pid: owner.map(|owner| owner.pid).or_else(|| header.map(|header| header.pid)).filter(|_| live),
        host: owner.map(|owner| owner.host.clone()),
        stage: stage.map(|stage| stage + 1),
        stages: state.stages.len(),
        loss: stage.and_then(|stage| Some(header?.stages.get(stage)?.loss.clone())),
        epochs: state.done_epochs(),
        planned: state.planned_epochs(),
        started: state.started,
        updated,
        run: found.id,
        folder: found.folder,
    })
}

const fn word(state: &RunState, live: bool, elsewhere: bool) -> &'static str {
    match &state.phase {
        Phase::Ended(Outcome::Completed) => "completed",
        Phase::Ended(Outcome::Stopped) => "stopped",
        Phase::Ended(Outcome::Failed { .. }) => "failed",
        _ if !live && elsewhere => "silent",
        _ if !live => "killed",
        _ if matches!(state.stop, Some(StopKind::Now)) => "stopping",
        Phase::Paused => "paused",
        _ if state.stop.is_some() => "stopping",
        Phase::Preparing => "preparing",
        Phase::Training => "training",
        Phase::Evaluating => "evaluating",
    }
}

/// The table; `now` is what ages are counted from.
fn table(rows: &[Row], now: f64) -> String {
    let heads = ["run", "state", "process", "host", "stage", "epoch", "age", "folder"].map(str::to_owned);
    let mut lines = vec![heads];
    for row in rows {
        let dash = || "-".to_owned();
        let stage = row.stage.map_or_else(dash, |stage| {
            let loss = row.loss.as_ref().map_or_else(String::new, |loss| format!(" {loss}"));
            format!("{stage}/{}{loss}", row.stages)
        });
        lines.push([
            row.run.clone(),
            row.state.to_owned(),
            row.pid.map_or_else(dash, |pid| pid.to_string()),
            row.host.clone().unwrap_or_else(dash),
            stage,
            format!("{}/{}", row.epochs, row.planned),
            row.started.map_or_else(dash, |started| age(now - started)),
            short(&row.folder),
        ]);
    }
    let widths: Vec<usize> =
        (0..lines[0].len()).map(|at| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for line in &lines {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A duration in its largest unit: `40 s`, `12 min`, `5 h`, `3 d`.
fn age(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    match seconds {
        ..100.0 => format!("{seconds:.0} s"),
        ..6000.0 => format!("{:.0} min", seconds / 60.0),
        ..172_800.0 => format!("{:.0} h", seconds / 3600.0),
        _ => format!("{:.0} d", seconds / 86_400.0),
    }
}

/// A folder as it is reached from here.
fn short(folder: &Path) -> String {
    let here = std::env::current_dir().ok();
    let relative = here.and_then(|here| folder.strip_prefix(here).ok().map(Path::to_path_buf));
    relative.unwrap_or_else(|| folder.to_path_buf()).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_one_unit() {
        assert_eq!([40.0, 700.0, 20_000.0, 300_000.0].map(age), ["40 s", "12 min", "6 h", "3 d"]);
    }

    #[test]
    fn the_table_is_aligned_and_says_what_goes_on() {
        let row = Row {
            run: "demo-20261125-070000".into(),
            state: "training",
            live: true,
            pid: Some(4242),
            host: Some("gpu1".into()),
            stage: Some(2),
            stages: 3,
            loss: Some("arcface".into()),
            epochs: 7,
            planned: 16,
            started: Some(1000.0),
            updated: 1500.0,
            folder: "/data/runs/demo-20261125-070000".into(),
        };
        let ended = Row { run: "a".into(), state: "killed", live: false, pid: None, stage: None, ..row.clone() };
        insta::assert_snapshot!(table(&[row, ended], 4600.0), @r"
        run                   state     process  host  stage        epoch  age     folder
        demo-20261125-070000  training  4242     gpu1  2/3 arcface  7/16   60 min  /data/runs/demo-20261125-070000
        a                     killed    -        gpu1  -            7/16   60 min  /data/runs/demo-20261125-070000
        ");
    }
}
