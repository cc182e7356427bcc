//! The cache outside the clone: one folder a package, which is there whole or not at all.
//!
//! A package is filled in a workplace beside its final folder and then renamed, so a folder with a package's name is
//! always complete. One lock file serves all set-ups of a user; what a killed one left behind is swept by the next.

use std::env;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::failure::{Failure, Result};
use crate::{machine, say};

/// Folders that begin so are workplaces.
const WORKPLACE_PREFIX: &str = ".part-";

/// Something to be had in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its folder's name; another version or recipe has another name.
    pub name: String,
    /// As the user reads it.
    pub title: String,
    /// What is downloaded, in bytes.
    pub download: u64,
    /// What the disk must have room for while it is being installed, in bytes.
    pub room: u64,
    /// A file that is there when the package is.
    pub probe: PathBuf,
}

/// Where packages lie.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

/// Where one package is being put together.
#[derive(Debug)]
pub struct Workplace {
    folder: PathBuf,
}

impl Workplace {
    /// The folder that becomes the package.
    pub fn files(&self) -> PathBuf {
        self.folder.join("files")
    }

    /// A folder for temporary files on the same disk.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn scratch(&self) -> Result<PathBuf> {
        let folder = self.folder.join("scratch");
        make_folder(&folder)?;
        Ok(folder)
    }
}

impl Cache {
    /// `$FACETUI_CACHE`, or `facetui` in the user's cache folder.
    ///
    /// # Errors
    /// There is neither that variable nor a home.
    pub fn locate() -> Result<Self> {
        let named = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let below_home = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
        let root = named("FACETUI_CACHE")
            .or_else(|| named("XDG_CACHE_HOME").filter(|folder| folder.is_absolute()).map(|it| it.join("facetui")))
            .or_else(|| env::home_dir().map(|home| home.join(below_home).join("facetui")))
            .ok_or_else(|| Failure::new("there is no home folder to keep downloads in").help("set FACETUI_CACHE"))?;
        let root = std::path::absolute(&root).map_err(|error| Failure::io("resolve", &root, &error))?;
        Ok(Self { root })
    }

    #[cfg(test)]
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The package's folder, if the package is there.
    pub fn find(&self, package: &Package) -> Option<PathBuf> {
        let folder = self.root.join(&package.name);
        folder.join(&package.probe).exists().then_some(folder)
    }

    /// The package's folder; `fill` puts the package together first if it is not there.
    ///
    /// # Errors
    /// The disk is full or not writable, or `fill` failed; nothing of the package remains then.
    pub fn get(&self, package: &Package, fill: impl FnOnce(&Workplace) -> Result<()>) -> Result<PathBuf> {
        if let Some(folder) = self.find(package) {
            return Ok(folder);
        }
        make_folder(&self.root)?;
        let _lock = self.lock()?;
        if let Some(folder) = self.find(package) {
            return Ok(folder); // Another set-up has brought it while this one waited.
        }
        self.sweep();
        machine::demand_room(&self.root, package.room)?;

        let Package { title, download, .. } = package;
        say::step(&format!("fetching {title}: {} to download, into {}", say::size(*download), self.root.display()));
        let started = Instant::now();
        let workplace = Workplace { folder: self.root.join(format!("{WORKPLACE_PREFIX}{}", package.name)) };
        make_folder(&workplace.files())?;
        let result = fill(&workplace).and_then(|()| self.settle(package, &workplace));
        let _ = fs::remove_dir_all(&workplace.folder);
        if result.is_ok() {
            say::step(&format!("{title} is there, after {}", say::duration(started.elapsed())));
        }
        result
    }

    /// Moves what was put together to its final place.
    fn settle(&self, package: &Package, workplace: &Workplace) -> Result<PathBuf> {
        if !workplace.files().join(&package.probe).exists() {
            let what = format!("{} was installed, but has no `{}`", package.title, package.probe.display());
            return Err(Failure::new(what).help("an odd package index may have served another package of that name"));
        }
        let folder = self.root.join(&package.name);
        if folder.exists() {
            // Someone deleted parts of it, or it would have been found.
            fs::remove_dir_all(&folder).map_err(|error| Failure::io("replace", &folder, &error))?;
        }
        fs::rename(workplace.files(), &folder).map_err(|error| Failure::io("create", &folder, &error))?;
        Ok(folder)
    }

