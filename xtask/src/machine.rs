//! What this machine has: tools on its PATH, a GPU, room on the disk. And how to install what it lacks.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::{Failure, Result};

/// The oldest CMake that builds HDF5 2.
pub const OLDEST_CMAKE: Version = Version(3, 26);

/// The oldest NVIDIA driver that runs CUDA 13, which libtorch is built for.
pub const OLDEST_DRIVER: u32 = 580;

/// A version's first two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

impl Version {
    /// The first `N.N` of a text such as `cmake version 3.25.1`.
    pub fn find(text: &str) -> Option<Self> {
        text.split(|character: char| character.is_whitespace() || character == ',').find_map(|word| {
            let mut numbers = word.split('.').map(|number| {
                let digits = number.find(|character: char| !character.is_ascii_digit()).unwrap_or(number.len());
                number[..digits].parse().ok()
            });
            Some(Self(numbers.next()??, numbers.next()??))
        })
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// The file that a command's name runs: the name itself if it is a path, else the first match on `PATH`.
pub fn find_program(name: impl AsRef<Path>) -> Option<PathBuf> {
    let name = name.as_ref();
    if name.components().count() > 1 {
        return is_executable(name).then(|| name.to_owned());
    }
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(file).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// What a command prints, if it succeeds.
pub fn output_of<S: AsRef<OsStr>>(program: impl AsRef<OsStr>, arguments: &[S]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The version of a CMake.
pub fn cmake_version(cmake: &Path) -> Option<Version> {
    Version::find(output_of(cmake, &["--version"])?.lines().next()?)
}

/// The major version of the NVIDIA driver that answers here.
pub fn nvidia_driver() -> Option<u32> {
    let from_kernel = || driver_in(&fs::read_to_string("/proc/driver/nvidia/version").ok()?);
    let from_tool = || {
        let nvidia_smi = find_program("nvidia-smi")?;
        driver_in(&output_of(nvidia_smi, &["--query-gpu=driver_version", "--format=csv,noheader"])?)
    };
    // The kernel's module alone is not enough: in a container, the driver's library may be missing.
    if find_program("nvidia-smi").is_some() { from_tool() } else { from_kernel().filter(|_| has_libcuda()) }
}

/// Both `NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05 ...` and a bare `580.95.05`.
fn driver_in(text: &str) -> Option<u32> {
    Version::find(text.lines().next()?).map(|Version(major, _)| major)
}

fn has_libcuda() -> bool {
    let search_path = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    env::split_paths(&search_path).any(|folder| folder.join("libcuda.so.1").exists())
        || ["ldconfig", "/sbin/ldconfig"]
            .iter()
            .filter_map(|ldconfig| output_of(ldconfig, &["-p"]))
            .any(|listing| listing.contains("libcuda.so.1"))
}

/// Fails if the disk that `folder` is on has less room than `needed` bytes.
///
/// # Errors
/// Too little room; not when the room cannot be found out.
pub fn demand_room(folder: &Path, needed: u64) -> Result<()> {
    let Some(free) = output_of("df", &[OsStr::new("-Pk"), folder.as_os_str()]).as_deref().and_then(free_in_df) else {
        return Ok(());
    };
    if free >= needed {
        return Ok(());
    }
    let (free, needed) = (crate::say::size(free), crate::say::size(needed));
    Err(Failure::new(format!("`{}` has {free} of free space, set-up needs {needed}", folder.display()))
        .help("free some, or set FACETUI_CACHE to a folder on a larger disk"))
}

/// The bytes available, from the second line of `df -Pk`.
fn free_in_df(output: &str) -> Option<u64> {
    // The mount point comes last and may hold spaces; "Available" is the column before "Capacity", which ends in %.
    let columns: Vec<&str> = output.lines().nth(1)?.split_whitespace().collect();
    let capacity = columns.iter().position(|column| column.ends_with('%'))?;
    columns.get(capacity.checked_sub(1)?)?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// A tool that set-up cannot bring itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// `python3`
    Python,
    /// `python3 -m pip`
    Pip,
    /// `c++`, or what `CXX` names
    Compiler,
    /// `make`, which CMake starts
    Make,
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Self::Python => "python3",
            Self::Pip => "pip (`python3 -m pip`)",
            Self::Compiler => "a C++ compiler (`c++`)",
            Self::Make => "make",
        }
    }

    /// The package's name for apt, dnf and zypper, pacman.
    fn packages(self) -> [&'static str; 3] {
        match self {
            Self::Python => ["python3", "python3", "python"],
            Self::Pip => ["python3-pip", "python3-pip", "python-pip"],
            Self::Compiler => ["g++", "gcc-c++", "gcc"],
            Self::Make => ["make", "make", "make"],
        }
    }
}

/// The build tools that this machine lacks.
pub fn missing_build_tools() -> Vec<Tool> {
    let compiler = env::var_os("CXX").filter(|name| !name.is_empty()).unwrap_or_else(|| "c++".into());
    // CXX may hold options or a wrapper: `ccache g++ -m64`.
    let compiler = compiler.to_string_lossy().split_whitespace().next().unwrap_or("c++").to_owned();
    let mut missing = Vec::new();
    if find_program(compiler).is_none() {
        missing.push(Tool::Compiler);
    }
    if env::var_os("CMAKE_GENERATOR").is_none() && find_program("make").is_none() {
        missing.push(Tool::Make);
    }
    missing
}

/// One failure that names all missing tools and the command that installs them.
pub fn missing(tools: &[Tool]) -> Failure {
    let os_release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let names: Vec<_> = tools.iter().map(|tool| tool.name()).collect();
    Failure::new(format!("this machine lacks {}", names.join(" and "))).help(install_command(&os_release, tools))
}

/// The command that installs tools on the system that `/etc/os-release` describes.
fn install_command(os_release: &str, tools: &[Tool]) -> String {
    let value = |key: &str| {
        let lines = os_release.lines().filter_map(|line| line.split_once('='));
        lines.filter(|(name, _)| *name == key).map(|(_, value)| value.trim_matches('"')).collect::<String>()
    };
    let like = format!("{} {}", value("ID"), value("ID_LIKE"));
    let is = |family: &str| like.split_whitespace().any(|name| name.starts_with(family));
    let (manager, column) = if is("debian") || is("ubuntu") {
        ("apt-get install", 0)
    } else if is("fedora") || is("rhel") {
        ("dnf install", 1)
    } else if is("suse") || is("opensuse") {
        ("zypper install", 1)
    } else if is("arch") {
        ("pacman -S", 2)
    } else {
        return "install it with your system's package manager".into();
    };
    let packages: Vec<_> = tools.iter().map(|tool| tool.packages()[column]).collect();
    format!("as root, run `{manager} {}`", packages.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_tools_print() {
        assert_eq!(Version::find("cmake version 3.25.1"), Some(Version(3, 25)));
        assert_eq!(Version::find("cmake version 4.0.0-rc1 (ours)"), Some(Version(4, 0)));
        assert_eq!(Version::find("3.30.20240801-gabc"), Some(Version(3, 30)));
        assert_eq!(Version::find("no version here. None"), None);
        assert_eq!(Version::find(""), None);
        assert!(Version(3, 9) < OLDEST_CMAKE && Version(4, 0) > OLDEST_CMAKE);
    }

    #[test]
    fn the_drivers_version_is_read_from_kernel_and_tool() {
        let kernel =
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build\nGCC version: 13.2";
        assert_eq!(driver_in(kernel), Some(580));
        assert_eq!(driver_in("570.124.06\n570.124.06\n"), Some(570));
        assert_eq!(driver_in(""), None);
    }

    #[test]
    fn free_space_is_read_from_df() {
        let df = "Filesystem     1024-blocks     Used Available Capacity Mounted on\n\
                  /dev/my disk     263174212 21000000  74000000      23% /mnt/a b\n";
        assert_eq!(free_in_df(df), Some(74_000_000 * 1024));
        assert_eq!(free_in_df("Filesystem\n"), None);
    }

    #[test]
    fn too_little_room_is_an_error_that_says_how_much_is_needed() {
        assert!(demand_room(Path::new("/"), 1).is_ok());
        let failure = demand_room(Path::new("/"), u64::MAX).unwrap_err().to_string();
        assert!(failure.contains("needs") && failure.contains("FACETUI_CACHE"), "{failure}");
    }

    #[test]
    fn missing_tools_come_with_the_command_that_installs_them() {
        let tools = [Tool::Pip, Tool::Compiler];
        let on = |os_release: &str| install_command(os_release, &tools);
        assert_eq!(on("ID=debian\nVERSION_ID=\"12\"\n"), "as root, run `apt-get install python3-pip g++`");
        assert_eq!(on("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"), "as root, run `apt-get install python3-pip g++`");
        assert_eq!(
            on("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n"),
            "as root, run `dnf install python3-pip gcc-c++`"
        );
        assert_eq!(on("ID=\"opensuse-leap\"\n"), "as root, run `zypper install python3-pip gcc-c++`");
        assert_eq!(on("ID=arch\n"), "as root, run `pacman -S python-pip gcc`");
        assert!(on("").contains("package manager"));
        let failure = missing(&tools).to_string();
        assert!(failure.contains("python3 -m pip") && failure.contains("c++"), "{failure}");
    }

    #[test]
    fn programs_are_found_by_name_and_by_path() {
        let shell = find_program("sh").unwrap();
        assert_eq!(find_program(&shell), Some(shell));
        assert_eq!(find_program("no-such-program-here"), None);
        assert_eq!(find_program("/etc/passwd"), None, "not executable");
    }
}
