//! The source of the crate, parsed, for the tests that read it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use syn::buffer::{Cursor, TokenBuffer};
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, ItemUse, Macro, UseTree};

/// One module of a crate: a file, or `mod name { … }` inside one.
pub(crate) struct SourceModule {
    /// Names of the modules that lead to it; empty for the root.
    pub(crate) path: Vec<String>,
    /// The file it is in, relative to the folder of the root.
    pub(crate) file: String,
    /// What it contains besides tests and other modules.
    pub(crate) items: Vec<Item>,
    /// Its child modules in the order of their declarations.
    pub(crate) children: Vec<String>,
}

/// What a module names: the path in full, starting with `crate` or with another crate.
pub(crate) struct Mention {
    /// The parts of the path.
    pub(crate) path: Vec<String>,
    /// Whether it is the name of a macro that is called.
    pub(crate) is_macro: bool,
}

/// The modules of a crate, without its tests.
pub(crate) struct SourceTree {
    /// All modules. A parent comes before its children.
    pub(crate) modules: Vec<SourceModule>,
    imports: Vec<BTreeMap<String, Vec<String>>>,
}

impl SourceTree {
    /// The source of perfgate.
    pub(crate) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let tree = Self::parse(&|file| fs::read_to_string(root.join(file)).ok());
        assert!(tree.modules.len() > 100, "found only {} modules", tree.modules.len());
        tree
    }

    /// The crate whose files `find` returns. It follows `mod` from `lib.rs`.
    pub(crate) fn parse(find: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut modules = Vec::new();
        let source = find("lib.rs").expect("a crate has a root");
        add_module(&[], "lib.rs", parse_items(&source), find, &mut modules);
        let mut tree = Self { imports: Vec::new(), modules };
        tree.imports = tree.modules.iter().map(imports_of).collect();
        tree
    }

    /// The modules that the root declares, in their order.
    pub(crate) fn top_modules(&self) -> &[String] {
        &self.modules[0].children
    }

    /// Everything that the module at `place` in `modules` names.
    pub(crate) fn mentions(&self, place: usize) -> Vec<Mention> {
        let module = &self.modules[place];
        let mut collector = PathCollector::default();
        for item in &module.items {
            collector.visit_item(item);
        }
        let paths = collector.paths.into_iter().filter_map(|path| {
            // A path in code that begins with an imported name continues the import.
            let path = match self.imports[place].get(&path[0]) {
                Some(import) => [import, &path[1..]].concat(),
                None => resolve_path(module, &path)?,
            };
            Some(Mention { path, is_macro: false })
        });
        let uses = collector.uses.iter().filter_map(|path| resolve_path(module, path));
        let uses = uses.map(|path| Mention { path, is_macro: false });
        let macros =
            collector.macros.into_iter().map(|name| Mention { path: vec![name], is_macro: true });
        paths.chain(uses).chain(macros).collect()
    }

    /// The module of this crate that `path` leads into, through re-exports; `None` for another crate.
    pub(crate) fn find_target(&self, path: &[String]) -> Option<Vec<String>> {
        let mut path = path.to_vec();
        // A chain of re-exports is short; the limit ends one that leads back to itself.
        for _ in 0..8 {
            if path.first()? != "crate" {
                return None;
            }
            let (place, depth) = self.find_module(&path[1..]);
            let item = path.get(1 + depth);
            match item.and_then(|item| self.imports[place].get(item)) {
                Some(import) => path = [import, &path[2 + depth..]].concat(),
                None => return Some(self.modules[place].path.clone()),
            }
        }
        None
    }

    /// The module that `path` leads to, and how many of its parts that takes.
    fn find_module(&self, path: &[String]) -> (usize, usize) {
        let find = |depth: usize| {
            let place = self.modules.iter().position(|module| module.path == path[..depth]);
            place.map(|place| (place, depth))
        };
        (0..=path.len()).rev().find_map(find).expect("the root has an empty path")
    }

    /// Whether the module at `path` is written in the file of its parent.
    pub(crate) fn is_inline(&self, path: &[String]) -> bool {
        let file = |path: &[String]| {
            let module = self.modules.iter().find(|module| module.path == path);
            module.map(|module| module.file.clone())
        };
        file(path) == file(&path[..path.len() - 1])
    }

    /// The children of the module at `path`.
    pub(crate) fn children(&self, path: &[String]) -> &[String] {
        let module = self.modules.iter().find(|module| module.path == path);
        module.map_or(&[], |module| &module.children)
    }
}

/// The names that `use` brings into `module`, with what they stand for.
fn imports_of(module: &SourceModule) -> BTreeMap<String, Vec<String>> {
    let mut collector = PathCollector::default();
    for item in &module.items {
        collector.visit_item(item);
    }
    let mut imports = BTreeMap::new();
    for (name, path) in collector.names {
        if let Some(path) = resolve_path(module, &path) {
            imports.insert(name, path);
        }
    }
    imports
}

/// `path` as written in `module`, in full; `None` if it is a local name.
fn resolve_path(module: &SourceModule, path: &[String]) -> Option<Vec<String>> {
    let root = || std::iter::once("crate".to_owned());
    let here = root().chain(module.path.iter().cloned());
    match path[0].as_str() {
        "crate" => Some(path.to_vec()),
        "self" => Some(here.chain(path[1..].iter().cloned()).collect()),
        "super" => {
            let up = path.iter().take_while(|part| *part == "super").count();
            let above = module.path[..module.path.len().checked_sub(up)?].iter().cloned();
            Some(root().chain(above).chain(path[up..].iter().cloned()).collect())
        }
        first if module.children.iter().any(|child| child == first) => {
            Some(here.chain(path.iter().cloned()).collect())
        }
        // A type, a variant or a generic parameter, not a crate.
        first if first.starts_with(char::is_uppercase) => None,
        _ => Some(path.to_vec()),
    }
}

