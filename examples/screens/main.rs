//! Takes the pictures of the README from real runs: starts facetui's demo in a pseudo terminal, presses keys, and writes
//! what the screen shows as SVG. Also the plot of the run, drawn by `facetui plot`.
//!
//! Started by `cargo xtask screens`, which builds facetui first:
//! `cargo run --example screens -- target/debug/facetui assets`. The demo's data must be there, or takes a minute to draw.

mod svg;
mod terminal;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use terminal::Terminal;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Longest an epoch of the demo may take.
const EPOCH: Duration = Duration::from_mins(5);

/// Longest the screen may take to answer a key.
const SOON: Duration = Duration::from_secs(20);

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [program, assets] = arguments.as_slice() else { return Err("usage: screens FACETUI ASSETS".into()) };
    let program = program.canonicalize()?;
    std::fs::create_dir_all(assets)?;
    let place = tempfile::tempdir()?;

    // A first run with another learning rate, so that the history has something to compare.
    let arguments = ["demo", "--set", "name=demo_slow", "--set", "learning_rate.base=0.001"];
    let mut first = Terminal::start(&program, &arguments, place.path(), (24, 80))?;
    first.wait_for("epoch 3 ended", 3 * EPOCH)?;
    picture(&first, assets, "screen-80x24")?;
    first.press("n")?;
    first.wait_for("press q", 2 * EPOCH)?;
    first.press("\u{1b}")?;
    first.press("q")?;
    first.wait_for_the_end(SOON)?;

    let mut run = Terminal::start(&program, &["demo"], place.path(), (60, 200))?;
    run.wait_for("epoch 8 ended", 9 * EPOCH)?;
    run.settle(Duration::from_secs(4));
    picture(&run, assets, "screen-training")?;
    run.wait_for("press q", 8 * EPOCH)?;
    run.press("\u{1b}")?;
    run.resize((40, 120))?;
    // A look into the last bin, then the history with both runs over each other.
    for keys in ["8", "\u{1b}[F", "v"] {
        run.press(keys)?;
    }
    run.settle(Duration::from_secs(2));
    picture(&run, assets, "screen-bin")?;
    run.press("\u{1b}")?;
    run.press("\t")?;
    run.wait_for("runs", SOON)?;
    for keys in [" ", "j", " "] {
        run.press(keys)?;
        run.settle(Duration::from_secs(1));
    }
    picture(&run, assets, "screen-history")?;
    run.press("q")?;
    run.wait_for_the_end(SOON)?;

    plot(&program, place.path(), assets)
}

fn picture(terminal: &Terminal, assets: &Path, name: &str) -> Result<()> {
    let path = assets.join(format!("{name}.svg"));
    std::fs::write(&path, svg::render(terminal.screen().screen()))?;
    tell(&format!("wrote {}", path.display()))
}

/// The newest run as a figure.
fn plot(program: &Path, place: &Path, assets: &Path) -> Result<()> {
    let runs = std::fs::read_dir(place.join("runs"))?.flatten().map(|run| run.path());
    // The other one is `demo_slow`.
    let named = |run: &PathBuf| run.file_name().is_some_and(|name| name.to_string_lossy().starts_with("demo-"));
    let newest = runs.filter(named).max().ok_or("the demo left no run")?;
    let path = assets.join("plot-demo.svg");
    let status = Command::new(program).arg("plot").arg(newest).arg("-o").arg(&path).status()?;
    if status.success() { Ok(()) } else { Err("the plot failed".into()) }
}

fn tell(line: &str) -> Result<()> {
    use std::io::Write as _;
    writeln!(std::io::stderr(), "{line}")?;
    Ok(())
}
