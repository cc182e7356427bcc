//! Images that a user names, one after the other: files, folders, record files, and lists of them. Nothing is listed
//! ahead but the names of the folders that are being walked, so that millions of images need little memory.

use std::ffi::OsStr;
use std::io::{BufRead, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::Diagnostic;
use thiserror::Error;

use super::bin::EvalBin;
use super::decode;
use super::folder::LARGEST_FILE;
use super::recordio::{self, RecordError, RecordFile};
use super::source::{ImageError, ImageRead};

/// Bytes of a line of a list; no path is longer.
const LONGEST_LINE: u64 = 1 << 16;

/// One image.
#[derive(Debug, Clone)]
pub enum Item {
    /// A file.
    File(PathBuf),
    /// An image of a record file.
    Record(Arc<RecordFile>, usize),
    /// An image of an evaluation bin, by its place in [`EvalBin::images`].
    Bin(Arc<EvalBin>, usize),
}

impl Item {
    /// How messages name it.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Record(file, index) => super::source::Source::name(&**file, *index),
            Self::Bin(bin, index) => {
                let place = bin.pairs.as_flattened().iter().position(|place| *place as usize == *index);
                format!("image {} of {}", place.unwrap_or(*index), bin.path.display())
            }
        }
    }

    /// Its name as a line of a text file: bytes as the system has them, new lines as `\n`.
    pub fn line(&self) -> Vec<u8> {
        let name = match self {
            Self::File(path) => path.as_os_str().as_bytes().to_vec(),
            other => other.name().into_bytes(),
        };
        let parts: Vec<&[u8]> = name.split(|byte| *byte == b'\n').collect();
        parts.join(&b"\\n"[..])
    }

    /// Decodes it, as [`Source::read`](super::source::Source::read) does.
    ///
    /// # Errors
    /// It cannot be read, or is not an image.
    pub fn read(&self, size: (u32, u32), scratch: &mut Vec<u8>, pixels: &mut [u8]) -> Result<ImageRead, ImageError> {
        match self {
            Self::File(path) => {
                scratch.clear();
                std::fs::File::open(path)?.take(LARGEST_FILE).read_to_end(scratch)?;
                Ok(decode::decode_into(scratch, size, pixels)?)
            }
            Self::Record(file, index) => super::source::Source::read(&**file, *index, size, scratch, pixels),
            Self::Bin(bin, index) => {
                let bytes = bin.images.get(*index).map_or(&[][..], |bytes| bytes.as_slice());
                Ok(decode::decode_into(bytes, size, pixels)?)
            }
        }
    }
}

/// Images that cannot be listed: how many are missing is not known, so nothing can go on.
#[derive(Debug, Error, Diagnostic)]
pub enum ItemsError {
    /// A folder.
    #[error("the folder `{}` cannot be listed: {reason}", path.display())]
    #[diagnostic(help("check that it is there and can be read by you"))]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// A record file.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Records(#[from] RecordError),
    /// The list on the standard input.
    #[error("line {line} of the list cannot be read: {reason}")]
    #[diagnostic(help("expected a path a line"))]
    List {
        /// Counted from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// The threads are gone.
    #[error("the decoding threads ended unexpectedly")]
    Ended,
}

/// A folder on the way through it.
#[derive(Debug)]
struct Level {
    path: PathBuf,
    /// Device and number: a link that leads back to it is not followed.
    identity: (u64, u64),
    names: Vec<u8>,
    /// Start and length of each name in `names`, and whether it is a folder; the last one is the next.
    left: Vec<(usize, u16, bool)>,
}

/// The images of files, folders, record files and lists (`-`), in the order given.
///
/// A folder's images, those of its folders included, come in the order of their paths, part by part, as Python's
/// `sorted(Path(folder).rglob("*"))` has them; files of other kinds and hidden ones are passed over. A file that is named
/// by itself is an image whatever its name is.
pub struct Items<R> {
    inputs: std::vec::IntoIter<PathBuf>,
    list: R,
    listing: bool,
    line: u64,
    levels: Vec<Level>,
    records: Option<(Arc<RecordFile>, usize)>,
}

impl<R: BufRead> Items<R> {
    /// The images of `inputs`; `-` stands for the paths in `list`, one a line, empty lines passed over.
    pub fn new(inputs: Vec<PathBuf>, list: R) -> Self {
        let inputs = inputs.into_iter();
        Self { inputs, list, listing: false, line: 0, levels: Vec::new(), records: None }
    }

