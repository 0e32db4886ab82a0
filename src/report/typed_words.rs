//! Words of commands that a reader may type.

/// Maximum length of a name in bytes. Longer names are cut where they are shown, so the command
/// would not work.
const LONGEST_NAME: usize = 200;

/// Returns the command that finds the commit after `good`, up to `bad`, that made the benchmark `id`
/// slower. Returns `None` if one of them cannot be typed in a terminal.
pub(crate) fn build_bisect_command(good: &str, bad: &str, id: &str) -> Option<String> {
    if !(is_object_id(good) && is_object_id(bad) && is_typable(id)) {
        return None;
    }
    // A separate word that begins with a hyphen would be read as a flag.
    let equals = if id.starts_with('-') { '=' } else { ' ' };
    let [good, bad] = [good, bad].map(shorten_id);
    Some(format!("perfgate bisect {good} {bad} --bench{equals}{}", quote_for_shell(id)))
}

/// Returns whether `id` can be the id of a commit, or its beginning.
pub(super) fn is_object_id(id: &str) -> bool {
    (7..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns the first 10 digits of an object id, enough to distinguish it within a repository.
pub(super) fn shorten_id(id: &str) -> &str {
    &id[..id.len().min(10)]
}

/// Returns whether a reader can type `name`, and sees all of it.
pub(super) fn is_typable(name: &str) -> bool {
    name.len() <= LONGEST_NAME && !name.chars().any(char::is_control)
}

/// Returns `word` quoted as one word for any POSIX shell.
pub(super) fn quote_for_shell(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_to_bisect_is_complete_or_absent() {
        let [good, bad] = ["ab", "cd"].map(|digits| digits.repeat(20));
        let command = |id: &str| build_bisect_command(&good, &bad, id);
        let expected = "perfgate bisect ababababab cdcdcdcdcd --bench 'a b'";
        assert_eq!(command("a b").as_deref(), Some(expected));
        let expected = r"perfgate bisect ababababab cdcdcdcdcd --bench='-it'\''s'";
        assert_eq!(command("-it's").as_deref(), Some(expected));
        assert_eq!(command("a\nb"), None);
        assert_eq!(build_bisect_command("--exec=x", &bad, "a"), None);
    }
}
