//! Recognizes a change that cannot have affected a benchmark, without building anything.
//!
//! An earlier build of the base has recorded what each bench target was built from. When in doubt,
//! both sides are built. Decision 0014 in `docs/decisions` has the rules.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::super::error::CommandError;
use super::record::{BuildSetting, RecordedBench};
use super::side::OriginalWorkspace;
use super::{PairBuilder, may_be_read_at_run_time};
use crate::git::CommitId;
use crate::note::Note;
use crate::run::BenchmarkId;
use crate::verdict::SameBenchmark;

/// Names of files that change what Cargo builds, wherever they are.
const BUILD_FILES: [&str; 3] = ["Cargo.toml", "Cargo.lock", "build.rs"];

/// The benchmarks of a change that affects none of them.
#[derive(Debug)]
pub(crate) struct UnaffectedBenches {
    /// The selected benchmarks, each with the reason.
    pub(crate) benchmarks: Vec<SameBenchmark>,
    /// Notes on the bench targets from when they were built.
    pub(crate) notes: Vec<Note>,
}

/// The files that differ between two commits, as paths relative to the root of the repository.
struct ChangedFiles {
    /// All of them.
    all: Vec<PathBuf>,
    /// Those that only one commit has.
    unpaired: BTreeSet<PathBuf>,
}

impl PairBuilder<'_> {
    /// Returns the selected benchmarks if the change from `base` to `head` affects none of them.
    /// Returns `None` if it may affect one, if one has a target, which needs launches, and between a
    /// commit and itself.
    ///
    /// # Errors
    ///
    /// Fails if git cannot list what changed.
    pub(super) fn find_unaffected(
        &self,
        setting: &BuildSetting,
        original: &OriginalWorkspace,
        base: &CommitId,
        head: &CommitId,
    ) -> Result<Option<UnaffectedBenches>> {
        // The user's own preparation may read anything, and build programs from any source.
        let has_preparation =
            [self.recipe, self.base_recipe].iter().any(|recipe| recipe.prepare.is_some());
        let Some(policy) = self.skip_policy.filter(|_| !has_preparation && base != head) else {
            return Ok(None);
        };
        let selection = &policy.selection;
        // Cargo finds benches and build scripts by the names of files.
        let record = setting
            .find_record(base, selection)
            .filter(|record| record.layout == original.parts.targets);
        let Some(record) = record else { return Ok(None) };
        let changed = ChangedFiles {
            all: self.repository.list_changed_files(base, head).map_err(CommandError::from)?,
            unpaired: self
                .repository
                .list_unpaired_files(base, head)
                .map_err(CommandError::from)?
                .into_iter()
                .collect(),
        };
        if changed.all.iter().any(|path| affects_every_bench(path)) {
            return Ok(None);
        }
        let mut benchmarks = Vec::new();
        for bench in &record.benches {
            let mut selected =
                bench.benchmarks.iter().filter(|id| selection.selects(id)).peekable();
            if selected.peek().is_some() && changed.affect(bench) {
                return Ok(None);
            }
            let reason =
                Note::Unaffected { bench: bench.name.clone(), files: bench.inputs.len() as u64 };
            benchmarks.extend(selected.map(|id| SameBenchmark {
                id: BenchmarkId { name: id.clone(), package: Some(bench.package.clone()) },
                reason: reason.clone(),
            }));
        }
        let has_target = |same: &SameBenchmark| policy.needs_launches(&same.id.name);
        // Without any selected benchmark, the pilot reports what is wrong with the selection.
        if benchmarks.is_empty() || benchmarks.iter().any(has_target) {
            return Ok(None);
        }
        Ok(Some(UnaffectedBenches { benchmarks, notes: record.notes }))
    }
}

/// Returns whether a change of the file at `path` may change every program, or what it reads.
fn affects_every_bench(path: &Path) -> bool {
    may_be_read_at_run_time(path)
        || path.file_name().is_some_and(|name| BUILD_FILES.iter().any(|file| name == *file))
}

impl ChangedFiles {
    /// Returns whether a build of `bench` reads one of the files, or might read one that only one
    /// commit has.
    fn affect(&self, bench: &RecordedBench) -> bool {
        let is_below = |path: &Path, places: &BTreeSet<PathBuf>| {
            path.ancestors().any(|place| places.contains(place))
        };
        self.all.iter().any(|path| is_below(path, &bench.inputs))
            || self.unpaired.iter().any(|path| is_below(path, &bench.folders))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_affects_a_bench_if_it_was_read_or_may_be_from_now_on() {
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<BTreeSet<_>>();
        let bench = RecordedBench {
            package: "p".to_owned(),
            name: "b".to_owned(),
            inputs: paths(&["src/lib.rs", "README.md", "dep/assets"]),
            folders: paths(&["src"]),
            benchmarks: Vec::new(),
        };
        let affects = |all: &str, is_unpaired: bool| {
            let unpaired = if is_unpaired { paths(&[all]) } else { BTreeSet::new() };
            ChangedFiles { all: vec![all.into()], unpaired }.affect(&bench)
        };
        for read in ["src/lib.rs", "README.md", "dep/assets/deep/a.md"] {
            assert!(affects(read, false), "{read}");
        }
        assert!(affects("src/new.rs", true) && affects("src/deep/new.md", true));
        // A module for another platform, or tests.
        assert!(!affects("src/windows.rs", false));
        assert!(!affects("docs/new.md", true) && !affects("CHANGELOG.md", true));
    }

    #[test]
    fn what_cargo_reads_in_every_build_affects_every_bench() {
        for path in [
            "Cargo.toml",
            "a/Cargo.lock",
            "build.rs",
            "rust-toolchain",
            "rust-toolchain.toml",
            ".cargo/config.toml",
            "data.bin",
        ] {
            assert!(affects_every_bench(Path::new(path)), "{path}");
        }
        assert!(!affects_every_bench(Path::new("docs/guide.md")));
    }
}
