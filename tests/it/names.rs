//! The names of the crate, read from the source.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use syn::{Item, Visibility};

/// The source files of the crate without its tests.
fn find_sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_tests = path.file_stem().is_some_and(|stem| stem == "tests");
        if path.is_dir() && !is_tests {
            find_sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_tests {
            found.push(path);
        }
    }
}

/// The names of `items` that other modules can use, without methods, fields and variants: these are
/// read together with the type that they belong to.
fn collect_names(items: &[Item], place: &str, names: &mut BTreeMap<String, Vec<String>>) {
    for item in items {
        let (visibility, ident) = match item {
            Item::Const(item) => (&item.vis, &item.ident),
            Item::Enum(item) => (&item.vis, &item.ident),
            Item::Fn(item) => (&item.vis, &item.sig.ident),
            Item::Static(item) => (&item.vis, &item.ident),
            Item::Struct(item) => (&item.vis, &item.ident),
            Item::Trait(item) => (&item.vis, &item.ident),
            Item::Type(item) => (&item.vis, &item.ident),
            Item::Mod(item) => {
                let inside = item.content.as_ref().map_or(&[][..], |(_, inside)| inside);
                collect_names(inside, place, names);
                continue;
            }
            _ => continue,
        };
        if !matches!(visibility, Visibility::Inherited) {
            names.entry(ident.to_string()).or_default().push(place.to_owned());
        }
    }
}

#[test]
fn a_name_has_one_meaning() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    find_sources(&root, &mut sources);
    let mut names = BTreeMap::new();
    for path in &sources {
        let file = syn::parse_file(&fs::read_to_string(path).unwrap()).unwrap();
        let place = path.strip_prefix(&root).unwrap().display().to_string();
        collect_names(&file.items, &place, &mut names);
    }
    assert!(names.len() > 500, "only {} names were found", names.len());
    names.retain(|_, places| {
        // A function and what stands for it in a build without a feature are in one file.
        places.dedup();
        places.len() > 1
    });
    assert!(names.is_empty(), "names with several meanings: {names:#?}");
}
