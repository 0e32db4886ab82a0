//! Tokenizers and models that set-up brings, against what is known about them from elsewhere.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use perfgate::inference::batching::{Cost, Limits, Padded, measured_batch_size};
use perfgate::inference::graphsage::{FEATURES, Gathered, GraphSage, PARAMETERS, Prediction};
use perfgate::inference::memory::peak_during;
use perfgate::inference::parameters::{ModelSize, count};
use perfgate::inference::session::{Element, Model, Options, Provider, THREADS, TensorSpec};
use perfgate::inference::tokenization::{Tokenizer, prose};
use perfgate::inference::transformer::{Cache, Decoder, Encoder, Sampler, similarity};
use perfgate::inference::{InferenceError, set_up_file};
use serde::Deserialize;

const OPTIONS: Options = Options { threads: THREADS, provider: Provider::Cpu };
const PROMPT: [i64; 8] = [17, 4000, 3, 256, 99, 1024, 8, 2048];

#[test]
fn graphsage_has_exactly_the_parameters_that_were_published() {
    for name in ["models/graphsage.onnx", "models/graphsage_adjacency.onnx"] {
        let ModelSize { parameters, running_statistics, .. } =
            count(&set_up_file(name).unwrap()).unwrap();
        assert_eq!(parameters, 2_452_647, "{name}");
        assert_eq!(parameters, PARAMETERS);
        assert_eq!(running_statistics, 2_560, "{name}");
    }
}

/// What `fixtures/models/graphsage_reference.py` computed with numpy alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    adjacency: Vec<Vec<f32>>,
    alone: Answers,
    with_adjacency: Answers,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answers {
    code: Vec<Vec<f32>>,
    confidence: Vec<Vec<f32>>,
    imports: Vec<Vec<f32>>,
    bugs: Vec<Vec<f32>>,
}

fn reference() -> (Reference, Vec<f32>) {
    let text = std::fs::read_to_string("fixtures/models/graphsage_reference.json")
        .expect("the fixture is committed");
    let reference = serde_json::from_str::<Reference>(&text).expect("the fixture has this shape");
    let numbers = 0..reference.adjacency.len() * FEATURES;
    let feature = |number| ((number * 7919 % 2001) as f32 - 1000.0) / 1000.0;
    (reference, numbers.map(feature).collect())
}

fn farthest(prediction: &Prediction, answers: &Answers) -> f32 {
    let heads = [
        (&prediction.code, &answers.code),
        (&prediction.confidence, &answers.confidence),
        (&prediction.imports, &answers.imports),
        (&prediction.bugs, &answers.bugs),
    ];
    let distances = heads.into_iter().flat_map(|(predicted, expected)| {
        let expected = expected.concat();
        assert_eq!(predicted.len(), expected.len());
        predicted.iter().zip(expected).map(|(a, b)| (a - b).abs()).collect::<Vec<_>>()
    });
    distances.fold(0.0, f32::max)
}

#[test]
fn graphsage_answers_as_an_independent_computation_with_numpy() {
    let (reference, features) = reference();
    let alone = GraphSage::alone(&OPTIONS).unwrap().predict(&features).unwrap();
    assert!(farthest(&alone, &reference.alone) < 1e-4);

    let gathered = Gathered { features, adjacency: reference.adjacency.concat() };
    let with_adjacency =
        GraphSage::with_adjacency(&OPTIONS).unwrap().predict_gathered(&gathered).unwrap();
    assert!(farthest(&with_adjacency, &reference.with_adjacency) < 1e-4);
    assert!(farthest(&with_adjacency, &reference.alone) > 1e-2, "the neighbours must matter");
}

#[test]
fn a_model_tells_what_it_takes_and_gives() {
    let model = Model::open(&set_up_file("models/graphsage.onnx").unwrap(), &OPTIONS).unwrap();
    let tensor = |name: &str, width| TensorSpec {
        name: name.to_owned(),
        element: Element::F32,
        shape: vec![None, Some(width)],
    };
    assert_eq!(model.inputs(), [tensor("features", FEATURES)]);
    assert_eq!(
        model.outputs(),
        [tensor("code", 512), tensor("confidence", 1), tensor("imports", 500), tensor("bugs", 50)]
    );
}

#[test]
fn features_that_do_not_fit_the_model_are_an_error_that_names_it() {
    let mut model = Model::open(&set_up_file("models/graphsage.onnx").unwrap(), &OPTIONS).unwrap();
    let input = perfgate::inference::session::Input::F32(&[1, 3], &[0.0; 3]);
    let error = model.run(&[("features", input)]).err().unwrap();
    assert!(error.to_string().contains("graphsage.onnx"), "{error}");
    assert!(format!("{:#}", anyhow::Error::new(error)).contains("978"));
}

#[test]
fn a_provider_that_is_not_there_is_an_error_that_names_it_and_never_the_cpu() {
    let options = Options { provider: Provider::Cuda, ..OPTIONS };
    let error =
        Model::open(&set_up_file("models/graphsage.onnx").unwrap(), &options).err().unwrap();
    assert!(
        matches!(&error, InferenceError::ProviderUnavailable { provider, .. } if provider == "cuda"),
        "{error}"
    );
    assert!(error.to_string().contains("`cuda`"), "{error}");
}

