//! The folder data set: `<root>/<class>/<image>.jpg`, `.jpeg` or `.png`.
//!
//! Folders named with whole numbers are the classes of those numbers, and there are as many classes as the highest
//! number plus one, as the reference has it (numbers without a folder are classes without images; see
//! [`FolderSet::gaps`]). Where any folder has another name, the sorted names become the classes 0, 1, 2, ... Hidden
//! folders and files of other kinds are passed over.
//!
//! Millions of files take minutes to list from a network disk, so the listing is kept in a file of the user's cache
//! folder (never in the data set, which may be read-only) and used again while no class folder has changed.

mod cache;
mod class_folder;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use rayon::prelude::*;

use self::class_folder::{ClassFolder, Names};
use crate::data::source::{ImageError, Source};

/// What every message about a data set's shape can point to.
const LAYOUT: &str = "a data set is a folder with one folder per identity, each with JPEG or PNG images: \
                      `<root>/0/1.jpg`, `<root>/1/2.jpg`, ...";

/// Bytes of an image file that are read; no photograph of a face is larger.
pub(super) const LARGEST_FILE: u64 = 256 << 20;

/// Why a folder is not a data set.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum FolderError {
    /// There is no such folder.
    #[error("the data set `{}` does not exist", path.display())]
    #[diagnostic(help("{LAYOUT}"))]
    Missing {
        /// The data set's folder.
        path: PathBuf,
    },
    /// Something else than a folder.
    #[error("the data set `{}` is not a folder", path.display())]
    #[diagnostic(help("{LAYOUT}"))]
    NotAFolder {
        /// The path that was given.
        path: PathBuf,
    },
    /// A folder without folders.
    #[error("the data set `{}` holds no class folders", path.display())]
    #[diagnostic(help("{LAYOUT}"))]
    NoClasses {
        /// The data set's folder.
        path: PathBuf,
    },
    /// One class cannot be told from another.
    #[error("the data set `{}` holds one class folder only, `{class}`", path.display())]
    #[diagnostic(help("training needs images of two identities at least, each in a folder of its own"))]
    OneClass {
        /// The data set's folder.
        path: PathBuf,
        /// The one class folder.
        class: String,
    },
    /// A class without images.
    #[error("class folder `{}` holds no image{}", path.display(), others(*.more))]
    #[diagnostic(help("remove it or fill it with .jpg, .jpeg or .png files"))]
    EmptyClass {
        /// The first such folder.
        path: PathBuf,
        /// How many more there are.
        more: usize,
    },
    /// Two folders for one class.
    #[error("class folders `{first}` and `{second}` in `{}` are the same number", path.display())]
    #[diagnostic(help("merge or rename one of them: the folder's number is the class"))]
    SameNumber {
        /// The data set's folder.
        path: PathBuf,
        /// One of the two.
        first: String,
        /// The other.
        second: String,
    },
    /// More images than can be numbered.
    #[error("the data set `{}` holds {images} images, more than {} can be numbered", path.display(), u32::MAX)]
    TooMany {
        /// The data set's folder.
        path: PathBuf,
        /// How many.
        images: u64,
    },
    /// The system says no.
    #[error("cannot list `{}`", path.display())]
    #[diagnostic(help("check that the folder can be read by you"))]
    List {
        /// The folder.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: std::io::Error,
    },
}

fn others(more: usize) -> String {
    if more == 0 { String::new() } else { format!(" (nor do {more} others)") }
}

/// A listed folder data set. Images are numbered in the order of their class folders, then of their names.
#[derive(Debug, Clone)]
pub struct FolderSet {
    root: PathBuf,
    folders: Vec<ClassFolder>,
    /// Label of each folder.
    labels: Vec<u32>,
    /// Folder of each image.
    folder_of: Vec<u32>,
    /// First image of each folder.
    starts: Vec<u32>,
    classes: usize,
    from_cache: bool,
}

