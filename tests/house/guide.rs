//! The README, the guide and CONTRIBUTING.md are true: their schedules parse, their commands and links exist, and what can
//! be typed, pressed or written into a schedule is described.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use facetui::schedule::{self, Schedule};

use self::page::{Page, anchors, documents, guide, manual, page, root, shell};

mod page;

/// What a fragment of a schedule is put into: a line for each key that a fragment may replace.
const BASE: [&str; 3] = [
    "model: {backbone: mobilefacenet}",
    "data: {train: faces, bins: []}",
    "stages: [{loss: softmax, epochs: 1}, {loss: arcface, epochs: 1}]",
];

/// Fails with all that was found.
fn none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

fn parse(text: &str, overrides: &[String]) -> Result<schedule::Loaded, String> {
    schedule::parse("page.yaml", text, overrides, &|_| None)
        .map_err(|error| format!("{:?}", miette::Report::new(error)))
}

/// Schedules that do not parse, or that facetui warns of.
fn wrong_schedules(page: &Page) -> Vec<String> {
    let schedules = page.blocks().into_iter().filter(|(fence, _)| fence.starts_with("yaml"));
    let read = schedules.map(|(fence, text)| {
        let key = |line: &&str| line.split(':').next().map(|key| format!("{key}:")).unwrap_or_default();
        let rest = BASE.iter().filter(|line| !text.lines().any(|written| written.starts_with(&key(line))));
        let rest = if fence == "yaml fragment" { rest.copied().collect::<Vec<_>>().join("\n") } else { String::new() };
        let text = format!("{text}{rest}\n");
        match parse(&text, &[]) {
            Ok(loaded) if loaded.warnings.is_empty() => None,
            Ok(loaded) => Some(format!("{}: {:?} of\n{text}", page.0.display(), loaded.warnings)),
            Err(error) => Some(format!("{}: {error} of\n{text}", page.0.display())),
        }
    });
    read.flatten().collect()
}

/// Why a command cannot be typed so. In the middle of a sentence, what a command needs may be left out.
fn refusal(words: &[String], sentence: bool) -> Option<String> {
    match words.first().map(String::as_str) {
        Some("facetui") => {
            let error = facetui::cli::command().try_get_matches_from(words).err()?;
            let kind = format!("{:?}", error.kind());
            let fine = kind.starts_with("Display") || sentence && kind.starts_with("MissingRequired");
            (!fine).then(|| error.to_string())
        }
        Some("cargo") if words.get(1).is_some_and(|word| word == "xtask") => {
            let help = std::fs::read_to_string(root().join("xtask/src/args.rs")).expect("reads");
            let task = words.get(2)?;
            let known = help.contains(&format!("\n  {task} "));
            // What follows such a task goes to another program.
            let passes_on = help.contains(&format!("\n  {task} [ARGS]"));
            let mut options = words[3..].iter().filter(|word| word.starts_with("--"));
            let sound = known && (passes_on || options.all(|option| help.contains(option.as_str())));
            (!sound).then(|| "no such task or option".to_owned())
        }
        _ => None,
    }
}

/// Commands that cannot be typed.
fn wrong_commands(page: &Page) -> Vec<String> {
    let blocks = page.blocks().into_iter().filter(|(fence, _)| fence == "sh");
    let lines: Vec<(String, bool)> = blocks
        .flat_map(|(_, text)| text.lines().map(|line| (line.to_owned(), false)).collect::<Vec<_>>())
        .chain(page.spans().into_iter().map(|span| (span, true)))
        // The one that the table of exit codes shows to be wrong.
        .filter(|(line, _)| line != "facetui --colour")
        .collect();
    let mut wrong = Vec::new();
    for (line, sentence) in lines {
        for words in shell(&line) {
            if let Some(why) = refusal(&words, sentence) {
                wrong.push(format!("{}: `{line}`: {why}", page.0.display()));
            }
        }
    }
    wrong
}

/// Links that lead nowhere.
fn wrong_links(page: &Page) -> Vec<String> {
    let prose = page.prose();
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let wrong = targets.filter(|target| !target.contains("://")).filter(|target| {
        let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
        if file.is_empty() {
            return !anchors(page).iter().any(|known| known == anchor);
        }
        let path = page.0.parent().unwrap_or(Path::new("")).join(file);
        let whole = root().join(&path);
        if anchor.is_empty() || !whole.is_file() {
            return !whole.exists();
        }
        let text = std::fs::read_to_string(&whole).unwrap_or_default();
        !anchors(&Page(path, text)).iter().any(|known| known == anchor)
    });
    wrong.map(|target| format!("{}: `{target}` leads nowhere", page.0.display())).collect()
}

