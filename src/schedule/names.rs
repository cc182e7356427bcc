//! Names as people write them: any case, `_`, `-` or neither, Keras's spelling or ours; and the nearest known one.

/// A name of the schedule's vocabulary and the other names it is known by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name {
    /// Ours.
    pub name: &'static str,
    /// The reference's and Keras's.
    pub aliases: &'static [&'static str],
}

impl Name {
    /// A name with its aliases.
    pub(super) const fn new(name: &'static str, aliases: &'static [&'static str]) -> Self {
        Self { name, aliases }
    }

    /// Whether `written` means this name.
    pub(super) fn is(&self, written: &str) -> bool {
        let written = fold(written);
        std::iter::once(&self.name).chain(self.aliases).any(|name| fold(name) == written)
    }
}

/// A name without what does not matter: `bottleneckOnly` and `bottleneck-only` are `bottleneckonly`.
pub(super) fn fold(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}

/// The known name that `written` means.
pub(super) fn find<'a>(written: &str, known: impl IntoIterator<Item = &'a Name>) -> Option<&'a Name> {
    known.into_iter().find(|name| name.is(written))
}

/// The known name that `written` was probably meant to be: a slip or two away, or the name it begins.
pub(super) fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a Name>) -> Option<&'static str> {
    let written = fold(written);
    let letters = written.chars().count();
    let mut best: Option<(usize, &'static str)> = None;
    for Name { name, aliases } in known {
        for spelling in std::iter::once(name).chain(*aliases) {
            let spelling = fold(spelling);
            let distance = if letters >= 3 && spelling.starts_with(&written) {
                1
            } else {
                strsim::damerau_levenshtein(&written, &spelling)
            };
            let near = distance <= (letters / 3).max(1) && distance < spelling.chars().count();
            if near && best.is_none_or(|(least, _)| distance < least) {
                best = Some((distance, name));
            }
        }
    }
    best.map(|(_, name)| name)
}

/// "`a`, `b` or `c`".
pub(super) fn any_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    list(names, "or")
}

/// "`a`, `b` and `c`".
pub(super) fn all_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    list(names, "and")
}

fn list<'a>(names: impl IntoIterator<Item = &'a str>, last_joined_by: &str) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} {last_joined_by} {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Name] =
        &[Name::new("epochs", &["epoch"]), Name::new("bottleneck_only", &[]), Name::new("loss", &[])];

    #[test]
    fn case_and_separators_do_not_matter() {
        for written in ["bottleneckOnly", "Bottleneck-Only", "bottleneck_only", "BOTTLENECKONLY"] {
            assert_eq!(find(written, KNOWN).map(|name| name.name), Some("bottleneck_only"), "{written}");
        }
        assert!(find("bottleneck", KNOWN).is_none());
    }

    #[test]
    fn the_nearest_name_forgives_slips_but_does_not_guess() {
        assert_eq!(nearest("epocs", KNOWN), Some("epochs"));
        assert_eq!(nearest("epcoh", KNOWN), Some("epochs"));
        assert_eq!(nearest("bottleneck", KNOWN), Some("bottleneck_only"));
        assert_eq!(nearest("zebra", KNOWN), None);
        assert_eq!(nearest("", KNOWN), None);
    }

    #[test]
    fn lists_read_as_english() {
        assert_eq!(any_of(["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(all_of(["a"]), "`a`");
    }
}