    /// The next path of the list; none at its end.
    fn next_line(&mut self) -> Option<Result<PathBuf, ItemsError>> {
        loop {
            self.line += 1;
            let wrong = |reason: String| ItemsError::List { line: self.line, reason };
            let mut bytes = Vec::new();
            match (&mut self.list).take(LONGEST_LINE).read_until(b'\n', &mut bytes) {
                Ok(0) => return None,
                Err(error) => return Some(Err(wrong(error.to_string()))),
                Ok(_) => {}
            }
            let ended = bytes.pop_if(|byte| *byte == b'\n').is_some();
            if !ended && bytes.len() as u64 == LONGEST_LINE {
                return Some(Err(wrong(format!("it is longer than {LONGEST_LINE} bytes"))));
            }
            bytes.pop_if(|byte| *byte == b'\r');
            if !bytes.is_empty() {
                return Some(Ok(PathBuf::from(OsStr::from_bytes(&bytes))));
            }
        }
    }

    /// Begins with a path; an image when it is one by itself.
    fn begin(&mut self, path: PathBuf) -> Result<Option<Item>, ItemsError> {
        if recordio::is_record_set(&path) {
            self.records = Some((Arc::new(RecordFile::open_any(&path, &|_, _| {})?), 0));
        } else if path.is_dir() {
            self.levels.push(level(path)?);
        } else {
            return Ok(Some(Item::File(path)));
        }
        Ok(None)
    }

    /// The next image of the folders that are being walked.
    fn walk(&mut self) -> Result<Option<Item>, ItemsError> {
        while let Some(last) = self.levels.last_mut() {
            let Some((start, length, folder)) = last.left.pop() else {
                self.levels.pop();
                continue;
            };
            let path = last.path.join(OsStr::from_bytes(&last.names[start..start + usize::from(length)]));
            if !folder {
                return Ok(Some(Item::File(path)));
            }
            let below = level(path)?;
            if !self.levels.iter().any(|above| above.identity == below.identity) {
                self.levels.push(below);
            }
        }
        Ok(None)
    }