/// Files of the project that are named and not there.
fn missing_files(page: &Page) -> Vec<String> {
    let text = page.1.replace(['`', '(', ')', ',', ';', ':', '|'], " ");
    let named = text.split_whitespace().map(|word| word.trim_end_matches('.')).filter(|word| {
        let folder = ["src/", "tests/", "crates/", "benches/", "xtask/"].iter().any(|folder| word.starts_with(folder));
        folder && !word.contains(['*', '{', '<', '#'])
    });
    let missing = named.filter(|path| !root().join(path).exists());
    missing.map(|path| format!("{}: there is no `{path}`", page.0.display())).collect()
}

/// The schedule of the base with values put over it; of a saved model where that is what they are about.
fn with(key: &str, overrides: &[String]) -> Result<Schedule, String> {
    let model = if key == "model.compile" { "model: {file: x.h5}" } else { BASE[0] };
    Ok(parse(&format!("{model}\n{}\n{}\n", BASE[1], BASE[2]), overrides)?.schedule)
}

/// Defaults in the tables that are not what facetui takes, and keys that it does not know.
fn wrong_defaults(page: &Page) -> Vec<String> {
    let quoted = |cell: &str| cell.strip_prefix('`').and_then(|cell| cell.strip_suffix('`')).map(str::to_owned);
    let mut given: Vec<(String, String)> = Vec::new();
    for row in page.table(&["key", "default", "what it is"]) {
        if let (Some(key), Some(value)) = (quoted(&row[0]), quoted(&row[1])) {
            match key.strip_prefix("stages.") {
                Some(part) => given.push((format!("stages.1.{part}"), value)),
                None if key == "data.train.labels" => {
                    given.push(("data.train".into(), format!("[{{path: faces, labels: {value}}}]")));
                }
                None if key == "name" => {}
                None => given.push((key, value)),
            }
        }
    }
    for kind in ["loss", "optimiser"] {
        for row in page.table(&[kind, "parameter", "default", "what it is"]) {
            if let (Some(name), Some(parameter), Some(value)) = (quoted(&row[0]), quoted(&row[1]), quoted(&row[2])) {
                // Against the same without the parameter.
                given.push((format!("stages.1.{kind}.{name}.{parameter}"), value));
            }
        }
    }
    let check = |(key, value): (String, String)| -> Result<(), String> {
        let parts: Vec<&str> = key.split('.').collect();
        let (without, wanted) = match parts[..] {
            ["stages", _, kind @ ("loss" | "optimiser"), name, parameter] => {
                let field = format!("stages.1.{kind}");
                let needed = if name == "sgdw" { "weight_decay: 0.1" } else { "" };
                let given = format!("{field}={{{name}: {{{parameter}: {value}, {needed}}}}}");
                (vec![format!("{field}={{{name}: {{{needed}}}}}")], vec![given])
            }
            _ => (Vec::new(), vec![format!("{key}={value}")]),
        };
        let (without, wanted) = (with(&key, &without)?, with(&key, &wanted)?);
        if without == wanted { Ok(()) } else { Err("that is not what it is without".to_owned()) }
    };
    let tell = |(key, value): (String, String)| {
        let why = check((key.clone(), value.clone())).err()?;
        Some(format!("{}: `{key}` is `{value}`: {why}", page.0.display()))
    };
    given.into_iter().filter_map(tell).collect()
}

/// Words of a schedule that stand in no code span of the pages.
fn unsaid_words(pages: &[Page]) -> Vec<String> {
    let spans: Vec<String> = pages.iter().flat_map(Page::spans).collect();
    let mut unsaid = Vec::new();
    for word in schedule::vocabulary() {
        let said = |spelling: &&str| {
            spans.iter().any(|span| span == spelling || *span == format!("{}.{spelling}", word.place))
        };
        unsaid.extend(
            word.spellings
                .iter()
                .filter(|word| !said(word))
                .map(|spelling| format!("`{spelling}` of `{}`", word.place)),
        );
    }
    unsaid
}

/// Parameters of losses and optimisers that no table lists.
fn unlisted_parameters(pages: &[Page]) -> Vec<String> {
    let rows = |kind| pages.iter().flat_map(move |page| page.table(&[kind, "parameter", "default", "what it is"]));
    let common: Vec<String> = pages
        .iter()
        .flat_map(|page| page.table(&["parameter", "default", "what it is"]))
        .map(|row| row[0].clone())
        .collect();
    let listed = |kind: &str, name: &str, word: &str| {
        let kind = if kind == "loss" { "loss" } else { "optimiser" };
        common.contains(&format!("`{word}`"))
            || rows(kind).any(|row| row[0] == format!("`{name}`") && row[1] == format!("`{word}`"))
    };
    let words = schedule::vocabulary().into_iter();
    let missing = words.filter_map(|word| {
        let (kind, name) = word.place.split_once(' ')?;
        (!listed(kind, name, word.spellings[0])).then(|| format!("`{}` of {}", word.spellings[0], word.place))
    });
    missing.collect()
}

