//! Text in HDF5 attributes: Keras and h5py write it in half a dozen ways, of fixed or variable length, as ASCII or
//! UTF-8, alone or in lists, whole or cut into numbered chunks. A damaged file may hold any bytes there, so that they
//! are read as bytes and checked before they become text.

use hdf5::types::{FixedAscii, FixedUnicode, TypeDescriptor, VarLenUnicode};
use hdf5::{Attribute, Group, H5Type, Location};

use super::global_heaps::REFERENCE;
use super::h5_file::H5File;
use super::string_references;

/// Bytes of one attribute in an object header, Keras's `HDF5_OBJECT_HEADER_LIMIT`.
const HEADER_LIMIT: usize = 64512;
/// The longest text of fixed length that is read.
const LONGEST_FIXED: usize = 65536;

/// The text of a scalar attribute, or of one that Keras cut into numbered chunks; none when there is no such attribute.
///
/// # Errors
/// What is wrong with it, as a sentence.
pub(super) fn text(source: &H5File, place: &Location, name: &str) -> Result<Option<String>, String> {
    Ok(texts(source, place, name)?.map(|texts| texts.concat()))
}

/// The texts of an attribute, or of its numbered chunks; none when there is no such attribute.
///
/// # Errors
/// What is wrong with it, as a sentence.
pub(super) fn texts(source: &H5File, place: &Location, name: &str) -> Result<Option<Vec<String>>, String> {
    if let Ok(attribute) = place.attr(name) {
        return values(source, &attribute).map(Some).map_err(|why| format!("the attribute `{name}` {why}"));
    }
    let mut all = Vec::new();
    for chunk in 0.. {
        let name = format!("{name}{chunk}");
        let Ok(attribute) = place.attr(&name) else { break };
        all.extend(values(source, &attribute).map_err(|why| format!("the attribute `{name}` {why}"))?);
    }
    Ok((!all.is_empty()).then_some(all))
}

fn values(source: &H5File, attribute: &Attribute) -> Result<Vec<String>, String> {
    let unreadable = |error: hdf5::Error| format!("cannot be read: {error}");
    let count = attribute.space().map_err(unreadable)?.size();
    if count == 0 {
        return Ok(Vec::new());
    }
    let kind = attribute.dtype().map_err(unreadable)?;
    let stored = (count as u64).checked_mul(kind.size() as u64).ok_or("is too long")?;
    source.spend(stored)?;
    let values = match kind.to_descriptor().map_err(|_ignored| "is not text")? {
        TypeDescriptor::VarLenUnicode | TypeDescriptor::VarLenAscii => {
            let references = string_references::of(attribute, count)?;
            // Each has been paid for; what it refers to is as well.
            let values = references.into_iter().map(|reference| source.text(reference));
            values.map(|value| value.map(|value| cut(&value))).collect::<Result<Vec<_>, _>>().map(Ok)?
        }
        TypeDescriptor::FixedAscii(size) => match size {
            // Sizes are converted by HDF5, padding with it: any type that is long enough does.
            0..=128 => bytes(attribute, FixedAscii::<128>::as_bytes),
            129..=1024 => bytes(attribute, FixedAscii::<1024>::as_bytes),
            1025..=8192 => bytes(attribute, FixedAscii::<8192>::as_bytes),
            8193..=LONGEST_FIXED => bytes(attribute, FixedAscii::<LONGEST_FIXED>::as_bytes),
            _ => return Err(format!("is a text of {size} bytes; at most {LONGEST_FIXED} are read")),
        },
        TypeDescriptor::FixedUnicode(size) => match size {
            0..=128 => bytes(attribute, FixedUnicode::<128>::as_bytes),
            129..=1024 => bytes(attribute, FixedUnicode::<1024>::as_bytes),
            1025..=8192 => bytes(attribute, FixedUnicode::<8192>::as_bytes),
            8193..=LONGEST_FIXED => bytes(attribute, FixedUnicode::<LONGEST_FIXED>::as_bytes),
            _ => return Err(format!("is a text of {size} bytes; at most {LONGEST_FIXED} are read")),
        },
        _ => return Err("is not text".to_owned()),
    };
    let values = values.map_err(unreadable)?;
    let texts = values.into_iter().map(|value| String::from_utf8(value).map_err(|_ignored| "is not UTF-8".to_owned()));
    texts.collect()
}

/// The bytes of each text of fixed length, up to the first zero byte.
fn bytes<T: H5Type>(attribute: &Attribute, take: impl Fn(&T) -> &[u8]) -> hdf5::Result<Vec<Vec<u8>>> {
    let values = attribute.read_raw::<T>()?;
    Ok(values.iter().map(|value| cut(take(value))).collect())
}

/// A text up to its first zero byte.
fn cut(value: &[u8]) -> Vec<u8> {
    value.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
}

/// Writes a text of any length as a scalar attribute.
pub(super) fn put_text(place: &Location, name: &str, value: &str) -> hdf5::Result<()> {
    place.new_attr::<VarLenUnicode>().create(name)?.write_scalar(&stored(value))
}

/// A text as HDF5 stores it. An inner zero byte would end it; JSON and names have none.
fn stored(value: &str) -> VarLenUnicode {
    value.replace('\0', "").parse().unwrap_or_default()
}

