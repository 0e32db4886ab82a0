//! The command line of this process, as runs record it: it can be repeated, and holds no secret.

use std::env;

use crate::git::hide_user_info;
use crate::measure;

/// How the names of variables, flags, headers and JSON fields end whose values are secrets.
/// `--max-tokens` is not one.
const SECRET_WORDS: [&str; 10] = [
    "TOKEN",
    "KEY",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "CREDENTIALS",
    "AUTHORIZATION",
    "COOKIE",
];

/// What is shown in place of a secret.
const MASK: &str = "***";

/// Returns the command line of this process, quoted so that it can be repeated. Runs are stored on
/// a branch that everyone may read, so the values of secrets are masked.
pub(crate) fn format_command_line() -> String {
    let words: Vec<String> =
        env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    mask_secrets(&format!("perfgate {}", measure::command::quote_words(&words)))
}

/// Masks the value after `NAME=`, `--name=`, `--name `, `Name: ` and `"name":` if the name ends with
/// one of [`SECRET_WORDS`], in any case, and passwords in addresses.
pub(super) fn mask_secrets(command: &str) -> String {
    let mut masked = String::with_capacity(command.len());
    let mut rest = command;
    while let Some(start) = rest.find(is_name_character) {
        let (before, named) = rest.split_at(start);
        masked.push_str(before);
        let end = named.find(|c| !is_name_character(c)).unwrap_or(named.len());
        let (name, after) = named.split_at(end);
        masked.push_str(name);
        rest = after;
        let separator = if after.starts_with('=') {
            "="
        } else if name.starts_with('-') && after.starts_with([' ', '\t']) {
            &after[..1]
        } else if let Some(length) = find_colon(after) {
            &after[..length]
        } else {
            continue;
        };
        if is_secret_name(name) {
            // A header such as `Authorization: Bearer abc` is one word in quotes.
            let around = before.chars().next_back().filter(|last| matches!(last, '\'' | '"'));
            let is_header = separator.starts_with(':');
            masked.push_str(separator);
            masked.push_str(MASK);
            let value = &after[separator.len()..];
            rest = match around.filter(|_| is_header) {
                Some(quote) => &value[value.find(quote).unwrap_or(value.len())..],
                None => skip_value(value),
            };
        }
    }
    masked.push_str(rest);
    hide_user_info(&masked)
}

/// Returns the length of the colon and the blanks at the start of `text` that separate the name of a
/// header or of a JSON field from its value, or `None` if there is none. Other colons are parts of
/// ids and addresses.
fn find_colon(text: &str) -> Option<usize> {
    let after = text.strip_prefix("\":").or(text.strip_prefix(": "))?;
    Some(text.len() - after.trim_start_matches(' ').len())
}

fn is_name_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    SECRET_WORDS.iter().any(|word| name.ends_with(word))
}

/// Returns what follows the value at the start of `text`. A value in quotes ends with its quote,
/// another one before white space or a quote.
fn skip_value(text: &str) -> &str {
    let quote = text.chars().next().filter(|first| matches!(first, '\'' | '"'));
    let end = match quote {
        Some(quote) => text[1..].find(quote).map(|end| end + 2),
        None => text.find(|c: char| c.is_whitespace() || matches!(c, '\'' | '"')),
    };
    &text[end.unwrap_or(text.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_on_the_command_line_is_not_recorded() {
        for (command, recorded) in [
            (
                "perfgate measure command -- 'TOKEN=abc ./bench'",
                "perfgate measure command -- 'TOKEN=*** ./bench'",
            ),
            ("x --api-key abc --n 3", "x --api-key *** --n 3"),
            ("x --api-key=abc", "x --api-key=***"),
            ("x OPENAI_API_KEY='a b' y", "x OPENAI_API_KEY=*** y"),
            ("x DB_PASSWORD=\"a b\" y", "x DB_PASSWORD=*** y"),
            ("curl https://me:abc@host/path", "curl https://***@host/path"),
            ("x --client-secret 'a b'", "x --client-secret ***"),
            ("x AWS_SECRET_ACCESS_KEY=a", "x AWS_SECRET_ACCESS_KEY=***"),
            ("x PGPASSWD=a --passphrase b", "x PGPASSWD=*** --passphrase ***"),
        ] {
            assert_eq!(mask_secrets(command), recorded);
        }
    }

    #[test]
    fn a_secret_in_a_header_or_a_request_is_not_recorded() {
        for (command, recorded) in [
            ("oha -H 'Authorization: Bearer abc' http://x", "oha -H 'Authorization: ***' http://x"),
            ("sh -c 'wrk -H \"X-Api-Key: a b\" y'", "sh -c 'wrk -H \"X-Api-Key: ***\" y'"),
            ("hey -H 'Cookie: a=b; c=d' y", "hey -H 'Cookie: ***' y"),
            (r#"x '{"api_key":"a b","n":3}'"#, r#"x '{"api_key":***,"n":3}'"#),
            (
                r#"x '{"api_key": "a", "max_tokens": 3}'"#,
                r#"x '{"api_key": ***, "max_tokens": 3}'"#,
            ),
            ("x 'Authorization: Bearer abc", "x 'Authorization: ***"),
        ] {
            assert_eq!(mask_secrets(command), recorded);
        }
    }

    #[test]
    fn a_command_without_secrets_stays_as_it_was() {
        for command in [
            "perfgate check --target-p95 10ms --bench 'tokenization/**'",
            "generate --max-tokens 128 --tokenizer a.json --keys 3",
            "./monkey -n=3",
            "perfgate check --bench 'map/key:32' --bench 'get_key::small'",
            "ü --ü=1",
            "",
        ] {
            assert_eq!(mask_secrets(command), command);
        }
    }
}
