//! Transformers: an encoder that turns texts into embeddings, and a decoder that generates tokens.

use std::num::NonZeroUsize;
use std::path::Path;

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use crate::batching::PaddedBatch;
use crate::session::{InputTensor, KeptTensor, Model, ModelOutputs, SessionOptions};
use crate::{InferenceError, find_set_up_file};

/// Number of elements in an embedding of [`Encoder`].
pub const EMBEDDING_WIDTH: usize = 384;

/// The sentence encoder MiniLM-L6-v2 with 8-bit weights.
pub struct Encoder {
    model: Model,
}

impl Encoder {
    /// Opens the encoder that set-up installed.
    ///
    /// # Errors
    ///
    /// Returns an error if ONNX Runtime or the model is missing or unusable.
    pub fn open(options: &SessionOptions) -> Result<Self, InferenceError> {
        Ok(Self { model: Model::open(&find_set_up_file("models/minilm_int8.onnx")?, options)? })
    }

    /// Computes an embedding of length 1 per row: the direction of the mean over the tokens of the request.
    ///
    /// # Errors
    ///
    /// Returns [`InferenceError::Run`] if the batch does not fit the model.
    pub fn embed(&mut self, batch: &PaddedBatch) -> Result<Vec<Vec<f32>>, InferenceError> {
        let shape = [batch.rows, batch.columns];
        let types = vec![0; batch.tokens.len()];
        let outputs = self.model.run(&[
            ("input_ids", InputTensor::I64(&shape, &batch.tokens)),
            ("attention_mask", InputTensor::I64(&shape, &batch.attention)),
            ("token_type_ids", InputTensor::I64(&shape, &types)),
        ])?;
        let (_, hidden) = outputs.get_f32("last_hidden_state")?;
        let rows = hidden
            .chunks(batch.columns * EMBEDDING_WIDTH)
            .zip(batch.attention.chunks(batch.columns));
        Ok(rows.map(|(hidden, attention)| pool(hidden, attention)).collect())
    }
}

/// Sums the tokens that `attention` does not hide, and scales the sum to length 1.
fn pool(hidden: &[f32], attention: &[i64]) -> Vec<f32> {
    let mut sum = vec![0.0; EMBEDDING_WIDTH];
    for (token, _) in
        hidden.chunks(EMBEDDING_WIDTH).zip(attention).filter(|&(_, &shown)| shown == 1)
    {
        sum.iter_mut().zip(token).for_each(|(sum, value)| *sum += value);
    }
    let length = dot_product(&sum, &sum).sqrt().max(f32::MIN_POSITIVE);
    sum.iter().map(|value| value / length).collect()
}

/// The cosine of the angle between two embeddings of length 1, from −1 to 1; 1 if they are equal.
pub fn cosine_similarity(one: &[f32], other: &[f32]) -> f32 {
    dot_product(one, other)
}

fn dot_product(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

/// Whether the decoder keeps the keys and values of earlier tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyValueCache {
    /// Each step gets the newest token, and the keys and values of the others.
    Kept,
    /// Each step gets the whole text, and computes all keys and values again.
    Recomputed,
}

/// A causal language model that takes and returns keys and values.
pub struct Decoder {
    model: Model,
    cache: Vec<CacheTensor>,
}

/// One tensor of keys or values that goes from step to step.
struct CacheTensor {
    /// Its name among the inputs.
    input: String,
    /// Its name among the outputs.
    output: String,
    /// Its shape before the first token.
    empty_shape: [usize; 4],
}

impl Decoder {
    /// Opens the small decoder that set-up generated.
    ///
    /// # Errors
    ///
    /// Returns an error if ONNX Runtime or the model is missing or unusable.
    pub fn open(options: &SessionOptions) -> Result<Self, InferenceError> {
        Self::open_at(&find_set_up_file("models/decoder.onnx")?, options)
    }