    fn advance(&mut self) -> Result<Option<Item>, ItemsError> {
        loop {
            if let Some((file, next)) = &mut self.records {
                if *next < file.len() {
                    *next += 1;
                    return Ok(Some(Item::Record(Arc::clone(file), *next - 1)));
                }
                self.records = None;
            }
            if let Some(item) = self.walk()? {
                return Ok(Some(item));
            }
            let path = if self.listing {
                let Some(line) = self.next_line() else {
                    self.listing = false;
                    continue;
                };
                line?
            } else {
                match self.inputs.next() {
                    None => return Ok(None),
                    Some(path) if path.as_os_str() == "-" => {
                        self.listing = true;
                        continue;
                    }
                    Some(path) => path,
                }
            };
            if let Some(item) = self.begin(path)? {
                return Ok(Some(item));
            }
        }
    }
}

impl<R: BufRead> Iterator for Items<R> {
    type Item = Result<Item, ItemsError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

/// The folders and images in a folder, in reverse order.
fn level(path: PathBuf) -> Result<Level, ItemsError> {
    let list = || -> std::io::Result<_> {
        let facts = std::fs::metadata(&path)?;
        let (mut names, mut left) = (Vec::new(), Vec::new());
        for entry in std::fs::read_dir(&path)? {
            let entry = entry?;
            let name = entry.file_name();
            let kind = entry.file_type()?;
            if name.as_bytes().starts_with(b".") {
                continue;
            }
            let folder = kind.is_dir() || (kind.is_symlink() && path.join(&name).is_dir());
            if folder || is_image(Path::new(&name)) {
                left.push((names.len(), name.len() as u16, folder));
                names.extend_from_slice(name.as_bytes());
            }
        }
        left.sort_unstable_by(|(one, length, _), (other, other_length, _)| {
            let (one, other): (&[u8], &[u8]) =
                (&names[*one..*one + usize::from(*length)], &names[*other..*other + usize::from(*other_length)]);
            other.cmp(one)
        });
        Ok(((facts.dev(), facts.ino()), names, left))
    };
    match list() {
        Ok((identity, names, left)) => Ok(Level { path, identity, names, left }),
        Err(error) => Err(ItemsError::Folder { path, reason: error.to_string() }),
    }
}

/// Whether a file is an image by its name.
fn is_image(name: &Path) -> bool {
    let kinds = ["jpg", "jpeg", "png"];
    name.extension().is_some_and(|kind| kinds.iter().any(|known| kind.eq_ignore_ascii_case(known)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(inputs: &[PathBuf], list: &[u8]) -> Result<Vec<String>, ItemsError> {
        Items::new(inputs.to_vec(), list).map(|item| item.map(|item| item.name())).collect()
    }

    fn put(path: &Path) {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("makes");
        std::fs::write(path, "x").expect("writes");
    }

    #[test]
    fn a_folder_is_walked_in_the_order_of_its_paths() {
        let place = tempfile::tempdir().expect("a folder");
        let root = place.path().join("faces");
        for name in [
            "b/2.jpg",
            "b/10.PNG",
            "b.jpg",
            "b-c/1.jpeg",
            "a/deep/er/z.jpg",
            "a/.hidden.jpg",
            "a/notes.txt",
            ".b/1.jpg",
        ] {
            put(&root.join(name));
        }
        std::os::unix::fs::symlink("..", root.join("b/up")).expect("links");
        std::os::unix::fs::symlink("../b.jpg", root.join("b/link.jpg")).expect("links");
        let found = names(std::slice::from_ref(&root), b"").expect("lists");
        let mut sorted = found.clone();
        sorted.sort_by(|one, other| Path::new(one).cmp(Path::new(other)));
        assert_eq!(found, sorted);
        let short: Vec<&str> = found.iter().map(|name| &name[root.as_os_str().len() + 1..]).collect();
        assert_eq!(short, ["a/deep/er/z.jpg", "b/10.PNG", "b/2.jpg", "b/link.jpg", "b-c/1.jpeg", "b.jpg"]);
    }

    #[test]
    fn files_and_lists_keep_the_order_given() {
        let place = tempfile::tempdir().expect("a folder");
        put(&place.path().join("f/2.jpg"));
        put(&place.path().join("f/1.jpg"));
        let folder = place.path().join("f").display().to_string();
        let list = format!("z.jpg\r\n\n{folder}\na b.txt");
        let found = names(&["y.jpg".into(), "-".into(), "x.jpg".into()], list.as_bytes()).expect("lists");
        let (first, second) = (format!("{folder}/1.jpg"), format!("{folder}/2.jpg"));
        assert_eq!(found, ["y.jpg", "z.jpg", &first, &second, "a b.txt", "x.jpg"]);
        let long = vec![b'x'; LONGEST_LINE as usize + 5];
        assert!(names(&["-".into()], &long).expect_err("is refused").to_string().contains("line 1"));
    }

    #[test]
    fn a_name_is_one_line() {
        assert_eq!(Item::File("a\nb.jpg".into()).line(), b"a\\nb.jpg");
        assert_eq!(Item::File(OsStr::from_bytes(b"\xff.jpg").into()).line(), b"\xff.jpg");
    }

    #[test]
    fn records_come_in_their_order() {
        let set = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases/recordio/scalar_label");
        if !set.exists() {
            return;
        }
        let found = names(std::slice::from_ref(&set), b"").expect("lists");
        assert_eq!(found.len(), RecordFile::open(&set, &|_, _| {}).expect("opens").len());
        assert!(found[0].starts_with("record 1 of "), "{}", found[0]);
    }
}
