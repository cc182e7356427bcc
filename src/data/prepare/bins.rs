//! Evaluation bins: balanced pairs drawn from people, or the pairs of a file.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::pairs::{self, Pair};
use super::{Made, PrepareError, Progress, io, write_bin};
use crate::data::decode;
use crate::data::pickle::write;
use crate::data::random::{Stream, Use};
use crate::data::source::{ImageError, Source};

/// Parts of a bin that are balanced each, as the ten folds of an evaluation.
const FOLDS: usize = 10;

/// Draws `pairs` pairs from `source`, half of one person and half of two, and writes them as a bin to `to`. No pair
/// comes twice. The pairs of one person go round the people; those of two are any. The same seed draws the same pairs.
/// Every tenth of the bin is balanced, where the number allows it.
///
/// # Errors
/// An odd number of pairs, fewer pairs in the source than wanted, an image that cannot be decoded, a place that is taken.
pub fn from_people(
    source: &dyn Source,
    to: &Path,
    pairs: u64,
    seed: u64,
    progress: Progress<'_>,
) -> Result<Made, PrepareError> {
    if pairs == 0 || !pairs.is_multiple_of(2) {
        return Err(PrepareError::Odd(pairs));
    }
    let half = pairs / 2;
    let people = people(source);
    let same = of_one(&people, half, &mut Stream::new(seed, 0, Use::Pairs, 0))?;
    let other = of_two(&people, half, &mut Stream::new(seed, 0, Use::Pairs, 1))?;
    let mut mixed = Vec::with_capacity(pairs as usize);
    for fold in 0..FOLDS {
        let part = |pairs: &[[u32; 2]]| {
            let (from, to) = (pairs.len() * fold / FOLDS, pairs.len() * (fold + 1) / FOLDS);
            pairs[from..to].to_vec()
        };
        mixed.extend(part(&same).into_iter().map(|images| (images, true)));
        mixed.extend(part(&other).into_iter().map(|images| (images, false)));
    }
    let read = |image: u32, bytes: &mut Vec<u8>| source.encoded(image as usize, bytes);
    write_pairs(&mixed, &read, &|image| source.name(image as usize), to, progress)
}

/// Writes the pairs of a pairs file as a bin to `to`; the images lie in `images`, or beside the file.
///
/// # Errors
/// A file that is not a list of pairs, an image that is missing or cannot be decoded, a place that is taken.
pub fn from_pairs_file(
    file: &Path,
    images: Option<&Path>,
    to: &Path,
    progress: Progress<'_>,
) -> Result<Made, PrepareError> {
    let beside = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let found = pairs::read(file, images.unwrap_or(beside))?;
    let mut known: HashMap<PathBuf, u32> = HashMap::new();
    let mut paths: Vec<PathBuf> = Vec::new();
    let mut number = |path: PathBuf| {
        *known.entry(path).or_insert_with_key(|path| {
            paths.push(path.clone());
            paths.len() as u32 - 1
        })
    };
    let pairs: Vec<([u32; 2], bool)> =
        found.into_iter().map(|Pair { images: [one, other], same }| ([number(one), number(other)], same)).collect();
    let read = |image: u32, bytes: &mut Vec<u8>| {
        *bytes = std::fs::read(&paths[image as usize])?;
        Ok(())
    };
    write_pairs(&pairs, &read, &|image| paths[image as usize].display().to_string(), to, progress)
}

/// The images of each person who has some.
fn people(source: &dyn Source) -> Vec<Vec<u32>> {
    let mut people = vec![Vec::new(); source.classes()];
    for (image, label) in source.labels().into_iter().enumerate() {
        people[label as usize].push(image as u32);
    }
    people.retain(|images| !images.is_empty());
    people
}

/// `wanted` pairs of one person each, going round the people in an order that is drawn.
fn of_one(people: &[Vec<u32>], wanted: u64, stream: &mut Stream) -> Result<Vec<[u32; 2]>, PrepareError> {
    let count = |images: &Vec<u32>| (images.len() as u64 * (images.len() as u64).saturating_sub(1)) / 2;
    let found = people.iter().map(count).sum();
    if found < wanted {
        return Err(PrepareError::TooFew { what: "one person", wanted, found });
    }
    let mut round: Vec<(&Vec<u32>, HashSet<[u32; 2]>)> =
        people.iter().filter(|images| images.len() > 1).map(|images| (images, HashSet::new())).collect();
    stream.shuffle(&mut round);
    let mut pairs = Vec::with_capacity(wanted as usize);
    while (pairs.len() as u64) < wanted {
        round.retain(|(images, drawn)| (drawn.len() as u64) < count(images));
        for (images, drawn) in &mut round {
            if pairs.len() as u64 == wanted {
                break;
            }
            // At worst one pair is left of all: as many draws on average.
            loop {
                let one = stream.below(images.len() as u64) as usize;
                let other = stream.below(images.len() as u64 - 1) as usize;
                let other = if other >= one { other + 1 } else { other };
                if drawn.insert([images[one].min(images[other]), images[one].max(images[other])]) {
                    pairs.push([images[one], images[other]]);
                    break;
                }
            }
        }
    }
    Ok(pairs)
}

