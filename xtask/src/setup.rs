//! Set-up: finds or fetches libtorch, CMake and (for the tests) Keras, and writes down where they lie.
//!
//! What the user's environment names is used and never replaced. What an earlier set-up found stays as it is while it
//! works, since another path would have libtorch's bindings or HDF5 compiled anew. When all is there, nothing is
//! started but a look at CMake's version.

use std::path::{Path, PathBuf};

use crate::args::Flavour;
use crate::cache::{Cache, Workplace};
use crate::failure::{Failure, Result};
use crate::machine::{self, OLDEST_CMAKE, OLDEST_DRIVER, Version};
use crate::packages;
use crate::pip::Pip;
use crate::python::{self, Range};
use crate::settings::{self, Environment, Settings};
use crate::{libtorch, say};

/// What to set up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request {
    /// Which libtorch; by default what is there, else what the machine is good for.
    pub flavour: Option<Flavour>,
    /// Also Keras for the tests.
    pub keras: bool,
}

/// Sets up the clone at `project`.
///
/// # Errors
/// Something is missing that cannot be fetched, or a download failed; nothing half-done remains.
pub fn run(project: &Path, request: Request) -> Result<()> {
    let file = project.join(".cargo/local.toml");
    let present = Settings::read(&file);
    let setup = Setup { environment: Environment::of_process(&present), present, cache: Cache::locate()? };

    let lacking = machine::missing_build_tools();
    if !lacking.is_empty() {
        return Err(machine::missing(&lacking));
    }
    let mut settings = Settings::default();
    if let Some(cmake) = setup.cmake()? {
        settings.set(settings::CMAKE, &cmake)?;
    }
    if let Some(libtorch) = setup.libtorch(request.flavour)? {
        settings.set(settings::LIBTORCH, &libtorch)?;
    }
    if let Some(Keras { python, folder }) = setup.keras(request.keras)? {
        settings.set(settings::TEST_PYTHON, &python)?;
        settings.set(settings::KERAS_PYTHONPATH, &folder)?;
    }
    if let Some(folder) = setup.mxnet(request.keras)? {
        settings.set(settings::MXNET_PYTHONPATH, &folder)?;
    }
    if settings.write(&file)? {
        say::step(&format!(
            "wrote {}; plain `cargo build`, `cargo run` and `cargo test` work here now",
            file.display()
        ));
    }
    Ok(())
}

struct Setup {
    present: Settings,
    environment: Environment,
    cache: Cache,
}

/// Where the tests find Keras.
struct Keras {
    python: PathBuf,
    folder: PathBuf,
}

impl Setup {
    /// The CMake to name in the settings; none if the one on the PATH or in the environment will do.
    fn cmake(&self) -> Result<Option<PathBuf>> {
        if let Some(own) = self.environment.own(settings::CMAKE) {
            return check_cmake(&own).map(|()| None);
        }
        if let Some(known) = self.present.path(settings::CMAKE).filter(|file| machine::find_program(file).is_some()) {
            return Ok(Some(known));
        }
        let on_path = machine::find_program("cmake").and_then(|file| machine::cmake_version(&file));
        if on_path.is_some_and(|version| version >= OLDEST_CMAKE) {
            return Ok(None);
        }
        let folder = self.cache.get(&packages::cmake(), |workplace| {
            packages::fill_cmake(workplace, &Pip::of(&python::find(Range::ANY, None)?.program))
        })?;
        Ok(Some(folder.join(packages::CMAKE_PROGRAM)))
    }

    /// The libtorch to name in the settings; none if the user has one.
    fn libtorch(&self, requested: Option<Flavour>) -> Result<Option<PathBuf>> {
        let own = self.environment.own(settings::LIBTORCH);
        let owner = own
            .as_ref()
            .map(|_| settings::LIBTORCH)
            .or_else(|| self.environment.own(settings::LIBTORCH_USE_PYTORCH).map(|_| settings::LIBTORCH_USE_PYTORCH));
        if let Some(own) = own {
            libtorch::check_own(&own)?;
        }
        if let Some(owner) = owner {
            say::step(&format!("{owner} is set: using your own libtorch"));
            if requested.is_some() {
                say::step(&format!("unset {owner} to have set-up choose between `--cpu` and `--gpu`"));
            }
            return Ok(None);
        }
        let place = |flavour| self.cache.find(&packages::libtorch(flavour)).map(|folder| folder.join("torch"));
        let known = self.present.path(settings::LIBTORCH);
        let present =
            [Flavour::Cpu, Flavour::Gpu].into_iter().find(|flavour| known.is_some() && place(*flavour) == known);
        let (flavour, why) = choose(requested, present, machine::nvidia_driver);
        if let Some(why) = why {
            say::step(&why);
        }
        let folder = self.cache.get(&packages::libtorch(flavour), |workplace| {
            libtorch::fill(workplace, &Pip::of(&python::find(Range::ANY, None)?.program), flavour)
        })?;
        Ok(Some(folder.join("torch")))
    }

