//! Transformers: an encoder that turns texts into embeddings, and a decoder that generates tokens.

use std::num::NonZeroUsize;
use std::path::Path;

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use crate::inference::batching::Padded;
use crate::inference::session::{Input, Model, Options, Outputs, Tensor};
use crate::inference::{InferenceError, set_up_file};

/// Numbers in an embedding of [`Encoder`].
pub const EMBEDDING: usize = 384;

/// The sentence encoder MiniLM-L6-v2 with 8-bit weights.
pub struct Encoder {
    model: Model,
}

impl Encoder {
    /// Opens the model that set-up brought.
    pub fn open(options: &Options) -> Result<Self, InferenceError> {
        Ok(Self { model: Model::open(&set_up_file("models/minilm_int8.onnx")?, options)? })
    }

    /// One embedding of length 1 for each row: the mean over the tokens that the attention mask shows.
    pub fn embed(&mut self, batch: &Padded) -> Result<Vec<Vec<f32>>, InferenceError> {
        let shape = [batch.rows, batch.columns];
        let types = vec![0; batch.tokens.len()];
        let outputs = self.model.run(&[
            ("input_ids", Input::I64(&shape, &batch.tokens)),
            ("attention_mask", Input::I64(&shape, &batch.attention)),
            ("token_type_ids", Input::I64(&shape, &types)),
        ])?;
        let (_, hidden) = outputs.f32("last_hidden_state")?;
        let rows =
            hidden.chunks(batch.columns * EMBEDDING).zip(batch.attention.chunks(batch.columns));
        Ok(rows.map(|(hidden, attention)| pooled(hidden, attention)).collect())
    }
}

fn pooled(hidden: &[f32], attention: &[i64]) -> Vec<f32> {
    let mut sum = vec![0.0; EMBEDDING];
    for (token, _) in hidden.chunks(EMBEDDING).zip(attention).filter(|&(_, &shown)| shown == 1) {
        sum.iter_mut().zip(token).for_each(|(sum, value)| *sum += value);
    }
    let length = dot(&sum, &sum).sqrt().max(f32::MIN_POSITIVE);
    sum.iter().map(|value| value / length).collect()
}

/// How alike two embeddings of length 1 are: the cosine of the angle between them, −1 to 1.
pub fn similarity(one: &[f32], other: &[f32]) -> f32 {
    dot(one, other)
}

fn dot(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

/// Whether keys and values of the tokens so far are kept from step to step, or computed anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// Each step sees the newest token, and what is kept of the others.
    Kept,
    /// Each step sees the whole text.
    Recomputed,
}

/// A causal language model with past keys and values as inputs and outputs.
pub struct Decoder {
    model: Model,
    layers: Vec<Layer>,
}

/// The names of one tensor that goes from step to step, and its shape without a past.
struct Layer {
    past: String,
    present: String,
    empty: [usize; 4],
}

impl Decoder {
    /// Opens the small decoder that set-up generated.
    pub fn open(options: &Options) -> Result<Self, InferenceError> {
        Self::open_at(&set_up_file("models/decoder.onnx")?, options)
    }

    /// Opens a decoder whose inputs are `input_ids` and `past_key_0`, `past_value_0` and so on.
    pub fn open_at(path: &Path, options: &Options) -> Result<Self, InferenceError> {
        let model = Model::open(path, options)?;
        let layers = model.inputs().iter().filter_map(|input| {
            let part = input.name.strip_prefix("past_")?;
            let &[_, Some(heads), _, Some(width)] = input.shape.as_slice() else { return None };
            Some(Layer {
                past: input.name.clone(),
                present: format!("present_{part}"),
                empty: [1, heads, 0, width],
            })
        });
        let layers = layers.collect();
        Ok(Self { model, layers })
    }

    /// `count` tokens after `prompt`, each chosen by `sampler`. Nothing ends the text early.
    pub fn generate(
        &mut self,
        prompt: &[i64],
        count: usize,
        cache: Cache,
        sampler: &mut Sampler,
    ) -> Result<Vec<i64>, InferenceError> {
        let Self { model, layers } = self;
        let empty =
            layers.iter().map(|layer| model.empty(&layer.empty)).collect::<Result<Vec<_>, _>>()?;
        let mut text = prompt.to_vec();
        let mut kept = None;
        for _ in 0..count {
            let (past, new) = match &kept {
                Some(kept) => (kept, &text[text.len() - 1..]),
                None => (&empty, &text[..]),
            };
            let mut outputs = step(model, layers, past, new)?;
            let (_, logits) = outputs.f32("logits")?;
            text.push(sampler.choose(logits));
            if cache == Cache::Kept {
                kept = Some(
                    layers
                        .iter()
                        .map(|layer| outputs.take(&layer.present))
                        .collect::<Result<Vec<_>, _>>()?,
                );
            }
        }
        Ok(text.split_off(prompt.len()))
    }
}

