//! Columns of whole numbers as short text, for pages of thousands of points.
//!
//! Base-64 digits of six bits: five of the number, lowest first, and one that says that more follow;
//! the sign is the lowest bit (the encoding of source maps). `~` stands for "nothing". Columns of
//! differences are short because neighbours are alike.

const BASE64_DIGITS: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Steps of the logarithm that durations are rounded to: a hundredth of a percent.
pub(super) const LN_STEP: f64 = 1e-4;

/// Each number.
pub(super) fn encode_column(numbers: impl IntoIterator<Item = Option<i64>>) -> String {
    let mut text = String::new();
    for number in numbers {
        push_digits(&mut text, number);
    }
    text
}

/// Each number less the one before it that is there.
pub(super) fn encode_differences(numbers: impl IntoIterator<Item = Option<i64>>) -> String {
    let mut previous = 0;
    encode_column(numbers.into_iter().map(|number| {
        let number = number?;
        let difference = number - previous;
        previous = number;
        Some(difference)
    }))
}

/// A logarithm in steps.
#[expect(clippy::cast_possible_truncation, reason = "logarithms of durations are small")]
pub(super) fn round_to_steps(ln: f64) -> i64 {
    (ln / LN_STEP).round() as i64
}

fn push_digits(text: &mut String, number: Option<i64>) {
    let Some(number) = number else {
        text.push('~');
        return;
    };
    let mut remaining = number.unsigned_abs() << 1 | u64::from(number < 0);
    loop {
        let digit = (remaining & 31) as usize;
        remaining >>= 5;
        let more = if remaining > 0 { 32 } else { 0 };
        text.push(char::from(BASE64_DIGITS[digit | more]));
        if remaining == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_in_source_maps() {
        // From the `vlq` package of npm: encode([0, 1, -1, 123, 456, 789]) is "ACD2HwcqxB".
        let numbers = [0, 1, -1, 123, 456, 789].map(Some);
        assert_eq!(encode_column(numbers), "ACD2HwcqxB");
    }

    #[test]
    fn what_is_not_there_leaves_no_difference() {
        assert_eq!(encode_differences([Some(5), None, Some(6)]), "K~C");
    }
}