    /// The Keras to name in the settings: what is there, or fetched if `wanted`; none if the user has one.
    fn keras(&self, wanted: bool) -> Result<Option<Keras>> {
        let own_python = self.environment.own(settings::TEST_PYTHON);
        if self.environment.own(settings::KERAS_PYTHONPATH).is_some() {
            if own_python.is_some() || !wanted {
                return Ok(None);
            }
            let what = format!("{} is set, but {} is not", settings::KERAS_PYTHONPATH, settings::TEST_PYTHON);
            return Err(Failure::new(what).help("name the Python that this folder is for, or unset the first"));
        }
        let known_python =
            self.present.path(settings::TEST_PYTHON).filter(|file| machine::find_program(file).is_some());
        let known_folder = self.present.path(settings::KERAS_PYTHONPATH).filter(|folder| self.is_keras(folder));
        if let (Some(python), Some(folder), None) = (known_python, known_folder, &own_python) {
            return Ok(Some(Keras { python, folder }));
        }
        if !wanted {
            return Ok(None);
        }
        let python = python::find(packages::KERAS_PYTHONS, own_python)?;
        let folder = self.cache.get(&packages::keras(python.version), |workplace| {
            packages::fill_keras(workplace, &Pip::of(&python.program), &python)
        })?;
        Ok(Some(Keras { python: python.program, folder }))
    }

    /// The mxnet to name in the settings: what is there, or fetched if `wanted`; none if the user has one, or where it
    /// cannot be had.
    fn mxnet(&self, wanted: bool) -> Result<Option<PathBuf>> {
        let Some(package) = packages::mxnet() else { return Ok(None) };
        if self.environment.own(settings::MXNET_PYTHONPATH).is_some() {
            return Ok(None);
        }
        let known = self.present.path(settings::MXNET_PYTHONPATH);
        if let Some(known) = known.filter(|known| self.cache.find(&package).is_some_and(|it| it == *known)) {
            return Ok(Some(known));
        }
        if !wanted {
            return Ok(None);
        }
        let fill =
            |workplace: &Workplace| packages::fill_mxnet(workplace, &Pip::of(&python::find(Range::ANY, None)?.program));
        self.cache.get(&package, fill).map(Some)
    }

    /// Whether this folder is one that this version of set-up would make, and still there.
    fn is_keras(&self, folder: &Path) -> bool {
        let Range { oldest, newest } = packages::KERAS_PYTHONS;
        (oldest.1..=newest.1)
            .any(|minor| self.cache.find(&packages::keras(Version(3, minor))).is_some_and(|it| it == folder))
    }
}

/// Which libtorch, and why if that is worth a line; `driver` is NVIDIA's major version, asked only when it matters.
fn choose(
    requested: Option<Flavour>,
    present: Option<Flavour>,
    driver: impl FnOnce() -> Option<u32>,
) -> (Flavour, Option<String>) {
    if let Some(flavour) = requested.or(present) {
        return (flavour, None);
    }
    match driver() {
        Some(version) if version >= OLDEST_DRIVER => (
            Flavour::Gpu,
            Some(format!("NVIDIA driver {version} is here: libtorch with CUDA (`setup --cpu`: without)")),
        ),
        Some(version) => {
            let why = format!("NVIDIA driver {version} is too old for CUDA 13, which wants {OLDEST_DRIVER}: CPU only");
            (Flavour::Cpu, Some(why))
        }
        None => (Flavour::Cpu, None),
    }
}