impl FolderSet {
    /// Lists the data set at `root`. `cache` is the folder of kept listings ([`default_cache`]); none lists anew and keeps
    /// nothing. `progress` is told from any thread how many class folders are listed, of how many.
    pub fn open(root: &Path, cache: Option<&Path>, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Self, FolderError> {
        let classes = class_folders(root)?;
        if let Some(folders) = cache.and_then(|cache| cache::load(cache, root, &classes)) {
            return Self::new(root, folders, true);
        }
        let started = SystemTime::now();
        let total = classes.len() as u64;
        let done = AtomicU64::new(0);
        progress(0, total);
        let folders: Vec<ClassFolder> = classes
            .into_par_iter()
            .map(|(name, changed)| {
                let images = image_names(&root.join(OsStr::from_bytes(&name)))?;
                progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
                Ok(ClassFolder { name, changed, images })
            })
            .collect::<Result<_, FolderError>>()?;
        let set = Self::new(root, folders, false)?;
        if let Some(cache) = cache
            && let Err(error) = cache::store(cache, root, started, &set.folders)
        {
            tracing::warn!("the listing of `{}` could not be kept in `{}`: {error}", root.display(), cache.display());
        }
        Ok(set)
    }

    fn new(root: &Path, folders: Vec<ClassFolder>, from_cache: bool) -> Result<Self, FolderError> {
        let mut empty = folders.iter().filter(|folder| folder.images.len() == 0);
        if let Some(first) = empty.next() {
            let path = root.join(OsStr::from_bytes(&first.name));
            return Err(FolderError::EmptyClass { path, more: empty.count() });
        }
        if let [only] = folders.as_slice() {
            return Err(FolderError::OneClass { path: root.to_owned(), class: lossy(&only.name) });
        }
        let images = folders.iter().map(|folder| folder.images.len() as u64).sum();
        if images > u64::from(u32::MAX) {
            return Err(FolderError::TooMany { path: root.to_owned(), images });
        }
        let labels = labels(root, &folders)?;
        let mut folder_of = Vec::with_capacity(images as usize);
        let mut starts = Vec::with_capacity(folders.len());
        for (at, folder) in folders.iter().enumerate() {
            starts.push(folder_of.len() as u32);
            folder_of.resize(folder_of.len() + folder.images.len(), at as u32);
        }
        let classes = labels.iter().max().map_or(0, |highest| *highest as usize + 1);
        Ok(Self { root: root.to_owned(), folders, labels, folder_of, starts, classes, from_cache })
    }

    /// Number of images.
    pub const fn len(&self) -> usize {
        self.folder_of.len()
    }

    /// Whether there are no images; never true of a set that was opened.
    pub const fn is_empty(&self) -> bool {
        self.folder_of.is_empty()
    }

    /// Number of classes: the highest label plus one.
    pub const fn classes(&self) -> usize {
        self.classes
    }

    /// Classes without a folder: numbers that were skipped. They cost memory in the head and teach nothing.
    pub const fn gaps(&self) -> usize {
        self.classes - self.folders.len()
    }

    /// Whether the listing came from the cache.
    pub const fn from_cache(&self) -> bool {
        self.from_cache
    }

    /// The classes that have images: label and folder name, in the order of the folders.
    pub fn class_names(&self) -> impl Iterator<Item = (u32, String)> {
        self.labels.iter().zip(&self.folders).map(|(label, folder)| (*label, lossy(&folder.name)))
    }

    /// Class of image `index`, counted from 0.
    pub fn label(&self, index: usize) -> u32 {
        self.labels[self.folder_of[index] as usize]
    }

    /// The classes of all images, in order.
    pub fn labels(&self) -> impl Iterator<Item = u32> {
        self.folder_of.iter().map(|folder| self.labels[*folder as usize])
    }

    /// File of image `index`, counted from 0.
    pub fn path(&self, index: usize) -> PathBuf {
        let at = self.folder_of[index] as usize;
        let folder = &self.folders[at];
        let name = folder.images.get(index - self.starts[at] as usize);
        let mut path = PathBuf::with_capacity(self.root.as_os_str().len() + folder.name.len() + name.len() + 2);
        path.push(&self.root);
        path.push(OsStr::from_bytes(&folder.name));
        path.push(OsStr::from_bytes(name));
        path
    }
}

impl Source for FolderSet {
    fn len(&self) -> usize {
        self.len()
    }

    fn classes(&self) -> usize {
        self.classes()
    }

    fn label(&self, index: usize) -> u32 {
        self.label(index)
    }

    fn name(&self, index: usize) -> String {
        self.path(index).display().to_string()
    }

