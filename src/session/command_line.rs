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

/// Last parts of such names. As ends of longer words they mean something else: `--bypass`.
const SECRET_PARTS: [&str; 4] = ["PASS", "AUTH", "BEARER", "PW"];

/// Names of headers whose values are secrets also right after the colon.
const SECRET_HEADERS: [&str; 2] = ["AUTHORIZATION", "COOKIE"];

/// How access tokens of well-known services begin.
const TOKEN_STARTS: [&str; 19] = [
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "sk-",
    "sk_live_",
    "rk_live_",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "hf_",
    "npm_",
    "pypi-",
    "AKIA",
    "AIza",
    "eyJ",
];

/// Least number of characters after such a beginning. Shorter words are ordinary names.
const LEAST_TOKEN_LENGTH: usize = 16;

/// Programs whose flag `-p` or `-a` is followed by a password, or has it at its end. For other
/// programs, `-p` is a package, a port or a plug-in.
const PASSWORD_PROGRAMS: [&str; 11] = [
    "mysql",
    "mysqladmin",
    "mysqldump",
    "mysqlslap",
    "mariadb",
    "mongo",
    "mongosh",
    "sshpass",
    "redis-benchmark",
    "redis-cli",
    "sysbench",
];

/// Flags that are followed by a name and a password, with a colon between them.
const LOGIN_FLAGS: [&str; 5] = ["-u", "--user", "-U", "--proxy-user", "-A"];

/// What is shown in place of a secret.
const MASK: &str = "***";

/// Returns the command line of this process, quoted so that it can be repeated. Runs are stored on
/// a branch that everyone may read, so the values of secrets are masked.
pub(crate) fn format_command_line() -> String {
    let words: Vec<String> =
        env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    mask_secrets(&format!("perfgate {}", measure::command::quote_words(&words)))
}

/// Masks named secrets, passwords of logins, tokens of well-known services, and passwords in
/// addresses.
pub(super) fn mask_secrets(command: &str) -> String {
    hide_user_info(&mask_words(&mask_named(command)))
}

/// Masks the value after `NAME=`, `--name=`, `--name `, `Name: ` and `"name":` if the name ends with
/// one of [`SECRET_WORDS`], in any case.
fn mask_named(command: &str) -> String {
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
        } else if after.starts_with(':') && is_secret_header(name) {
            &after[..1]
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
    masked
}

/// Masks words that are tokens, and words that are passwords because of the words before them.
fn mask_words(command: &str) -> String {
    let mut masked = String::with_capacity(command.len());
    let mut takes_password = false;
    let (mut before, mut rest) = ("", command);
    while let Some(first) = rest.chars().next() {
        if takes_password && matches!(before, "-p" | "-a") && !first.is_whitespace() {
            before = "";
            masked.push_str(MASK);
            rest = skip_value(rest);
            continue;
        }
        if is_word_end(first) {
            masked.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (word, after) = rest.split_at(rest.find(is_word_end).unwrap_or(rest.len()));
        let program = word.rsplit('/').next().unwrap_or(word);
        takes_password |= PASSWORD_PROGRAMS.contains(&program);
        let kept = if takes_password && word.starts_with("-p") {
            &word[..2]
        } else if LOGIN_FLAGS.contains(&before) && !word.contains("//") {
            find_login_name(word).unwrap_or(word)
        } else {
            find_token_start(word).unwrap_or(word)
        };
        masked.push_str(kept);
        if kept.len() < word.len() {
            masked.push_str(MASK);
        }
        (before, rest) = (word, after);
    }
    masked
}

fn is_word_end(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\'' | '"')
}

/// Returns the part of `name:password` up to the colon. Returns `None` if it is not of that form: an
/// address has a port after the colon.
fn find_login_name(word: &str) -> Option<&str> {
    let (name, password) = word.split_once(':')?;
    let is_port = password.bytes().all(|byte| byte.is_ascii_digit());
    (!is_port).then(|| &word[..=name.len()])
}

/// Returns what stands before a token in `word`. Returns `None` if there is none.
fn find_token_start(word: &str) -> Option<&str> {
    let begins = |at: &usize| *at == 0 || !is_name_character(char::from(word.as_bytes()[at - 1]));
    let is_token = |at: &usize| {
        let rest = &word[*at..];
        let length = rest.find(|c| !is_name_character(c) && c != '.').unwrap_or(rest.len());
        TOKEN_STARTS
            .iter()
            .any(|start| rest.starts_with(start) && length >= start.len() + LEAST_TOKEN_LENGTH)
    };
    let starts = word.char_indices().map(|(at, _)| at);
    starts.filter(begins).find(is_token).map(|at| &word[..at])
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
    let last = name.rsplit(['-', '_']).next().unwrap_or_default();
    SECRET_WORDS.iter().any(|word| name.ends_with(word)) || SECRET_PARTS.contains(&last)
}

fn is_secret_header(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    SECRET_HEADERS.iter().any(|word| name.ends_with(word))
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
    fn a_password_that_no_name_announces_is_not_recorded() {
        for (command, recorded) in [
            ("mysqlslap -u root -phunter2 -c 4", "mysqlslap -u root -p*** -c 4"),
            ("sh -c 'sshpass -p hunter2 ssh x'", "sh -c 'sshpass -p *** ssh x'"),
            ("sshpass -p 'two words' ssh x", "sshpass -p *** ssh x"),
            ("/usr/bin/redis-benchmark -a hunter2 -n 9", "/usr/bin/redis-benchmark -a *** -n 9"),
            ("curl -u me:hunter2 http://x", "curl -u me:*** http://x"),
            ("ab -A 'me:hunter2' http://x/", "ab -A 'me:***' http://x/"),
            ("x --pass hunter2 --basic-auth=a:b", "x --pass *** --basic-auth=***"),
            ("x -HAuthorization:abc y", "x -HAuthorization:*** y"),
        ] {
            assert_eq!(mask_secrets(command), recorded);
        }
    }

    #[test]
    fn a_bare_token_is_not_recorded() {
        let token = "A1b2C3d4E5f6G7h8I9j0";
        for (command, recorded) in [
            (format!("bench ghp_{token} --n 3"), "bench *** --n 3"),
            (format!("bench 'x=sk-{token}'"), "bench 'x=***'"),
            (format!("bench eyJ{token}.eyJ{token}.c"), "bench ***"),
        ] {
            assert_eq!(mask_secrets(&command), recorded);
        }
    }

    #[test]
    fn a_command_without_secrets_stays_as_it_was() {
        for command in [
            "cargo bench -p tokenizer --bench encode",
            "pytest -p no:cacheprovider --benchmark-json={out}",
            "wrk -t1 -c2 http://localhost:8080/ && locust -u 10 -p 2",
            "genai-perf profile -u localhost:8000 --tokenizer hf_internal --bypass x",
            "perfgate check --bench 'sk-learn/fit' --bench npm_install",
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