/// `wanted` pairs of two persons each; people are drawn first, so that nobody with many images fills the bin.
fn of_two(people: &[Vec<u32>], wanted: u64, stream: &mut Stream) -> Result<Vec<[u32; 2]>, PrepareError> {
    let all: u64 = people.iter().map(|images| images.len() as u64).sum();
    let found = people.iter().map(|images| images.len() as u64 * (all - images.len() as u64)).sum::<u64>() / 2;
    if found < wanted {
        return Err(PrepareError::TooFew { what: "two persons", wanted, found });
    }
    let mut drawn: HashSet<[u32; 2]> = HashSet::new();
    let mut pairs = Vec::with_capacity(wanted as usize);
    let mut tries = 0;
    while (pairs.len() as u64) < wanted {
        if tries > wanted * 20 + 1000 {
            break;
        }
        tries += 1;
        let one = stream.below(people.len() as u64) as usize;
        let other = stream.below(people.len() as u64 - 1) as usize;
        let other = if other >= one { other + 1 } else { other };
        let mut image = |person: usize| people[person][stream.below(people[person].len() as u64) as usize];
        let pair = [image(one), image(other)];
        if drawn.insert([pair[0].min(pair[1]), pair[0].max(pair[1])]) {
            pairs.push(pair);
        }
    }
    // Nearly all pairs there are, so few that they can be listed: the rest in an order that is drawn.
    let missing = wanted as usize - pairs.len();
    if missing > 0 {
        let mut rest = Vec::new();
        for (at, person) in people.iter().enumerate() {
            for other in people[at + 1..].iter().flatten() {
                let left = person.iter().map(|one| [*one.min(other), *one.max(other)]);
                rest.extend(left.filter(|pair| !drawn.contains(pair)));
            }
        }
        stream.shuffle(&mut rest);
        pairs.extend(rest.into_iter().take(missing));
    }
    Ok(pairs)
}

/// Reads the encoded image of a number into the bytes.
type Read<'a> = dyn Fn(u32, &mut Vec<u8>) -> Result<(), ImageError> + Sync + 'a;

/// Reads the images of pairs, each once, and writes the bin. All must be images.
fn write_pairs(
    pairs: &[([u32; 2], bool)],
    read: &Read<'_>,
    name: &(dyn Fn(u32) -> String + Sync),
    to: &Path,
    progress: Progress<'_>,
) -> Result<Made, PrepareError> {
    let mut used: Vec<u32> = Vec::new();
    let mut places: HashMap<u32, u32> = HashMap::new();
    let order: Vec<u32> = pairs
        .iter()
        .flat_map(|(pair, _)| *pair)
        .map(|image| {
            *places.entry(image).or_insert_with(|| {
                used.push(image);
                used.len() as u32 - 1
            })
        })
        .collect();
    let done = AtomicU64::new(0);
    let images: Vec<Vec<u8>> = used
        .par_iter()
        .map(|image| {
            let mut bytes = Vec::new();
            read(*image, &mut bytes)
                .and_then(|()| Ok(decode::decode_whole(&bytes).map(drop)?))
                .map_err(|error| PrepareError::Image { name: name(*image), source: error })?;
            progress("images read", done.fetch_add(1, Ordering::Relaxed) + 1, used.len() as u64);
            Ok(bytes)
        })
        .collect::<Result<_, PrepareError>>()?;
    let same: Vec<bool> = pairs.iter().map(|(_, same)| *same).collect();
    if let Some(folder) = to.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(io(folder))?;
    }
    write_bin(to, &write::bin(&images, &order, &same), pairs.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_there_is_can_be_drawn_and_none_comes_twice() {
        let people = [vec![0, 1, 2], vec![3, 4], vec![5]];
        for seed in 0..20 {
            let stream = |item| Stream::new(seed, 0, Use::Pairs, item);
            let person = |image: u32| people.iter().position(|images| images.contains(&image));
            for (same, most) in [(true, 4), (false, 11)] {
                let draw = |wanted| {
                    if same { of_one(&people, wanted, &mut stream(0)) } else { of_two(&people, wanted, &mut stream(1)) }
                };
                let pairs = draw(most).expect("there are as many");
                let unique: HashSet<_> = pairs.iter().map(|[one, other]| [one.min(other), one.max(other)]).collect();
                assert_eq!((pairs.len() as u64, unique.len() as u64), (most, most));
                assert!(pairs.iter().all(|[one, other]| (person(*one) == person(*other)) == same));
                assert_eq!(draw(most).expect("again"), pairs);
                let error = draw(most + 1).expect_err("there are fewer").to_string();
                assert!(error.contains(&format!("there are {most}")), "{error}");
            }
        }
    }
}