    fn names_of_classes(&self) -> Vec<String> {
        let mut names: Vec<String> = (0..self.classes).map(|label| label.to_string()).collect();
        for (label, folder) in self.labels.iter().zip(&self.folders) {
            // Numbers without leading zeros, as other sources write them.
            names[*label as usize] =
                number(&folder.name).map_or_else(|| lossy(&folder.name), |number| number.to_string());
        }
        names
    }

    fn has_names(&self) -> bool {
        self.folders.iter().any(|folder| number(&folder.name).is_none())
    }

    fn encoded(&self, index: usize, bytes: &mut Vec<u8>) -> Result<(), ImageError> {
        use std::io::Read;

        bytes.clear();
        std::fs::File::open(self.path(index))?.take(LARGEST_FILE).read_to_end(bytes)?;
        Ok(())
    }
}

/// Number of classes of the data set at `root`, by the names of its folders alone: no image is listed.
///
/// # Errors
/// A folder that is not a data set.
pub fn count_classes(root: &Path) -> Result<usize, FolderError> {
    let folders = class_folders(root)?;
    let numbers: Option<Vec<u32>> = folders.iter().map(|(name, _)| number(name)).collect();
    Ok(numbers.and_then(|numbers| numbers.into_iter().max()).map_or(folders.len(), |highest| highest as usize + 1))
}

/// Where listings are kept by default: `listings` in facetui's folder of the user's cache.
pub fn default_cache() -> Option<PathBuf> {
    Some(directories::ProjectDirs::from("", "", "facetui")?.cache_dir().join("listings"))
}

fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// Names and times of change of the class folders, numbers in their order, else by name.
fn class_folders(root: &Path) -> Result<Vec<(Vec<u8>, SystemTime)>, FolderError> {
    let list = |source| FolderError::List { path: root.to_owned(), source };
    let entries = match std::fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(FolderError::Missing { path: root.to_owned() });
        }
        Err(_) if root.is_file() => return Err(FolderError::NotAFolder { path: root.to_owned() }),
        Err(error) => return Err(list(error)),
    };
    let names: Vec<_> =
        entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<_, _>>().map_err(list)?;
    let mut folders: Vec<(Vec<u8>, SystemTime)> = names
        .into_par_iter()
        .filter(|name| !name.as_bytes().starts_with(b"."))
        .filter_map(|name| {
            let path = root.join(&name);
            match std::fs::metadata(&path) {
                Ok(facts) if facts.is_dir() => {
                    Some(facts.modified().map(|changed| (name.as_bytes().to_vec(), changed)))
                }
                // A file, or a link that leads nowhere: no class folder.
                Ok(_) => None,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(error) => Some(Err(error)),
            }
            .map(|found| found.map_err(|source| FolderError::List { path, source }))
        })
        .collect::<Result<_, _>>()?;
    if folders.is_empty() {
        return Err(FolderError::NoClasses { path: root.to_owned() });
    }
    folders.sort_by(|(one, _), (other, _)| (number(one), one).cmp(&(number(other), other)));
    Ok(folders)
}

/// The class number that a folder's name spells, if it does.
fn number(name: &[u8]) -> Option<u32> {
    if name.is_empty() || !name.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(name).ok()?.parse().ok().filter(|number| *number < i32::MAX as u32)
}

/// The label of each folder.
fn labels(root: &Path, folders: &[ClassFolder]) -> Result<Vec<u32>, FolderError> {
    let Some(numbers) = folders.iter().map(|folder| number(&folder.name)).collect::<Option<Vec<u32>>>() else {
        let mut order: Vec<usize> = (0..folders.len()).collect();
        order.sort_by_key(|at| &folders[*at].name);
        let mut labels = vec![0; folders.len()];
        for (label, at) in order.into_iter().enumerate() {
            labels[at] = label as u32;
        }
        return Ok(labels);
    };
    match numbers.windows(2).position(|pair| pair[0] == pair[1]) {
        Some(at) => Err(FolderError::SameNumber {
            path: root.to_owned(),
            first: lossy(&folders[at].name),
            second: lossy(&folders[at + 1].name),
        }),
        None => Ok(numbers),
    }
}

