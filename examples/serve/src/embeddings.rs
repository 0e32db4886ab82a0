//! `POST /embed`: embeddings of texts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::Result;
use axum::Json;
use axum::extract::State;
use perfgate_suites::InferenceError;
use perfgate_suites::batching::PaddedBatch;
use perfgate_suites::session::SessionOptions;
use perfgate_suites::tokenization::Tokenizer;
use perfgate_suites::transformer::Encoder;
use serde::{Deserialize, Serialize};

use crate::ServiceState;
use crate::answer::ErrorAnswer;
use crate::defects::SeededDefects;

/// Most texts of one request.
const MAX_TEXTS: usize = 64;
/// Most bytes of one text.
const MAX_TEXT_BYTES: usize = 2000;

/// A tokenizer and the encoder, which runs one request at a time.
pub(crate) struct EmbeddingService {
    tokenizer: Tokenizer,
    encoder: Mutex<Encoder>,
    defects: SeededDefects,
}

impl EmbeddingService {
    /// Opens tokenizer and model.
    ///
    /// Fails if set-up has not installed them.
    pub(crate) fn open(options: &SessionOptions, defects: SeededDefects) -> Result<Self> {
        let encoder = Mutex::new(Encoder::open(options)?);
        Ok(Self { tokenizer: Tokenizer::open_bert()?, encoder, defects })
    }

    fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, InferenceError> {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let tokens = self.tokenizer.encode_batch(&texts)?;
        let mut encoder = self.encoder.lock().unwrap_or_else(PoisonError::into_inner);
        let started = Instant::now();
        let embeddings = encoder.embed(&PaddedBatch::new(&tokens))?;
        // The defects delay whoever waits for the model, as more work of the model would.
        self.defects.show_once(started.elapsed());
        Ok(embeddings)
    }
}

/// One text or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum EmbedInput {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
pub(crate) struct EmbedRequest {
    input: EmbedInput,
}

#[derive(Serialize)]
pub(crate) struct EmbedAnswer {
    embeddings: Vec<Vec<f32>>,
}

/// Answers `POST /embed`.
pub(crate) async fn embed_texts(
    State(state): State<Arc<ServiceState>>,
    Json(EmbedRequest { input }): Json<EmbedRequest>,
) -> Result<Json<EmbedAnswer>, ErrorAnswer> {
    let texts = match input {
        EmbedInput::One(text) => vec![text],
        EmbedInput::Several(texts) => texts,
    };
    let is_valid = (1..=MAX_TEXTS).contains(&texts.len())
        && texts.iter().all(|text| text.len() <= MAX_TEXT_BYTES);
    if !is_valid {
        return Err(ErrorAnswer::new_invalid("1 to 64 texts of at most 2,000 bytes are possible"));
    }
    let embedded = tokio::task::spawn_blocking(move || state.embeddings.embed(&texts)).await;
    let embeddings = embedded.map_err(ErrorAnswer::new_failed)?.map_err(ErrorAnswer::new_failed)?;
    Ok(Json(EmbedAnswer { embeddings }))
}
