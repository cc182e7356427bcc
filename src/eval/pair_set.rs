//! Pairs of images to evaluate on: those of a bin, or drawn from a folder of persons.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::Diagnostic;
use thiserror::Error;

use crate::data::bin::{BinError, EvalBin};
use crate::data::folder::{self, FolderError, FolderSet};
use crate::data::items::Item;
use crate::data::random::{Stream, Use};

/// Pairs whose images are still to be read.
#[derive(Debug, Clone)]
pub struct PairSet {
    /// What it is called: the stem of the file, the name of the folder.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// The images, each once.
    pub items: Vec<Item>,
    /// The two images of each pair, as places in `items`.
    pub pairs: Vec<[u32; 2]>,
    /// Whether each pair shows one person.
    pub same: Vec<bool>,
    /// Whether every image must be readable, as in a bin, or pairs with others are left out.
    pub whole: bool,
}

/// No pairs.
#[derive(Debug, Error, Diagnostic)]
pub enum PairsError {
    /// The bin.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Bin(#[from] BinError),
    /// The folder.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Folder(#[from] FolderError),
    /// A folder of persons with one image each.
    #[error("no pairs can be drawn from `{}`: no person has two images", path.display())]
    #[diagnostic(help("evaluation needs two persons at least, one of them with two images"))]
    Single {
        /// The folder.
        path: PathBuf,
    },
}

impl PairSet {
    /// The pairs of a bin; of a folder of persons `wanted` pairs (fewer when it has fewer), half of them of one person,
    /// drawn from `seed`.
    ///
    /// # Errors
    /// No bin, or no folder of persons.
    pub fn open(path: &Path, wanted: usize, seed: u64) -> Result<Self, PairsError> {
        if path.is_dir() {
            return Self::draw(path, wanted, seed);
        }
        let bin = Arc::new(EvalBin::open(path)?);
        let items = (0..bin.images.len()).map(|at| Item::Bin(Arc::clone(&bin), at)).collect();
        let (name, pairs, same) = (bin.name.clone(), bin.pairs.clone(), bin.same.clone());
        Ok(Self { name, path: path.to_path_buf(), items, pairs, same, whole: true })
    }

    fn draw(path: &Path, wanted: usize, seed: u64) -> Result<Self, PairsError> {
        let set = FolderSet::open(path, folder::default_cache().as_deref(), &|_, _| {})?;
        let mut people: Vec<Vec<u32>> = Vec::new();
        let mut last = None;
        // Images of one person lie side by side.
        for (image, label) in set.labels().enumerate() {
            if last != Some(label) {
                people.push(Vec::new());
                last = Some(label);
            }
            if let Some(person) = people.last_mut() {
                person.push(image as u32);
            }
        }
        let (pairs, same) = draw_pairs(&people, wanted, seed);
        if pairs.is_empty() {
            return Err(PairsError::Single { path: path.to_path_buf() });
        }
        let mut used: Vec<u32> = pairs.as_flattened().to_vec();
        used.sort_unstable();
        used.dedup();
        let place = |image: u32| used.binary_search(&image).map_or(0, |place| place as u32);
        let pairs = pairs.iter().map(|[a, b]| [place(*a), place(*b)]).collect();
        let items = used.iter().map(|image| Item::File(set.path(*image as usize))).collect();
        let name =
            path.canonicalize().ok().and_then(|path| path.file_name().map(|name| name.to_string_lossy().into_owned()));
        let name = name.unwrap_or_else(|| path.display().to_string());
        Ok(Self { name, path: path.to_path_buf(), items, pairs, same, whole: false })
    }
}

/// Pairs of images of `people`, one of one person and one of two persons by turns, none twice: `wanted` of them, or as
/// many as there are of the rarer kind. Each person sits for as many pairs of one person as any other, as far as their
/// images allow; those of two persons are drawn from all persons alike.
fn draw_pairs(people: &[Vec<u32>], wanted: usize, seed: u64) -> (Vec<[u32; 2]>, Vec<bool>) {
    let half = (wanted / 2) as u64;
    let mut dice = Stream::new(seed, 0, Use::Pairs, 0);
    let different = of_two(people, half, &mut dice);
    let mut alike = of_one(people, different.len() as u64, &mut dice);
    dice.shuffle(&mut alike);
    let both = alike.into_iter().zip(different);
    let pairs: Vec<[u32; 2]> = both.flat_map(|(alike, different)| [alike, different]).collect();
    let same = (0..pairs.len()).map(|at| at % 2 == 0).collect();
    (pairs, same)
}

/// Pairs of one person, at most `wanted`, the persons taking turns.
fn of_one(people: &[Vec<u32>], wanted: u64, dice: &mut Stream) -> Vec<[u32; 2]> {
    let all = |person: &Vec<u32>| person.len() as u64 * (person.len() as u64).saturating_sub(1) / 2;
    let mut order: Vec<&Vec<u32>> = people.iter().filter(|person| all(person) > 0).collect();
    dice.shuffle(&mut order);
    // Fill as water does: a level such that everybody gives so many pairs, or all they have.
    let (mut level, mut left) = (0, wanted.min(order.iter().map(|person| all(person)).sum()));
    let mut open = order.len() as u64;
    while left >= open && open > 0 {
        let next = order.iter().map(|person| all(person)).filter(|all| *all > level).min().unwrap_or(level);
        let step = (next - level).min(left / open).max(1);
        (level, left) = (level + step, left - step * open);
        open = order.iter().filter(|person| all(person) > level).count() as u64;
    }
    let mut pairs = Vec::new();
    for person in order {
        let mut count = level.min(all(person));
        if left > 0 && all(person) > level {
            (count, left) = (count + 1, left - 1);
        }
        // Floyd's way: `count` different numbers below `all`, in as many steps.
        let mut taken = HashSet::new();
        for last in all(person) - count..all(person) {
            let drawn = dice.below(last + 1);
            let number = if taken.insert(drawn) { drawn } else { last };
            taken.insert(number);
            let (first, second) = triangle(number);
            pairs.push([person[first as usize], person[second as usize]]);
        }
    }
    pairs
}

