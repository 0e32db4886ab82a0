//! The documentation of functions that can fail, read from the source.

use syn::{Attribute, Expr, ImplItem, Item, Lit, Meta, ReturnType, Signature, Type, Visibility};

use crate::source::{SourceTree, is_test};

/// How a doc comment states when a function fails: in a section of its own, or in a sentence.
const STATEMENTS: [&str; 5] =
    ["# Errors", "Fails if ", "Fails like ", "Fails with ", "Returns an error if "];

/// Whether a function with this signature returns a `Result`. Formatting passes on what its writer
/// returns, so that it has nothing to add.
fn can_fail(signature: &Signature) -> bool {
    let ReturnType::Type(_, returned) = &signature.output else { return false };
    let Type::Path(returned) = &**returned else { return false };
    let names: Vec<_> =
        returned.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    names.last().is_some_and(|name| name == "Result") && names[0] != "fmt"
}

/// The doc comment, with its lines joined.
fn read_docs(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value().trim().to_owned()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    lines.collect::<Vec<_>>().join(" ")
}

/// Whether the function is one that other modules call, can fail, and does not state when.
fn is_silent(visibility: &Visibility, signature: &Signature, attributes: &[Attribute]) -> bool {
    let is_shared = match visibility {
        Visibility::Public(_) => true,
        Visibility::Restricted(to) => to.path.is_ident("crate"),
        Visibility::Inherited => false,
    };
    let docs = read_docs(attributes);
    is_shared
        && can_fail(signature)
        && !is_test(attributes)
        && !STATEMENTS.iter().any(|statement| docs.contains(statement))
}

/// The functions of `tree` that do not state when they fail.
fn find_silent_functions(tree: &SourceTree) -> Vec<String> {
    let mut silent = Vec::new();
    for module in &tree.modules {
        let mut add = |visibility: &Visibility, signature: &Signature, attributes: &[Attribute]| {
            if is_silent(visibility, signature, attributes) {
                silent.push(format!("{}: {}", module.file, signature.ident));
            }
        };
        for item in &module.items {
            match item {
                Item::Fn(item) => add(&item.vis, &item.sig, &item.attrs),
                Item::Impl(item) if item.trait_.is_none() => {
                    for item in &item.items {
                        if let ImplItem::Fn(item) = item {
                            add(&item.vis, &item.sig, &item.attrs);
                        }
                    }
                }
                _ => {}
            }
        }
    }
    silent
}

#[test]
fn a_function_that_can_fail_states_when() {
    let silent = find_silent_functions(&SourceTree::read());
    assert!(silent.is_empty(), "add `# Errors` or `Fails if …` to: {silent:#?}");
}

#[test]
fn a_silent_function_is_found() {
    let source = "
        /// Reads it.
        pub(crate) fn silent() -> io::Result<u8> {}
        /// Reads it.
        ///
        /// # Errors
        ///
        /// Never.
        pub(crate) fn section() -> Result<u8> {}
        /// Reads it. Fails
        /// if there is nothing.
        pub fn sentence() -> Result<u8> {}
        /// Fails if there is nothing.
        fn private() -> Result<u8> {}
        pub(crate) fn infallible() -> Option<u8> {}
        pub(crate) fn write(f: &mut Formatter<'_>) -> fmt::Result {}
        impl Reader {
            /// Reads it.
            pub(crate) fn method(&self) -> anyhow::Result<()> {}
        }
    ";
    let tree = SourceTree::parse(&|file| (file == "lib.rs").then(|| source.to_owned()));
    assert_eq!(find_silent_functions(&tree), ["lib.rs: silent", "lib.rs: method"]);
}
