//! The pages that people read, taken apart: blocks, tables, code spans, headings, and lines of a shell.

use std::path::{Path, PathBuf};

/// A page: its path within the project, and its text.
#[derive(Debug, Clone)]
pub struct Page(pub PathBuf, pub String);

/// Blocks of a page: the words behind the fence and the text.
pub type Block = (String, String);

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A page of the project.
pub fn page(path: &str) -> Page {
    Page(path.into(), std::fs::read_to_string(root().join(path)).expect("a page"))
}

/// The pages of the guide, by name.
pub fn guide() -> Vec<Page> {
    let files = std::fs::read_dir(root().join("docs/guide")).expect("the guide").flatten();
    let mut names: Vec<String> = files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names.iter().map(|name| page(&format!("docs/guide/{name}"))).collect()
}

/// What a user reads.
pub fn manual() -> Vec<Page> {
    [page("README.md"), page("CONTRIBUTING.md")].into_iter().chain(guide()).collect()
}

/// Everything that has links.
pub fn documents() -> Vec<Page> {
    let others = ["ARCHITECTURE.md", "CHANGELOG.md", "docs/performance.md", "docs/reliability.md", "docs/tui.md"];
    manual().into_iter().chain(others.map(page)).chain([page("fuzz/README.md")]).collect()
}

impl Page {
    /// A page of this text in the guide, as tests make them.
    pub fn of(text: &str) -> Self {
        Self("docs/guide/test.md".into(), text.to_owned())
    }

    /// The blocks between three backticks.
    pub fn blocks(&self) -> Vec<Block> {
        let parts = self.1.split("```").skip(1).step_by(2);
        parts
            .filter_map(|part| part.split_once('\n').map(|(fence, text)| (fence.to_owned(), text.to_owned())))
            .collect()
    }

    /// The text without its blocks.
    pub fn prose(&self) -> String {
        self.1.split("```").step_by(2).collect()
    }

    /// What stands between single backticks.
    pub fn spans(&self) -> Vec<String> {
        self.prose().lines().flat_map(|line| line.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
    }

    /// The rows of all tables whose first line has these cells.
    pub fn table(&self, heading: &[&str]) -> Vec<Vec<String>> {
        let prose = self.prose();
        let mut rows = Vec::new();
        let mut inside = false;
        for line in prose.lines() {
            let cells: Vec<String> = match line.strip_prefix("| ") {
                Some(rest) => rest.trim_end_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect(),
                None => Vec::new(),
            };
            match (cells.is_empty(), inside) {
                _ if cells == heading => inside = true,
                (false, true) => rows.push(cells),
                (true, _) => inside &= line.starts_with("|-"),
                _ => {}
            }
        }
        rows
    }
}

/// The anchors of a page's headings, as GitHub makes them.
pub fn anchors(page: &Page) -> Vec<String> {
    let prose = page.prose();
    let headings = prose.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| {
        let kept = heading.to_lowercase().replace(' ', "-");
        kept.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_')).collect()
    };
    headings.map(anchor).collect()
}

/// Words of a line as a shell splits it, without redirections and comments; a list for each command of a pipe.
pub fn shell(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let (mut word, mut quote, mut begun) = (String::new(), None, false);
    for letter in line.chars().chain([' ']) {
        match (quote, letter) {
            (Some(mark), _) if letter == mark => quote = None,
            (None, '\'' | '"') => (quote, begun) = (Some(letter), true),
            (None, '#') if word.is_empty() => break,
            (None, '|') => commands.push(Vec::new()),
            (None, ' ') => {
                if begun || !word.is_empty() {
                    commands.last_mut().expect("one").push(std::mem::take(&mut word));
                }
                begun = false;
            }
            _ => word.push(letter),
        }
    }
    for command in &mut commands {
        if let Some(redirection) = command.iter().position(|word| word == ">") {
            command.truncate(redirection);
        }
    }
    commands
}
