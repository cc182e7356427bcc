//! What reads bytes of strangers, as functions of bytes: the targets that are fuzzed. `fuzz/README.md` says how.
//!
//! A target reads everything that the program would read of such a file, and must come to an end in time and memory that
//! the bytes explain. What it finds there does not matter. Another target is another line of [`TARGETS`], and a file in
//! `fuzz/fuzz_targets`.

use std::cell::OnceCell;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::checkpoint::{self, keras_history::History, npy};
use crate::data::bin::EvalBin;
use crate::data::decode;
use crate::data::recordio::RecordFile;
use crate::run::journal;
use crate::run::socket::protocol;
use crate::run::state::RunState;
use crate::schedule;
use crate::tui::Settings;

/// Something that reads bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: that of its corpus and of its file in `fuzz/fuzz_targets`.
    pub name: &'static str,
    /// Reads them.
    pub read: fn(&[u8]),
    /// Words of the format, which are put into the bytes now and then.
    pub words: &'static [&'static [u8]],
    /// Whether the bytes are text.
    pub text: bool,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "records", read: records, words: RECORDS, text: false },
    Target { name: "bin", read: bin, words: PICKLE, text: false },
    Target { name: "image", read: image, words: IMAGE, text: false },
    Target { name: "schedule", read: schedule, words: SCHEDULE, text: true },
    Target { name: "journal", read: journal, words: JSON, text: true },
    Target { name: "model", read: model, words: HDF5, text: false },
    Target { name: "matrix", read: matrix, words: NPY, text: false },
    Target { name: "history", read: history, words: JSON, text: true },
    Target { name: "socket", read: socket, words: SOCKET, text: true },
    Target { name: "settings", read: settings, words: TOML, text: true },
];

const RECORDS: &[&[u8]] = &[
    b"\x0a\x23\xd7\xce",
    b"\x0a\x23\xd7\xce\x00\x00\x00\x20",
    b"\x0a\x23\xd7\xce\x00\x00\x00\x60",
    b"\x0a\x23\xd7\xce\xff\xff\xff\x1f",
    b"\x02\x00\x00\x00\x00\x00\x00\x00",
    b"\xff\xff\xff\xff",
    b"\x00\x00\x80\x4b",
    b"\x00\x00\xc0\x7f",
    b"0\t0\n",
    b"4294967295\t18446744073709551615\n",
];

const PICKLE: &[&[u8]] = &[
    b"\x80\x02",
    b"\x80\x05\x95",
    b"cnumpy.core.multiarray\n_reconstruct\n",
    b"cnumpy\nndarray\n",
    b"cnumpy\ndtype\n",
    b"cos\nsystem\n",
    b"c_codecs\nencode\n",
    b"C\x01a",
    b"B\xff\xff\xff\x7f",
    b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"T\xff\xff\xff\x7f",
    b"X\xff\xff\xff\x7f",
    b"\x8a\xff",
    b"r\xff\xff\xff\x7f",
    b"j\x00\x00\x00\x00",
    b"h\x00",
    b"](",
    b"e.",
    b"\x93",
    b"R",
    b"b",
    b"\x94",
    b"2",
    b"0",
    b"L99999999999999999999L\n",
    b"I-1\n",
    b"S'\\x'\n",
    b"V\\u0000\n",
];

const IMAGE: &[&[u8]] = &[
    b"\xff\xd8\xff",
    b"\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03\x01\x44\x00\x02\x11\x01\x03\x11\x01",
    b"\xff\xc2",
    b"\xff\xc4",
    b"\xff\xda\x00\x0c\x03\x01\x00\x02\x11\x03\x11\x00\x3f\x00",
    b"\xff\xdd\x00\x04\x00\x01",
    b"\xff\xd0",
    b"\xff\xd9",
    b"\xff\xee\x00\x0eAdobe",
    b"\xff\xe1",
    b"IHDR",
    b"IDAT",
    b"PLTE",
    b"tRNS",
    b"iCCP",
    b"zTXt",
    b"acTL",
    b"IEND",
];

const SCHEDULE: &[&[u8]] = &[
    b"&a ",
    b"*a",
    b"<<: *a",
    b"[[[[[[[[",
    b"{{{{",
    b"- ",
    b"? ",
    b"|\n",
    b">-\n",
    b"!!binary ",
    b"!!python/object/apply:os.system ",
    b"${A:-b}",
    b"${${",
    b"~",
    b".nan",
    b"1e999",
    b"18446744073709551616",
    b"-1",
    b"0x7fffffffffffffff",
    b"stages:\n",
    b"branches:\n",
    b"loss: arcface\n",
    b"batch_size: 99999999999\n",
    b"epochs: 4294967295\n",
    b"---\n",
];

const JSON: &[&[u8]] = &[
    b"{\"at\":1,\"event\":\"",
    b"\"epoch\":4294967295",
    b"\"steps\":18446744073709551615",
    b"\"stage\":9999999",
    b"\"branch\":9999999",
    b"1e308",
    b"-1",
    b"null",
    b"NaN",
    b"[[[[[[[[",
    b"{\"a\":{\"a\":",
    b"\\ud800",
    b"\n",
];