fn facetui(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_facetui"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).env("NO_COLOR", "1").env("FACETUI_CONFIG", "");
    // No run of somebody else is met.
    command.env("XDG_RUNTIME_DIR", folder).env("XDG_CACHE_HOME", folder).env("TMPDIR", folder);
    command.output().expect("starts")
}

fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Keys of `facetui keys` that the tables of the page have in their first columns less often than there are actions.
fn unsaid_keys(page: &Page, listed: &str) -> Vec<String> {
    let tables = [&["key", "what it does"][..], &["number", "pane"]].map(|heading| page.table(heading)).concat();
    let said: Vec<&str> = tables.iter().flat_map(|row| row[0].split('`').skip(1).step_by(2)).collect();
    let mut actions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in listed.lines() {
        let mut columns = line.splitn(2, "  ");
        let (action, rest) = (columns.next().unwrap_or_default(), columns.next().unwrap_or_default().trim_start());
        for key in rest.split("  ").next().unwrap_or_default().split(", ") {
            actions.entry(key).or_default().push(action);
        }
    }
    let times = |key: &str| said.iter().filter(|known| **known == key).count();
    let unsaid = actions.iter().filter(|(key, of)| times(key) < of.len());
    unsaid.map(|(key, of)| format!("`{key}` is told {} times, it does {of:?}", times(key))).collect()
}

/// Commands and options that no page names.
fn unsaid_commands(pages: &[Page]) -> Vec<String> {
    let all: String = pages.iter().map(|page| page.1.as_str()).collect();
    let mut command = facetui::cli::command();
    command.build();
    let mut parts = vec![("facetui".to_owned(), &command)];
    let mut unsaid = Vec::new();
    while let Some((name, part)) = parts.pop() {
        if !all.contains(&format!("{name} ")) && !all.contains(&format!("{name}`")) {
            unsaid.push(format!("`{name}`"));
        }
        let options = part.get_arguments().filter_map(|option| option.get_long()).map(|long| format!("--{long}"));
        let hidden = ["--version"];
        unsaid.extend(
            options
                .filter(|option| !hidden.contains(&&**option) && !all.contains(option.as_str()))
                .map(|option| format!("`{option}` of `{name}`")),
        );
        if part.get_name() != "help" {
            parts.extend(part.get_subcommands().map(|below| (format!("{name} {}", below.get_name()), below)));
        }
    }
    unsaid.retain(|name| !name.starts_with("`facetui prepare help"));
    unsaid
}

#[test]
fn the_readme_is_read_to_its_end() {
    let Page(_, readme) = page("README.md");
    assert!(readme.lines().count() <= 150, "{} lines", readme.lines().count());
    let long: Vec<&str> = readme.lines().filter(|line| !line.starts_with('|') && line.chars().count() > 120).collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn schedules_commands_links_and_defaults_are_right() {
    let checks = [wrong_schedules, wrong_commands, wrong_defaults];
    none(&manual().iter().flat_map(|page| checks.map(|check| check(page))).flatten().collect::<Vec<_>>());
    none(&documents().iter().flat_map(wrong_links).collect::<Vec<_>>());
}

#[test]
fn files_of_the_project_that_are_named_exist() {
    let files = [page("CONTRIBUTING.md"), page("ARCHITECTURE.md"), page("docs/tui.md")];
    none(&files.iter().flat_map(missing_files).collect::<Vec<_>>());
}

#[test]
fn every_word_of_a_schedule_is_explained() {
    none(&unsaid_words(&guide()));
    none(&unlisted_parameters(&guide()));
}

#[test]
fn every_key_command_and_option_is_explained() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = facetui(&["keys"], folder.path());
    let listed = String::from_utf8_lossy(&keys.stdout).into_owned();
    assert!(listed.lines().count() > 60, "{listed}");
    none(&unsaid_keys(&page("docs/guide/front-end.md"), &listed));
    none(&unsaid_commands(&guide()));
    let index = page("docs/guide/README.md");
    let mut command = facetui::cli::command();
    command.build();
    let commands = command.get_subcommands().map(|part| format!("`facetui {}`", part.get_name()));
    none(&commands.filter(|name| !index.1.contains(name.as_str())).collect::<Vec<_>>());
}

#[test]
fn the_settings_that_the_guide_shows_are_taken() {
    let blocks = page("docs/guide/front-end.md").blocks();
    let (_, settings) = blocks.iter().find(|(fence, _)| fence == "toml").expect("settings");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.toml");
    std::fs::write(&path, settings).expect("writes");
    facetui::tui::Settings::read(&path).expect("settings");
}