    /// Opens a decoder whose inputs are `input_ids` and `past_key_0`, `past_value_0` and so on.
    ///
    /// # Errors
    ///
    /// Returns an error if ONNX Runtime or the model is missing or unusable.
    pub fn open_at(path: &Path, options: &SessionOptions) -> Result<Self, InferenceError> {
        let model = Model::open(path, options)?;
        let cache = model.inputs().iter().filter_map(|input| {
            let part = input.name.strip_prefix("past_")?;
            let &[_, Some(heads), _, Some(width)] = input.shape.as_slice() else { return None };
            Some(CacheTensor {
                input: input.name.clone(),
                output: format!("present_{part}"),
                empty_shape: [1, heads, 0, width],
            })
        });
        let cache = cache.collect();
        Ok(Self { model, cache })
    }

    /// Generates `count` tokens after `prompt`, each chosen by `sampler`. No token ends the text early.
    ///
    /// # Errors
    ///
    /// Returns [`InferenceError::Run`] if the model fails.
    pub fn generate(
        &mut self,
        prompt: &[i64],
        count: usize,
        mode: KeyValueCache,
        sampler: &mut Sampler,
    ) -> Result<Vec<i64>, InferenceError> {
        let mut tokens = Vec::with_capacity(count);
        self.generate_each(prompt, count, mode, sampler, &mut |token| {
            tokens.push(token);
            true
        })?;
        Ok(tokens)
    }

    /// Like [`Decoder::generate`], and gives each token to `on_token` as soon as it is chosen. Stops early if that
    /// returns false.
    ///
    /// # Errors
    ///
    /// Returns [`InferenceError::Run`] if the model fails.
    pub fn generate_each(
        &mut self,
        prompt: &[i64],
        count: usize,
        mode: KeyValueCache,
        sampler: &mut Sampler,
        on_token: &mut dyn FnMut(i64) -> bool,
    ) -> Result<(), InferenceError> {
        let Self { model, cache } = self;
        let empty = cache
            .iter()
            .map(|tensor| model.make_empty_tensor(&tensor.empty_shape))
            .collect::<Result<Vec<_>, _>>()?;
        let mut text = prompt.to_vec();
        let mut kept = None;
        for _ in 0..count {
            // With keys and values from the last step, only the newest token is new.
            let (past, new_tokens) = match &kept {
                Some(kept) => (kept, &text[text.len() - 1..]),
                None => (&empty, &text[..]),
            };
            let mut outputs = run_step(model, cache, past, new_tokens)?;
            let (_, logits) = outputs.get_f32("logits")?;
            let token = sampler.choose(logits);
            text.push(token);
            if mode == KeyValueCache::Kept {
                kept = Some(
                    cache
                        .iter()
                        .map(|tensor| outputs.take(&tensor.output))
                        .collect::<Result<Vec<_>, _>>()?,
                );
            }
            if !on_token(token) {
                break;
            }
        }
        Ok(())
    }
}

/// Runs the model on `new_tokens` after the tokens whose keys and values are `past`.
fn run_step<'m>(
    model: &'m mut Model,
    cache: &[CacheTensor],
    past: &[KeptTensor],
    new_tokens: &[i64],
) -> Result<ModelOutputs<'m>, InferenceError> {
    let shape = [1, new_tokens.len()];
    let past = cache
        .iter()
        .zip(past)
        .map(|(names, tensor)| (names.input.as_str(), InputTensor::Kept(tensor)));
    let inputs = std::iter::once(("input_ids", InputTensor::I64(&shape, new_tokens)))
        .chain(past)
        .collect::<Vec<_>>();
    model.run(&inputs)
}

/// Chooses the next token.
pub enum Sampler {
    /// The likeliest token.
    Greedy,
    /// A random token among the likeliest, by their probability.
    Random {
        /// Greater than zero. Above 1, probabilities become more equal; below 1, less.
        temperature: f32,
        /// The number of likeliest tokens to draw from; `None` for all.
        top_k: Option<NonZeroUsize>,
        /// The generator of random numbers.
        rng: Box<Pcg64>,
    },
}