const HDF5: &[&[u8]] = &[
    b"\x89HDF\r\n\x1a\n",
    b"TREE",
    b"SNOD",
    b"HEAP",
    b"GCOL\x01\0\0\0",
    b"OHDR",
    b"FRHP",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x00\x00\x00\x00\x00\x00\x00\x00",
    b"\"class_name\": \"Functional\"",
    b"\"units\": 99999999999",
    b"\"filters\": -1",
];

const SOCKET: &[&[u8]] = &[
    b"{\"hello\":{\"protocol\":1}}\n",
    b"{\"hello\":{\"protocol\":4294967296}}\n",
    b"{\"welcome\":{\"protocol\":1,\"version\":\"0\",\"run\":\"../x\",\"pid\":4294967295}}\n",
    b"{\"command\":\"pause\"}\n",
    b"{\"command\":{\"stop\":\"now\"}}\n",
    b"{\"command\":{\"scale_learning_rate\":1e308}}\n",
    b"{\"record\":{\"at\":1,\"event\":\"",
    b"\"live\"\n",
    b"{\"refused\":\"",
    b"[[[[[[[[",
    b"\\ud800",
    b"\n",
    b"\r\n",
    b"\0",
];

const TOML: &[&[u8]] = &[
    b"theme = \"dark\"\n",
    b"ascii = true\n",
    b"[colors]\n",
    b"[keys]\n",
    b"[[keys]]\n",
    b"accent = \"#56b4e9\"\n",
    b"accent = \"#\xc3\xa9\xc3\xa9\"\n",
    b"series = [",
    b"toggle_stop = [\"s\", \"ctrl-s\"]\n",
    b"help = \"f255\"\n",
    b"a.b.c.d = {",
    b"\"\"\"",
    b"9999-99-99T99:99:99Z",
    b"\\u0000",
    b"\n",
];

const NPY: &[&[u8]] = &[
    b"\x93NUMPY\x01\x00",
    b"\x93NUMPY\x03\x00",
    b"'shape': (99999999, 99999999)",
    b"'fortran_order': True",
    b"'descr': '>f8'",
    b"(1L, 2)",
];

/// A set of records: four bytes for the length of `train.rec`, that file, and `train.idx`; none where nothing is left.
fn records(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return };
    let (records, index) = rest.split_at(rest.len().min(u32::from_le_bytes(*length) as usize));
    let path = put("train.rec", records);
    if index.is_empty() {
        let _ = std::fs::remove_file(path.with_extension("idx"));
    } else {
        put("train.idx", index);
    }
    let Ok(set) = RecordFile::open_any(&path, &|_, _| {}) else { return };
    for image in 0..set.len().min(16) {
        let _ = (set.image_bytes(image), set.label(image));
    }
}

/// An evaluation bin.
fn bin(bytes: &[u8]) {
    let _ = EvalBin::read(Path::new("some.bin"), bytes);
}

/// A JPEG or PNG image, as a face and in its own size.
fn image(bytes: &[u8]) {
    let size = (24, 24);
    let mut pixels = vec![0; decode::image_bytes(size)];
    let _ = decode::decode_into(bytes, size, &mut pixels);
    let _ = decode::decode_whole(bytes);
}

/// A schedule, and the messages about it.
fn schedule(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let environment = |name: &str| (name == "A").then(|| "a".to_owned());
    match schedule::parse("some.yaml", &text, &[], &environment) {
        Ok(loaded) => drop(loaded),
        Err(error) => drop(format!("{:?}", miette::Report::new(error))),
    }
}

/// A run's journal, and the state that it leads to.
fn journal(bytes: &[u8]) {
    let path = put(journal::FILE_NAME, bytes);
    for steps in [false, true] {
        if let Ok(records) = journal::read(&path, steps) {
            drop(RunState::replay(&records));
        }
    }
}

/// A Keras `.h5` file.
fn model(bytes: &[u8]) {
    let path = put("model.h5", bytes);
    let Ok(model) = checkpoint::read(&path) else { return };
    let _ = checkpoint::read_weights(&path, &model.graph);
}

/// A matrix in a `.npy` file.
fn matrix(bytes: &[u8]) {
    let _ = npy::read(&put("centers.npy", bytes));
}

/// The history of a run as the reference keeps it.
fn history(bytes: &[u8]) {
    let _ = History::read_if_present(&put("some_hist.json", bytes));
}

/// What both sides of a run's socket take, in pieces.
fn socket(bytes: &[u8]) {
    protocol::decode_any(bytes);
}

/// The front end's settings, and what is said about their mistakes.
fn settings(bytes: &[u8]) {
    if let Err(error) = Settings::read(&put("config.toml", bytes)) {
        drop(format!("{:?}", miette::Report::new(error)));
    }
}

/// Puts bytes into a file of this thread's own temporary folder.
fn put(name: &str, bytes: &[u8]) -> PathBuf {
    thread_local! {
        static FOLDER: OnceCell<Option<tempfile::TempDir>> = const { OnceCell::new() };
    }
    FOLDER.with(|folder| {
        let folder = folder.get_or_init(|| tempfile::Builder::new().prefix("facetui-fuzz-").tempdir().ok()).as_ref();
        let path = folder.map_or_else(|| PathBuf::from(name), |folder| folder.path().join(name));
        if folder.is_some()
            && let Ok(mut file) = std::fs::File::create(&path)
        {
            let _ = file.write_all(bytes);
        }
        path
    })
}
