//! The step summary and the step's outputs, which are files of the workflow runner.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use crate::publish::limits::SUMMARY_LIMIT;
use crate::publish::page::PublishPage;

/// Returns the summary, or the text of the comment if the summary is too long.
pub(crate) fn choose_summary(page: &PublishPage) -> &str {
    if page.summary.len() < SUMMARY_LIMIT { &page.summary } else { &page.comment }
}

/// Appends the summary, or the shorter text of the comment, to the file at `path`.
///
/// Returns false, and appends nothing, if the file would exceed [`SUMMARY_LIMIT`] in both cases.
/// Fails if the file cannot be opened or written.
pub(crate) fn append_summary(path: &Path, page: &PublishPage) -> io::Result<bool> {
    let mut file = open_for_append(path)?;
    let existing = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let fitting = [page.summary.as_str(), page.comment.as_str()]
        .into_iter()
        .find(|text| existing.saturating_add(text.len() + 1) <= SUMMARY_LIMIT);
    if let Some(text) = fitting {
        file.write_all(format!("{}\n", text.trim_end()).as_bytes())?;
    }
    Ok(fitting.is_some())
}

/// Appends the verdict and the counts to the file of the step's outputs, one per line.
///
/// Fails if the file cannot be opened or written.
pub(crate) fn write_outputs(path: &Path, page: &PublishPage) -> io::Result<()> {
    let verdict = page.verdict.name();
    let counts = page.list_named_counts().map(|(name, count)| format!("{name}={count}\n")).concat();
    open_for_append(path)?.write_all(format!("verdict={verdict}\n{counts}").as_bytes())
}

fn open_for_append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Verdict;
    use crate::report::{ChangeCounts, TargetCounts};

    fn page(summary: usize) -> PublishPage {
        PublishPage {
            verdict: Verdict::Inconclusive,
            is_blocking: true,
            counts: ChangeCounts::default(),
            targets: TargetCounts::default(),
            has_note_to_read: false,
            faults: std::collections::BTreeSet::new(),
            commit: None,
            comment: "comment".to_owned(),
            summary: "s".repeat(summary),
        }
    }

    #[test]
    fn a_summary_that_github_would_drop_gives_way_to_the_comment() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary");
        assert!(append_summary(&path, &page(SUMMARY_LIMIT - 1)).unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().len(), SUMMARY_LIMIT as u64);
        assert!(!append_summary(&path, &page(1)).unwrap());
        std::fs::remove_file(&path).unwrap();
        assert!(append_summary(&path, &page(SUMMARY_LIMIT)).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "comment\n");
    }

    #[test]
    fn outputs_are_one_line_each() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output");
        write_outputs(&path, &page(0)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("verdict=inconclusive\nregressed=0\n"), "{text}");
        assert!(text.lines().all(|line| line.matches('=').count() == 1));
    }
}
