//! `facetui prepare bin` and `reencode` through the real program: evaluation bins of drawn faces.

use std::collections::BTreeMap;

use facetui::data::bin::EvalBin;

use crate::place::{Place, plain};
use crate::prepare::{FACES, files, sha256};

#[test]
fn bins_are_balanced_and_the_same_seed_draws_the_same() {
    let place = Place::new(6, 8);
    let said = place.runs(&["prepare", "bin", FACES, "-o", "new/a.bin", "--pairs", "200", "--seed", "3"]);
    assert!(said.contains("wrote 200 pairs"), "{said}");
    let bin = EvalBin::open(&place.path("new/a.bin")).expect("reads");
    let owners: BTreeMap<String, String> = files(&place.path(FACES))
        .into_iter()
        .map(|(name, bytes)| (sha256(&bytes), name.split('/').next().expect("a class").to_owned()))
        .collect();
    let owner = |image: u32| &owners[&sha256(&bin.images[image as usize])];
    assert_eq!((bin.same.len(), bin.same.iter().filter(|same| **same).count()), (200, 100));
    for fold in bin.same.chunks(20) {
        assert_eq!(fold.iter().filter(|same| **same).count(), 10);
    }
    let mut seen = std::collections::HashSet::new();
    for ([one, other], same) in bin.pairs.iter().zip(&bin.same) {
        assert_eq!(owner(*one) == owner(*other), *same);
        assert!(seen.insert([one.min(other), one.max(other)].map(|image| bin.images[*image as usize].clone())));
    }
    place.runs(&["prepare", "bin", FACES, "-o", "b.bin", "--pairs", "200", "--seed", "3"]);
    place.runs(&["prepare", "bin", FACES, "-o", "c.bin", "--pairs", "200", "--seed", "4"]);
    let bytes = |name: &str| std::fs::read(place.path(name)).expect("reads");
    assert!(bytes("b.bin") == bytes("new/a.bin") && bytes("c.bin") != bytes("b.bin"));
    let again = ["prepare", "bin", FACES, "-o", "c.bin", "--pairs", "200", "--seed"];
    assert!(place.runs(&[&again[..], &["4"]].concat()).contains("nothing to do"));
    let refused = place.run(&[&again[..], &["5"]].concat());
    assert!(refused.status.code() == Some(1) && plain(&refused).contains("`c.bin` holds something else"));

    let person = |class: usize, number: usize| format!("{FACES}/{class}/{}.jpg 1/x.jpg 1\n", class * 8 + number);
    place.write("bad.txt", &person(0, 1));
    let refused = place.run(&["prepare", "bin", "bad.txt", "-o", "d.bin"]);
    assert!(refused.status.code() == Some(1) && plain(&refused).contains("line 1 of"), "{}", plain(&refused));
    place.write("pairs.txt", "0/1.jpg 0/2.jpg 1\n0/1.jpg 1/9.jpg 0\n");
    place.runs(&["prepare", "bin", "pairs.txt", "--images", FACES, "-o", "d.bin"]);
    let bin = EvalBin::open(&place.path("d.bin")).expect("reads");
    assert_eq!((bin.pairs.as_slice(), bin.same.as_slice()), (&[[0, 1], [0, 2]][..], &[true, false][..]));
    for (pairs, words) in [("7", "7 pairs cannot be balanced"), ("1000", "there are 168")] {
        let refused = place.run(&["prepare", "bin", FACES, "-o", "e.bin", "--pairs", pairs]);
        assert!(refused.status.code() == Some(1) && plain(&refused).contains(words), "{}", plain(&refused));
    }
    assert!(!place.path("e.bin").exists());
}

#[test]
fn bins_of_png_images_become_jpeg() {
    let place = Place::new(2, 3);
    let decode = |bytes: &[u8]| facetui::data::decode::decode_whole(bytes).expect("decodes");
    let jpegs: Vec<Vec<u8>> = files(&place.path(FACES)).into_values().collect();
    let mut pngs = jpegs.clone();
    for (at, image) in pngs.iter_mut().enumerate().skip(1) {
        let picture = decode(image);
        image.clear();
        let size = (picture.width, picture.height);
        let encoder = image::codecs::png::PngEncoder::new(&mut *image);
        image::ImageEncoder::write_image(encoder, &picture.pixels, size.0, size.1, image::ColorType::Rgb8.into())
            .unwrap_or_else(|error| panic!("{at}: {error}"));
    }
    let same = [true, false, true];
    std::fs::write(place.path("png.bin"), facetui::data::pickle::write::pairs(&pngs, &same)).expect("writes");
    place.runs(&["prepare", "reencode", "png.bin", "-o", "jpeg.bin"]);
    assert!(place.runs(&["prepare", "reencode", "png.bin", "-o", "jpeg.bin"]).contains("nothing to do"));
    let bytes = std::fs::read(place.path("jpeg.bin")).expect("reads");
    assert_eq!(bytes[..2], [0x80, 4]);
    let bin = EvalBin::open(&place.path("jpeg.bin")).expect("reads");
    assert_eq!((bin.same.as_slice(), &bin.images[0]), (&same[..], &jpegs[0]), "a JPEG image keeps its bytes");
    for (png, jpeg) in pngs.iter().zip(&bin.images) {
        let (before, after) = (decode(png), decode(jpeg));
        assert_eq!(after.format, "JPEG");
        let worst = before.pixels.iter().zip(&after.pixels).map(|(one, other)| one.abs_diff(*other)).max();
        assert!(worst <= Some(6), "{worst:?}");
    }
    place.write("hostile.bin", "cos\nsystem\n(S'touch was-here'\ntR.");
    let refused = place.run(&["prepare", "reencode", "hostile.bin", "-o", "x.bin"]);
    assert!(refused.status.code() == Some(1) && plain(&refused).contains("`os.system`"), "{}", plain(&refused));
    assert!(!place.path("was-here").exists() && !place.path("x.bin").exists());
}
