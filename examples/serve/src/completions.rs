//! `POST /v1/completions` and `/v1/chat/completions`: generated tokens, as a stream or at once, in the
//! form of OpenAI's interface. The small decoder has random weights, so the text means nothing.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::Json;
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use perfgate_suites::session::SessionOptions;
use perfgate_suites::tokenization::{Tokenizer, WordCache};
use perfgate_suites::transformer::{Decoder, KeyValueCache, Sampler};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::{Sender, channel};
use tokio_stream::wrappers::ReceiverStream;

use crate::ServiceState;
use crate::answer::ErrorAnswer;

/// Name of the model.
const MODEL: &str = "small-decoder";
/// Number of tokens that the decoder knows.
const VOCABULARY: u32 = 4096;
/// Number of tokens that prompt and answer may have together.
const CONTEXT: usize = 512;
/// Tokens of an answer if the request does not ask for a number.
const DEFAULT_TOKENS: usize = 16;
/// Tokens that may wait for a slow client.
const WAITING_TOKENS: usize = 64;

/// A tokenizer and the decoder, which serves one request at a time.
pub(crate) struct GenerationService {
    tokenizer: Tokenizer,
    decoder: Mutex<Decoder>,
    answers: AtomicU64,
}

impl GenerationService {
    /// Opens tokenizer and model.
    ///
    /// Fails if set-up has not installed them.
    pub(crate) fn open(options: &SessionOptions) -> Result<Self> {
        Ok(Self {
            tokenizer: Tokenizer::open_gpt2(WordCache::Kept)?,
            decoder: Mutex::new(Decoder::open(options)?),
            answers: AtomicU64::new(0),
        })
    }

    /// Sends the text of each of `count` tokens after `prompt`, until the client is gone.
    fn generate(&self, prompt: &[i64], count: usize, tokens: &Sender<Result<String, String>>) {
        let mut decoder = self.decoder.lock().unwrap_or_else(PoisonError::into_inner);
        let mut send = |token: i64| {
            let text =
                u32::try_from(token).ok().and_then(|token| self.tokenizer.decode(&[token]).ok());
            tokens.blocking_send(Ok(text.unwrap_or_default())).is_ok()
        };
        let mode = KeyValueCache::Kept;
        if let Err(error) =
            decoder.generate_each(prompt, count, mode, &mut Sampler::Greedy, &mut send)
        {
            // Nobody hears it if the client is gone.
            let _ = tokens.blocking_send(Err(error.to_string()));
        }
    }

    fn read_prompt(&self, text: &str) -> Result<Vec<i64>, ErrorAnswer> {
        let tokens = self.tokenizer.encode(text).map_err(ErrorAnswer::new_failed)?;
        let tokens: Vec<i64> = tokens.iter().map(|token| i64::from(token % VOCABULARY)).collect();
        if tokens.is_empty() {
            return Err(ErrorAnswer::new_invalid("the prompt is empty"));
        }
        Ok(tokens)
    }
}

/// A request. Other fields, such as the temperature, are ignored.
#[derive(Deserialize)]
pub(crate) struct CompletionRequest {
    #[serde(default)]
    prompt: Value,
    #[serde(default)]
    messages: Vec<ChatMessage>,
    max_tokens: Option<usize>,
    max_completion_tokens: Option<usize>,
    #[serde(default)]
    stream: bool,
}

#[derive(Deserialize)]
struct ChatMessage {
    content: Value,
}

/// Which of the two interfaces a request uses.
#[derive(Clone, Copy)]
enum CompletionKind {
    Text,
    Chat,
}

impl CompletionKind {
    /// Returns the choice that carries `text`. `is_part` is true in a stream.
    fn format_choice(self, text: &str, finish: Option<&str>, is_part: bool) -> Value {
        match (self, is_part) {
            (Self::Text, _) => json!({ "index": 0, "text": text, "finish_reason": finish }),
            (Self::Chat, true) => {
                json!({ "index": 0, "delta": { "content": text }, "finish_reason": finish })
            }
            (Self::Chat, false) => {
                let message = json!({ "role": "assistant", "content": text });
                json!({ "index": 0, "message": message, "finish_reason": finish })
            }
        }
    }