/// Pair number `number` of those in which the first is below the second: (0, 1), (0, 2), (1, 2), (0, 3), ...
fn triangle(number: u64) -> (u64, u64) {
    let mut second = ((1 + 8 * u128::from(number)).isqrt() as u64).div_ceil(2);
    // The root is rounded down; one step puts it right.
    while second * (second - 1) / 2 > number {
        second -= 1;
    }
    while second * (second + 1) / 2 <= number {
        second += 1;
    }
    (number - second * (second - 1) / 2, second)
}

/// Different pairs of two persons, at most `wanted`.
fn of_two(people: &[Vec<u32>], wanted: u64, dice: &mut Stream) -> Vec<[u32; 2]> {
    let images: u128 = people.iter().map(|person| person.len() as u128).sum();
    let alike: u128 = people.iter().map(|person| (person.len() as u128).pow(2)).sum();
    let all = (images * images - alike) / 2;
    if all <= 4 * u128::from(wanted) {
        let mut pairs = Vec::new();
        for (at, person) in people.iter().enumerate() {
            for other in &people[at + 1..] {
                pairs.extend(person.iter().flat_map(|a| other.iter().map(|b| [*a, *b])));
            }
        }
        dice.shuffle(&mut pairs);
        pairs.truncate(wanted as usize);
        return pairs;
    }
    let (mut pairs, mut known) = (Vec::new(), HashSet::new());
    // A bound for sets in which a few persons have nearly all images.
    for _ in 0..wanted.saturating_mul(100) {
        if pairs.len() as u64 == wanted {
            break;
        }
        let one = dice.below(people.len() as u64) as usize;
        let other = (one + 1 + dice.below(people.len() as u64 - 1) as usize) % people.len();
        let mut image = |person: &Vec<u32>| person[dice.below(person.len() as u64) as usize];
        let (a, b) = (image(&people[one]), image(&people[other]));
        if known.insert((a.min(b), a.max(b))) {
            pairs.push([a, b]);
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Persons with so many images each.
    fn people(sizes: &[u32]) -> Vec<Vec<u32>> {
        let mut next = 0;
        let take = |size: &u32| {
            next += size;
            (next - size..next).collect()
        };
        sizes.iter().map(take).collect()
    }

    fn check(sizes: &[u32], wanted: usize, seed: u64) -> (Vec<[u32; 2]>, Vec<bool>) {
        let people = people(sizes);
        let who = |image: u32| people.iter().position(|person| person.contains(&image)).expect("somebody's");
        let (pairs, same) = draw_pairs(&people, wanted, seed);
        let mut seen = HashSet::new();
        for ([a, b], same) in pairs.iter().zip(&same) {
            assert_ne!(a, b);
            assert_eq!(who(*a) == who(*b), *same);
            assert!(seen.insert((a.min(b), a.max(b))), "a pair comes twice");
        }
        assert_eq!(same.iter().filter(|same| **same).count() * 2, same.len());
        (pairs, same)
    }

    #[test]
    fn pairs_are_balanced_different_and_the_same_for_a_seed() {
        let sizes = [5, 1, 30, 2, 7, 7];
        let drawn = check(&sizes, 60, 1);
        assert_eq!(drawn.0.len(), 60);
        assert_eq!(drawn, check(&sizes, 60, 1));
        assert_ne!(drawn.0, check(&sizes, 60, 2).0);
        // 30 of one person: 7, 7, 8, 8 of those who can, and 1 of the person who has no more.
        let people = people(&sizes);
        let mut counts = HashMap::new();
        for ([a, _], _) in drawn.0.iter().zip(&drawn.1).filter(|(_, same)| **same) {
            *counts.entry(people.iter().position(|person| person.contains(a))).or_insert(0) += 1;
        }
        let mut counts: Vec<i32> = counts.into_values().collect();
        counts.sort_unstable();
        assert_eq!(counts, [1, 7, 7, 7, 8]);
    }

    #[test]
    fn a_small_set_gives_what_it_has() {
        assert_eq!(check(&[3, 3], 6000, 0).0.len(), 12);
        assert_eq!(check(&[2, 1], 6000, 0).0.len(), 2);
        assert_eq!(check(&[1, 1, 1], 6000, 0).0.len(), 0);
        assert_eq!(check(&[2000, 1, 1], 6000, 0).0.len(), 6000);
        assert_eq!(check(&[40; 40], 0, 0).0.len(), 0);
    }

    #[test]
    fn numbered_pairs_are_all_pairs() {
        let pairs: Vec<(u64, u64)> = (0..10).map(triangle).collect();
        assert_eq!(pairs, [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3), (0, 4), (1, 4), (2, 4), (3, 4)]);
        let last = 4_000_000_000u64;
        assert_eq!(triangle(last * (last - 1) / 2 - 1), (last - 2, last - 1));
    }
}
