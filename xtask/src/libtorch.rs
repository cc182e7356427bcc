//! libtorch from the wheel of PyTorch: the parts for C++ (`lib`, `include`) of the version that `tch` is made for.
//!
//! The wheel is a CUDA build also where no GPU is: its `libtorch_cpu.so` needs CUDA's run-time and profiling libraries
//! to load, which come as packages of their own and are found by the libraries' relative search paths, since one folder
//! holds all. `torch-sys` links CUDA when it sees `libtorch_cuda.so`, so the CPU recipe removes that file.

use std::fs;
use std::path::Path;

use crate::args::Flavour;
use crate::cache::Workplace;
use crate::failure::{Failure, Result};
use crate::pip::Pip;

/// The version that `tch` 0.24 wants.
pub const VERSION: &str = "2.11.0";

/// What `libtorch_cpu.so` needs of CUDA: the versions that the wheel's `cuda-toolkit==13.0.2` stands for.
const CPU_NEEDS: [&str; 2] = ["nvidia-cuda-runtime==13.0.96", "nvidia-cuda-cupti==13.0.85"];

/// The machines that the recipe is known to work on.
const SUPPORTED: bool = cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"));

/// Puts libtorch together.
///
/// # Errors
/// This is not x86-64 Linux, or pip failed.
pub fn fill(workplace: &Workplace, pip: &Pip, flavour: Flavour) -> Result<()> {
    if !SUPPORTED {
        return Err(Failure::new("set-up knows where to get libtorch for x86-64 Linux (glibc) only").help(format!(
            "install libtorch {VERSION} (or PyTorch {VERSION}) yourself and set LIBTORCH to its folder"
        )));
    }
    if flavour == Flavour::Cpu {
        pip.install(workplace, &[&["--no-deps"], CPU_NEEDS.as_slice()].concat())?;
    }
    // The libraries do not depend on Python's version, so one wheel serves all, also Pythons that PyTorch is not made for.
    let wheel =
        ["--no-deps", "--platform", "manylinux_2_28_x86_64", "--implementation", "cp", "--python-version", "3.12"];
    pip.install(workplace, &[wheel.as_slice(), &[&format!("torch=={VERSION}")]].concat())?;
    let files = workplace.files();
    match flavour {
        Flavour::Cpu => remove_cuda(&files.join("torch/lib")),
        Flavour::Gpu => {
            let metadata = files.join(format!("torch-{VERSION}.dist-info/METADATA"));
            let text = fs::read_to_string(&metadata).map_err(|error| Failure::io("read", &metadata, &error))?;
            pip.install(workplace, &nvidia_requirements(&text))
        }
    }
}

/// The requirements of the wheel that are NVIDIA's libraries; the others are for Python.
fn nvidia_requirements(metadata: &str) -> Vec<&str> {
    let required = metadata.lines().filter_map(|line| line.strip_prefix("Requires-Dist: "));
    let always = required.filter(|requirement| !requirement.contains("extra =="));
    always.filter(|requirement| ["nvidia-", "cuda-toolkit"].iter().any(|name| requirement.starts_with(name))).collect()
}

fn remove_cuda(lib: &Path) -> Result<()> {
    for entry in fs::read_dir(lib).map_err(|error| Failure::io("read", lib, &error))?.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("libtorch_cuda") && name.ends_with(".so") {
            fs::remove_file(entry.path()).map_err(|error| Failure::io("remove", &entry.path(), &error))?;
        }
    }
    Ok(())
}

/// Checks a libtorch that the user brings.
///
/// # Errors
/// It is not one, or has another version.
pub fn check_own(folder: &Path) -> Result<()> {
    let shown = folder.display();
    if !folder.join("lib/libtorch_cpu.so").exists() && !folder.join("lib/libtorch_cpu.dylib").exists() {
        return Err(Failure::new(format!("LIBTORCH is `{shown}`, which has no `lib/libtorch_cpu.so`"))
            .help("let it name the folder that holds libtorch's `lib` and `include`, or unset it"));
    }
    // PyTorch's wheels say it in version.py, libtorch's archives in build-version.
    let version = fs::read_to_string(folder.join("build-version"))
        .ok()
        .or_else(|| version_in(&fs::read_to_string(folder.join("version.py")).ok()?));
    match version.as_deref().map(|text| text.trim().split('+').next().unwrap_or_default().to_owned()) {
        Some(version) if version != VERSION && std::env::var_os("LIBTORCH_BYPASS_VERSION_CHECK").is_none() => {
            Err(Failure::new(format!("LIBTORCH is `{shown}`, which is version {version}; facetui wants {VERSION}"))
                .help("unset LIBTORCH to have the right one fetched"))
        }
        _ => Ok(()),
    }
}

