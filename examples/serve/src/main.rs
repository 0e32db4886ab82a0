//! The encoder and the small decoder of the suites behind HTTP, as a service for load generators.
//!
//! `serve [PORT]` listens on the loopback interface, on a free port by default. When the models are
//! loaded it prints one line, `listening on 127.0.0.1:PORT`.

mod defects;
mod embeddings;
mod completions;
mod answer;

use std::env;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::routing::{get, post};
use perfgate_suites::session::SessionOptions;
use tokio::net::TcpListener;

use self::completions::{GenerationService, complete_chat, complete_text, list_models};
use self::defects::SeededDefects;
use self::embeddings::{EmbeddingService, embed_texts};

/// The folder in which the suites look for ONNX Runtime and the models.
const SUITES_FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../benches");
/// Threads that answer requests. Each model runs one request at a time, in a thread of its own.
const WORKER_THREADS: usize = 2;

/// What the handlers share.
struct ServiceState {
    embeddings: EmbeddingService,
    generation: GenerationService,
}

fn main() -> Result<()> {
    let port: u16 = match env::args().nth(1) {
        Some(port) => port.parse().with_context(|| format!("`{port}` is not a port"))?,
        None => 0,
    };
    let defects = SeededDefects::from_environment()?;
    env::set_current_dir(Path::new(SUITES_FOLDER)).context("the folder of the suites is gone")?;
    let options = SessionOptions::from_environment()?;
    let state = Arc::new(ServiceState {
        embeddings: EmbeddingService::open(&options, defects)?,
        generation: GenerationService::open(&options)?,
    });
    let service = Router::new()
        .route("/health", get(async || "ok"))
        .route("/embed", post(embed_texts))
        .route("/v1/models", get(list_models))
        .route("/v1/completions", post(complete_text))
        .route("/v1/chat/completions", post(complete_chat))
        .with_state(state);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.context("failed to listen")?;
        println!("listening on {}", listener.local_addr()?);
        axum::serve(listener, service).await.context("failed to serve")
    })
}
