//! Tokenizers with real vocabularies. The only module that names `tokenizers`.

use std::path::Path;

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;
use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::utils::parallelism;

use crate::inference::{InferenceError, session, set_up_file};

const BERT: &str = "fixtures/models/bert/tokenizer.json";

/// Turns text into tokens and back. Neither truncates nor pads: that is the batcher's work.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`.
    pub fn open(path: &Path) -> Result<Self, InferenceError> {
        let unreadable = |source| InferenceError::Unreadable { path: path.to_owned(), source };
        let mut inner = tokenizers::Tokenizer::from_file(path).map_err(unreadable)?;
        inner.with_padding(None).with_truncation(None).map_err(unreadable)?;
        Ok(Self { inner })
    }

    /// BERT's `WordPiece` in lower case, from the fixture of this repository.
    pub fn bert() -> Result<Self, InferenceError> {
        Self::open(Path::new(BERT))
    }

    /// GPT-2's byte-pair encoding, built from the two files in which it was published.
    pub fn gpt2() -> Result<Self, InferenceError> {
        let (vocabulary, merges) =
            (set_up_file("models/gpt2/encoder.json")?, set_up_file("models/gpt2/vocab.bpe")?);
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let model = BPE::from_file(&text(&vocabulary), &text(&merges))
            .build()
            .map_err(|source| InferenceError::Unreadable { path: vocabulary, source })?;
        let bytes = ByteLevel::new(false, true, true);
        let mut inner = tokenizers::Tokenizer::new(model);
        inner
            .with_pre_tokenizer(Some(bytes))
            .with_decoder(Some(bytes))
            .with_post_processor(Some(bytes.trim_offsets(false)));
        Ok(Self { inner })
    }

    /// The tokens of `text`, with the special ones that the vocabulary puts around a text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, InferenceError> {
        let encoding = self.inner.encode_fast(text, true).map_err(InferenceError::Tokenize)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The tokens of each text, in the same order.
    pub fn encode_batch(&self, texts: &[&str]) -> Result<Vec<Vec<u32>>, InferenceError> {
        let encodings =
            self.inner.encode_batch_fast(texts.to_vec(), true).map_err(InferenceError::Tokenize)?;
        Ok(encodings.iter().map(|encoding| encoding.get_ids().to_vec()).collect())
    }

    /// The text of `tokens`, without special ones.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, InferenceError> {
        self.inner.decode(tokens, true).map_err(InferenceError::Tokenize)
    }

    /// The whole words of the vocabulary in lower-case letters, in its own order.
    pub fn words(&self) -> Vec<String> {
        let mut vocabulary = self.inner.get_vocab(false).into_iter().collect::<Vec<_>>();
        vocabulary.sort_unstable_by_key(|(_, id)| *id);
        let is_word =
            |word: &String| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_lowercase());
        vocabulary.into_iter().map(|(word, _)| word).filter(is_word).collect()
    }
}

/// Makes batches use one thread, or all that the machine has where `options` says more than one.
pub fn set_threads(options: &session::Options) {
    parallelism::set_parallelism(options.threads.get() > 1);
}

/// Longest and shortest sentence of [`prose`], in words.
const SENTENCE: std::ops::RangeInclusive<usize> = 4..=24;

/// `bytes` bytes of made-up prose in ASCII, the same for the same seed.
///
/// Words are drawn by Zipf's law over their rank in `words`, which are in order of frequency, as those of BERT's
/// vocabulary are: so rare words, and with them the splitting of words, come about as often as in English.
pub fn prose(words: &[String], bytes: usize, seed: u64) -> String {
    let mut rng = Pcg64::seed_from_u64(seed);
    let mut total = 0.0;
    let cumulative = (0..words.len()).map(|rank| {
        total += 1.0 / (rank as f64 + 2.7);
        total
    });
    let cumulative = cumulative.collect::<Vec<f64>>();
    let mut text = String::with_capacity(bytes + 256);
    while text.len() < bytes && !words.is_empty() {
        let length = rng.random_range(SENTENCE);
        for place in 0..length {
            let drawn = rng.random_range(0.0..total);
            let word = &words[cumulative.partition_point(|&sum| sum <= drawn).min(words.len() - 1)];
            let (first, rest) = word.split_at(1);
            text.push_str(&if place == 0 { first.to_ascii_uppercase() } else { first.to_owned() });
            text.push_str(rest);
            text.push_str(match rng.random_range(0..12) {
                _ if place + 1 == length => ". ",
                0 => ", ",
                _ => " ",
            });
        }
    }
    text.truncate(bytes);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_has_the_length_asked_for_and_depends_on_nothing_but_its_seed() {
        let words = ["the", "of", "tokenizer", "merge"].map(str::to_owned);
        let text = prose(&words, 500, 1);
        assert_eq!(text.len(), 500);
        assert_eq!(text, prose(&words, 500, 1));
        assert_ne!(text, prose(&words, 500, 2));
        assert!(text.matches("the").count() > text.matches("merge").count(), "{text}");
        assert_eq!(prose(&[], 500, 1), "");
    }
}