/// The version in a line such as `__version__ = '2.11.0+cu130'`.
fn version_in(python: &str) -> Option<String> {
    let line = python.lines().find(|line| line.starts_with("__version__"))?;
    Some(line.split(['\'', '"']).nth(1)?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Cache;
    use crate::packages;

    const METADATA: &str = "\
Name: torch
Requires-Dist: filelock
Requires-Dist: setuptools<82
Requires-Dist: cuda-toolkit[cublas,cudart]==13.0.2; platform_system == \"Linux\"
Requires-Dist: cuda-bindings<14,>=13.0.3; platform_system == \"Linux\"
Requires-Dist: nvidia-cudnn-cu13==9.19.0.56; platform_system == \"Linux\"
Requires-Dist: triton==3.6.0; platform_system == \"Linux\"
Requires-Dist: nvidia-extra; extra == \"more\"
";

    /// A pip that logs its arguments and installs what the recipe looks at.
    fn pip(home: &Path) -> Pip {
        let metadata = home.join("METADATA");
        fs::write(&metadata, METADATA).unwrap();
        let body = format!(
            "mkdir -p \"$target/torch/lib\" \"$target/torch-{VERSION}.dist-info\"
             touch \"$target/torch/lib/libtorch_cpu.so\" \"$target/torch/lib/libtorch_cuda.so\"
             touch \"$target/torch/lib/libtorch_cuda_linalg.so\" \"$target/torch/lib/libc10_cuda.so\"
             cp '{}' \"$target/torch-{VERSION}.dist-info/METADATA\"",
            metadata.display()
        );
        Pip::scripted(home, &body)
    }

    fn libraries(flavour: Flavour) -> Vec<String> {
        let home = tempfile::tempdir().unwrap();
        let pip = pip(home.path());
        let package = packages::libtorch(flavour);
        let folder = Cache::at(home.path()).get(&package, |workplace| fill(workplace, &pip, flavour)).unwrap();
        let entries = fs::read_dir(folder.join("torch/lib")).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_cpu_recipe_removes_what_torch_sys_takes_for_cuda() {
        assert_eq!(libraries(Flavour::Cpu), ["libc10_cuda.so", "libtorch_cpu.so"]);
        assert_eq!(libraries(Flavour::Gpu).len(), 4);
    }

    #[test]
    fn the_gpu_recipe_takes_nvidias_packages_from_the_wheel() {
        let expected = [
            "cuda-toolkit[cublas,cudart]==13.0.2; platform_system == \"Linux\"",
            "nvidia-cudnn-cu13==9.19.0.56; platform_system == \"Linux\"",
        ];
        assert_eq!(nvidia_requirements(METADATA), expected);
    }

    #[test]
    fn a_libtorch_of_ones_own_is_checked() {
        let home = tempfile::tempdir().unwrap();
        let missing = check_own(home.path()).unwrap_err().to_string();
        assert!(missing.contains("libtorch_cpu.so"), "{missing}");
        assert!(check_own(Path::new("")).is_err());

        fs::create_dir(home.path().join("lib")).unwrap();
        fs::write(home.path().join("lib/libtorch_cpu.so"), "").unwrap();
        assert!(check_own(home.path()).is_ok(), "no version said");
        fs::write(home.path().join("version.py"), "x = 1\n__version__ = '2.9.1+cpu'\n").unwrap();
        let other = check_own(home.path()).unwrap_err().to_string();
        assert!(other.contains("2.9.1") && other.contains(VERSION), "{other}");
        fs::write(home.path().join("build-version"), "2.11.0+cu130\n").unwrap();
        assert!(check_own(home.path()).is_ok());
    }
}
