//! The tokenizers and models that set-up installs, compared with what is known about them from other sources.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use perfgate_suites::batching::{BatchCost, BatchLimits, PaddedBatch, find_batch_size};
use perfgate_suites::graphsage::{
    FEATURES, GraphSage, NeighbourhoodInputs, PARAMETERS, Prediction,
};
use perfgate_suites::memory::measure_peak_memory;
use perfgate_suites::parameters::{ModelSize, count_parameters};
use perfgate_suites::session::{
    DEFAULT_THREADS, ElementType, Model, Provider, SessionOptions, TensorSpec,
};
use perfgate_suites::tokenization::{Tokenizer, WordCache, generate_prose};
use perfgate_suites::transformer::{Decoder, Encoder, KeyValueCache, Sampler, cosine_similarity};
use perfgate_suites::{InferenceError, find_set_up_file};
use serde::Deserialize;

const OPTIONS: SessionOptions =
    SessionOptions { threads: DEFAULT_THREADS, provider: Provider::Cpu };
const PROMPT: [i64; 8] = [17, 4000, 3, 256, 99, 1024, 8, 2048];

#[test]
fn graphsage_has_the_published_number_of_parameters() {
    for name in ["models/graphsage.onnx", "models/graphsage_adjacency.onnx"] {
        let ModelSize { parameters, running_statistics, .. } =
            count_parameters(&find_set_up_file(name).unwrap()).unwrap();
        assert_eq!(parameters, 2_452_647, "{name}");
        assert_eq!(parameters, PARAMETERS);
        assert_eq!(running_statistics, 2_560, "{name}");
    }
}

/// What `models/graphsage_reference.py` computed with numpy alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    adjacency: Vec<Vec<f32>>,
    alone: ReferenceHeads,
    with_adjacency: ReferenceHeads,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReferenceHeads {
    code: Vec<Vec<f32>>,
    confidence: Vec<Vec<f32>>,
    imports: Vec<Vec<f32>>,
    bugs: Vec<Vec<f32>>,
}

/// Reads the reference, and makes the features that it was computed from.
fn read_reference() -> (Reference, Vec<f32>) {
    let text = std::fs::read_to_string("models/graphsage_reference.json")
        .expect("the fixture is committed");
    let reference = serde_json::from_str::<Reference>(&text).expect("the fixture has this shape");
    let numbers = 0..reference.adjacency.len() * FEATURES;
    let feature = |number| ((number * 7919 % 2001) as f32 - 1000.0) / 1000.0;
    (reference, numbers.map(feature).collect())
}

/// The largest distance between a predicted and an expected number.
fn find_largest_error(prediction: &Prediction, expected: &ReferenceHeads) -> f32 {
    let heads = [
        (&prediction.code, &expected.code),
        (&prediction.confidence, &expected.confidence),
        (&prediction.imports, &expected.imports),
        (&prediction.bugs, &expected.bugs),
    ];
    let distances = heads.into_iter().flat_map(|(predicted, expected)| {
        let expected = expected.concat();
        assert_eq!(predicted.len(), expected.len());
        predicted.iter().zip(expected).map(|(a, b)| (a - b).abs()).collect::<Vec<_>>()
    });
    distances.fold(0.0, f32::max)
}

#[test]
fn graphsage_agrees_with_an_independent_computation_in_numpy() {
    let (reference, features) = read_reference();
    let alone = GraphSage::open_without_neighbours(&OPTIONS).unwrap().predict(&features).unwrap();
    assert!(find_largest_error(&alone, &reference.alone) < 1e-4);

    let gathered = NeighbourhoodInputs { features, adjacency: reference.adjacency.concat() };
    let with_adjacency = GraphSage::open_with_neighbours(&OPTIONS)
        .unwrap()
        .predict_neighbourhood(&gathered)
        .unwrap();
    assert!(find_largest_error(&with_adjacency, &reference.with_adjacency) < 1e-4);
    assert!(
        find_largest_error(&with_adjacency, &reference.alone) > 1e-2,
        "the neighbours must matter"
    );
}

