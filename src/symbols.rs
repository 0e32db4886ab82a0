//! Functions and source lines of a program's addresses, from its symbol table and its line tables.
//!
//! Optimized code is inlined, so the symbol that contains an address often names the caller of what
//! runs there. The line tables name the whole chain of inlined calls.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use addr2line::gimli::{self, AttributeValue, EndianSlice, RunTimeEndian, UnitRef};
use addr2line::{Context, Frame};
use cpp_demangle::DemangleOptions;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

/// How often the name of a function may be looked up at its origin. A file with more origins in a row
/// is not one that a compiler wrote.
const MAX_ORIGINS: u32 = 8;

/// Longest name of a C++ function that is demangled, in bytes. Back references make others very long.
const MAX_CPP_NAME: usize = 4096;

type Bytes<'data> = EndianSlice<'data, RunTimeEndian>;

/// A function at an address: the one that runs there, or one that it is inlined into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceFrame {
    /// Path of the function, such as `alloc::vec::Vec<T,A>::push`, without the hash of its symbol.
    pub(crate) function: String,
    /// Its generic arguments, such as `<u32>`. Empty if it has none or if they are in the path.
    pub(crate) arguments: String,
    /// Path of the source file as the compiler wrote it. `None` if it is not known.
    pub(crate) file: Option<String>,
    /// Line in the file, from 1. `None` if it is not known.
    pub(crate) line: Option<u32>,
}

/// Returns the mangled names of all functions in the symbol table of `program`. Returns none if its
/// symbols were stripped, or if it is not an ELF program.
///
/// # Errors
///
/// Fails if the file cannot be read.
pub(crate) fn list_function_symbols(program: &Path) -> io::Result<Vec<String>> {
    let data = fs::read(program)?;
    let Ok(file) = object::File::parse(&*data) else { return Ok(Vec::new()) };
    let functions = file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text);
    Ok(functions.filter_map(|symbol| Some(symbol.name().ok()?.to_owned())).collect())
}

/// Returns the path of the function with this mangled name of Rust or C++, without the hash and the
/// parameters of its symbol. Returns other names as they are.
pub(crate) fn demangle_symbol(name: &str) -> String {
    if let Ok(path) = rustc_demangle::try_demangle(name) {
        // The alternate form leaves out the hash.
        return format!("{path:#}");
    }
    let is_cpp = name.starts_with("_Z") && name.len() <= MAX_CPP_NAME;
    let symbol = is_cpp.then(|| cpp_demangle::Symbol::new(name).ok()).flatten();
    let options = DemangleOptions::new().no_params().no_return_type();
    symbol
        .and_then(|symbol| symbol.demangle_with_options(&options).ok())
        .unwrap_or_else(|| name.to_owned())
}

/// Returns the functions at each of the `addresses` of `program`, the innermost first. An address
/// without line tables has no entry.
///
/// # Errors
///
/// Fails if the file cannot be read.
pub(crate) fn resolve_addresses(
    program: &Path,
    addresses: &BTreeSet<u64>,
) -> io::Result<BTreeMap<u64, Vec<SourceFrame>>> {
    let data = fs::read(program)?;
    let Ok(file) = object::File::parse(&*data) else { return Ok(BTreeMap::new()) };
    let endian = if file.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big };
    let load = |id: gimli::SectionId| -> Result<Bytes<'_>, gimli::Error> {
        // A section that is absent or compressed counts as empty.
        let section = file.section_by_name(id.name());
        let bytes = section.and_then(|section| section.uncompressed_data().ok());
        Ok(EndianSlice::new(
            match bytes {
                Some(std::borrow::Cow::Borrowed(bytes)) => bytes,
                _ => &[],
            },
            endian,
        ))
    };
    let context = gimli::Dwarf::load(load).and_then(Context::from_dwarf);
    let Ok(context) = context else { return Ok(BTreeMap::new()) };
    let found = addresses.iter().filter_map(|&address| {
        let frames = find_frames(&context, address).ok()?;
        (!frames.is_empty()).then_some((address, frames))
    });
    Ok(found.collect())
}