#[test]
fn a_model_that_is_not_there_is_an_error_that_names_the_command_that_brings_it() {
    let error = set_up_file("models/none.onnx").unwrap_err().to_string();
    assert!(error.contains("models/none.onnx") && error.contains("make setup"), "{error}");
}

#[test]
fn a_file_that_is_no_model_is_unreadable() {
    let path = Path::new("Cargo.toml");
    assert!(matches!(Model::open(path, &OPTIONS), Err(InferenceError::Unreadable { .. })));
    assert!(matches!(count(path), Err(InferenceError::Unreadable { .. })));
}

#[cfg(target_os = "linux")]
#[test]
fn the_runtime_that_set_up_brings_has_no_way_to_the_network() {
    let library = std::fs::read(PathBuf::from(".runtime/onnxruntime/libonnxruntime.so")).unwrap();
    let mentions =
        |symbol: &str| library.windows(symbol.len()).any(|window| window == symbol.as_bytes());
    assert!(mentions("\0malloc\0"), "imported symbols are found by their names");
    for symbol in ["\0getaddrinfo\0", "\0socket\0", "\0connect\0"] {
        assert!(!mentions(symbol), "{symbol:?}");
    }
}

#[test]
fn both_tokenizers_give_the_tokens_that_their_vocabularies_are_known_for() {
    let (gpt2, bert) = (Tokenizer::gpt2().unwrap(), Tokenizer::bert().unwrap());
    assert_eq!(gpt2.encode("Hello world").unwrap(), [15496, 995]);
    assert_eq!(bert.encode("Hello world").unwrap(), [101, 7592, 2088, 102]);
    assert_eq!(bert.decode(&[101, 7592, 2088, 102]).unwrap(), "hello world");
}

#[test]
fn gpt2_gives_back_every_text_byte_for_byte_alone_and_in_a_batch() {
    let tokenizer = Tokenizer::gpt2().unwrap();
    let made_up = prose(&Tokenizer::bert().unwrap().words(), 5000, 9);
    let texts = ["", " two  spaces\tand\nlines\n", "naïve 東京 🦀 \u{0}", &made_up];
    for (text, tokens) in texts.iter().zip(tokenizer.encode_batch(&texts).unwrap()) {
        assert_eq!(tokens, tokenizer.encode(text).unwrap());
        assert_eq!(tokenizer.decode(&tokens).unwrap(), *text);
    }
}

#[test]
fn sentences_that_mean_the_same_are_closer_and_padding_changes_nothing() {
    let tokenizer = Tokenizer::bert().unwrap();
    let mut encoder = Encoder::open(&OPTIONS).unwrap();
    let sentences =
        ["A man is playing a guitar.", "Someone plays the guitar on a stage.", "Stocks fell."];
    let requests = tokenizer.encode_batch(&sentences).unwrap();
    let embeddings = encoder.embed(&Padded::new(&requests)).unwrap();
    let (alike, unlike) =
        (similarity(&embeddings[0], &embeddings[1]), similarity(&embeddings[0], &embeddings[2]));
    assert!(alike > 0.6 && unlike < 0.2, "{alike} and {unlike}");
    for (request, padded) in requests.iter().zip(&embeddings) {
        let alone = encoder.embed(&Padded::new(&[request])).unwrap();
        assert!(similarity(&alone[0], padded) > 0.9999);
    }
}

#[test]
fn the_cache_changes_nothing_but_the_time_that_generating_takes() {
    let mut decoder = Decoder::open(&OPTIONS).unwrap();
    let mut generate =
        |cache, mut sampler| decoder.generate(&PROMPT, 20, cache, &mut sampler).unwrap();
    let greedy = generate(Cache::Kept, Sampler::Greedy);
    assert_eq!(greedy.len(), 20);
    assert_eq!(greedy, generate(Cache::Recomputed, Sampler::Greedy));
    let sampled = |seed| Sampler::random(1.0, NonZeroUsize::new(50), seed);
    let first = generate(Cache::Kept, sampled(1));
    assert_eq!(first, generate(Cache::Recomputed, sampled(1)));
    assert_ne!(first, generate(Cache::Kept, sampled(2)));
}

#[test]
fn a_batch_size_is_chosen_by_what_the_real_model_takes() {
    let mut encoder = Encoder::open(&OPTIONS).unwrap();
    let request = Tokenizer::bert().unwrap().encode("A request of everyday length.").unwrap();
    let mut tried = Vec::new();
    let measure = |size| {
        let padded = Padded::new(&vec![&request; size]);
        let started = Instant::now();
        let (embedded, memory_bytes) = peak_during(|| encoder.embed(&padded));
        let cost = Cost { latency: started.elapsed(), memory_bytes };
        tried.push((size, cost));
        embedded.map(|_| cost)
    };
    let limits = Limits { latency: Duration::from_hours(1), memory_bytes: None };
    let chosen = measured_batch_size(&limits, 4, measure).unwrap().unwrap();
    assert_eq!(tried.iter().map(|(size, _)| *size).collect::<Vec<_>>(), [1, 2, 4]);
    assert!(tried.contains(&chosen), "{chosen:?} is one of {tried:?}");
}