#[test]
fn a_model_lists_its_inputs_and_outputs() {
    let model = Model::open(&find_set_up_file("models/graphsage.onnx").unwrap(), &OPTIONS).unwrap();
    let tensor = |name: &str, width| TensorSpec {
        name: name.to_owned(),
        element: ElementType::F32,
        shape: vec![None, Some(width)],
    };
    assert_eq!(model.inputs(), [tensor("features", FEATURES)]);
    assert_eq!(
        model.outputs(),
        [tensor("code", 512), tensor("confidence", 1), tensor("imports", 500), tensor("bugs", 50)]
    );
}

#[test]
fn the_error_for_features_that_do_not_fit_names_the_model() {
    let mut model =
        Model::open(&find_set_up_file("models/graphsage.onnx").unwrap(), &OPTIONS).unwrap();
    let input = perfgate_suites::session::InputTensor::F32(&[1, 3], &[0.0; 3]);
    let error = model.run(&[("features", input)]).err().unwrap();
    assert!(error.to_string().contains("graphsage.onnx"), "{error}");
    assert!(format!("{:#}", anyhow::Error::new(error)).contains("978"));
}

#[test]
fn a_missing_provider_is_an_error_and_never_falls_back_to_the_cpu() {
    let options = SessionOptions { provider: Provider::Cuda, ..OPTIONS };
    let error =
        Model::open(&find_set_up_file("models/graphsage.onnx").unwrap(), &options).err().unwrap();
    assert!(
        matches!(&error, InferenceError::ProviderUnavailable { provider, .. } if provider == "cuda"),
        "{error}"
    );
    assert!(error.to_string().contains("`cuda`"), "{error}");
}

#[test]
fn the_error_for_a_missing_model_names_the_command_that_makes_it() {
    let error = find_set_up_file("models/none.onnx").unwrap_err().to_string();
    assert!(error.contains("models/none.onnx") && error.contains("make setup"), "{error}");
}

#[test]
fn a_file_that_is_not_a_model_is_unreadable() {
    let path = Path::new("Cargo.toml");
    assert!(matches!(Model::open(path, &OPTIONS), Err(InferenceError::Unreadable { .. })));
    assert!(matches!(count_parameters(path), Err(InferenceError::Unreadable { .. })));
}

#[cfg(target_os = "linux")]
#[test]
fn the_runtime_that_set_up_installs_cannot_reach_the_network() {
    let library = std::fs::read(PathBuf::from(".runtime/onnxruntime/libonnxruntime.so")).unwrap();
    let mentions =
        |symbol: &str| library.windows(symbol.len()).any(|window| window == symbol.as_bytes());
    assert!(mentions("\0malloc\0"), "imported symbols are found by name");
    for symbol in ["\0getaddrinfo\0", "\0socket\0", "\0connect\0"] {
        assert!(!mentions(symbol), "{symbol:?}");
    }
}

#[test]
fn both_tokenizers_return_the_published_tokens() {
    let (gpt2, bert) =
        (Tokenizer::open_gpt2(WordCache::Kept).unwrap(), Tokenizer::open_bert().unwrap());
    assert_eq!(gpt2.encode("Hello world").unwrap(), [15496, 995]);
    assert_eq!(bert.encode("Hello world").unwrap(), [101, 7592, 2088, 102]);
    assert_eq!(bert.decode(&[101, 7592, 2088, 102]).unwrap(), "hello world");
}

#[test]
fn gpt2_decodes_every_text_byte_for_byte_alone_and_in_a_batch() {
    let tokenizer = Tokenizer::open_gpt2(WordCache::Kept).unwrap();
    let made_up = generate_prose(&Tokenizer::open_bert().unwrap().list_words(), 5000, 9);
    let texts = ["", " two  spaces\tand\nlines\n", "naïve 東京 🦀 \u{0}", &made_up];
    for (text, tokens) in texts.iter().zip(tokenizer.encode_batch(&texts).unwrap()) {
        assert_eq!(tokens, tokenizer.encode(text).unwrap());
        assert_eq!(tokenizer.decode(&tokens).unwrap(), *text);
    }
}

#[test]
fn words_have_the_same_tokens_without_a_cache() {
    let [kept, off] =
        [WordCache::Kept, WordCache::Off].map(|cache| Tokenizer::open_gpt2(cache).unwrap());
    let text = generate_prose(&Tokenizer::open_bert().unwrap().list_words(), 5000, 4);
    assert_eq!(kept.encode(&text).unwrap(), off.encode(&text).unwrap());
}

