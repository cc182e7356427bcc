//! A listing kept on disk: a small binary file per data set, named by a hash of its path.
//!
//! It is used only while it is whole (checksum), of the same data set, and every class folder has the name and the time of
//! change it had. A folder that changed within the two seconds before it was listed is not trusted, since a file added
//! in the same tick of the disk's clock would not show. Anything wrong with the file means: list anew.

use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::class_folder::{ClassFolder, Names};

const MAGIC: &[u8] = b"facetui listing 2\n";

/// How long after a change a folder's time of change may still not show a second change.
const TICK: Duration = Duration::from_secs(2);

/// The kept listing of `root`, if it is still true of `classes` (names and times of change as they are now, in order).
pub(super) fn load(cache: &Path, root: &Path, classes: &[(Vec<u8>, SystemTime)]) -> Option<Vec<ClassFolder>> {
    let root = root.canonicalize().ok()?;
    let bytes = std::fs::read(file(cache, &root)).ok()?;
    let (body, sum) = bytes.split_last_chunk::<8>().map(|(body, sum)| (body, u64::from_le_bytes(*sum)))?;
    if hash(body) != sum {
        return None;
    }
    let mut reader = Reader(body.strip_prefix(MAGIC)?);
    if reader.bytes()? != root.as_os_str().as_bytes() {
        return None;
    }
    let listed = reader.time()?;
    if reader.number()? != classes.len() as u64 {
        return None;
    }
    let mut folders = Vec::with_capacity(classes.len());
    for (name, changed) in classes {
        let same = reader.bytes()? == name && reader.time()? == *changed;
        if !same || *changed + TICK > listed {
            return None;
        }
        let bytes = reader.bytes()?.to_vec();
        let ends: Vec<u32> =
            reader.bytes()?.as_chunks().0.iter().map(|end: &[u8; 4]| u32::from_le_bytes(*end)).collect();
        let sound = ends.is_sorted() && ends.last().is_none_or(|last| *last as usize == bytes.len());
        folders.push(ClassFolder {
            name: name.clone(),
            changed: *changed,
            images: sound.then_some(Names { bytes, ends })?,
        });
    }
    reader.0.is_empty().then_some(folders)
}

/// Keeps the listing of `root` that was begun at `listed`: written beside its place, synced, renamed.
pub(super) fn store(
    cache: &Path,
    root: &Path,
    listed: SystemTime,
    folders: &[ClassFolder],
) -> Result<(), std::io::Error> {
    let root = root.canonicalize()?;
    let mut body = MAGIC.to_vec();
    put_bytes(&mut body, root.as_os_str().as_bytes());
    put_time(&mut body, listed);
    body.extend_from_slice(&(folders.len() as u64).to_le_bytes());
    for folder in folders {
        put_bytes(&mut body, &folder.name);
        put_time(&mut body, folder.changed);
        put_bytes(&mut body, &folder.images.bytes);
        body.extend_from_slice(&(folder.images.ends.len() as u64 * 4).to_le_bytes());
        body.extend(folder.images.ends.iter().flat_map(|end| end.to_le_bytes()));
    }
    let sum = hash(&body);
    body.extend_from_slice(&sum.to_le_bytes());
    std::fs::create_dir_all(cache)?;
    let mut written = tempfile::NamedTempFile::new_in(cache)?;
    written.write_all(&body)?;
    written.as_file().sync_all()?;
    written.persist(file(cache, &root))?;
    Ok(())
}

fn file(cache: &Path, root: &Path) -> PathBuf {
    cache.join(format!("{:016x}.listing", hash(root.as_os_str().as_bytes())))
}

/// FNV-1a, 64 bits: finds torn and half-written files, and names them.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn put_bytes(body: &mut Vec<u8>, bytes: &[u8]) {
    body.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    body.extend_from_slice(bytes);
}

/// Nanoseconds since the Unix epoch; times before it are kept as 0, which only means to list anew.
fn put_time(body: &mut Vec<u8>, time: SystemTime) {
    let nanoseconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    body.extend_from_slice(&nanoseconds.to_le_bytes());
}

/// Reads what the functions above wrote; `None` at the first thing that does not fit.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn time(&mut self) -> Option<SystemTime> {
        Some(UNIX_EPOCH + Duration::from_nanos(self.number()?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::FolderSet;
    use super::super::tests::files;
    use super::*;

    fn age(folder: &Path) {
        let past = SystemTime::now() - Duration::from_mins(1);
        std::fs::File::open(folder).expect("opens").set_modified(past).expect("sets the time");
    }

    fn open(root: &Path, cache: &Path) -> FolderSet {
        FolderSet::open(root, Some(cache), &|_, _| {}).expect("lists")
    }

    fn paths(set: &FolderSet) -> Vec<PathBuf> {
        (0..set.len()).map(|at| set.path(at)).collect()
    }

    #[test]
    fn a_kept_listing_is_used_until_a_folder_changes() {
        let root = files(&["0/a.jpg", "0/b.jpg", "1/c.jpg"]);
        let cache = tempfile::tempdir().expect("makes a folder");
        for class in ["0", "1"] {
            age(&root.path().join(class));
        }
        let first = open(root.path(), cache.path());
        let second = open(root.path(), cache.path());
        assert!(!first.from_cache() && second.from_cache());
        assert_eq!(paths(&first), paths(&second));

        fs_err::write(root.path().join("1/d.jpg"), b"").expect("writes");
        let third = open(root.path(), cache.path());
        assert!(!third.from_cache() && third.len() == 4);
        assert!(!open(root.path(), cache.path()).from_cache(), "changed a moment ago, so not to be trusted");

        age(&root.path().join("1"));
        open(root.path(), cache.path());
        assert!(open(root.path(), cache.path()).from_cache());
        fs_err::create_dir(root.path().join("2")).expect("makes a folder");
        fs_err::write(root.path().join("2/e.jpg"), b"").expect("writes");
        assert_eq!(open(root.path(), cache.path()).classes(), 3);
    }

    #[test]
    fn a_damaged_listing_is_made_anew() {
        let root = files(&["0/a.jpg", "1/c.jpg"]);
        let cache = tempfile::tempdir().expect("makes a folder");
        for class in ["0", "1"] {
            age(&root.path().join(class));
        }
        open(root.path(), cache.path());
        let kept = file(cache.path(), &root.path().canonicalize().expect("exists"));
        let whole = fs_err::read(&kept).expect("reads");
        let mut flipped = whole.clone();
        flipped[MAGIC.len() + 40] ^= 1;
        for damaged in [&whole[..whole.len() / 2], &[], &flipped, b"not ours at all"] {
            fs_err::write(&kept, damaged).expect("writes");
            let set = open(root.path(), cache.path());
            assert!(!set.from_cache() && set.len() == 2);
        }
        assert!(open(root.path(), cache.path()).from_cache(), "and kept again");
    }

    #[test]
    fn a_cache_that_cannot_be_written_does_no_harm() {
        let root = files(&["0/a.jpg", "1/c.jpg"]);
        assert_eq!(open(root.path(), &root.path().join("0/a.jpg/cache")).len(), 2);
    }
}
