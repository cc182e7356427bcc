//! The filter of the list of runs: words, `!not`, `key:value`, `bin>0.95` and `/regex/`, all of which must hold.
//!
//! | term | keeps the runs |
//! |---|---|
//! | `arcface` | whose name, model, losses, tags or note hold the word |
//! | `"two words"` | the same for a text with blanks |
//! | `tag:paper` `name:` `model:` `loss:` `note:` `state:` `id:` | whose field holds the value |
//! | `lfw>0.99` `epochs>=10` `loss<1` | whose figure does; a bin's figure is its best accuracy |
//! | `/^demo-\d+/` | whose name, model, losses, tags or note match |
//! | `!term` | that the term would leave out |
//!
//! Upper and lower case are one. States are `finished`, `stopped`, `failed`, `training` and `interrupted`.

use regex::{Regex, RegexBuilder};

use super::source::PastRun;

/// Longest filter that is read, in bytes.
const LONGEST: usize = 1000;

/// Largest compiled pattern, in bytes.
const PATTERN: usize = 1 << 20;

/// A filter that was understood.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    terms: Vec<(bool, Term)>,
}

#[derive(Debug, Clone)]
enum Term {
    Word(String),
    Field(Field, String),
    Figure(String, Sign, f64),
    Pattern(Regex),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Name,
    Model,
    Loss,
    Tag,
    Note,
    State,
    Id,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Below,
    AtMost,
    Above,
    AtLeast,
    Equal,
}

const FIELDS: [(&str, Field); 7] = [
    ("name", Field::Name),
    ("model", Field::Model),
    ("loss", Field::Loss),
    ("tag", Field::Tag),
    ("note", Field::Note),
    ("state", Field::State),
    ("id", Field::Id),
];

// The longer signs first: `>=` holds `>`.
const SIGNS: [(&str, Sign); 5] =
    [(">=", Sign::AtLeast), ("<=", Sign::AtMost), (">", Sign::Above), ("<", Sign::Below), ("=", Sign::Equal)];

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// A sentence that says which term is wrong and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("a filter has at most {LONGEST} bytes"));
        }
        let terms = split(text)?.into_iter().map(|(negated, piece)| Ok((negated, term(&piece)?)));
        Ok(Self { terms: terms.collect::<Result<_, String>>()? })
    }

    /// Whether a run is kept.
    pub fn keeps(&self, run: &PastRun) -> bool {
        self.terms.iter().all(|(negated, term)| term.holds(run) != *negated)
    }

    /// Whether every run is kept.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }
}

/// A term as it was typed.
enum Piece {
    Plain(String),
    Quoted(String),
    Pattern(String),
}

/// Takes a filter apart at its blanks, those within quotes and patterns apart.
fn split(text: &str) -> Result<Vec<(bool, Piece)>, String> {
    let mut pieces = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (negated, body) = rest.strip_prefix('!').map_or((false, rest), |body| (true, body));
        let (piece, after) = if let Some(body) = body.strip_prefix('"') {
            let (inner, after) = body.split_once('"').ok_or("a quoted text has no closing `\"`")?;
            (Piece::Quoted(inner.to_owned()), after)
        } else if let Some(body) = body.strip_prefix('/') {
            let end = closing_slash(body).ok_or("a pattern has no closing `/`")?;
            (Piece::Pattern(body[..end].replace("\\/", "/")), &body[end + 1..])
        } else {
            let end = body.find(char::is_whitespace).unwrap_or(body.len());
            (Piece::Plain(body[..end].to_owned()), &body[end..])
        };
        if matches!(&piece, Piece::Plain(word) if word.is_empty()) {
            return Err("`!` stands before a term, without a blank".to_owned());
        }
        pieces.push((negated, piece));
        rest = after.trim_start();
    }
    Ok(pieces)
}

/// Where the first slash without a backslash before it stands.
fn closing_slash(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, letter)| {
        let closes = letter == '/' && !escaped;
        escaped = letter == '\\' && !escaped;
        closes.then_some(at)
    })
}

fn term(piece: &Piece) -> Result<Term, String> {
    match piece {
        Piece::Quoted(text) => Ok(Term::Word(text.to_lowercase())),
        Piece::Pattern(text) => RegexBuilder::new(text)
            .case_insensitive(true)
            .size_limit(PATTERN)
            .build()
            .map(Term::Pattern)
            .map_err(|_error| format!("`/{text}/` is not a valid regular expression")),
        Piece::Plain(word) => plain(word),
    }
}

