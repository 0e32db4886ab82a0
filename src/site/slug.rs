//! File names for benchmarks: readable, unique, and safe for any benchmark name.

use sha2::{Digest as _, Sha256};

use crate::run::BenchmarkId;

/// Maximum number of characters of a benchmark's id in its file name.
const READABLE_LENGTH: usize = 60;

/// Returns the path of a benchmark's page from the root of the site.
pub(crate) fn format_page_path(benchmark: &BenchmarkId) -> String {
    format!("bench/{}.html", build_slug(benchmark))
}

/// Returns the file name of a benchmark without extension. It has only letters, digits and dashes;
/// the last eight characters are a hash of package and id.
pub(super) fn build_slug(benchmark: &BenchmarkId) -> String {
    let mut name = String::with_capacity(READABLE_LENGTH + 9);
    for character in benchmark.name.chars() {
        if name.len() >= READABLE_LENGTH {
            break;
        }
        match character.to_ascii_lowercase() {
            plain if plain.is_ascii_alphanumeric() => name.push(plain),
            _ if name.ends_with('-') || name.is_empty() => {}
            _ => name.push('-'),
        }
    }
    let mut hash = Sha256::new();
    hash.update(benchmark.package.as_deref().unwrap_or_default());
    hash.update([0]);
    hash.update(&benchmark.name);
    let name = name.trim_end_matches('-');
    let dash = if name.is_empty() { "" } else { "-" };
    format!("{name}{dash}{}", hex::encode(&hash.finalize()[..4]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is_called(id: &str, start: &str) {
        let slug = build_slug(&BenchmarkId { name: id.to_owned(), package: None });
        let (name, hash) = slug.rsplit_once('-').unwrap_or(("", &slug));
        assert_eq!((name, hash.len()), (start, 8), "{slug}");
    }

    #[test]
    fn a_file_name_holds_nothing_but_letters_digits_and_dashes() {
        is_called("graphsage/batch/1", "graphsage-batch-1");
        is_called("../../etc/passwd", "etc-passwd");
        is_called("<script>alert(1)</script>", "script-alert-1-script");
        is_called("\u{202e}", "");
        is_called(&"x".repeat(500), &"x".repeat(READABLE_LENGTH));
    }

    #[test]
    fn names_that_look_alike_have_different_files() {
        let slug = |id: &str, package: Option<&str>| {
            build_slug(&BenchmarkId { name: id.to_owned(), package: package.map(str::to_owned) })
        };
        assert_ne!(slug("a/b", None), slug("a-b", None));
        assert_ne!(slug("a", Some("p")), slug("a", Some("q")));
    }
}
