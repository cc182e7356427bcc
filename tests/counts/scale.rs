//! A set of 42 million records opens within 40 bytes an image, and an epoch's order is drawn within five seconds. Needs
//! 2.5 GB of disk and some minutes, so it runs when asked for: `cargo xtask test --long`. A small set keeps the same bound,
//! the order's time aside, in every run of the tests.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use facetui::data::recordio::RecordFile;
use facetui::data::sampler::Sampler;

use crate::alone::in_a_process;

/// Images of a class.
const CLASS: u64 = 21;
/// Bytes of memory an image may take.
const LIMIT: u64 = 40;

/// A line of this process's status, in bytes; none where the system does not say.
fn status(line: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|found| found.strip_prefix(line))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

/// A header and images of one byte, with their index.
fn write(folder: &Path, count: u64) {
    let file = |name: &str| BufWriter::with_capacity(1 << 20, std::fs::File::create(folder.join(name)).expect("makes"));
    let (mut records, mut index) = (file("train.rec"), file("train.idx"));
    let mut offset = 0;
    let mut put = |number: u64, flag: u32, label: f32, content: &[u8]| {
        let mut record = 0xced7_230a_u32.to_le_bytes().to_vec();
        record.extend((24 + content.len() as u32).to_le_bytes());
        record.extend(flag.to_le_bytes());
        record.extend(label.to_le_bytes());
        record.extend(number.to_le_bytes());
        record.extend(0u64.to_le_bytes());
        record.extend(content);
        record.resize(record.len().next_multiple_of(4), 0);
        records.write_all(&record).expect("writes");
        writeln!(index, "{number}\t{offset}").expect("writes");
        offset += record.len();
    };
    let ends = [(count + 1) as f32, (count + 2) as f32].map(f32::to_le_bytes);
    put(0, 2, 0.0, &ends.concat());
    for image in 0..count {
        put(image + 1, 0, (image / CLASS) as f32, b"x");
    }
    put(count + 1, 2, 0.0, &[1.0f32, 22.0].map(f32::to_le_bytes).concat());
    records.flush().expect("writes");
    index.flush().expect("writes");
}

#[test]
#[ignore = "long: takes minutes and 2.5 GB of disk"]
fn long_forty_two_million_images_open_within_the_bound() {
    in_a_process("scale::long_forty_two_million_images_open_within_the_bound", || {
        for drawn in opened(42_000_000, 0) {
            assert!(drawn < Duration::from_secs(5), "{drawn:?}");
        }
    });
}

#[test]
fn a_small_set_opens_within_the_bound() {
    // The threads' stacks and the program's own pages are no part of the index.
    in_a_process("scale::a_small_set_opens_within_the_bound", || {
        opened(840_000, 48 << 20);
    });
}

/// Writes a set, opens it without and with its kept index within the bound and `spare` bytes; how long the orders took.
#[expect(clippy::print_stderr, reason = "figures to look at")]
fn opened(count: u64, spare: u64) -> Vec<Duration> {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), count);
    let cache = folder.path().join("cache");
    // What changed a moment ago is not kept.
    std::thread::sleep(Duration::from_secs(3));
    let before = status("VmHWM:").unwrap_or_default();
    let mut times = Vec::new();
    for kept in [false, true] {
        let started = Instant::now();
        let set = RecordFile::open_cached(folder.path(), Some(&cache), &|_, _| {}).expect("opens");
        let took = started.elapsed().as_secs_f64();
        assert_eq!(
            (set.from_cache(), set.len() as u64, set.label(set.len() - 1)),
            (kept, count, (count / CLASS - 1) as u32)
        );
        let started = Instant::now();
        let plan = Sampler::shuffled(set.len(), 512, 1).expect("is valid").plan(3);
        let drawn = started.elapsed();
        assert_eq!(plan.order.len() as u64, count);
        let now = status("VmRSS:").unwrap_or_default();
        let peak = status("VmHWM:").unwrap_or_default().saturating_sub(before);
        eprintln!(
            "opened in {took:.1} s (kept: {kept}), order in {:.2} s, {:.1} bytes an image at most so far, {:.1} now",
            drawn.as_secs_f64(),
            peak as f64 / count as f64,
            now as f64 / count as f64
        );
        times.push(drawn);
        assert!(peak < LIMIT * count + spare, "{peak} bytes");
    }
    times
}
