//! Encodes columns of integers as short text, for pages with thousands of points.
//!
//! Each base-64 digit has six bits: five bits of the number, lowest first, and one bit that means
//! that more digits follow. The sign is the lowest bit of the number. This is the encoding of
//! source maps. `~` stands for a missing value. Columns of differences are short because neighbours
//! have similar values.

const BASE64_DIGITS: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Step to which the natural logarithms of durations are rounded: a hundredth of a percent.
pub(super) const LN_STEP: f64 = 1e-4;

/// Encodes each number.
pub(super) fn encode_column(numbers: impl IntoIterator<Item = Option<i64>>) -> String {
    let mut text = String::new();
    for number in numbers {
        push_digits(&mut text, number);
    }
    text
}

/// Encodes the difference of each number from the last number before it that is not missing.
pub(super) fn encode_differences(numbers: impl IntoIterator<Item = Option<i64>>) -> String {
    let mut previous = 0;
    encode_column(numbers.into_iter().map(|number| {
        let number = number?;
        let difference = number - previous;
        previous = number;
        Some(difference)
    }))
}

/// Returns a natural logarithm in steps of [`LN_STEP`].
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