fn parse_items(source: &str) -> Vec<Item> {
    syn::parse_file(source).expect("the source compiles").items
}

fn add_module(
    path: &[String],
    file: &str,
    items: Vec<Item>,
    find: &dyn Fn(&str) -> Option<String>,
    modules: &mut Vec<SourceModule>,
) {
    let (inner, items): (Vec<_>, Vec<_>) = items
        .into_iter()
        .filter(|item| !is_test(attributes_of(item)))
        .partition(|item| matches!(item, Item::Mod(_)));
    let place = modules.len();
    modules.push(SourceModule {
        path: path.to_vec(),
        file: file.to_owned(),
        items,
        children: Vec::new(),
    });
    for item in inner {
        let Item::Mod(item) = item else { unreachable!("only modules are in this part") };
        let name = item.ident.to_string();
        let path = [path, std::slice::from_ref(&name)].concat();
        modules[place].children.push(name);
        if let Some((_, items)) = item.content {
            add_module(&path, file, items, find, modules);
        } else {
            let file = format!("{}.rs", path.join("/"));
            let source = find(&file).unwrap_or_else(|| panic!("there is no `{file}`"));
            add_module(&path, &file, parse_items(&source), find, modules);
        }
    }
}

/// Whether what has these attributes exists only in tests.
pub(crate) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let condition = attribute.meta.require_list().map(|list| list.tokens.to_string());
        let is_condition = condition.is_ok_and(|it| it == "test" || it.starts_with("all (test"));
        attribute.path().is_ident("test") || (attribute.path().is_ident("cfg") && is_condition)
    })
}

fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Collects the paths of some items: in `use`, in types and expressions, in the arguments of macros,
/// and in the strings of attributes.
#[derive(Default)]
struct PathCollector {
    paths: Vec<Vec<String>>,
    uses: Vec<Vec<String>>,
    names: Vec<(String, Vec<String>)>,
    macros: Vec<String>,
}

impl PathCollector {
    fn add_use(&mut self, before: &[String], tree: &UseTree) {
        match tree {
            UseTree::Path(tree) => {
                self.add_use(&[before, &[tree.ident.to_string()]].concat(), &tree.tree);
            }
            UseTree::Name(tree) => self.add_name(before, &tree.ident.to_string(), None),
            UseTree::Rename(tree) => {
                self.add_name(before, &tree.ident.to_string(), Some(tree.rename.to_string()));
            }
            UseTree::Glob(_) => self.uses.push(before.to_vec()),
            UseTree::Group(tree) => tree.items.iter().for_each(|tree| self.add_use(before, tree)),
        }
    }

    fn add_name(&mut self, before: &[String], ident: &str, rename: Option<String>) {
        let mut path = before.to_vec();
        if ident != "self" || before.is_empty() {
            path.push(ident.to_owned());
        }
        let name = rename.or_else(|| path.last().cloned()).expect("a path has a last part");
        self.names.push((name, path.clone()));
        self.uses.push(path);
    }

    /// Adds the paths and macros among tokens that are not parsed.
    fn add_tokens(&mut self, mut cursor: Cursor<'_>) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        while !cursor.eof() {
            if let Some((ident, rest)) = cursor.ident() {
                if colons != 2 {
                    self.add_path(std::mem::take(&mut path));
                }
                path.push(ident.to_string());
                (colons, cursor) = (0, rest);
            } else if let Some((punct, rest)) = cursor.punct() {
                match (punct.as_char(), path.last()) {
                    (':', Some(_)) => colons += 1,
                    ('!', Some(name)) => {
                        self.macros.push(name.clone());
                        path.clear();
                    }
                    _ => self.add_path(std::mem::take(&mut path)),
                }
                cursor = rest;
            } else if let Some((inside, _, _, rest)) = cursor.any_group() {
                self.add_path(std::mem::take(&mut path));
                self.add_tokens(inside);
                cursor = rest;
            } else if let Some((literal, rest)) = cursor.literal() {
                self.add_path(std::mem::take(&mut path));
                self.add_string(&literal.to_string());
                cursor = rest;
            } else if let Some((_, rest)) = cursor.lifetime() {
                cursor = rest;
            } else {
                break;
            }
        }
        self.add_path(path);
    }

    /// Adds the path that a string holds, as in `#[serde(with = "…")]`.
    fn add_string(&mut self, literal: &str) {
        let text = literal.trim_matches('"');
        if let Ok(path) = syn::parse_str::<syn::Path>(text) {
            self.visit_path(&path);
        }
    }

    /// A path of one part is a local name.
    fn add_path(&mut self, path: Vec<String>) {
        if path.len() > 1 {
            self.paths.push(path);
        }
    }
}

impl<'a> Visit<'a> for PathCollector {
    fn visit_item(&mut self, item: &'a Item) {
        if !is_test(attributes_of(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'a ImplItem) {
        let is_test = matches!(item, ImplItem::Fn(item) if is_test(&item.attrs));
        if !is_test {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        self.add_use(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        self.add_path(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'a Macro) {
        let name = call.path.segments.last().expect("a path has a last part");
        self.macros.push(name.ident.to_string());
        self.visit_path(&call.path);
        self.add_tokens(TokenBuffer::new2(call.tokens.clone()).begin());
    }

    fn visit_attribute(&mut self, attribute: &'a Attribute) {
        if let Ok(list) = attribute.meta.require_list() {
            self.add_tokens(TokenBuffer::new2(list.tokens.clone()).begin());
        }
    }
}