/// The names of the images in a class folder: numbers in their order, then the others by name.
fn image_names(folder: &Path) -> Result<Names, FolderError> {
    let list = |source| FolderError::List { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(list)? {
        let entry = entry.map_err(list)?;
        let name = entry.file_name();
        if is_image(&name) && !entry.file_type().map_err(list)?.is_dir() {
            found.push(name);
        }
    }
    // Records that were made into files keep their order: 9.jpg comes before 10.jpg.
    found.sort_by_cached_key(|name| {
        let number = Path::new(name).file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        (number.unwrap_or(u64::MAX), name.clone())
    });
    let mut names = Names::default();
    for name in found {
        names.push(name.as_bytes());
    }
    Ok(names)
}

fn is_image(name: &OsStr) -> bool {
    let hidden = name.as_bytes().starts_with(b".");
    let known = Path::new(name)
        .extension()
        .is_some_and(|kind| ["jpg", "jpeg", "png"].iter().any(|known| kind.eq_ignore_ascii_case(known)));
    known && !hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A data set of empty files in a temporary folder.
    pub(super) fn files(names: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("makes a folder");
        for name in names {
            let path = root.path().join(name);
            fs_err::create_dir_all(path.parent().expect("has one")).expect("makes a folder");
            fs_err::write(path, b"").expect("writes");
        }
        root
    }

    fn open(root: &Path) -> Result<FolderSet, FolderError> {
        FolderSet::open(root, None, &|_, _| {})
    }

    #[test]
    fn numbers_are_labels_and_other_files_are_ignored() {
        let root = files(&["10/b.PNG", "10/a.jpg", "2/c.jpeg", "2/notes.txt", "2/.d.jpg", ".git/x.jpg", "readme.jpg"]);
        let set = open(root.path()).expect("lists");
        let paths: Vec<_> = (0..set.len())
            .map(|at| set.path(at).strip_prefix(root.path()).expect("lies below").display().to_string())
            .collect();
        assert_eq!(paths, ["2/c.jpeg", "10/a.jpg", "10/b.PNG"]);
        assert_eq!(set.labels().collect::<Vec<_>>(), [2, 10, 10]);
        assert_eq!((set.classes(), set.gaps(), set.label(1)), (11, 9, 10));
        assert_eq!(count_classes(root.path()).expect("counts"), 11);
    }

    #[test]
    fn numbered_images_stand_in_their_order() {
        let root = files(&["0/10.jpg", "0/9.jpg", "0/b.jpg", "0/a.jpg", "0/010.jpg", "1/1.jpg"]);
        let set = open(root.path()).expect("lists");
        let names: Vec<_> = (0..5).map(|at| set.path(at).file_name().expect("one").to_owned()).collect();
        assert_eq!(names, ["9.jpg", "010.jpg", "10.jpg", "a.jpg", "b.jpg"]);
    }

    #[test]
    fn other_names_are_sorted() {
        let root = files(&["bob/1.jpg", "alice/1.jpg", "7/1.jpg"]);
        let set = open(root.path()).expect("lists");
        let mut names: Vec<_> = set.class_names().collect();
        names.sort();
        assert_eq!(names, [(0, "7".to_owned()), (1, "alice".to_owned()), (2, "bob".to_owned())]);
        assert_eq!((set.classes(), set.gaps()), (3, 0));
        assert_eq!(count_classes(root.path()).expect("counts"), 3);
        for at in 0..3 {
            let folder = set.path(at).parent().expect("has one").file_name().expect("has one").to_owned();
            assert!(names.contains(&(set.label(at), folder.to_string_lossy().into_owned())));
        }
    }

    #[test]
    fn what_is_no_data_set_is_said_plainly() {
        let root = files(&["0/1.jpg", "1/1.jpg", "2/notes.txt", "3/notes.txt"]);
        let error = open(root.path()).expect_err("has empty classes");
        assert!(matches!(&error, FolderError::EmptyClass { path, more: 1 } if path.ends_with("2")), "{error}");
        assert!(error.to_string().ends_with("holds no image (nor do 1 others)"), "{error}");
        assert!(matches!(open(&root.path().join("nowhere")), Err(FolderError::Missing { .. })));
        assert!(matches!(open(&root.path().join("0/1.jpg")), Err(FolderError::NotAFolder { .. })));
        assert!(matches!(open(&root.path().join("0")), Err(FolderError::NoClasses { .. })));
        let one = files(&["0/1.jpg"]);
        assert!(matches!(open(one.path()), Err(FolderError::OneClass { .. })));
        let twice = files(&["1/1.jpg", "01/1.jpg"]);
        assert!(matches!(open(twice.path()), Err(FolderError::SameNumber { .. })));
    }
}
