//! What is in a data set or a bin: counts, sizes, formats, what cannot be read, what is there twice.
//!
//! Every image is read and decoded once, on all cores. An image costs 16 bytes of memory meanwhile: a 64-bit sum of its
//! bytes. Images of equal sums are compared byte by byte before they count as the same.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hasher;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;
use serde::Serialize;

use super::bin::EvalBin;
use super::decode;
use super::source::Source;

/// Images of a kind that are listed by name; all are counted.
pub const LISTED: usize = 20;

/// An image and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unreadable {
    /// Its name.
    pub name: String,
    /// Why it cannot be used.
    pub reason: String,
}

/// Images of some classes or places that are the same, byte by byte.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Same {
    /// Their names.
    pub names: Vec<String>,
    /// The classes they stand in.
    pub classes: Vec<u32>,
}

/// Classes by their number of images: from the first number up to the second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// Fewest images.
    pub from: u64,
    /// Most images.
    pub to: u64,
    /// Classes with as many.
    pub classes: u64,
}

/// What a data set and a bin share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Overlap {
    /// The bin's file.
    pub bin: String,
    /// Images of the bin, each counted once.
    pub images: u64,
    /// Of these, images that the set holds byte by byte.
    pub same_bytes: u64,
    /// Of these, images whose decoded pixels the set holds, those of the same bytes included.
    pub same_pixels: u64,
    /// The first images of the set that are in the bin.
    pub names: Vec<String>,
}

/// What is in a data set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Survey {
    /// Images.
    pub images: u64,
    /// Classes: the highest label plus one.
    pub classes: u64,
    /// Classes with images.
    pub present_classes: u64,
    /// Images of the smallest class that has some.
    pub least: u64,
    /// Images of the class in the middle.
    pub median: u64,
    /// Images of the largest class.
    pub most: u64,
    /// The names of the classes by label, where they are not their numbers; the first ones.
    pub class_names: Vec<String>,
    /// What is doubtful in how several sets were put together.
    pub warnings: Vec<String>,
    /// Classes by their number of images.
    pub histogram: Vec<Bucket>,
    /// Bytes of all images that can be read.
    pub bytes: u64,
    /// Images by `width`x`height`.
    pub sizes: BTreeMap<String, u64>,
    /// Images by format.
    pub formats: BTreeMap<String, u64>,
    /// Images that cannot be read or decoded.
    pub unreadable: u64,
    /// The first of them.
    pub unreadable_names: Vec<Unreadable>,
    /// Images that another one of the same class equals.
    pub duplicates_within: u64,
    /// Groups of equal images that stand in several classes.
    pub duplicates_across: u64,
    /// The first of these groups.
    pub duplicates_names: Vec<Same>,
    /// What it shares with each bin that was given.
    pub overlaps: Vec<Overlap>,
}

/// What is in a bin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BinSurvey {
    /// Pairs.
    pub pairs: u64,
    /// Of one person.
    pub same: u64,
    /// Of two.
    pub different: u64,
    /// Images, each counted once however many pairs show it.
    pub images: u64,
    /// Images by `width`x`height`.
    pub sizes: BTreeMap<String, u64>,
    /// Images by format.
    pub formats: BTreeMap<String, u64>,
    /// Images that cannot be decoded.
    pub unreadable: u64,
    /// The first of them.
    pub unreadable_names: Vec<Unreadable>,
    /// Pairs that were there before, in either order.
    pub repeated_pairs: u64,
    /// Pairs of an image with itself.
    pub pairs_with_itself: u64,
    /// Pairs that are called different and show the same bytes.
    pub different_but_equal: u64,
}

/// What is found while images are decoded.
#[derive(Default)]
struct Found {
    bytes: u64,
    sizes: BTreeMap<String, u64>,
    formats: BTreeMap<String, u64>,
    unreadable: Vec<Unreadable>,
    bad: u64,
}

impl Found {
    fn note(&mut self, name: String, bytes: u64, read: Result<(&'static str, u32, u32), String>) {
        match read {
            Ok((format, width, height)) => {
                self.bytes += bytes;
                *self.sizes.entry(format!("{width}x{height}")).or_default() += 1;
                *self.formats.entry(format.to_owned()).or_default() += 1;
            }
            Err(reason) => {
                self.bad += 1;
                self.unreadable.push(Unreadable { name, reason });
                // Which are listed must not depend on the threads.
                if self.unreadable.len() > 4 * LISTED {
                    self.trim();
                }
            }
        }
    }

    fn trim(&mut self) {
        self.unreadable.sort_unstable();
        self.unreadable.truncate(LISTED);
    }
}

fn sum(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

/// The sum of an image's pixels and size.
fn pixel_sum(picture: &decode::Picture) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u32(picture.width);
    hasher.write(&picture.pixels);
    hasher.finish()
}

/// A bin whose images are looked for.
struct Sought<'a> {
    bin: &'a EvalBin,
    bytes: HashMap<u64, Vec<u32>>,
    pixels: HashMap<u64, Vec<u32>>,
}

