//! `facetui demo`: the embedded schedule on the embedded data, which is drawn on first use.

use std::path::PathBuf;

use super::failure::Failure;
use super::follow_up::FollowUp;
use super::synth;
use super::train::{self, Request};
use crate::schedule;

/// How messages name the embedded schedule.
pub const SCHEDULE_NAME: &str = "schedules/demo.yaml";

/// The data of the demo. A change of it gets a new folder.
const IDENTITIES: u32 = 160;
/// Images of each identity.
const IMAGES: u32 = 24;
/// Seed of the faces.
const SEED: u64 = 1;

/// Draws the data if it is missing, then trains.
pub(super) fn demo(request: &Request) -> Result<Option<FollowUp>, Failure> {
    let folder = data_folder();
    synth::draw(&synth::Request {
        folder: folder.clone(),
        identities: IDENTITIES,
        images: IMAGES,
        seed: SEED,
        bins: true,
    })?;
    let folder = folder.to_string_lossy().into_owned();
    let environment = |name: &str| match name {
        "FACETUI_DEMO" => Some(folder.clone()),
        _ => std::env::var(name).ok(),
    };
    let loaded = schedule::parse(SCHEDULE_NAME, schedule::template(), &request.overrides, &environment)
        .map_err(|error| Failure::Usage(error.into()))?;
    train::start(loaded, schedule::template(), request)
}

/// Where the demo's data lies: `$FACETUI_DEMO`, or a folder of the user's cache.
fn data_folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("FACETUI_DEMO") {
        return PathBuf::from(folder);
    }
    let name = format!("demo-{IDENTITIES}x{IMAGES}-{SEED}");
    directories::ProjectDirs::from("", "", "facetui")
        .map_or_else(|| PathBuf::from(&name), |dirs| dirs.cache_dir().join(&name))
}
