//! Writes the site: only the pages that are new or changed.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::standing::BenchmarkStanding;
use super::track::BenchmarkTrack;
use super::{SiteInput, benchmark, export, overview, run};
use crate::files;
use crate::render::site::{self as layout, PageLayout};

/// Name of the index file, which lists the files of the site and the inputs of each.
const INDEX_FILE: &str = ".perfgate-pages";

/// Why the site cannot be built.
#[derive(Debug, Error)]
pub(crate) enum SiteError {
    /// A file cannot be written or removed.
    #[error("failed to write `{}`", path.display())]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
    /// A page cannot be rendered.
    #[error(transparent)]
    Render(#[from] crate::render::RenderError),
}

/// How many files a build wrote and removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SiteCounts {
    /// Number of files of the site.
    pub(crate) files: usize,
    /// Number of files that were new or changed.
    pub(crate) written: usize,
    /// Number of files that were removed because their run or benchmark no longer exists.
    pub(crate) removed: usize,
}

/// The folder of the site during a build, with the index of the build before and the new one.
struct SiteFolder<'a> {
    path: &'a Path,
    before: HashMap<String, String>,
    index: String,
    counts: SiteCounts,
}

/// Writes the site of `material` to `folder`. Returns how many files were written and removed.
///
/// Fails with [`SiteError::Io`] if a file cannot be written or removed, and with
/// [`SiteError::Render`] if a page cannot be rendered.
pub(crate) fn build_site(
    material: &SiteInput<'_>,
    tracks: &[BenchmarkTrack<'_>],
    folder: &Path,
) -> Result<SiteCounts, SiteError> {
    // Overview and benchmark pages are rendered and written only if their content changed. A run's
    // page is rendered only if its inputs differ from those in the index, because there are many
    // runs.
    let standings: Vec<BenchmarkStanding> =
        tracks.iter().map(|track| BenchmarkStanding::from_track(track, material)).collect();
    let mut site = SiteFolder::open(folder);
    let overview_page = overview::build_overview(material, tracks, &standings);
    site.write_if_changed(
        "index.html",
        layout::render_page(PageLayout::Overview, &overview_page)?.as_bytes(),
    )?;
    for (track, standing) in tracks.iter().zip(standings) {
        let page = benchmark::build_benchmark_page(material, track, standing);
        let name = format!("bench/{}.html", track.slug);
        site.write_if_changed(
            &name,
            layout::render_page(PageLayout::Benchmark, &page)?.as_bytes(),
        )?;
        let data = export::export_track_csv(track, &material.nights);
        site.write_if_changed(&format!("data/{}.csv", track.slug), data.as_bytes())?;
    }
    let common = hash_common_inputs(material);
    for place in 0..material.nights.len() {
        let name = format!("run/{}.html", material.nights[place].id);
        let inputs = describe_run_inputs(material, place, &common);
        if !site.is_made_from(&name, &inputs) {
            let page = layout::render_page(PageLayout::Run, &run::build_run_page(material, place))?;
            site.write(&name, page.as_bytes())?;
        }
        site.record(&name, &inputs);
    }
    site.close()
}

/// Returns a hash of the inputs that the pages of all runs share.
fn hash_common_inputs(material: &SiteInput<'_>) -> String {
    let mut hash = Sha256::new();
    for part in [layout::compute_layout_version(), &material.title] {
        hash.update(part);
        hash.update([0]);
    }
    hash.update(material.repository.as_deref().unwrap_or_default());
    hex::encode(&hash.finalize()[..6])
}

/// Returns the inputs of a run's page as one word. A run's id stands for its content.
fn describe_run_inputs(material: &SiteInput<'_>, place: usize, common: &str) -> String {
    let mut inputs = common.to_owned();
    for neighbour in run::find_neighbours(&material.nights, place) {
        let id = neighbour.map_or("none", |place| material.nights[place].id.as_str());
        let _ = write!(inputs, "-{id}");
    }
    inputs
}

impl<'a> SiteFolder<'a> {
    fn open(path: &'a Path) -> Self {
        let index = files::read_plain_text(&path.join(INDEX_FILE)).unwrap_or_default();
        let entries = index.lines().filter_map(|line| line.split_once(' '));
        let previous = entries.map(|(name, inputs)| (name.to_owned(), inputs.to_owned())).collect();
        Self { path, before: previous, index: String::new(), counts: SiteCounts::default() }
    }

    /// Returns whether the file exists and was made from the same inputs.
    fn is_made_from(&self, name: &str, inputs: &str) -> bool {
        self.before.get(name).is_some_and(|before| before == inputs)
            && self.path.join(name).is_file()
    }

    /// Writes the file unless it already has this content.
    fn write_if_changed(&mut self, name: &str, content: &[u8]) -> Result<(), SiteError> {
        if files::read_plain_file(&self.path.join(name)).is_ok_and(|existing| existing == content) {
            self.record(name, "content");
            return Ok(());
        }
        self.write(name, content)?;
        self.record(name, "content");
        Ok(())
    }

    fn write(&mut self, name: &str, content: &[u8]) -> Result<(), SiteError> {
        let path = self.path.join(name);
        files::write_atomically(&path, content).map_err(|source| SiteError::Io { path, source })?;
        self.counts.written += 1;
        Ok(())
    }

    /// Adds the file to the new index.
    fn record(&mut self, name: &str, inputs: &str) {
        let _ = writeln!(self.index, "{name} {inputs}");
        self.before.remove(name);
        self.counts.files += 1;
    }

    /// Removes the files that an earlier build wrote and this one did not, and writes the index.
    fn close(mut self) -> Result<SiteCounts, SiteError> {
        for name in self.before.keys().filter(|name| is_site_file(name)) {
            let path = self.path.join(name);
            match fs::remove_file(&path) {
                Ok(()) => self.counts.removed += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(SiteError::Io { path, source }),
            }
        }
        let path = self.path.join(INDEX_FILE);
        files::write_atomically(&path, self.index.as_bytes())
            .map_err(|source| SiteError::Io { path, source })?;
        Ok(self.counts)
    }
}

/// Returns whether a build could have written a file of this name. The index may have been edited
/// by anybody, so it must not lead to the removal of other files.
fn is_site_file(name: &str) -> bool {
    let is_plain = |stem: &str| {
        !stem.is_empty() && stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let ends = [("bench/", ".html"), ("run/", ".html"), ("data/", ".csv")];
    ends.iter().any(|(start, end)| {
        name.strip_prefix(start).and_then(|rest| rest.strip_suffix(end)).is_some_and(is_plain)
    })
}

#[cfg(test)]
mod tests {
    use super::is_site_file;

    #[test]
    fn nothing_but_pages_is_ever_removed() {
        assert!(is_site_file("run/0123456789ab.html") && is_site_file("data/a-b-1.csv"));
        for foreign in ["index.html", "run/../../x.html", "/etc/passwd", "run/.html", "data/x.html"]
        {
            assert!(!is_site_file(foreign), "{foreign}");
        }
    }
}
