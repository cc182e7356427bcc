//! The command line of `cargo xtask`.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::failure::{Failure, Result};

/// What `cargo xtask help` shows.
pub const HELP: &str = "\
Set-up, demo, tests and checks of facetui.

Usage: cargo xtask TASK [OPTIONS]

Tasks:
  demo [ARGS]       set up, build, and train on built-in demo data; ARGS go to `facetui demo` (such as --headless)
  test [ARGS]       set up (Keras included, for the checkpoint tests) and run all tests, also after one has failed;
                    all failures are listed at the end, with what repeats them; ARGS go to `cargo test`
      --long            then the tests that take minutes too, as before a release
  fuzz [TARGET]...  read mutated files with everything that reads files, within bounds of time and memory
      --minutes N       for so long in all; default: 1
      --executions N    so many of each target
      --seed N          other mutations; default: 1
  bench [ARGS]      set up, build for release, and measure how fast a schedule would train here; ARGS go to `facetui bench`
                    (default: schedules/benchmark.yaml on synthetic images)
  gpu-check [ARGS]  build for release, then compare and race facetui with this machine's PyTorch 2.11 on its GPU; ARGS go to
                    benches/gpu_check.py (such as --json FOLDER)
      --bundle DIR      only put the binary and the scripts into DIR, to be copied to the machine with the GPU:
                        python3 DIR/gpu_check.py DIR/facetui
  setup             put libtorch, and CMake where it is missing, into the cache; plain cargo commands work afterwards
      --cpu, --gpu      libtorch for the CPU or for NVIDIA GPUs; default: what this machine has
      --tests           also what the tests need (Keras 2 and 3, their runtimes and mxnet, for Python 3.10 to 3.13)
  install           build facetui for release and put it on your PATH
      --root DIR        into DIR/bin instead of cargo's own bin folder
  check             formatting, clippy, documentation, licences; all without warnings
      --deny            fetch and build cargo-deny into the cache if it is missing (about a minute)
  screens           take the pictures of the README from runs of the demo (some minutes)
  help              this text

Environment:
  FACETUI_CACHE            where downloads are kept; default: facetui in your cache folder
  LIBTORCH                 your own libtorch 2.11.0: nothing is downloaded in its place
  LIBTORCH_USE_PYTORCH     use the libtorch of your Python's PyTorch 2.11.0
  CMAKE                    your own CMake, 3.26 or newer
  FACETUI_TORCH_PYTHON     the Python whose PyTorch `gpu-check` uses; default: python3
  FACETUI_TEST_PYTHON      the Python that the tests run Keras with
  FACETUI_KERAS_PYTHONPATH your own folder that holds tensorflow, tf_keras, Keras 3, onnx, onnxruntime and
                           ai_edge_litert for it
  FACETUI_MXNET_PYTHONPATH your own folder that holds mxnet 1.9 (Linux on x86-64 only)";

/// A task and its options.
#[derive(Debug, PartialEq, Eq)]
pub enum Task {
    /// Set up, then `facetui demo` with these arguments.
    Demo(Vec<OsString>),
    /// Set up with Keras, then `cargo test`.
    Test {
        /// The tests that take minutes too.
        long: bool,
        /// What `cargo test` is given.
        arguments: Vec<OsString>,
    },
    /// Set up, then the driver of the fuzz targets, with these variables for it.
    Fuzz(Vec<(&'static str, String)>),
    /// Set up, then `facetui bench` with these arguments.
    Bench(Vec<OsString>),
    /// Compare with PyTorch on this machine, or make what does so elsewhere.
    GpuCheck {
        /// Where to put the binary and the scripts, without running them.
        bundle: Option<PathBuf>,
        /// What the script is given.
        arguments: Vec<OsString>,
    },
    /// Set up only.
    Setup { flavour: Option<Flavour>, tests: bool },
    /// A release build on PATH.
    Install { root: Option<PathBuf> },
    /// Formatting, lints, documentation, licences.
    Check { fetch_deny: bool },
    /// The pictures of the README.
    Screens,
    /// Print [`HELP`].
    Help,
}

/// Which build of libtorch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// The libraries that the CPU needs.
    Cpu,
    /// CUDA and all that it needs.
    Gpu,
}

/// Reads the arguments after `cargo xtask`.
///
/// # Errors
/// An unknown task or option, or one without its value.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Task> {
    let mut arguments = arguments.into_iter();
    let Some(task) = arguments.next() else { return Ok(Task::Help) };
    let rest: Vec<OsString> = arguments.collect();
    match task.to_str() {
        Some("demo") => Ok(Task::Demo(rest)),
        Some("test") => {
            // Behind `--` it would be the test programs' own.
            let border = rest.iter().position(|argument| argument == "--").unwrap_or(rest.len());
            let at = rest[..border].iter().position(|argument| argument == "--long");
            let mut arguments = rest;
            at.map(|at| arguments.remove(at));
            Ok(Task::Test { long: at.is_some(), arguments })
        }
        Some("bench") => Ok(Task::Bench(rest)),
        Some("gpu-check") => match rest.split_first() {
            Some((first, [folder])) if first == "--bundle" => {
                Ok(Task::GpuCheck { bundle: Some(folder.into()), arguments: Vec::new() })
            }
            Some((first, others)) if first == "--bundle" => Err(Failure::usage(if others.is_empty() {
                "`--bundle` wants a folder"
            } else {
                "`--bundle` runs nothing, so nothing follows its folder"
            })),
            _ => Ok(Task::GpuCheck { bundle: None, arguments: rest }),
        },
        _ if rest.iter().any(|argument| argument == "--help" || argument == "-h") => Ok(Task::Help),
        Some("setup") => {
            let (mut flavour, mut tests) = (None, false);
            for argument in rest {
                match argument.to_str() {
                    Some("--cpu") => flavour = Some(Flavour::Cpu),
                    Some("--gpu") => flavour = Some(Flavour::Gpu),
                    Some("--tests") => tests = true,
                    _ => return Err(unknown("setup", &argument)),
                }
            }
            Ok(Task::Setup { flavour, tests })
        }
        Some("fuzz") => {
            let (mut variables, mut targets) = (Vec::new(), Vec::new());
            let mut rest = rest.into_iter();
            while let Some(argument) = rest.next() {
                let variable = match argument.to_str() {
                    Some("--minutes") => "FACETUI_FUZZ_MINUTES",
                    Some("--executions") => "FACETUI_FUZZ_EXECUTIONS",
                    Some("--seed") => "FACETUI_FUZZ_SEED",
                    Some(target) if !target.starts_with('-') => {
                        targets.push(target.to_owned());
                        continue;
                    }
                    _ => return Err(unknown("fuzz", &argument)),
                };
                let number = rest.next().and_then(|number| number.into_string().ok());
                let number = number.filter(|number| number.parse::<f64>().is_ok_and(|number| number >= 0.0));
                let wrong = || Failure::usage(format!("`{}` wants a number", argument.display()));
                variables.push((variable, number.ok_or_else(wrong)?));
            }
            variables.push(("FACETUI_FUZZ_TARGETS", targets.join(" ")));
            Ok(Task::Fuzz(variables))
        }
        Some("install") => {
            let mut root = None;
            let mut rest = rest.into_iter();
            while let Some(argument) = rest.next() {
                match argument.to_str() {
                    Some("--root") => {
                        let folder = rest.next().ok_or_else(|| Failure::usage("`--root` wants a folder"))?;
                        root = Some(PathBuf::from(folder));
                    }
                    Some(text) if text.starts_with("--root=") => root = Some(PathBuf::from(&text["--root=".len()..])),
                    _ => return Err(unknown("install", &argument)),
                }
            }
            Ok(Task::Install { root })
        }
        Some("check") => {
            if let Some(argument) = rest.iter().find(|argument| *argument != "--deny") {
                return Err(unknown("check", argument));
            }
            Ok(Task::Check { fetch_deny: !rest.is_empty() })
        }
        Some("screens") => rest.first().map_or(Ok(Task::Screens), |argument| Err(unknown("screens", argument))),
        Some("help" | "--help" | "-h") => Ok(Task::Help),
        _ => Err(Failure::usage(format!("there is no task `{}`", task.display()))),
    }
}

