//! Accepted regressions: `Perfgate-Accept:` trailers of commit messages.
//!
//! ```text
//! Perfgate-Accept: graphsage/** +12% because the new layer needs it
//! Perfgate-Accept: old/name missing because it measured a codec that is gone
//! ```
//!
//! Anyone who writes a commit message can write a trailer. Each trailer is therefore limited to a
//! pattern and an amount, gives its reason, and is shown in the report wherever it applies.

use std::fmt;

use thiserror::Error;

use crate::selection::{IdPattern, PatternError};
use crate::text::cut_text;
use crate::units::Percent;

/// Key of the trailer. Case does not matter.
const TRAILER_KEY: &str = "perfgate-accept:";

/// Maximum number of trailers that are read. A change that needs more should use a pattern.
const MAX_TRAILERS: usize = 100;

/// Longest accepted trailer in bytes. A longer trailer is a mistake or an attempt to fill the
/// report.
const MAX_TRAILER_BYTES: usize = 2000;

/// Number of bytes of such a trailer that the message shows.
const MAX_SHOWN_BYTES: usize = 43;

/// A waiver as one trailer states it.
#[derive(Clone, Debug)]
pub(crate) struct AcceptTrailer {
    matcher: IdPattern,
    /// Glob pattern, as it was written, for the ids of the benchmarks that it covers.
    pub(crate) pattern: String,
    /// What the trailer accepts of them.
    pub(crate) limit: WaiverLimit,
    /// The reason, as it was written.
    pub(crate) reason: String,
}

/// What a trailer accepts of a benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaiverLimit {
    /// A slowdown up to this limit.
    UpTo(Percent),
    /// The absence of the benchmark.
    Missing,
}

/// Why a trailer accepts nothing.
#[derive(Debug, Error)]
pub(crate) enum TrailerError {
    /// The trailer is too long to be read.
    #[error("`{0}` is longer than {MAX_TRAILER_BYTES} bytes")]
    TooLong(String),
    /// The trailer gives no reason.
    #[error("`{0}` gives no reason: end it with `because …`")]
    NoReason(String),
    /// The trailer names no limit.
    #[error("`{0}` names no limit: write `PATTERN +12% because …` or `PATTERN missing because …`")]
    NoLimit(String),
    /// The pattern cannot be read.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

impl AcceptTrailer {
    /// Returns whether the trailer covers the benchmark `id`.
    ///
    /// An id that is written out covers itself, even if some of its characters have a meaning in
    /// patterns.
    pub(crate) fn covers(&self, id: &str) -> bool {
        self.pattern == id || self.matcher.matches(id)
    }

    /// Parses a trailer without its key. Fails if it is too long, gives no reason or no limit, or
    /// if the pattern cannot be read.
    fn parse(text: &str) -> Result<Self, TrailerError> {
        if text.len() > MAX_TRAILER_BYTES {
            return Err(TrailerError::TooLong(cut_text(text, MAX_SHOWN_BYTES)));
        }
        let (scope, reason) =
            text.split_once(" because ").ok_or_else(|| TrailerError::NoReason(text.to_owned()))?;
        let (pattern, limit) =
            parse_scope(scope.trim()).ok_or_else(|| TrailerError::NoLimit(text.to_owned()))?;
        if reason.trim().is_empty() {
            return Err(TrailerError::NoReason(text.to_owned()));
        }
        Ok(Self {
            matcher: IdPattern::new(pattern)?,
            pattern: pattern.to_owned(),
            limit,
            reason: reason.trim().to_owned(),
        })
    }
}

impl fmt::Display for AcceptTrailer {
    /// Writes pattern and limit in the form of the trailer, without the reason.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.limit {
            WaiverLimit::UpTo(limit) => {
                write!(f, "{} +{}", self.pattern, super::show_percent(limit.get()))
            }
            WaiverLimit::Missing => write!(f, "{} missing", self.pattern),
        }
    }
}

/// Splits the part before the reason into pattern and limit. Reads from the end, because an id may
/// contain spaces. Returns `None` if there is no limit or no pattern.
fn parse_scope(scope: &str) -> Option<(&str, WaiverLimit)> {
    let (pattern, waiver_limit) = if let Some(pattern) = scope.strip_suffix("missing") {
        (pattern, WaiverLimit::Missing)
    } else {
        let (pattern, limit) = scope.rsplit_once('+')?;
        (pattern, WaiverLimit::UpTo(limit.parse().ok()?))
    };
    // `old/missing` is a name, not a name followed by the word.
    let is_separate = pattern.ends_with(char::is_whitespace) && !pattern.trim().is_empty();
    is_separate.then(|| (pattern.trim(), waiver_limit))
}

/// The trailers of some commit messages.
#[derive(Debug, Default)]
pub(crate) struct TrailerList {
    /// The trailers in order. An invalid one gives an error in its place.
    pub(crate) parsed: Vec<Result<AcceptTrailer, TrailerError>>,
    /// Number of further trailers, which are not read.
    pub(crate) unread: usize,
}

/// Reads the waivers in commit messages, in order, at most [`MAX_TRAILERS`] of them.
///
/// A trailer counts on any line, not only in the last paragraph, because squashing moves it. Lines
/// that begin with white space continue it. Messages may come from a stranger, so what is kept of
/// them is limited before anything is parsed.
pub(crate) fn parse_trailers<'a>(messages: impl IntoIterator<Item = &'a str>) -> TrailerList {
    let mut texts: Vec<String> = Vec::new();
    let mut unread = 0;
    for message in messages {
        let mut is_open = false;
        for line in message.lines() {
            let key =
                line.get(..TRAILER_KEY.len()).filter(|key| key.eq_ignore_ascii_case(TRAILER_KEY));
            if key.is_none() && is_open && line.starts_with([' ', '\t']) {
                continue_trailer(texts.last_mut(), line.trim());
                continue;
            }
            is_open = key.is_some() && texts.len() < MAX_TRAILERS;
            if is_open {
                texts.push(String::new());
                continue_trailer(texts.last_mut(), line[TRAILER_KEY.len()..].trim());
            } else if key.is_some() {
                unread += 1;
            }
        }
    }
    TrailerList { parsed: texts.iter().map(|text| AcceptTrailer::parse(text)).collect(), unread }
}

