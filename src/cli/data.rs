//! `facetui data`: what is in a data set or a bin, as lines or as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::output::say;
use super::progress::Progress;
use crate::data::bin::EvalBin;
use crate::data::survey::{self, BinSurvey, Survey, Unreadable};
use crate::data::{self, recordio};
use crate::schedule::{Labels, TrainSet};

/// Columns of the longest bar.
const BAR: u64 = 40;

/// What to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Data sets, or one bin.
    pub paths: Vec<PathBuf>,
    /// Whether classes of the same name in several sets are one.
    pub merge: bool,
    /// Bins that are looked for in the data set.
    pub bins: Vec<PathBuf>,
    /// As JSON.
    pub json: bool,
}

/// Looks at it and prints what is in it.
pub(super) fn data(request: &Request) -> Result<(), Failure> {
    let is_bin = |path: &&PathBuf| path.is_file() && !recordio::is_record_set(path);
    if let Some(path) = request.paths.iter().find(is_bin) {
        if !request.bins.is_empty() || request.paths.len() > 1 {
            return Err(Failure::Usage(miette::miette!(
                help = "give the training sets, and bins with --bin; or one bin alone",
                "`{}` is not a training set, and only training sets can be described together",
                path.display()
            )));
        }
        let bin = EvalBin::open(path).map_err(|error| Failure::Run(error.into()))?;
        let found = survey::survey_bin(&bin);
        return print(request, &found, || bin_text(path, &found));
    }
    let bins = request.bins.iter().map(|bin| EvalBin::open(bin)).collect::<Result<Vec<_>, _>>();
    let bins = bins.map_err(|error| Failure::Run(error.into()))?;
    let progress = Progress::new();
    let labels = if request.merge { Labels::Merge } else { Labels::Offset };
    let sets: Vec<_> = request.paths.iter().map(|path| TrainSet { path: path.clone(), labels }).collect();
    let source = data::open_all(&sets, &|done, total| progress.count("images listed", done, total))
        .map_err(|error| Failure::Run(error.into()))?;
    let found = survey::survey(&*source, &bins, &|done, total| progress.count("images read", done, total));
    print(request, &found, || set_text(&request.paths, &found))
}

fn print(request: &Request, found: &impl serde::Serialize, text: impl Fn() -> String) -> Result<(), Failure> {
    if request.json {
        let json = serde_json::to_string_pretty(found).map_err(|error| Failure::Run(miette::miette!("{error}")))?;
        say(&(json + "\n"));
    } else {
        say(&text());
    }
    Ok(())
}

fn set_text(paths: &[PathBuf], found: &Survey) -> String {
    let names: Vec<String> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
    let mut text = format!(
        "{}: {} images of {} classes, {:.1} MB\n",
        names.join(", "),
        found.images,
        found.present_classes,
        found.bytes as f64 / 1e6
    );
    for warning in &found.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    if found.classes > found.present_classes {
        let _ =
            writeln!(text, "{} labels below {} have no image", found.classes - found.present_classes, found.classes);
    }
    if !found.class_names.is_empty() {
        let names: Vec<String> =
            found.class_names.iter().enumerate().map(|(label, name)| format!("{label} {name}")).collect();
        let more = if (names.len() as u64) < found.classes { ", ..." } else { "" };
        let _ = writeln!(text, "classes by name: {}{more}", names.join(", "));
    }
    let _ = writeln!(text, "images per class: {} to {}, median {}", found.least, found.most, found.median);
    let longest = found.histogram.iter().map(|bucket| bucket.classes).max().unwrap_or_default().max(1);
    for bucket in &found.histogram {
        let range =
            if bucket.from == bucket.to { bucket.from.to_string() } else { format!("{}-{}", bucket.from, bucket.to) };
        let bar = "#".repeat((bucket.classes * BAR).div_ceil(longest) as usize);
        let _ = writeln!(text, "  {range:>15} {bar:<40} {}", bucket.classes);
    }
    kinds(&mut text, &found.sizes, &found.formats);
    unreadable(&mut text, found.unreadable, &found.unreadable_names);
    let _ = writeln!(
        text,
        "duplicate images: {} within their classes, {} groups across classes",
        found.duplicates_within, found.duplicates_across
    );
    for same in &found.duplicates_names {
        let _ = writeln!(text, "  classes {:?}: {}", same.classes, same.names.join(", "));
    }
    for overlap in &found.overlaps {
        let _ = writeln!(
            text,
            "of the {} images of `{}`, {} are in the set with the same bytes, {} with the same pixels",
            overlap.images, overlap.bin, overlap.same_bytes, overlap.same_pixels
        );
        for name in &overlap.names {
            let _ = writeln!(text, "  {name}");
        }
    }
    text
}

fn bin_text(path: &Path, found: &BinSurvey) -> String {
    let mut text = format!(
        "`{}`: {} pairs, {} of one person, {} of two; {} different images\n",
        path.display(),
        found.pairs,
        found.same,
        found.different,
        found.images
    );
    kinds(&mut text, &found.sizes, &found.formats);
    unreadable(&mut text, found.unreadable, &found.unreadable_names);
    let _ = writeln!(
        text,
        "repeated pairs: {}; pairs of an image with itself: {}, of which {} are labelled different",
        found.repeated_pairs, found.pairs_with_itself, found.different_but_equal
    );
    text
}

fn kinds(text: &mut String, sizes: &BTreeMap<String, u64>, formats: &BTreeMap<String, u64>) {
    for (what, counts) in [("sizes", sizes), ("formats", formats)] {
        let mut counts: Vec<(&String, &u64)> = counts.iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let more = counts.len().saturating_sub(survey::LISTED);
        let shown: Vec<String> =
            counts.iter().take(survey::LISTED).map(|(name, count)| format!("{name} ({count})")).collect();
        let more = if more == 0 { String::new() } else { format!(" and {more} others") };
        let _ = writeln!(text, "{what}: {}{more}", shown.join(", "));
    }
}

fn unreadable(text: &mut String, count: u64, names: &[Unreadable]) {
    let _ = writeln!(text, "unusable images: {count}");
    for image in names {
        let _ = writeln!(text, "  {}: {}", image.name, image.reason);
    }
}