impl<'a> Sought<'a> {
    fn new(bin: &'a EvalBin) -> Self {
        let sums: Vec<(u64, Option<u64>)> = bin
            .images
            .par_iter()
            .map(|bytes| (sum(bytes), decode::decode_whole(bytes).ok().map(|picture| pixel_sum(&picture))))
            .collect();
        let (mut bytes, mut pixels) = (HashMap::<u64, Vec<u32>>::new(), HashMap::<u64, Vec<u32>>::new());
        for (at, (one, other)) in (0..).zip(sums) {
            bytes.entry(one).or_default().push(at);
            if let Some(other) = other {
                pixels.entry(other).or_default().push(at);
            }
        }
        Self { bin, bytes, pixels }
    }

    /// The images of the bin that are these: whether by their bytes too.
    fn hits(&self, bytes: &[u8], sum: u64, picture: Option<&decode::Picture>) -> Vec<(u32, bool)> {
        let mut hits = Vec::new();
        for at in self.bytes.get(&sum).into_iter().flatten() {
            if self.bin.images[*at as usize] == bytes {
                hits.push((*at, true));
            }
        }
        let Some(picture) = picture else { return hits };
        for at in self.pixels.get(&pixel_sum(picture)).into_iter().flatten() {
            let same = || decode::decode_whole(&self.bin.images[*at as usize]);
            if !hits.iter().any(|(known, _)| known == at)
                && same().is_ok_and(|other| other.pixels == picture.pixels && other.width == picture.width)
            {
                hits.push((*at, false));
            }
        }
        hits
    }
}

/// By image of a bin: whether the bytes are the same, and which image of the set it is; the first one.
type Hits = BTreeMap<u32, (bool, u32)>;

/// Looks at every image of `source`, and for those of `bins` in it. `progress` is told (done, all) from any thread.
pub fn survey(source: &dyn Source, bins: &[EvalBin], progress: &(dyn Fn(u64, u64) + Sync)) -> Survey {
    let sought: Vec<Sought<'_>> = bins.iter().map(Sought::new).collect();
    let held = Mutex::new((Found::default(), vec![Hits::new(); bins.len()]));
    let done = AtomicU64::new(0);
    let total = source.len() as u64;
    let mut sums: Vec<(u64, u32)> = (0..source.len() as u32)
        .into_par_iter()
        .map_init(Vec::new, |bytes, index| {
            let read = source.encoded(index as usize, bytes).map_err(|error| error.to_string());
            let readable = read.is_ok();
            if !readable {
                bytes.clear();
            }
            let sum = sum(bytes);
            let picture = read.and_then(|()| whole(bytes));
            let hits: Vec<Vec<(u32, bool)>> =
                sought.iter().map(|sought| sought.hits(bytes, sum, picture.as_ref().ok())).collect();
            let name = if picture.is_err() { source.name(index as usize) } else { String::new() };
            let facts = picture.map(|picture| (picture.format, picture.width, picture.height));
            if let Ok(mut held) = held.lock() {
                let (found, overlaps) = &mut *held;
                found.note(name, bytes.len() as u64, facts);
                for (overlap, hits) in overlaps.iter_mut().zip(hits) {
                    for (at, exact) in hits {
                        let known = overlap.entry(at).or_insert((exact, index));
                        known.0 |= exact;
                        known.1 = known.1.min(index);
                    }
                }
            }
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
            readable.then_some((sum, index))
        })
        .flatten()
        .collect();
    sums.par_sort_unstable();
    let (mut found, overlaps) = held.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    found.trim();
    let doubles = doubles(source, &sums);
    let overlaps = bins.iter().zip(overlaps).map(|(bin, hits)| Overlap {
        bin: bin.path.display().to_string(),
        images: bin.images.len() as u64,
        same_bytes: hits.values().filter(|(exact, _)| *exact).count() as u64,
        same_pixels: hits.len() as u64,
        names: hits.values().take(LISTED).map(|(_, index)| source.name(*index as usize)).collect(),
    });
    let overlaps = overlaps.collect();
    let mut counts = vec![0u64; source.classes()];
    for label in source.labels() {
        counts[label as usize] += 1;
    }
    counts.retain(|count| *count > 0);
    counts.sort_unstable();
    Survey {
        images: total,
        classes: source.classes() as u64,
        present_classes: counts.len() as u64,
        least: counts.first().copied().unwrap_or_default(),
        median: counts.get(counts.len() / 2).copied().unwrap_or_default(),
        most: counts.last().copied().unwrap_or_default(),
        class_names: if source.has_names() {
            source.names_of_classes().into_iter().take(LISTED).collect()
        } else {
            Vec::new()
        },
        warnings: source.notes(),
        histogram: histogram(&counts),
        bytes: found.bytes,
        sizes: found.sizes,
        formats: found.formats,
        unreadable: found.bad,
        unreadable_names: found.unreadable,
        duplicates_within: doubles.within,
        duplicates_across: doubles.across,
        duplicates_names: doubles.names,
        overlaps,
    }
}