fn plain(word: &str) -> Result<Term, String> {
    for (sign, meaning) in SIGNS {
        if let Some((name, number)) = word.split_once(sign) {
            let number = number.parse::<f64>().ok().filter(|number| number.is_finite());
            return match number {
                Some(number) if !name.is_empty() => Ok(Term::Figure(name.to_lowercase(), meaning, number)),
                _ => Err(format!("`{word}` needs a name before `{sign}` and a number behind it: `lfw>0.99`")),
            };
        }
    }
    match word.split_once(':') {
        None => Ok(Term::Word(word.to_lowercase())),
        Some((key, value)) => {
            let known = FIELDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
            let known = known.ok_or_else(|| {
                let names: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
                format!("`{key}:` is not a field; the fields are {}", names.join(", "))
            })?;
            Ok(Term::Field(known.1, value.to_lowercase()))
        }
    }
}

impl Term {
    fn holds(&self, run: &PastRun) -> bool {
        match self {
            Self::Word(word) => texts(run).any(|text| text.to_lowercase().contains(word)),
            Self::Pattern(pattern) => texts(run).any(|text| pattern.is_match(text)),
            Self::Field(field, value) => {
                let holds = |text: &str| text.to_lowercase().contains(value);
                match field {
                    Field::Name => holds(&run.name),
                    Field::Model => holds(&run.model),
                    Field::Loss => run.losses.iter().any(|loss| holds(loss)),
                    Field::Tag => run.marks.tags.iter().any(|tag| holds(tag)),
                    Field::Note => holds(&run.marks.note),
                    Field::State => holds(run.state()),
                    Field::Id => holds(&run.id),
                }
            }
            Self::Figure(name, sign, wanted) => {
                let figure = match name.as_str() {
                    "epochs" => Some(f64::from(run.epochs)),
                    "loss" => run.loss,
                    bin => run.best.iter().find(|(known, _)| known.to_lowercase() == bin).map(|(_, best)| *best),
                };
                figure.is_some_and(|figure| match sign {
                    Sign::Below => figure < *wanted,
                    Sign::AtMost => figure <= *wanted,
                    Sign::Above => figure > *wanted,
                    Sign::AtLeast => figure >= *wanted,
                    Sign::Equal => (figure - wanted).abs() <= f64::EPSILON * wanted.abs(),
                })
            }
        }
    }
}

/// What words and patterns are looked for in.
fn texts(run: &PastRun) -> impl Iterator<Item = &str> {
    [run.name.as_str(), &run.model, &run.marks.note]
        .into_iter()
        .chain(run.losses.iter().map(String::as_str))
        .chain(run.marks.tags.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::run::history::Marks;

    fn run() -> PastRun {
        PastRun {
            id: "demo-20261124-070000".into(),
            name: "Demo small".into(),
            model: "mobilefacenet".into(),
            losses: vec!["softmax".into(), "arcface".into()],
            epochs: 16,
            planned: 16,
            loss: Some(0.25),
            best: vec![("lfw".into(), 0.9912)],
            marks: Marks { tags: vec!["paper".into()], note: "wide margin".into() },
            ..PastRun::default()
        }
    }

    fn keeps(text: &str) -> bool {
        Filter::parse(text).expect("a filter").keeps(&run())
    }

    #[test]
    fn every_term_must_hold() {
        for yes in [
            "",
            "demo",
            "DEMO arcface",
            "\"wide margin\"",
            "tag:paper !tag:draft",
            "lfw>0.99 lfw<=0.9912",
            "epochs=16",
            "loss<1",
            "loss:arc",
            "/^mobile.*net$/",
            "!/resnet/",
            "state:interrupted",
            "id:20261124",
        ] {
            assert!(keeps(yes), "{yes}");
        }
        for no in ["resnet", "!demo", "tag:draft", "lfw>0.9912", "pose>0", "\"margin wide\"", "/^arc$/", "demo resnet"]
        {
            assert!(!keeps(no), "{no}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |text: &str| Filter::parse(text).expect_err("wrong");
        assert!(error("colour:red").contains("tag"), "{}", error("colour:red"));
        assert!(error("lfw>high").contains("lfw>0.99"));
        assert!(error("/(/").contains("`/(/`"));
        assert!(error("/abc").contains("closing"));
        assert!(error("\"abc").contains("closing"));
        assert!(error("! abc").contains("blank"));
    }

    proptest! {
        #[test]
        fn any_text_is_a_filter_or_a_sentence(text in ".{0,60}") {
            if let Ok(filter) = Filter::parse(&text) {
                filter.keeps(&run());
            }
        }
    }
}
