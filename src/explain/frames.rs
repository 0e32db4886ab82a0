//! The functions at each instruction of a profile, as the source names them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::Path;

use crate::measure::criterion::{CallProfile, CodeFunction, CodePlace};
use crate::symbols::{SourceFrame, demangle_symbol, resolve_addresses};

/// A function as the source names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FunctionKey {
    /// Path of the function.
    pub(super) path: String,
    /// Its generic arguments; empty if it has none.
    pub(super) arguments: String,
}

/// How the parts of paths begin that stand for closures, in older and in newer symbols.
const CLOSURE_MARKS: [&str; 2] = ["::{{closure}}", "::{closure#"];

impl From<&SourceFrame> for FunctionKey {
    /// A closure is a part of the function that the source has it in. Its number changes with every
    /// closure that is added before it.
    fn from(frame: &SourceFrame) -> Self {
        let path = match find_closure(&frame.function) {
            Some(end) => frame.function[..end].to_owned(),
            None => frame.function.clone(),
        };
        Self { path, arguments: frame.arguments.clone() }
    }
}

/// Returns where the first closure begins in the path of a function, or `None` if it is not one.
pub(super) fn find_closure(path: &str) -> Option<usize> {
    // Generic arguments may name the closures of other functions.
    let is_plain = |at: &usize| {
        path[..*at].matches('<').count() == path[..*at].replace("->", "").matches('>').count()
    };
    let starts = CLOSURE_MARKS.iter().flat_map(|mark| path.match_indices(mark));
    starts.map(|(at, _)| at).filter(|at| *at > 0).filter(is_plain).min()
}

/// The functions at each instruction, the innermost first.
pub(super) type FrameTable = HashMap<CodePlace, Vec<SourceFrame>>;

/// Returns the functions at each instruction of `profile`. Without line tables it is the function of
/// the symbol.
///
/// # Errors
///
/// Fails if a program or library cannot be read.
pub(super) fn resolve_frames(profile: &CallProfile) -> io::Result<FrameTable> {
    let places: BTreeSet<&CodePlace> =
        profile.own.keys().chain(profile.calls.keys().map(|(place, _)| place)).collect();
    let mut addresses: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for place in &places {
        addresses.entry(&place.function.object).or_default().insert(place.address);
    }
    let mut resolved: HashMap<&str, BTreeMap<u64, Vec<SourceFrame>>> = HashMap::new();
    for (object, addresses) in addresses {
        // Code that belongs to no file has a made-up name.
        let path = Path::new(object);
        let frames =
            if path.is_file() { resolve_addresses(path, &addresses)? } else { BTreeMap::new() };
        resolved.insert(object, frames);
    }
    let with_frames = places.into_iter().map(|place| {
        let object = resolved.get(&*place.function.object);
        let known = object.and_then(|at| at.get(&place.address));
        // Of a program without any line tables, the functions are known all the same.
        let is_program =
            object.is_some_and(BTreeMap::is_empty) && is_program(&place.function.object);
        let by_symbol = || vec![make_symbol_frame(&place.function, is_program)];
        (place.clone(), known.cloned().unwrap_or_else(by_symbol))
    });
    Ok(with_frames.collect())
}

/// Returns whether the file at this path is a program and not a library that it loads.
fn is_program(object: &str) -> bool {
    let name = object.rsplit('/').next().unwrap_or(object);
    Path::new(object).is_file() && !name.contains(".so")
}

/// Returns the frame of a function that is known by its symbol alone. Its file is the program
/// itself if it is a function of a program, and unknown for a library.
fn make_symbol_frame(function: &CodeFunction, is_program: bool) -> SourceFrame {
    SourceFrame {
        function: demangle_symbol(&function.symbol),
        arguments: String::new(),
        file: is_program.then(|| function.object.to_string()),
        line: None,
    }
}