fn check_cmake(own: &Path) -> Result<()> {
    let shown = own.display();
    let program = machine::find_program(own)
        .ok_or_else(|| Failure::new(format!("CMAKE is `{shown}`, which is no program")).help("correct or unset it"))?;
    match machine::cmake_version(&program) {
        Some(version) if version >= OLDEST_CMAKE => Ok(()),
        Some(version) => {
            let what = format!("CMAKE is `{shown}`, version {version}; HDF5 wants {OLDEST_CMAKE} or newer");
            Err(Failure::new(what).help("unset CMAKE to have a newer one fetched"))
        }
        None => Err(Failure::new(format!("`{shown} --version` fails")).help("correct or unset CMAKE")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn libtorch_is_chosen_by_request_then_by_what_is_there_then_by_driver() {
        let (cpu, gpu) = (Flavour::Cpu, Flavour::Gpu);
        assert_eq!(choose(Some(cpu), Some(gpu), || Some(600)).0, cpu);
        assert_eq!(choose(None, Some(cpu), || panic!("nvidia-smi is slow")).0, cpu);
        assert_eq!(choose(None, None, || Some(580)).0, gpu);
        assert_eq!(choose(None, None, || None), (cpu, None));
        let (flavour, why) = choose(None, None, || Some(550));
        assert_eq!(flavour, cpu);
        assert!(why.unwrap().contains("550"));
    }

    fn setup(home: &Path, settings: &[(&str, PathBuf)], own: &[(&str, PathBuf)]) -> Setup {
        let mut present = Settings::default();
        for (name, path) in settings {
            present.set(name, path).unwrap();
        }
        let get =
            |name: &str| own.iter().find(|(own, _)| *own == name).map(|(_, path)| path.to_string_lossy().into_owned());
        Setup { environment: Environment::new(&present, get), present, cache: Cache::at(home) }
    }

    fn touch(file: &Path) {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "").unwrap();
    }

    #[test]
    fn the_users_own_libtorch_is_neither_replaced_nor_written_down() {
        let home = tempfile::tempdir().unwrap();
        let own = home.path().join("own");
        touch(&own.join("lib/libtorch_cpu.so"));
        let stale = home.path().join("stale");
        let it = setup(home.path(), &[(settings::LIBTORCH, stale.clone())], &[(settings::LIBTORCH, own)]);
        assert_eq!(it.libtorch(None).unwrap(), None);
        let it = setup(home.path(), &[(settings::LIBTORCH, stale)], &[(settings::LIBTORCH_USE_PYTORCH, "1".into())]);
        assert_eq!(it.libtorch(Some(Flavour::Gpu)).unwrap(), None);
    }

    #[test]
    fn the_libtorch_that_is_there_stays() {
        let home = tempfile::tempdir().unwrap();
        for flavour in [Flavour::Cpu, Flavour::Gpu] {
            let package = packages::libtorch(flavour);
            let folder = home.path().join(&package.name);
            touch(&folder.join(&package.probe));
            let it = setup(home.path(), &[(settings::LIBTORCH, folder.join("torch"))], &[]);
            assert_eq!(it.libtorch(None).unwrap(), Some(folder.join("torch")));
        }
    }

    #[test]
    fn keras_is_kept_while_it_is_there_and_forgotten_when_it_is_gone() {
        let home = tempfile::tempdir().unwrap();
        let package = packages::keras(Version(3, 12));
        let folder = home.path().join(&package.name);
        touch(&folder.join(&package.probe));
        let python = machine::find_program("sh").unwrap();
        let it = setup(
            home.path(),
            &[(settings::TEST_PYTHON, python.clone()), (settings::KERAS_PYTHONPATH, folder.clone())],
            &[],
        );
        for wanted in [false, true] {
            let keras = it.keras(wanted).unwrap().unwrap();
            assert_eq!((keras.python, keras.folder), (python.clone(), folder.clone()));
        }
        fs::remove_dir_all(&folder).unwrap();
        assert!(it.keras(false).unwrap().is_none());
    }

    #[test]
    fn mxnet_is_kept_while_it_is_there_and_left_to_the_user_who_has_one() {
        let home = tempfile::tempdir().unwrap();
        let Some(package) = packages::mxnet() else { return };
        let folder = home.path().join(&package.name);
        let it = setup(home.path(), &[(settings::MXNET_PYTHONPATH, folder.clone())], &[]);
        assert_eq!(it.mxnet(false).unwrap(), None);
        touch(&folder.join(&package.probe));
        assert_eq!(it.mxnet(false).unwrap(), Some(folder));
        let it = setup(home.path(), &[], &[(settings::MXNET_PYTHONPATH, "/m".into())]);
        assert_eq!(it.mxnet(true).unwrap(), None);
    }

    #[test]
    fn a_keras_of_ones_own_needs_its_python() {
        let home = tempfile::tempdir().unwrap();
        let it = setup(home.path(), &[], &[(settings::KERAS_PYTHONPATH, "/k".into())]);
        assert!(it.keras(false).unwrap().is_none());
        assert!(it.keras(true).err().unwrap().to_string().contains("FACETUI_TEST_PYTHON"));
    }

    #[test]
    fn a_cmake_of_ones_own_must_be_new_enough() {
        let home = tempfile::tempdir().unwrap();
        let cmake = home.path().join("cmake");
        for (version, expected) in [("3.25.1", Some("3.26")), ("3.26.0", None), ("nonsense", Some("--version"))] {
            crate::script::write(&cmake, &format!("echo cmake version {version}"));
            let result = setup(home.path(), &[], &[(settings::CMAKE, cmake.clone())]).cmake();
            match expected {
                None => assert_eq!(result.unwrap(), None),
                Some(text) => assert!(result.unwrap_err().to_string().contains(text)),
            }
        }
    }
}
