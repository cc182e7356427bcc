//! What can be fetched, in which versions, and how each is put together. A change here wants a new recipe number, which
//! is part of the folder's name: set-ups made before then fetch afresh.

use std::fs;
use std::process::{Command, Stdio};

use crate::args::Flavour;
use crate::cache::{Package, Workplace};
use crate::failure::{Failure, Result};
use crate::libtorch;
use crate::machine::Version;
use crate::pip::Pip;
use crate::python::{Python, Range};

const LIBTORCH_RECIPE: u32 = 1;
const CMAKE_RECIPE: u32 = 1;
const KERAS_RECIPE: u32 = 2;
const MXNET_RECIPE: u32 = 1;

const CMAKE_VERSION: &str = "4.4.4";
const TENSORFLOW_VERSION: &str = "2.21.0";
/// The last one.
const MXNET_VERSION: &str = "1.9.1";
const KERAS_REQUIREMENTS: &str = include_str!("keras-requirements.txt");
const KERAS_CHECK: &str = include_str!("keras_check.py");

/// The Pythons that all of `keras-requirements.txt` has wheels for.
pub const KERAS_PYTHONS: Range = Range { oldest: Version(3, 10), newest: Version(3, 13) };

/// The program within its package: the binary itself, which needs no `PYTHONPATH` as the script in `bin` does.
pub const CMAKE_PROGRAM: &str = "cmake/data/bin/cmake";

/// libtorch, for the CPU or with CUDA.
pub fn libtorch(flavour: Flavour) -> Package {
    let (name, title, download, room) = match flavour {
        Flavour::Cpu => ("cpu", "the CPU", 550_000_000, 2_700_000_000),
        Flavour::Gpu => ("cuda13", "NVIDIA GPUs (CUDA 13)", 2_300_000_000, 8_000_000_000),
    };
    let version = libtorch::VERSION;
    Package {
        name: format!("libtorch-{version}-{name}-r{LIBTORCH_RECIPE}"),
        title: format!("libtorch {version} for {title}"),
        download,
        room,
        probe: "torch/lib/libtorch_cpu.so".into(),
    }
}

/// CMake, for machines that have none or an old one.
pub fn cmake() -> Package {
    Package {
        name: format!("cmake-{CMAKE_VERSION}-r{CMAKE_RECIPE}"),
        title: format!("CMake {CMAKE_VERSION}"),
        download: 30_000_000,
        room: 200_000_000,
        probe: CMAKE_PROGRAM.into(),
    }
}

/// Puts [`cmake`] together.
///
/// # Errors
/// pip failed.
pub fn fill_cmake(workplace: &Workplace, pip: &Pip) -> Result<()> {
    pip.install(workplace, &["--no-deps", &format!("cmake=={CMAKE_VERSION}")])
}

/// Keras 2 and 3 on TensorFlow, for one version of Python.
pub fn keras(python: Version) -> Package {
    Package {
        name: format!("keras-{TENSORFLOW_VERSION}-py{python}-r{KERAS_RECIPE}"),
        title: format!("Keras 2 and 3, TensorFlow {TENSORFLOW_VERSION}, ONNX and TFLite runtimes for Python {python}"),
        download: 380_000_000,
        room: 2_400_000_000,
        probe: "tf_keras/__init__.py".into(),
    }
}

/// Puts [`keras`] together, and lets both write and read a small model.
///
/// # Errors
/// pip failed, or what it installed does not work here.
pub fn fill_keras(workplace: &Workplace, pip: &Pip, python: &Python) -> Result<()> {
    let requirements = workplace.scratch()?.join("requirements.txt");
    fs::write(&requirements, KERAS_REQUIREMENTS).map_err(|error| Failure::io("write", &requirements, &error))?;
    pip.install(workplace, &["--no-deps".as_ref(), "--requirement".as_ref(), requirements.as_os_str()])?;

    let mut check = Command::new(&python.program);
    check
        .args(["-W", "ignore", "-c", KERAS_CHECK])
        .current_dir(workplace.scratch()?)
        .envs([("PYTHONDONTWRITEBYTECODE", "1"), ("PYTHONNOUSERSITE", "1"), ("TF_CPP_MIN_LOG_LEVEL", "3")])
        .envs([("KERAS_BACKEND", "tensorflow"), ("CUDA_VISIBLE_DEVICES", "")])
        .env("PYTHONPATH", workplace.files())
        .stdin(Stdio::null());
    let output = check.output().map_err(|error| Failure::io("run", &python.program, &error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let last: Vec<_> = said.lines().rev().take(12).collect();
    last.iter().rev().for_each(|line| crate::say::detail(line));
    let what = format!("Keras does not work with Python {} at `{}`", python.version, python.program.display());
    Err(Failure::new(what).help("Python says above why; FACETUI_TEST_PYTHON names another Python"))
}

/// mxnet, for the test in which it reads our records; none where there is no wheel of it.
pub fn mxnet() -> Option<Package> {
    let there = cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"));
    there.then(|| Package {
        name: format!("mxnet-{MXNET_VERSION}-r{MXNET_RECIPE}"),
        title: format!("mxnet {MXNET_VERSION}"),
        download: 50_000_000,
        room: 500_000_000,
        probe: "mxnet/libmxnet.so".into(),
    })
}

/// Puts [`mxnet`] together. Its record reader needs no more than NumPy, which is beside Keras.
///
/// # Errors
/// pip failed.
pub fn fill_mxnet(workplace: &Workplace, pip: &Pip) -> Result<()> {
    pip.install(workplace, &["--no-deps", &format!("mxnet=={MXNET_VERSION}")])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_requirements_are_pinned_and_hold_what_the_tests_import() {
        let lines: Vec<_> =
            KERAS_REQUIREMENTS.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
        assert!(lines.iter().all(|line| line.split_once("==").is_some_and(|(_, version)| !version.is_empty())));
        let tensorflow = format!("tensorflow-cpu=={TENSORFLOW_VERSION}");
        assert!(lines.contains(&tensorflow.as_str()));
        for name in ["tf_keras==2.21.", "keras==3.", "numpy==", "h5py==", "onnx==", "onnxruntime==", "ai-edge-litert=="]
        {
            assert!(lines.iter().any(|line| line.starts_with(name)), "{name}");
        }
    }

    #[test]
    fn every_variant_has_a_folder_of_its_own() {
        let names = [
            libtorch(Flavour::Cpu).name,
            libtorch(Flavour::Gpu).name,
            cmake().name,
            keras(Version(3, 11)).name,
            keras(Version(3, 12)).name,
        ];
        assert_eq!(names[3], "keras-2.21.0-py3.11-r2");
        assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), names.len());
    }

    #[test]
    fn keras_that_does_not_run_is_not_kept() {
        let home = tempfile::tempdir().unwrap();
        let cache = crate::cache::Cache::at(&home.path().join("cache"));
        let pip = Pip::scripted(home.path(), "mkdir -p \"$target/tf_keras\"; touch \"$target/tf_keras/__init__.py\"");
        let python = Python { program: "/bin/false".into(), version: Version(3, 11) };
        let package = keras(python.version);
        let failure = cache.get(&package, |workplace| fill_keras(workplace, &pip, &python)).unwrap_err();
        assert!(failure.to_string().contains("Python 3.11"), "{failure}");
        assert_eq!(cache.find(&package), None);
    }
}