impl Sampler {
    /// Makes a random sampler, whose choices depend on `seed` and the logits only.
    pub fn random(temperature: f32, top_k: Option<NonZeroUsize>, seed: u64) -> Self {
        Self::Random { temperature, top_k, rng: Box::new(Pcg64::seed_from_u64(seed)) }
    }

    /// Returns the place of the chosen token in `logits`; 0 if there are no logits.
    pub fn choose(&mut self, logits: &[f32]) -> i64 {
        let chosen = match self {
            Self::Greedy => find_likeliest(logits),
            Self::Random { temperature, top_k, rng } => {
                draw_token(logits, *temperature, *top_k, rng.random_range(0.0..1.0))
            }
        };
        chosen.try_into().unwrap_or(i64::MAX)
    }
}

fn find_likeliest(logits: &[f32]) -> usize {
    // The first of equals, as in other libraries.
    (1..logits.len()).fold(0, |best, place| if logits[place] > logits[best] { place } else { best })
}

/// Returns the token at `level`, 0 to 1, of the cumulative distribution that begins with the likeliest token.
fn draw_token(logits: &[f32], temperature: f32, top_k: Option<NonZeroUsize>, level: f32) -> usize {
    // Places of the tokens to draw from, the likeliest first.
    let mut places = (0..logits.len()).collect::<Vec<_>>();
    let likeliest_first = |a: &usize, b: &usize| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b));
    if let Some(k) = top_k.map(NonZeroUsize::get).filter(|&k| k < places.len()) {
        places.select_nth_unstable_by(k, likeliest_first);
        places.truncate(k);
    }
    places.sort_unstable_by(likeliest_first);
    let Some(&first) = places.first() else { return 0 };
    // Weights relative to the likeliest token, so that no exponential overflows.
    let weight = |place: usize| ((logits[place] - logits[first]) / temperature).exp();
    let total = places.iter().map(|&place| weight(place)).sum::<f32>();
    let mut left = level * total;
    for &place in &places {
        left -= weight(place);
        if left < 0.0 {
            return place;
        }
    }
    // Rounding can leave a little after the last token.
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 5] = [0.0, 2.0, 1.0, 2.0, -1.0];

    #[test]
    fn greedy_chooses_the_first_of_the_likeliest() {
        assert_eq!(Sampler::Greedy.choose(&LOGITS), 1);
        assert_eq!(Sampler::Greedy.choose(&[]), 0);
    }

    #[test]
    fn top_k_draws_from_the_likeliest_only() {
        let mut sampler = Sampler::random(10.0, NonZeroUsize::new(3), 1);
        let mut chosen = (0..200).map(|_| sampler.choose(&LOGITS)).collect::<Vec<_>>();
        chosen.sort_unstable();
        chosen.dedup();
        assert_eq!(chosen, [1, 2, 3]);
    }

    #[test]
    fn temperature_sets_how_often_the_unlikely_is_drawn() {
        let count_unlikely = |temperature| {
            let mut sampler = Sampler::random(temperature, None, 7);
            (0..2000).filter(|_| sampler.choose(&[0.0, 1.0]) == 0).count()
        };
        // The probability of the first is 1 / (1 + e^(1/t)): 0.018, 0.269 and 0.475. Four standard deviations are allowed.
        for (temperature, expected, deviation) in
            [(0.25, 36.0, 6.0), (1.0, 538.0, 20.0), (10.0, 950.0, 23.0)]
        {
            let count = count_unlikely(temperature) as f64;
            assert!((count - expected).abs() < 4.0 * deviation, "{count} at {temperature}");
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_tokens() {
        let draw = |seed| {
            let mut sampler = Sampler::random(1.0, NonZeroUsize::new(4), seed);
            (0..50).map(|_| sampler.choose(&LOGITS)).collect::<Vec<_>>()
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }
}
