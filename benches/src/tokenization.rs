//! Tokenizers with real vocabularies, and prose to tokenize. Only this module uses `tokenizers`.

use std::path::Path;

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;
use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::utils::parallelism;

use crate::{InferenceError, find_set_up_file, session};

const BERT: &str = "models/bert/tokenizer.json";

/// Whether a byte-pair encoding keeps the tokens of words that it has met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordCache {
    /// The default of `tokenizers`: the tokens of up to ten thousand words are kept.
    Kept,
    /// Every word is merged anew, so that the merge loop is what is measured.
    Off,
}

/// Turns text into tokens and back. It neither truncates nor pads; the batcher pads.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    ///
    /// Returns [`InferenceError::Unreadable`] if the file is missing or has another format.
    pub fn open(path: &Path) -> Result<Self, InferenceError> {
        let unreadable = |source| InferenceError::Unreadable { path: path.to_owned(), source };
        let mut inner = tokenizers::Tokenizer::from_file(path).map_err(unreadable)?;
        inner.with_padding(None).with_truncation(None).map_err(unreadable)?;
        Ok(Self { inner })
    }

    /// Opens BERT's `WordPiece` in lower case, which is committed to this repository.
    ///
    /// # Errors
    ///
    /// Returns [`InferenceError::Unreadable`] if the file is missing or has another format.
    pub fn open_bert() -> Result<Self, InferenceError> {
        Self::open(Path::new(BERT))
    }

    /// Opens GPT-2's byte-pair encoding, from the two files in which it was published.
    ///
    /// # Errors
    ///
    /// Returns an error if one of the files is missing or unreadable.
    pub fn open_gpt2(cache: WordCache) -> Result<Self, InferenceError> {
        let (vocabulary, merges) = (
            find_set_up_file("models/gpt2/encoder.json")?,
            find_set_up_file("models/gpt2/vocab.bpe")?,
        );
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let builder = BPE::from_file(&text(&vocabulary), &text(&merges));
        let builder = match cache {
            WordCache::Kept => builder,
            WordCache::Off => builder.cache_capacity(0),
        };
        let model = builder
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

    /// Returns the tokens of `text`, with the special tokens that the vocabulary puts around a text.
    ///
    /// # Errors
    ///
    /// Returns [`InferenceError::Tokenize`] if the tokenizer refuses the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, InferenceError> {
        let encoding = self.inner.encode_fast(text, true).map_err(InferenceError::Tokenize)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Returns the tokens of each text, in the same order.
    ///
    /// # Errors
    ///
    /// Returns [`InferenceError::Tokenize`] if the tokenizer refuses a text.
    pub fn encode_batch(&self, texts: &[&str]) -> Result<Vec<Vec<u32>>, InferenceError> {
        let encodings =
            self.inner.encode_batch_fast(texts.to_vec(), true).map_err(InferenceError::Tokenize)?;
        Ok(encodings.iter().map(|encoding| encoding.get_ids().to_vec()).collect())
    }

    /// Returns the text of `tokens`, without special tokens.
    ///
    /// # Errors
    ///
    /// Returns [`InferenceError::Tokenize`] if the tokenizer refuses the tokens.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, InferenceError> {
        self.inner.decode(tokens, true).map_err(InferenceError::Tokenize)
    }

    /// Returns the words of the vocabulary, in its order: entries of two or more lower-case ASCII letters.
    pub fn list_words(&self) -> Vec<String> {
        let mut vocabulary = self.inner.get_vocab(false).into_iter().collect::<Vec<_>>();
        vocabulary.sort_unstable_by_key(|(_, id)| *id);
        let is_word =
            |word: &String| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_lowercase());
        vocabulary.into_iter().map(|(word, _)| word).filter(is_word).collect()
    }
}

/// Makes batches use as many threads as `options` has. The first call in a process counts.
///
/// # Errors
///
/// Returns [`InferenceError::ThreadPool`] if the threads cannot be started, or were started before.
pub fn set_threads(options: &session::SessionOptions) -> Result<(), InferenceError> {
    let threads = options.threads.get();
    parallelism::set_parallelism(threads > 1);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build_global().map_err(|error| InferenceError::ThreadPool(error.into()))
}

/// Shortest and longest sentence of [`generate_prose`], in words.
const SENTENCE_LENGTHS: std::ops::RangeInclusive<usize> = 4..=24;

/// Generates `bytes` bytes of meaningless prose in ASCII; the same seed gives the same text.
///
/// `words` are ASCII, in descending order of frequency, as in BERT's vocabulary. They are drawn by Zipf's law over their
/// rank, so rare words, which tokenizers split, are about as frequent as in English. Without words, the text is empty.
pub fn generate_prose(words: &[String], bytes: usize, seed: u64) -> String {
    let mut rng = Pcg64::seed_from_u64(seed);
    // The cumulative weight of each word, by the law of Zipf and Mandelbrot.
    let mut total = 0.0;
    let cumulative = (0..words.len()).map(|rank| {
        total += 1.0 / (rank as f64 + 2.7);
        total
    });
    let cumulative = cumulative.collect::<Vec<f64>>();
    let mut text = String::with_capacity(bytes + 256);
    while text.len() < bytes && !words.is_empty() {
        // One sentence.
        let length = rng.random_range(SENTENCE_LENGTHS);
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
    fn prose_has_the_requested_length_and_depends_on_its_seed_only() {
        let words = ["the", "of", "tokenizer", "merge"].map(str::to_owned);
        let text = generate_prose(&words, 500, 1);
        assert_eq!(text.len(), 500);
        assert_eq!(text, generate_prose(&words, 500, 1));
        assert_ne!(text, generate_prose(&words, 500, 2));
        assert!(text.matches("the").count() > text.matches("merge").count(), "{text}");
        assert_eq!(generate_prose(&[], 500, 1), "");
    }
}
