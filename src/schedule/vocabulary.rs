//! Every word that a schedule may hold, for those who describe the format: the guide is held against it.

use super::names::Name;
use super::params::Row;
use super::{fields, loss, optimizer, recovery, snapshot};

/// A key or a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Where it stands: `data`, `stages`; `loss arcface`, `optimizer adam`; nothing at the top.
    pub place: String,
    /// Its name, then what else it may be called.
    pub spellings: Vec<&'static str>,
}

/// All of them. Losses and optimisers themselves stand at `loss` and `optimizer`.
pub fn vocabulary() -> Vec<Word> {
    let maps = [
        ("", fields::TOP),
        ("model", fields::MODEL),
        ("data", fields::DATA),
        ("data.train", fields::TRAIN),
        ("learning_rate", fields::RATE),
        ("stages", fields::STAGE),
        ("branches", fields::BRANCH),
        ("snapshot", snapshot::SNAPSHOT),
        ("recovery", recovery::RECOVERY),
    ];
    let mut words: Vec<Word> =
        maps.iter().flat_map(|(place, names)| names.iter().map(|name| word((*place).to_owned(), name))).collect();
    rows("loss", loss::TABLE, &mut words);
    rows("optimizer", optimizer::TABLE, &mut words);
    words
}

fn rows<T>(kind: &str, table: &[Row<T>], words: &mut Vec<Word>) {
    for row in table {
        words.push(word(kind.to_owned(), &row.name));
        let place = format!("{kind} {}", row.name.name);
        words.extend(row.parameters.iter().map(|parameter| word(place.clone(), &parameter.name)));
    }
}

fn word(place: String, name: &Name) -> Word {
    Word { place, spellings: std::iter::once(name.name).chain(name.aliases.iter().copied()).collect() }
}