/// What `models/minilm_reference.py` computed with Python's ONNX Runtime.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EmbeddingReference {
    requests: Vec<Vec<u32>>,
    embeddings: Vec<Vec<f32>>,
}

#[test]
fn embeddings_agree_with_those_of_the_runtime_in_python() {
    let text = std::fs::read_to_string("models/minilm_reference.json").unwrap();
    let reference = serde_json::from_str::<EmbeddingReference>(&text).unwrap();
    let mut encoder = Encoder::open(&OPTIONS).unwrap();
    let embeddings = encoder.embed(&PaddedBatch::new(&reference.requests)).unwrap();
    assert_eq!(embeddings.len(), reference.embeddings.len());
    for (embedding, expected) in embeddings.iter().zip(&reference.embeddings) {
        assert_eq!(embedding.len(), expected.len());
        // Other instruction sets round 8-bit products differently.
        let similarity = cosine_similarity(embedding, expected);
        assert!((similarity - 1.0).abs() < 1e-3, "{similarity}");
    }
    let other = cosine_similarity(&embeddings[0], &reference.embeddings[1]);
    assert!(other < 0.9, "another request has another embedding: {other}");
}

#[test]
fn similar_sentences_are_closer_and_padding_changes_nothing() {
    let tokenizer = Tokenizer::open_bert().unwrap();
    let mut encoder = Encoder::open(&OPTIONS).unwrap();
    let sentences =
        ["A man is playing a guitar.", "Someone plays the guitar on a stage.", "Stocks fell."];
    let requests = tokenizer.encode_batch(&sentences).unwrap();
    let embeddings = encoder.embed(&PaddedBatch::new(&requests)).unwrap();
    let (alike, unlike) = (
        cosine_similarity(&embeddings[0], &embeddings[1]),
        cosine_similarity(&embeddings[0], &embeddings[2]),
    );
    assert!(alike > 0.6 && unlike < 0.2, "{alike} and {unlike}");
    for (request, padded) in requests.iter().zip(&embeddings) {
        let alone = encoder.embed(&PaddedBatch::new(&[request])).unwrap();
        assert!(cosine_similarity(&alone[0], padded) > 0.9999);
    }
}

#[test]
fn the_cache_does_not_change_the_generated_tokens() {
    let mut decoder = Decoder::open(&OPTIONS).unwrap();
    let mut generate =
        |cache, mut sampler| decoder.generate(&PROMPT, 20, cache, &mut sampler).unwrap();
    let greedy = generate(KeyValueCache::Kept, Sampler::Greedy);
    assert_eq!(greedy.len(), 20);
    assert_eq!(greedy, generate(KeyValueCache::Recomputed, Sampler::Greedy));
    let sampled = |seed| Sampler::random(1.0, NonZeroUsize::new(50), seed);
    let first = generate(KeyValueCache::Kept, sampled(1));
    assert_eq!(first, generate(KeyValueCache::Recomputed, sampled(1)));
    assert_ne!(first, generate(KeyValueCache::Kept, sampled(2)));
}

#[test]
fn a_batch_size_is_found_with_the_real_model() {
    let mut encoder = Encoder::open(&OPTIONS).unwrap();
    let request = Tokenizer::open_bert().unwrap().encode("A request of everyday length.").unwrap();
    let mut tried = Vec::new();
    let measure = |size| {
        let padded = PaddedBatch::new(&vec![&request; size]);
        let started = Instant::now();
        let (embedded, memory_bytes) = measure_peak_memory(|| encoder.embed(&padded));
        let cost = BatchCost { latency: started.elapsed(), memory_bytes };
        tried.push((size, cost));
        embedded.map(|_| cost)
    };
    let limits = BatchLimits { latency: Duration::from_hours(1), memory_bytes: None };
    let chosen = find_batch_size(&limits, 4, measure).unwrap().unwrap();
    assert_eq!(tried.iter().map(|(size, _)| *size).collect::<Vec<_>>(), [1, 2, 4]);
    assert!(tried.contains(&chosen), "{chosen:?} is one of {tried:?}");
}
