//! The names of the crate, read from the source.

use std::collections::BTreeMap;

use syn::{Item, Visibility};

use crate::source::SourceTree;

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
            _ => continue,
        };
        if !matches!(visibility, Visibility::Inherited) {
            names.entry(ident.to_string()).or_default().push(place.to_owned());
        }
    }
}

#[test]
fn a_name_has_one_meaning() {
    let mut names = BTreeMap::new();
    for module in &SourceTree::read().modules {
        collect_names(&module.items, &module.file, &mut names);
    }
    assert!(names.len() > 500, "only {} names were found", names.len());
    names.retain(|_, places| {
        // A function and what stands for it in a build without a feature are in one file.
        places.dedup();
        places.len() > 1
    });
    assert!(names.is_empty(), "names with several meanings: {names:#?}");
}