/// Writes names as a list, in numbered chunks when there are very many, as Keras does.
pub(super) fn put_names(group: &Group, name: &str, names: &[String]) -> hdf5::Result<()> {
    let write = |attribute: &str, names: &[String]| {
        let values: Vec<VarLenUnicode> = names.iter().map(|name| stored(name)).collect();
        group.new_attr::<VarLenUnicode>().shape(values.len()).create(attribute)?.write_raw(&values)
    };
    if names.is_empty() {
        // As h5py writes an empty list.
        return group.new_attr::<f64>().shape(0).create(name).map(|_| ());
    }
    let most = HEADER_LIMIT / REFERENCE;
    if names.len() <= most {
        return write(name, names);
    }
    for (number, chunk) in names.chunks(most).enumerate() {
        write(&format!("{name}{number}"), chunk)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use hdf5::types::VarLenAscii;

    use super::*;

    fn file() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.h5");
        (folder, path)
    }

    #[test]
    fn every_kind_of_text_is_read() {
        let (_folder, path) = file();
        let put = hdf5::File::create(&path).expect("creates");
        put_text(&put, "unicode", "Größe").expect("writes");
        let value = VarLenAscii::from_ascii("plain").expect("is ASCII");
        put.new_attr::<VarLenAscii>().create("ascii").expect("creates").write_scalar(&value).expect("writes");
        let names = [
            FixedAscii::<7>::from_ascii("a/b:0").expect("fits"),
            FixedAscii::<7>::from_ascii("1234567").expect("fits"),
        ];
        put.new_attr::<FixedAscii<7>>().shape(2).create("fixed").expect("creates").write_raw(&names).expect("writes");
        let long: FixedUnicode<300> = "é".repeat(150).parse().expect("fits");
        put.new_attr::<FixedUnicode<300>>().create("long").expect("creates").write_scalar(&long).expect("writes");
        put.new_attr::<i64>().create("number").expect("creates").write_scalar(&1).expect("writes");
        put.close().expect("closes");
        let source = H5File::open(&path).expect("opens");
        let read = |name: &str| texts(&source, &source.file, name);
        assert_eq!(read("unicode"), Ok(Some(vec!["Größe".to_owned()])));
        assert_eq!(read("ascii"), Ok(Some(vec!["plain".to_owned()])));
        assert_eq!(read("fixed"), Ok(Some(vec!["a/b:0".to_owned(), "1234567".to_owned()])));
        assert_eq!(read("long"), Ok(Some(vec!["é".repeat(150)])));
        assert_eq!(read("missing"), Ok(None));
        assert!(read("number").expect_err("is refused").contains("not text"));
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        let (_folder, path) = file();
        let put = hdf5::File::create(&path).expect("creates");
        put_text(&put, "x", "abcdefghijkl").expect("writes");
        put.close().expect("closes");
        let mut bytes = std::fs::read(&path).expect("reads");
        let at = bytes.windows(12).position(|window| window == b"abcdefghijkl").expect("is there");
        bytes[at + 3] = 0xff;
        std::fs::write(&path, bytes).expect("writes");
        let source = H5File::open(&path).expect("opens");
        assert!(text(&source, &source.file, "x").expect_err("is refused").contains("UTF-8"));
    }

    #[test]
    fn texts_that_the_file_does_not_hold_are_refused() {
        let (_folder, path) = file();
        let mut builder = hdf5::FileBuilder::new();
        // The older format has no sums over its tables.
        builder.with_fcpl(|plan| plan.userblock(512)).with_fapl(|access| access.libver_earliest());
        let put = builder.create(&path).expect("creates");
        put_names(&put, "x", &["abcdefghijkl".to_owned(), "another".to_owned()]).expect("writes");
        put.close().expect("closes");
        let bytes = std::fs::read(&path).expect("reads");
        let source = H5File::open(&path).expect("opens");
        let both = vec!["abcdefghijkl".to_owned(), "another".to_owned()];
        assert_eq!(texts(&source, &source.file, "x"), Ok(Some(both)));
        // HDF5 would show the next one what it keeps of this one.
        drop(source);
        // The reference: twelve bytes, the heap, the second object: HDF5 begins with the last.
        let is_it = |window: &[u8]| window[..4] == [12, 0, 0, 0] && window[12..] == [2, 0, 0, 0];
        let at = bytes.windows(16).position(is_it).expect("is there");
        for claimed in [u32::MAX, 0x7fff_ffff, 13, 11] {
            let mut bytes = bytes.clone();
            bytes[at..at + 4].copy_from_slice(&claimed.to_le_bytes());
            std::fs::write(&path, bytes).expect("writes");
            let source = H5File::open(&path).expect("opens");
            let error = texts(&source, &source.file, "x").expect_err("is refused");
            assert!(error.contains(if claimed > 99 { "more than the whole file" } else { "does not hold" }), "{error}");
        }
    }

    #[test]
    fn long_lists_are_cut_as_keras_cuts_them() {
        let (_folder, path) = file();
        let put = hdf5::File::create(&path).expect("creates");
        let names: Vec<String> = (0..9000).map(|number| format!("layer_{number}")).collect();
        put_names(&put, "names", &names).expect("writes");
        put_names(&put, "none", &[]).expect("writes");
        put.close().expect("closes");
        let source = H5File::open(&path).expect("opens");
        assert!(source.file.attr("names2").is_ok() && source.file.attr("names").is_err());
        assert_eq!(texts(&source, &source.file, "names"), Ok(Some(names)));
        assert_eq!(texts(&source, &source.file, "none"), Ok(Some(Vec::new())));
    }
}
