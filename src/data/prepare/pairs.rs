//! Pairs files: LFW's `pairs.txt`, and plain lists of two paths and a flag.

use std::path::{Component, Path, PathBuf};

use super::{PrepareError, io};

/// Endings that an image of LFW's naming may have.
const ENDINGS: [&str; 3] = ["jpg", "jpeg", "png"];

/// Bytes of a pairs file that are read; LFW's has 160 kB.
const LARGEST: u64 = 1 << 30;

/// Two images and whether they show one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair {
    pub images: [PathBuf; 2],
    pub same: bool,
}

/// Reads a pairs file whose images lie in `root`. A first line of one or two numbers (folds, pairs) is passed over, as
/// are empty lines and lines that begin with `#`.
pub(super) fn read(file: &Path, root: &Path) -> Result<Vec<Pair>, PrepareError> {
    let length = std::fs::metadata(file).map_err(io(file))?.len();
    if length > LARGEST {
        let reason = format!("the file has {length} bytes, too many for a list of pairs");
        return Err(PrepareError::Pairs { path: file.to_owned(), line: 1, reason });
    }
    let bytes = std::fs::read(file).map_err(io(file))?;
    let text = String::from_utf8_lossy(&bytes);
    let mut pairs = Vec::new();
    let mut seen_line = false;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let words: Vec<&str> = if line.contains('\t') {
            line.split('\t').map(str::trim).collect()
        } else {
            line.split_whitespace().collect()
        };
        let header = !seen_line && words.len() <= 2 && words.iter().all(|word| word.parse::<u64>().is_ok());
        seen_line = true;
        if header {
            continue;
        }
        let wrong = |reason| PrepareError::Pairs { path: file.to_owned(), line: at + 1, reason };
        let pair = pair(&words, root).map_err(wrong)?;
        if let Some(missing) = pair.images.iter().find(|path| !path.is_file()) {
            return Err(wrong(format!("there is no image `{}`", missing.display())));
        }
        pairs.push(pair);
    }
    if pairs.is_empty() {
        return Err(PrepareError::Pairs { path: file.to_owned(), line: 1, reason: "it holds no pair".to_owned() });
    }
    Ok(pairs)
}

/// What a line says.
fn pair(words: &[&str], root: &Path) -> Result<Pair, String> {
    let number = |word: &str| word.parse::<u32>().ok();
    match words {
        [name, one, other] if number(one).is_some() && number(other).is_some() => {
            Ok(Pair { images: [numbered(root, name, one)?, numbered(root, name, other)?], same: true })
        }
        [one, other, flag] => match *flag {
            "0" | "1" => Ok(Pair { images: [below(root, one)?, below(root, other)?], same: *flag == "1" }),
            flag => Err(format!("its last word is `{}`; expected 1 or 0", flag.escape_debug())),
        },
        [name, one, other_name, other] => {
            Ok(Pair { images: [numbered(root, name, one)?, numbered(root, other_name, other)?], same: false })
        }
        words => Err(format!("it has {} words; expected three or four", words.len())),
    }
}

/// The path of a file below `root` that a line names, from there or as a whole.
fn below(root: &Path, name: &str) -> Result<PathBuf, String> {
    let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    let path = Path::new(name);
    let rest = std::path::absolute(root).ok().and_then(|root| path.strip_prefix(root).ok());
    if name.contains('\0') || !rest.unwrap_or(path).components().all(inside) {
        let (name, root) = (name.escape_debug(), root.display());
        return Err(format!("`{name}` leads out of `{root}`; expected a path below it, without `..`"));
    }
    Ok(root.join(name))
}

/// The path of LFW's image `NAME/NAME_0004.jpg`.
fn numbered(root: &Path, name: &str, number: &str) -> Result<PathBuf, String> {
    let number: u32 =
        number.parse().map_err(|_ignored| format!("`{}` is not an image number", number.escape_debug()))?;
    let stem = below(&below(root, name)?, &format!("{name}_{number:04}"))?;
    let mut paths = ENDINGS.map(|ending| PathBuf::from(format!("{}.{ending}", stem.display()))).into_iter();
    let first = PathBuf::from(format!("{}.jpg", stem.display()));
    Ok(paths.find(|path| path.is_file()).unwrap_or(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<(String, String, bool)>, String> {
        let root = tempfile::tempdir().expect("a folder");
        for name in ["Ann/Ann_0001.jpg", "Ann/Ann_0012.png", "Bob Lee/Bob Lee_0001.jpg"] {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().expect("has one")).expect("makes");
            std::fs::write(path, "").expect("writes");
        }
        let file = root.path().join("pairs.txt");
        std::fs::write(&file, text).expect("writes");
        let shown = |path: &Path| path.strip_prefix(root.path()).expect("below").display().to_string();
        let pairs = read(&file, root.path()).map_err(|error| error.to_string())?;
        Ok(pairs.iter().map(|pair| (shown(&pair.images[0]), shown(&pair.images[1]), pair.same)).collect())
    }

    #[test]
    fn both_forms_are_read() {
        let found = parse("10\t300\nAnn\t1\t12\n\nAnn\t12\tBob Lee\t1\n").expect("reads");
        assert_eq!(
            found,
            [
                ("Ann/Ann_0001.jpg".into(), "Ann/Ann_0012.png".into(), true),
                ("Ann/Ann_0012.png".into(), "Bob Lee/Bob Lee_0001.jpg".into(), false)
            ]
        );
        let found = parse("# mine\nAnn/Ann_0001.jpg Ann/Ann_0012.png 1\n").expect("reads");
        assert_eq!(found, [("Ann/Ann_0001.jpg".into(), "Ann/Ann_0012.png".into(), true)]);
    }

    #[test]
    fn a_whole_path_may_lead_below_the_folder_and_nowhere_else() {
        let root = Path::new("/faces/lfw");
        for (name, wanted) in [("a/b.jpg", "/faces/lfw/a/b.jpg"), ("/faces/lfw/./a.jpg", "/faces/lfw/a.jpg")] {
            assert_eq!(below(root, name), Ok(PathBuf::from(wanted)));
        }
        for name in ["/faces/lfw/../x.jpg", "/faces/lfw2/x.jpg", "/faces/x.jpg", "/x.jpg", ".."] {
            assert!(below(root, name).is_err(), "{name}");
        }
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, words) in [
            ("", "holds no pair"),
            ("Ann\t1\t2\n", "Ann_0002.jpg`"),
            ("\nAnn 1\n", "line 2 of"),
            ("Ann\t1\tBob Lee\tx\n", "`x` is not an image number"),
            ("a.jpg b.jpg yes\n", "its last word is `yes`"),
            ("a b c d e\n", "5 words"),
            ("Ann\t1\t12\n../x.jpg Ann/Ann_0001.jpg 1\n", "line 2 of"),
            ("../x.jpg Ann/Ann_0001.jpg 1\n", "`../x.jpg` leads out of"),
            ("Ann/Ann_0001.jpg Ann/../../x.jpg 0\n", "`Ann/../../x.jpg` leads out of"),
            ("/etc/passwd Ann/Ann_0001.jpg 1\n", "`/etc/passwd` leads out of"),
            ("..\t1\t2\n", "`..` leads out of"),
            ("/etc\t1\tAnn\t2\n", "`/etc` leads out of"),
            ("a\0b.jpg Ann/Ann_0001.jpg 1\n", "`a\\0b.jpg` leads out of"),
        ] {
            let error = parse(text).expect_err("is refused");
            assert!(error.contains(words) && error.contains("pairs.txt"), "{text:?}: {error}");
        }
    }
}