    fn format_answer(
        self,
        id: u64,
        choices: &[Value],
        usage: Option<&Value>,
        is_part: bool,
    ) -> Value {
        let object = match (self, is_part) {
            (Self::Text, _) => "text_completion",
            (Self::Chat, true) => "chat.completion.chunk",
            (Self::Chat, false) => "chat.completion",
        };
        json!({ "id": format!("answer-{id}"), "object": object, "created": 0, "model": MODEL,
                "choices": choices, "usage": usage })
    }
}

/// Answers `GET /v1/models`.
pub(crate) async fn list_models() -> Json<Value> {
    Json(json!({ "object": "list", "data": [{ "id": MODEL, "object": "model" }] }))
}

/// Answers `POST /v1/completions`.
pub(crate) async fn complete_text(
    state: State<Arc<ServiceState>>,
    request: Json<CompletionRequest>,
) -> Result<Response, ErrorAnswer> {
    complete(state, request, CompletionKind::Text).await
}

/// Answers `POST /v1/chat/completions`.
pub(crate) async fn complete_chat(
    state: State<Arc<ServiceState>>,
    request: Json<CompletionRequest>,
) -> Result<Response, ErrorAnswer> {
    complete(state, request, CompletionKind::Chat).await
}

async fn complete(
    State(state): State<Arc<ServiceState>>,
    Json(request): Json<CompletionRequest>,
    kind: CompletionKind,
) -> Result<Response, ErrorAnswer> {
    let mut text = collect_text(&request.prompt);
    for message in &request.messages {
        text.push_str(&collect_text(&message.content));
        text.push('\n');
    }
    let prompt = state.generation.read_prompt(&text)?;
    let asked = request.max_completion_tokens.or(request.max_tokens).unwrap_or(DEFAULT_TOKENS);
    if prompt.len() + asked > CONTEXT {
        return Err(ErrorAnswer::new_invalid("prompt and answer have more than 512 tokens"));
    }
    let id = state.generation.answers.fetch_add(1, Ordering::Relaxed);
    let usage = json!({ "prompt_tokens": prompt.len(), "completion_tokens": asked,
                        "total_tokens": prompt.len() + asked });
    let (sender, mut receiver) = channel(WAITING_TOKENS);
    tokio::task::spawn_blocking(move || state.generation.generate(&prompt, asked, &sender));
    if request.stream {
        let (events, stream) = channel::<Result<Event, Infallible>>(WAITING_TOKENS);
        tokio::spawn(async move {
            while let Some(token) = receiver.recv().await {
                let event = match token {
                    Ok(text) => {
                        let choice = kind.format_choice(&text, None, true);
                        kind.format_answer(id, &[choice], None, true)
                    }
                    Err(message) => json!({ "error": { "message": message } }),
                };
                if events.send(Ok(Event::default().data(event.to_string()))).await.is_err() {
                    return;
                }
            }
            let last = kind.format_choice("", Some("length"), true);
            let last = kind.format_answer(id, &[last], None, true).to_string();
            let total = kind.format_answer(id, &[], Some(&usage), true).to_string();
            for data in [last.as_str(), total.as_str(), "[DONE]"] {
                if events.send(Ok(Event::default().data(data))).await.is_err() {
                    return;
                }
            }
        });
        return Ok(Sse::new(ReceiverStream::new(stream)).into_response());
    }
    let mut text = String::new();
    while let Some(token) = receiver.recv().await {
        text.push_str(&token.map_err(ErrorAnswer::new_failed)?);
    }
    let choice = kind.format_choice(&text, Some("length"), false);
    Ok(Json(kind.format_answer(id, &[choice], Some(&usage), false)).into_response())
}

/// Returns the text of a prompt or of a message: text, or a list of texts or of parts with a text.
fn collect_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(collect_text).collect::<Vec<_>>().join("\n"),
        Value::Object(part) => part.get("text").map(collect_text).unwrap_or_default(),
        _ => String::new(),
    }
}
