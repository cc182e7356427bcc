//! Draws a sheet of demo faces, one person a row: `cargo run --example contact_sheet OUT.png [SEED]`.

use std::error::Error;

use facetui::synth;
use image::RgbImage;
use image::imageops::replace;

const PEOPLE: u32 = 8;
const PICTURES: u32 = 6;
const SIDE: u32 = 112;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let out = arguments.next().ok_or("usage: contact_sheet OUT.png [SEED]")?;
    let seed = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let mut sheet = RgbImage::new(PICTURES * SIDE, PEOPLE * SIDE);
    for person in 0..PEOPLE {
        for picture in 0..PICTURES {
            let face = synth::draw(seed, person, picture);
            replace(&mut sheet, &face, i64::from(picture * SIDE), i64::from(person * SIDE));
        }
    }
    sheet.save(out)?;
    Ok(())
}