/// Decodes an image; a decoder that gives up badly is an error too.
fn whole(bytes: &[u8]) -> Result<decode::Picture, String> {
    match std::panic::catch_unwind(|| decode::decode_whole(bytes)) {
        Ok(picture) => picture.map_err(|error| error.to_string()),
        Err(_) => Err("the decoder failed on it".to_owned()),
    }
}

/// Classes by their number of images, each bucket twice as wide as the one before; `counts` is sorted.
fn histogram(counts: &[u64]) -> Vec<Bucket> {
    let Some(most) = counts.last() else { return Vec::new() };
    let mut buckets = Vec::new();
    let mut from = 1;
    while from <= *most {
        let to = from * 2 - 1;
        let classes = counts.partition_point(|count| *count <= to) - counts.partition_point(|count| *count < from);
        buckets.push(Bucket { from, to, classes: classes as u64 });
        from *= 2;
    }
    let first = buckets.iter().position(|bucket| bucket.classes > 0).unwrap_or_default();
    buckets.split_off(first)
}

#[derive(Default)]
struct Doubles {
    within: u64,
    across: u64,
    names: Vec<Same>,
}

/// Images that are the same; `sums` is sorted.
fn doubles(source: &dyn Source, sums: &[(u64, u32)]) -> Doubles {
    let mut doubles = Doubles::default();
    let mut groups: Vec<Vec<u32>> = Vec::new();
    for alike in sums.chunk_by(|one, other| one.0 == other.0).filter(|alike| alike.len() > 1) {
        // Sums may be equal by chance: compare the bytes.
        let mut kinds: Vec<(Vec<u8>, Vec<u32>)> = Vec::new();
        for (_, index) in alike {
            let mut bytes = Vec::new();
            if source.encoded(*index as usize, &mut bytes).is_err() {
                continue;
            }
            match kinds.iter_mut().find(|(known, _)| *known == bytes) {
                Some((_, images)) => images.push(*index),
                None => kinds.push((bytes, vec![*index])),
            }
        }
        groups.extend(kinds.into_iter().map(|(_, images)| images).filter(|images| images.len() > 1));
    }
    groups.sort_unstable();
    for images in groups {
        let mut classes: Vec<u32> = images.iter().map(|image| source.label(*image as usize)).collect();
        classes.sort_unstable();
        classes.dedup();
        doubles.within += (images.len() - classes.len()) as u64;
        if classes.len() > 1 {
            doubles.across += 1;
            if doubles.names.len() < LISTED {
                let names = images.iter().take(LISTED).map(|image| source.name(*image as usize)).collect();
                doubles.names.push(Same { names, classes });
            }
        }
    }
    doubles
}

/// Looks at every image of a bin.
pub fn survey_bin(bin: &EvalBin) -> BinSurvey {
    let mut found = Found::default();
    let facts: Vec<_> = bin
        .images
        .par_iter()
        .map(|bytes| whole(bytes).map(|picture| (picture.format, picture.width, picture.height)))
        .collect();
    for ((at, facts), bytes) in facts.into_iter().enumerate().zip(&bin.images) {
        found.note(format!("image {at}"), bytes.len() as u64, facts);
    }
    found.trim();
    // Equal images count as one, whether or not the pickle held them once.
    let mut first: HashMap<&[u8], u32> = HashMap::new();
    let own: Vec<u32> =
        (0..).zip(&bin.images).map(|(at, bytes)| *first.entry(bytes.as_slice()).or_insert(at)).collect();
    let mut seen = std::collections::HashSet::new();
    let (mut repeated, mut with_itself, mut different_but_equal) = (0, 0, 0);
    for (pair, same) in bin.pairs.iter().zip(&bin.same) {
        let [one, other] = pair.map(|image| own[image as usize]);
        repeated += u64::from(!seen.insert([one.min(other), one.max(other)]));
        with_itself += u64::from(one == other);
        different_but_equal += u64::from(one == other && !same);
    }
    let same = bin.same.iter().filter(|same| **same).count() as u64;
    BinSurvey {
        pairs: bin.same.len() as u64,
        same,
        different: bin.same.len() as u64 - same,
        images: first.len() as u64,
        sizes: found.sizes,
        formats: found.formats,
        unreadable: found.bad,
        unreadable_names: found.unreadable,
        repeated_pairs: repeated,
        pairs_with_itself: with_itself,
        different_but_equal,
    }
}