fn unknown(task: &str, argument: &OsString) -> Failure {
    Failure::usage(format!("`{task}` knows no option `{}`", argument.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Task> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn tasks_and_their_options() {
        assert_eq!(parsed("").unwrap(), Task::Help);
        assert_eq!(parsed("setup").unwrap(), Task::Setup { flavour: None, tests: false });
        assert_eq!(parsed("setup --gpu --tests").unwrap(), Task::Setup { flavour: Some(Flavour::Gpu), tests: true });
        assert_eq!(parsed("install --root /opt/x").unwrap(), Task::Install { root: Some("/opt/x".into()) });
        assert_eq!(parsed("install --root=/opt/x").unwrap(), Task::Install { root: Some("/opt/x".into()) });
        assert_eq!(parsed("check --deny").unwrap(), Task::Check { fetch_deny: true });
        let Task::Fuzz(variables) = parsed("fuzz --minutes 2 bin image").unwrap() else { panic!("no fuzz") };
        let named = ("FACETUI_FUZZ_TARGETS", "bin image".to_owned());
        assert_eq!(variables, [("FACETUI_FUZZ_MINUTES", "2".to_owned()), named]);
        assert_eq!(parsed("install --help").unwrap(), Task::Help);
    }

    #[test]
    fn the_gpu_check_is_run_or_bundled() {
        let bundled = Task::GpuCheck { bundle: Some("/tmp/x".into()), arguments: Vec::new() };
        assert_eq!(parsed("gpu-check --bundle /tmp/x").unwrap(), bundled);
        let run = Task::GpuCheck { bundle: None, arguments: vec!["--json".into(), "out".into()] };
        assert_eq!(parsed("gpu-check --json out").unwrap(), run);
        assert!(parsed("gpu-check --bundle").is_err() && parsed("gpu-check --bundle x --json y").is_err());
    }

    #[test]
    fn arguments_of_demo_and_test_pass_through_untouched() {
        assert_eq!(parsed("demo --headless --help").unwrap(), Task::Demo(vec!["--headless".into(), "--help".into()]));
        let arguments = vec!["--".into(), "--nocapture".into()];
        assert_eq!(parsed("test -- --nocapture").unwrap(), Task::Test { long: false, arguments: arguments.clone() });
        assert_eq!(parsed("test --long -- --nocapture").unwrap(), Task::Test { long: true, arguments });
        let Task::Test { long, .. } = parsed("test -- --long").unwrap() else { panic!("no test") };
        assert!(!long, "behind `--` it is no option of this task");
    }

    #[test]
    fn what_is_not_known_is_named_and_exits_with_2() {
        for (line, named) in [
            ("depp", "`depp`"),
            ("setup --gqu", "`--gqu`"),
            ("install --root", "`--root`"),
            ("fuzz --seed x", "`--seed`"),
        ] {
            let failure = parsed(line).unwrap_err();
            assert!(failure.to_string().contains(named), "{failure}");
            assert_eq!(failure.exit_code(), 2);
        }
    }
}