    /// Waits until no other set-up works on this cache; the lock ends with the file, also when the process is killed.
    fn lock(&self) -> Result<File> {
        let path = self.root.join("lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|error| Failure::io("open", &path, &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                say::step("waiting for another set-up to finish");
                file.lock().map_err(|error| Failure::io("lock", &path, &error))?;
            }
            Err(TryLockError::Error(error)) => return Err(Failure::io("lock", &path, &error)),
        }
        Ok(file)
    }

    /// Removes the workplaces of set-ups that were killed; the lock says that none is at work.
    fn sweep(&self) {
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(WORKPLACE_PREFIX)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|error| Failure::io("create", folder, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pip::Pip;

    fn package() -> Package {
        Package {
            name: "thing-1.0-r1".into(),
            title: "thing 1.0".into(),
            download: 1,
            room: 1,
            probe: "thing/lib.so".into(),
        }
    }

    fn entries(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    const GOOD: &str = "mkdir -p \"$target/thing\"; touch \"$target/thing/lib.so\"";

    #[test]
    fn a_pip_that_dies_half_way_leaves_nothing_and_the_next_run_succeeds() {
        let home = tempfile::tempdir().unwrap();
        let cache = Cache::at(&home.path().join("cache"));
        let dying = Pip::scripted(home.path(), &format!("{GOOD}; touch \"$TMPDIR/wheel\"; kill -9 $$"));
        let failure = cache.get(&package(), |workplace| dying.install(workplace, &["thing"])).unwrap_err();
        assert!(failure.to_string().contains("signal: 9"), "{failure}");
        assert_eq!(cache.find(&package()), None);
        assert_eq!(entries(&cache.root), ["lock"]);

        let working = Pip::scripted(home.path(), GOOD);
        let folder = cache.get(&package(), |workplace| working.install(workplace, &["thing"])).unwrap();
        assert_eq!(cache.find(&package()), Some(folder));
        assert_eq!(entries(&cache.root), ["lock", "thing-1.0-r1"]);
    }

    #[test]
    fn a_set_up_that_was_killed_is_swept_and_not_taken_for_done() {
        let home = tempfile::tempdir().unwrap();
        let left = home.path().join(".part-thing-1.0-r1/files/thing");
        fs::create_dir_all(&left).unwrap();
        fs::write(left.join("lib.so"), "half").unwrap();
        let cache = Cache::at(home.path());
        assert_eq!(cache.find(&package()), None);
        let pip = Pip::scripted(home.path(), &format!("[ ! -e \"$target/thing\" ]; {GOOD}"));
        cache.get(&package(), |workplace| pip.install(workplace, &["thing"])).unwrap();
        assert_eq!(entries(home.path()), ["lock", "python3", "thing-1.0-r1"]);
    }

    #[test]
    fn a_package_that_is_there_is_not_fetched_again_and_a_damaged_one_is() {
        let home = tempfile::tempdir().unwrap();
        let cache = Cache::at(home.path());
        let good = Pip::scripted(home.path(), GOOD);
        let folder = cache.get(&package(), |workplace| good.install(workplace, &["thing"])).unwrap();
        cache.get(&package(), |_| panic!("it is there")).unwrap();
        fs::remove_file(folder.join("thing/lib.so")).unwrap();
        fs::write(folder.join("stale"), "").unwrap();
        cache.get(&package(), |workplace| good.install(workplace, &["thing"])).unwrap();
        assert_eq!(entries(&folder), ["thing"]);
    }

    #[test]
    fn an_installation_without_the_expected_file_does_not_count() {
        let home = tempfile::tempdir().unwrap();
        let cache = Cache::at(home.path());
        let pip = Pip::scripted(home.path(), "mkdir \"$target/other\"");
        let failure = cache.get(&package(), |workplace| pip.install(workplace, &["thing"])).unwrap_err();
        assert!(failure.to_string().contains("thing/lib.so"), "{failure}");
        assert_eq!(entries(home.path()), ["lock", "python3"]);
    }

    #[test]
    fn two_set_ups_at_once_fetch_once() {
        let home = tempfile::tempdir().unwrap();
        let cache = Cache::at(&home.path().join("cache"));
        let log = home.path().join("log");
        let pip = Pip::scripted(home.path(), &format!("echo run >> '{}'; sleep 0.3; {GOOD}", log.display()));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| cache.get(&package(), |workplace| pip.install(workplace, &["thing"])).unwrap());
            }
        });
        assert_eq!(fs::read_to_string(log).unwrap(), "run\n");
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_named() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, "").unwrap();
        let failure = Cache::at(&file.join("cache")).get(&package(), |_| Ok(())).unwrap_err();
        assert!(failure.to_string().contains("file/cache"), "{failure}");
    }
}
