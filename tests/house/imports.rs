//! Which file imports which: the sources as a graph, from their `use` declarations and from the paths in their code.
//!
//! A re-export (`pub use child::Thing`) in a parent is followed to the file that defines the thing, so that a parent may
//! show what its children hold. Code that is compiled for tests only does not count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

/// A file by its module path: `["train", "saver", "queue"]`.
pub type Module = Vec<String>;

/// The files below a folder, and what they import.
pub struct Imports {
    /// The file of each module.
    pub files: BTreeMap<Module, PathBuf>,
    /// The modules that each imports.
    pub edges: BTreeMap<Module, BTreeSet<Module>>,
}

/// What one file says: the paths that it names, and those that it shows to others.
#[derive(Default)]
struct Said {
    /// `use` declarations, each with whether it is public.
    uses: Vec<(bool, Vec<String>)>,
    /// Paths of two names or more in its code.
    paths: Vec<Vec<String>>,
}

impl Imports {
    /// Reads every source below `root`; `lib.rs` and `main.rs` there do not count, since they only name the rooms.
    pub fn read(root: &Path) -> Self {
        let mut found = Vec::new();
        sources(root, &mut found);
        let mut files = BTreeMap::new();
        for path in found {
            let relative = path.strip_prefix(root).expect("below the folder").with_extension("");
            let module: Module = relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            if module != ["lib"] && module != ["main"] {
                files.insert(module, path);
            }
        }
        let said: BTreeMap<&Module, Said> = files.iter().map(|(module, path)| (module, Said::of(path))).collect();
        let mut shown = BTreeMap::new();
        for (module, said) in &said {
            for (_, path) in said.uses.iter().filter(|(public, _)| *public) {
                if let (Some(target), Some(name)) = (resolve(&files, &shown, module, path), path.last())
                    && target != **module
                {
                    shown.insert(((*module).clone(), name.clone()), target);
                }
            }
        }
        let mut edges = BTreeMap::new();
        for (module, said) in &said {
            let mut targets = BTreeSet::new();
            for (public, path) in &said.uses {
                let target = resolve(&files, &shown, module, path);
                targets.extend(target.filter(|target| !(*public && target.starts_with(module))));
            }
            for path in &said.paths {
                // A name that a `use` brought in stands for what it brought.
                let brought = said.uses.iter().find(|(_, used)| used.last() == path.first());
                let path = match brought {
                    Some((_, used)) => used.iter().chain(&path[1..]).cloned().collect(),
                    None => path.clone(),
                };
                targets.extend(resolve(&files, &shown, module, &path));
            }
            targets.remove(*module);
            edges.insert((*module).clone(), targets);
        }
        Self { files, edges }
    }

    /// The rings: sets of files each of which reaches each other one by imports.
    pub fn rings(&self) -> Vec<Vec<String>> {
        let reach: BTreeMap<&Module, BTreeSet<&Module>> =
            self.files.keys().map(|module| (module, self.reached_from(module))).collect();
        let mut rings = BTreeSet::new();
        for (module, reached) in &reach {
            let ring: Vec<String> =
                reached.iter().filter(|other| reach[**other].contains(module)).map(|other| other.join("/")).collect();
            if ring.len() > 1 {
                rings.insert(ring);
            }
        }
        rings.into_iter().collect()
    }

    fn reached_from<'a>(&'a self, module: &'a Module) -> BTreeSet<&'a Module> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<&Module> = self.edges[module].iter().collect();
        while let Some(next) = open.pop() {
            if reached.insert(next) {
                open.extend(&self.edges[next]);
            }
        }
        reached
    }
}

/// Every source file below a folder.
pub fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the folder is readable").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The file that `path`, as `module` writes it, leads to; none where that is no file here.
fn resolve(
    files: &BTreeMap<Module, PathBuf>,
    shown: &BTreeMap<(Module, String), Module>,
    module: &Module,
    path: &[String],
) -> Option<Module> {
    let mut at = module.clone();
    let mut rest = path;
    match rest.first()?.as_str() {
        "crate" => {
            at.clear();
            rest = &rest[1..];
        }
        "self" => rest = &rest[1..],
        "super" => {
            while rest.first().is_some_and(|name| name == "super") {
                at.pop();
                rest = &rest[1..];
            }
        }
        first => {
            at.push(first.to_owned());
            if !files.contains_key(&at) {
                return None;
            }
            at.pop();
        }
    }
    while let Some(name) = rest.first() {
        at.push(name.clone());
        if !files.contains_key(&at) {
            at.pop();
            break;
        }
        rest = &rest[1..];
    }
    if let Some(name) = rest.first()
        && at != *module
        && let Some(defined) = shown.get(&(at.clone(), name.clone()))
    {
        return Some(defined.clone());
    }
    files.contains_key(&at).then_some(at)
}

impl Said {
    fn of(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("the source is readable");
        let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut said = Self::default();
        said.visit_file(&file);
        said
    }

    fn add(&mut self, path: Vec<String>) {
        if path.len() > 1 {
            self.paths.push(path);
        }
    }
}

impl<'ast> Visit<'ast> for Said {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !attributes.iter().any(is_for_tests) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let public = !matches!(item.vis, syn::Visibility::Inherited);
        let mut paths = Vec::new();
        flatten(&item.tree, &mut Vec::new(), &mut paths);
        self.uses.extend(paths.into_iter().map(|path| (public, path)));
    }

    /// `pub(in crate::tui)` imports nothing.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.add(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.tokens(item.tokens.clone());
    }
}

impl Said {
    /// The paths in what a macro is given.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.add(std::mem::take(&mut path));
                    }
                    path.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                other => {
                    self.add(std::mem::take(&mut path));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.add(path);
    }
}

/// `#[cfg(test)]`, and `#[test]`.
fn is_for_tests(attribute: &syn::Attribute) -> bool {
    attribute.path().is_ident("test")
        || attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
}

/// The paths of a `use` tree.
fn flatten(tree: &syn::UseTree, before: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    match tree {
        syn::UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, paths);
            before.pop();
        }
        syn::UseTree::Group(group) => group.items.iter().for_each(|item| flatten(item, before, paths)),
        syn::UseTree::Name(name) if name.ident == "self" => paths.push(before.clone()),
        syn::UseTree::Name(name) => paths.push(before.iter().cloned().chain([name.ident.to_string()]).collect()),
        syn::UseTree::Rename(rename) => {
            paths.push(before.iter().cloned().chain([rename.ident.to_string()]).collect());
        }
        syn::UseTree::Glob(_) => paths.push(before.clone()),
    }
}

/// A folder with a ring of two files, one of them by a re-export, and a file beside them that is in none.
#[test]
fn a_ring_is_found_and_a_re_export_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("is made");
        std::fs::write(path, text).expect("writes");
    };
    put("room.rs", "pub mod a;\npub mod b;\npub mod c;\npub use a::Thing;\n");
    put("room/a.rs", "pub struct Thing;\npub fn f() { println!(\"{}\", super::b::g()); }\n");
    put("room/b.rs", "use super::Thing;\npub fn g() -> u8 { let _: Option<Thing> = None; 1 }\n");
    put("room/c.rs", "#[cfg(test)]\nmod tests;\nuse super::a;\npub(in crate::room) fn h() { a::f(); }\n");
    let imports = Imports::read(folder.path());
    assert_eq!(imports.rings(), [["room/a", "room/b"]]);
    let name = |name: &str| vec!["room".to_owned(), name.to_owned()];
    assert!(imports.edges[&name("c")].contains(&name("a")) && imports.edges[&name("room")[..1].to_vec()].is_empty());
}