/// Codes 3, 130 and 143 take a run: the tests of signals and of a disk that takes nothing have them.
#[test]
fn exit_codes_are_those_of_the_table() {
    let page = page("docs/guide/troubleshooting.md");
    let meanings: BTreeMap<String, String> =
        page.table(&["code", "meaning"]).into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let codes = ["`0`", "`130`", "`143`", "`1`", "`2`", "`3`"];
    assert_eq!(meanings.keys().map(String::as_str).collect::<Vec<_>>(), codes);
    let rows = page.table(&["command", "code", "message"]);
    assert!(rows.len() > 10, "{} rows", rows.len());
    for row in rows {
        let folder = tempfile::tempdir().expect("a folder");
        let words: Vec<String> = shell(row[0].trim_matches('`')).remove(0);
        let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        let output = facetui(&words, folder.path());
        let said = text(&output);
        let code = row[1].trim_matches('`').parse().ok();
        assert_eq!(output.status.code(), code, "{}: {said}", row[0]);
        assert!(said.contains(row[2].as_str()), "{}: `{}` is missing in: {said}", row[0], row[2]);
    }
}

/// The help of a command and of all below it.
fn help(command: &mut clap::Command, name: &str) -> String {
    let mut text = format!("# {name} --help\n\n{}\n", command.render_long_help());
    let parts: Vec<String> = command.get_subcommands().map(|part| part.get_name().to_owned()).collect();
    for part in parts.iter().filter(|part| *part != "help") {
        text += &help(command.find_subcommand_mut(part).expect("listed"), &format!("{name} {part}"));
    }
    text
}

#[test]
fn the_help_of_every_command() {
    let mut command = facetui::cli::command().version("0.0.0").term_width(100);
    command.build();
    let text = help(&mut command, "facetui");
    // Its place stays where this file moves.
    let place = root().join("tests/house/snapshots");
    insta::with_settings!({snapshot_path => place, prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("help", text);
    });
}

#[test]
fn what_is_wrong_on_a_page_is_found() {
    let fence = |kind: &str, text: &str| Page::of(&format!("# A page\n\n```{kind}\n{text}\n```\n"));
    for (kind, text) in [
        ("yaml", "stages: []"),
        ("yaml fragment", "batch_size: many"),
        ("yaml fragment", "stages: [{loss: softmax, optimizer: \"SGD(0.1)\", epochs: 1}]"),
    ] {
        assert_eq!(wrong_schedules(&fence(kind, text)).len(), 1, "{text}");
    }
    assert!(wrong_schedules(&fence("yaml fragment", "batch_size: 64")).is_empty());
    for line in ["facetui bench", "facetui x.yaml --colour", "ls | facetui data --what a", "cargo xtask fly"] {
        assert_eq!(wrong_commands(&fence("sh", line)).len(), 1, "{line}");
    }
    assert!(wrong_commands(&fence("sh", "facetui x.yaml --set 'a=[1, 2]' > x.log   # a comment")).is_empty());
    assert_eq!(wrong_commands(&Page::of("Type `facetui bench --colour`.")).len(), 1);
    assert!(wrong_commands(&Page::of("Type `facetui bench`.")).is_empty());
    for target in ["nowhere.md", "training.md#nothing", "#nothing"] {
        assert_eq!(wrong_links(&Page::of(&format!("# A\n[x]({target})"))).len(), 1, "{target}");
    }
    assert!(wrong_links(&Page::of("# A page\n[x](#a-page), [y](training.md#stages)")).is_empty());
    assert_eq!(missing_files(&Page::of("see `src/nothing.rs`, `src/cli.rs`")).len(), 1);
    let keys = |row: &str| Page::of(&format!("| key | default | what it is |\n|---|---|---|\n| {row} | x |\n"));
    for (row, found) in [("`batch_size` | `64`", 1), ("`bath` | `1`", 1), ("`batch_size` | `128`", 0)] {
        assert_eq!(wrong_defaults(&keys(row)).len(), found, "{row}");
    }
    let losses = "| loss | parameter | default | what it is |\n|---|---|---|---|\n| `arcface` | `scale` | `32` | x |\n";
    assert_eq!(wrong_defaults(&Page::of(losses)).len(), 1);
    assert!(unsaid_words(&[]).len() > 80 && unlisted_parameters(&[]).len() > 40);
    assert!(!unsaid_words(&guide()[1..2]).is_empty());
    assert!(
        unsaid_keys(&Page::of("| key | what it does |\n|---|---|\n| `n` | x |\n"), "a_b  n, p  stop\nc  n  go").len()
            == 2
    );
    assert!(unsaid_commands(&[]).len() > 60);
}