fn step<'m>(
    model: &'m mut Model,
    layers: &[Layer],
    past: &[Tensor],
    new: &[i64],
) -> Result<Outputs<'m>, InferenceError> {
    let shape = [1, new.len()];
    let past =
        layers.iter().zip(past).map(|(layer, tensor)| (layer.past.as_str(), Input::Kept(tensor)));
    let inputs =
        std::iter::once(("input_ids", Input::I64(&shape, new))).chain(past).collect::<Vec<_>>();
    model.run(&inputs)
}

/// How the next token is chosen.
pub enum Sampler {
    /// The likeliest.
    Greedy,
    /// At random among the likeliest, by their probability.
    Random {
        /// Above 1 evens probabilities out, below 1 sharpens them; greater than zero.
        temperature: f32,
        /// How many of the likeliest; all where it is `None`.
        top_k: Option<NonZeroUsize>,
        /// Where the numbers come from.
        rng: Box<Pcg64>,
    },
}

impl Sampler {
    /// A random sampler whose choices depend on nothing but `seed` and the logits.
    pub fn random(temperature: f32, top_k: Option<NonZeroUsize>, seed: u64) -> Self {
        Self::Random { temperature, top_k, rng: Box::new(Pcg64::seed_from_u64(seed)) }
    }

    /// The place of the chosen token; 0 where there are no logits.
    pub fn choose(&mut self, logits: &[f32]) -> i64 {
        let chosen = match self {
            Self::Greedy => likeliest(logits),
            Self::Random { temperature, top_k, rng } => {
                drawn(logits, *temperature, *top_k, rng.random_range(0.0..1.0))
            }
        };
        chosen.try_into().unwrap_or(i64::MAX)
    }
}

fn likeliest(logits: &[f32]) -> usize {
    // Of equals the first, as other libraries have it.
    (1..logits.len()).fold(0, |best, place| if logits[place] > logits[best] { place } else { best })
}

/// The token at `level`, 0 to 1, of the cumulative distribution in which the likeliest token comes first.
fn drawn(logits: &[f32], temperature: f32, top_k: Option<NonZeroUsize>, level: f32) -> usize {
    let mut places = (0..logits.len()).collect::<Vec<_>>();
    let likeliest_first = |a: &usize, b: &usize| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b));
    if let Some(k) = top_k.map(NonZeroUsize::get).filter(|&k| k < places.len()) {
        places.select_nth_unstable_by(k, likeliest_first);
        places.truncate(k);
    }
    places.sort_unstable_by(likeliest_first);
    let Some(&first) = places.first() else { return 0 };
    let weight = |place: usize| ((logits[place] - logits[first]) / temperature).exp();
    let total = places.iter().map(|&place| weight(place)).sum::<f32>();
    let mut left = level * total;
    for &place in &places {
        left -= weight(place);
        if left < 0.0 {
            return place;
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 5] = [0.0, 2.0, 1.0, 2.0, -1.0];

    #[test]
    fn greedy_takes_the_first_of_the_likeliest() {
        assert_eq!(Sampler::Greedy.choose(&LOGITS), 1);
        assert_eq!(Sampler::Greedy.choose(&[]), 0);
    }

    #[test]
    fn top_k_leaves_only_the_likeliest_to_chance() {
        let mut sampler = Sampler::random(10.0, NonZeroUsize::new(3), 1);
        let mut chosen = (0..200).map(|_| sampler.choose(&LOGITS)).collect::<Vec<_>>();
        chosen.sort_unstable();
        chosen.dedup();
        assert_eq!(chosen, [1, 2, 3]);
    }

    #[test]
    fn temperature_sets_how_often_the_unlikely_is_drawn() {
        let share = |temperature| {
            let mut sampler = Sampler::random(temperature, None, 7);
            (0..2000).filter(|_| sampler.choose(&[0.0, 1.0]) == 0).count()
        };
        // The probability of the first is 1 / (1 + e^(1/t)): .018, .269 and .475, within four standard deviations.
        for (temperature, expected, deviation) in
            [(0.25, 36.0, 6.0), (1.0, 538.0, 20.0), (10.0, 950.0, 23.0)]
        {
            let share = share(temperature) as f64;
            assert!((share - expected).abs() < 4.0 * deviation, "{share} at {temperature}");
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