/// Returns the functions at `address`, the innermost first.
///
/// Fails if the line tables are damaged.
fn find_frames(
    context: &Context<Bytes<'_>>,
    address: u64,
) -> Result<Vec<SourceFrame>, gimli::Error> {
    let unit = context.find_dwarf_and_unit(address).skip_all_loads();
    let mut found = Vec::new();
    let mut frames = context.find_frames(address).skip_all_loads()?;
    while let Some(frame) = frames.next()? {
        found.extend(read_frame(&frame, unit));
    }
    Ok(found)
}

/// Returns the function of one frame, or `None` if it has no name.
fn read_frame(
    frame: &Frame<'_, Bytes<'_>>,
    unit: Option<UnitRef<'_, Bytes<'_>>>,
) -> Option<SourceFrame> {
    let raw = frame.function.as_ref()?.raw_name().ok()?;
    let function = demangle_symbol(&raw);
    let short = unit.zip(frame.dw_die_offset).and_then(|(unit, at)| find_short_name(unit, at));
    let arguments = short.map(|name| find_arguments(&function, &name)).unwrap_or_default();
    let location = frame.location.as_ref();
    Some(SourceFrame {
        function,
        arguments,
        file: location.and_then(|place| place.file).map(str::to_owned),
        line: location.and_then(|place| place.line),
    })
}

/// Returns the name of the function at `offset` as the source has it, with its generic arguments.
/// An inlined call has it at its origin.
fn find_short_name(unit: UnitRef<'_, Bytes<'_>>, offset: gimli::UnitOffset) -> Option<String> {
    let mut offset = offset;
    for _ in 0..MAX_ORIGINS {
        let entry = unit.entry(offset).ok()?;
        if let Some(name) = entry.attr_value(gimli::DW_AT_name) {
            return Some(unit.attr_string(name).ok()?.to_string_lossy().into_owned());
        }
        let origin = entry
            .attr_value(gimli::DW_AT_abstract_origin)
            .or_else(|| entry.attr_value(gimli::DW_AT_specification))?;
        let AttributeValue::UnitRef(next) = origin else { return None };
        offset = next;
    }
    None
}

/// Returns the generic arguments in `short`, the name of the function with this path. Returns
/// nothing if the path has them itself, as paths of newer symbols do.
fn find_arguments(path: &str, short: &str) -> String {
    let Some(begin) = short.find('<') else { return String::new() };
    let (name, arguments) = short.split_at(begin);
    // A closure has the arguments of the function that contains it.
    let is_closure = path.ends_with("::{{closure}}") && name.starts_with("{closure");
    let is_plain = path.strip_suffix(name).is_some_and(|rest| rest.ends_with("::"));
    if is_plain || is_closure { arguments.to_owned() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_no_hash_and_its_generic_arguments_are_apart() {
        let legacy = "_ZN5known5total17h7c1312147a872a73E";
        assert_eq!(demangle_symbol(legacy), "known::total");
        assert_eq!(demangle_symbol("malloc"), "malloc");
        assert_eq!(demangle_symbol("_ZN5codec6decodeEPKcm"), "codec::decode");
        assert_eq!(find_arguments("known::total", "total<u32>"), "<u32>");
        assert_eq!(find_arguments("known::total::<u32>", "total<u32>"), "");
        assert_eq!(find_arguments("known::total", "total"), "");
        assert_eq!(find_arguments("known::total::{{closure}}", "{closure#0}<u32>"), "<u32>");
        assert_eq!(find_arguments("known::total::{{closure}}", "{closure#0}"), "");
    }

    #[test]
    fn a_program_knows_the_functions_at_its_own_addresses() {
        let program = std::env::current_exe().unwrap();
        let symbols = list_function_symbols(&program).unwrap();
        let own = "symbols::tests::a_program_knows_the_functions_at_its_own_addresses";
        let has_own = symbols.iter().any(|name| demangle_symbol(name).contains(own));
        // Other systems have other programs, and valgrind does not run there.
        assert_eq!(has_own, cfg!(target_os = "linux"));
    }
}
