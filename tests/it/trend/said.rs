//! What a page reports about a benchmark besides its change points, and what it does not conclude.

use crate::synthetic::{History, commit_id};

use super::{Site, says, visible};

#[test]
fn one_slow_night_proves_nothing_two_are_watched_and_three_are_a_change() {
    let last = |slow: usize| {
        let step = Some((60 - slow, 1.10));
        let site = Site::of(&History { step, ..History::default() });
        site.build();
        visible(&site.page("bench/tokenization"))
    };
    let one = last(1);
    says(&one, "batch/0 steady");
    says(&one, "one night proves nothing");
    let two = last(2);
    says(&two, "batch/0 watch");
    says(&two, "Two nights in a row");
    says(&two, "None of 2 % or more");
    let three = last(3);
    says(&three, "batch/0 slower");
    says(&three, &format!("{}..{}", &commit_id(56)[..7], &commit_id(57)[..7]));
}

#[test]
fn few_runs_and_missing_nights_are_said() {
    let site = Site::of(&History { nights: 4, ..History::default() });
    site.build();
    says(&visible(&site.page("bench/tokenization")), "Insufficient data: 4 runs");
    let site = Site::of(&History { missing: vec![20, 21, 22], ..History::default() });
    site.build();
    says(&visible(&site.page("bench/tokenization")), "after 2026-01-20: 3 nights without a run");
}
