//! Stages as a user writes them: `Softmax:0-15,Arcface:15-`, the reference's `hist_plot_split`.

/// A named range of epochs, counted from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is called.
    pub name: String,
    /// Its first epoch.
    pub from: usize,
    /// The epoch after its last one; none for all that follow.
    pub to: Option<usize>,
}

/// Named ranges, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Split {
    /// The ranges.
    pub parts: Vec<Part>,
}

impl std::str::FromStr for Split {
    type Err = String;

    /// Reads `NAME:FROM-TO` ranges between commas. `FROM` counts from 0 and `TO` is excluded, as in the reference; the last
    /// `TO` may be left out or `-1`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts: Vec<Part> = Vec::new();
        for piece in text.split(',') {
            let wrong =
                |what: &str| format!("`{}` {what}; write `NAME:FROM-TO`, for example `Softmax:0-15`", piece.trim());
            let (name, range) = piece.rsplit_once(':').ok_or_else(|| wrong("has no `:`"))?;
            let (from, to) = range.split_once('-').ok_or_else(|| wrong("has no `-` between two epochs"))?;
            let number = |text: &str| {
                let text = text.trim();
                text.parse::<usize>()
                    .map_err(|_error| wrong(&format!("has `{text}` where the number of an epoch belongs")))
            };
            let from = number(from)?;
            let to = if matches!(to.trim(), "" | "-1") { None } else { Some(number(to)?) };
            if name.trim().is_empty() {
                return Err(wrong("has no name"));
            }
            if to.is_some_and(|to| to <= from) {
                return Err(wrong("ends before it begins"));
            }
            match parts.last() {
                Some(Part { name, to: None, .. }) => {
                    return Err(wrong(&format!("follows `{name}`, which extends to the last epoch")));
                }
                Some(Part { name, to: Some(end), .. }) if from < *end => {
                    return Err(wrong(&format!("begins before `{name}` ends, at {end}")));
                }
                _ => parts.push(Part { name: name.trim().to_owned(), from, to }),
            }
        }
        Ok(Self { parts })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_references_ranges_are_read() {
        let split: Split = "Softmax:0-15, Bottleneck: Arcface:15-19,Arcface:19-".parse().expect("reads");
        let told: Vec<_> = split.parts.iter().map(|part| (part.name.as_str(), part.from, part.to)).collect();
        assert_eq!(told, [("Softmax", 0, Some(15)), ("Bottleneck: Arcface", 15, Some(19)), ("Arcface", 19, None)]);
        assert_eq!("a:3--1".parse::<Split>().expect("reads").parts[0].to, None);
    }

    #[test]
    fn mistakes_are_told() {
        for (text, word) in [
            ("", "no `:`"),
            ("a", "no `:`"),
            ("a:5", "no `-`"),
            (":0-5", "no name"),
            ("a:x-5", "`x`"),
            ("a:5-5", "ends before"),
            ("a:0-,b:5-6", "extends to the last"),
            ("a:0-9,b:5-", "begins before"),
            ("a:0-99999999999999999999999", "99999999999999999999999"),
        ] {
            let error = text.parse::<Split>().expect_err(text);
            assert!(error.contains(word), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in ".*|([a-z]:[0-9]{0,3}-[0-9]{0,3},?)*") {
            let _ = text.parse::<Split>();
        }
    }
}