/// Appends `more` to a trailer, unless the trailer is already too long to be read.
fn continue_trailer(trailer: Option<&mut String>, more: &str) {
    let Some(trailer) = trailer.filter(|trailer| trailer.len() <= MAX_TRAILER_BYTES) else {
        return;
    };
    if !trailer.is_empty() && !more.is_empty() {
        trailer.push(' ');
    }
    // One byte more than the limit is enough to see that it is exceeded.
    let room = (MAX_TRAILER_BYTES + 1).saturating_sub(trailer.len());
    trailer.push_str(&more[..more.ceil_char_boundary(room)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(message: &str) -> AcceptTrailer {
        let mut found = parse_trailers([message]).parsed;
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0).unwrap()
    }

    #[test]
    fn a_slowdown_is_accepted_up_to_a_limit() {
        let waiver =
            only("subject\n\nPerfgate-Accept: graphsage/** +12% because the layer needs it\n");
        assert_eq!(waiver.limit, WaiverLimit::UpTo("12%".parse().unwrap()));
        assert_eq!(waiver.reason, "the layer needs it");
        assert!(waiver.covers("graphsage/batch/32") && !waiver.covers("batching/graphsage"));
    }

    #[test]
    fn a_benchmark_may_be_gone_on_purpose() {
        let waiver = only("perfgate-accept: old/name missing because it is");
        assert_eq!((waiver.limit, waiver.pattern.as_str()), (WaiverLimit::Missing, "old/name"));
    }

    #[test]
    fn an_id_may_hold_spaces_and_signs() {
        assert_eq!(only("Perfgate-Accept: a b/c+d +2.5 % because x").pattern, "a b/c+d");
        assert_eq!(only("Perfgate-Accept: is missing missing because x").pattern, "is missing");
    }

    #[test]
    fn a_long_reason_goes_on_in_the_next_line() {
        let waiver = only("Perfgate-Accept: a +1%\n  because it\n\tis long\nSigned-off-by: me");
        assert_eq!(waiver.reason, "it is long");
    }

    #[test]
    fn a_trailer_moved_up_by_a_squash_still_counts() {
        assert_eq!(
            only("all (#7)\n\n* one\n\nPerfgate-Accept: a +1% because b\n\n* two\n").pattern,
            "a"
        );
    }

    #[test]
    fn what_names_no_reason_or_no_limit_accepts_nothing() {
        for bad in [
            "a +12%",
            "a +12% because ",
            "a because it is fine",
            "a 12% because x",
            "+12% because x",
            "missing because x",
            "old/missing because x",
            "a +-1% because x",
            "a +x% because x",
            "a/[ +1% because x",
            "",
        ] {
            let found = parse_trailers([format!("Perfgate-Accept: {bad}").as_str()]).parsed;
            assert!(matches!(found.as_slice(), [Err(_)]), "{bad}: {found:?}");
        }
        let mention = "it mentions Perfgate-Accept: a +1% because x\nPerfgate: a";
        assert!(parse_trailers([mention]).parsed.is_empty());
    }

    #[test]
    fn an_id_with_signs_of_patterns_in_it_can_be_written_out() {
        let waiver = only("Perfgate-Accept: a[1]/{b} +1% because x");
        assert!(waiver.covers("a[1]/{b}") && !waiver.covers("a1/c"));
    }

    #[test]
    fn a_trailer_that_nobody_would_read_accepts_nothing() {
        let long = format!("Perfgate-Accept: a +1% because {}", "x".repeat(MAX_TRAILER_BYTES));
        let found = parse_trailers([long.as_str()]).parsed;
        assert!(matches!(found.as_slice(), [Err(TrailerError::TooLong(_))]), "{found:?}");
    }

    #[test]
    fn half_a_million_trailers_are_counted_and_a_hundred_are_kept() {
        let many = "Perfgate-Accept: a +1% because x\n  and more\n".repeat(500_000);
        let list = parse_trailers([many.as_str(), "Perfgate-Accept: b +1% because x"]);
        assert_eq!((list.parsed.len(), list.unread), (MAX_TRAILERS, 499_901));
        let one = format!("Perfgate-Accept: a +1% because x\n{}", " äöü\n".repeat(500_000));
        let found = parse_trailers([one.as_str()]).parsed;
        assert!(matches!(found.as_slice(), [Err(TrailerError::TooLong(_))]));
    }

    #[test]
    fn braces_nested_260_deep_in_a_merged_commit_do_not_count_and_do_not_panic() {
        let nested =
            format!("Perfgate-Accept: {}a{} +1% because x", "{".repeat(260), "}".repeat(260));
        let found = parse_trailers([nested.as_str()]).parsed;
        assert!(matches!(found.as_slice(), [Err(TrailerError::Pattern(_))]), "{found:?}");
    }

    #[test]
    fn what_it_accepts_can_be_said() {
        for text in ["a/** +2.5 %", "a b missing"] {
            assert_eq!(only(&format!("Perfgate-Accept: {text} because x")).to_string(), text);
        }
    }
}
