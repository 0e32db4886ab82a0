//! What a model takes, returns and consists of.

use std::collections::BTreeMap;

use serde::Serialize;

use super::operators::count_operators;
use super::parameters::{count_parameters, count_quantized_operators};
use super::tensor::{DimSize, TensorSpec};
use super::{ModelError, OnnxModel};

/// What a model takes, returns and consists of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ModelSummary {
    /// sha256 of its files, as `conditions.model` of a run has it.
    pub(crate) sha256: String,
    /// Size of the file and of those with its weights, in bytes.
    pub(crate) bytes: u64,
    /// Number of further files with weights.
    pub(crate) external_files: usize,
    /// Version of the format.
    pub(crate) ir_version: i64,
    /// Version of each set of operators, by domain.
    pub(crate) opsets: BTreeMap<String, i64>,
    /// Name and version of the program that wrote the file; empty if it does not name one.
    pub(crate) producer: String,
    /// Inputs that a call needs.
    pub(crate) inputs: Vec<TensorSpec>,
    /// Outputs of a call.
    pub(crate) outputs: Vec<TensorSpec>,
    /// Dimensions whose size a call chooses: by their name, or as `INPUT.AXIS`.
    pub(crate) dynamic_dims: Vec<String>,
    /// Number of parameters: weights and biases, without running statistics and helper constants.
    pub(crate) parameters: u64,
    /// Number of parameters by the type of their elements.
    pub(crate) parameters_by_type: BTreeMap<&'static str, u64>,
    /// Number of nodes by operator.
    pub(crate) operators: BTreeMap<String, u64>,
    /// Number of nodes by operator, of those that work on small integers.
    pub(crate) quantized_operators: BTreeMap<String, u64>,
    /// Share of the parameters that have 8 bits or fewer.
    pub(crate) quantized_share: f64,
}

/// Returns what `model` takes, returns and consists of.
///
/// # Errors
///
/// Fails if a file cannot be read.
pub(super) fn summarize_model(model: &OnnxModel) -> Result<ModelSummary, ModelError> {
    let proto = &model.proto;
    let counts = count_parameters(proto);
    let parameters = counts.values().sum();
    let small: u64 =
        counts.iter().filter(|(kind, _)| kind.is_small()).map(|(_, count)| count).sum();
    let mut bytes = model.byte_count;
    for path in &model.external_files {
        let size = std::fs::metadata(path).map(|metadata| metadata.len());
        bytes += size.map_err(|source| ModelError::Unreadable { path: path.clone(), source })?;
    }
    let inputs = model.list_inputs();
    let name_opset = |domain: &str| match domain {
        "" => "ai.onnx".to_owned(),
        domain => domain.to_owned(),
    };
    let producer = [proto.producer_name(), proto.producer_version()].join(" ");
    Ok(ModelSummary {
        sha256: model.compute_digest()?,
        bytes,
        external_files: model.external_files.len(),
        ir_version: proto.ir_version(),
        opsets: proto
            .opset_import
            .iter()
            .map(|set| (name_opset(set.domain()), set.version()))
            .collect(),
        producer: producer.trim().to_owned(),
        dynamic_dims: list_dynamic_dims(&inputs),
        inputs,
        outputs: model.list_outputs(),
        parameters,
        parameters_by_type: counts.into_iter().map(|(kind, count)| (kind.name(), count)).collect(),
        operators: count_operators(proto),
        quantized_operators: count_quantized_operators(proto),
        quantized_share: if parameters == 0 { 0.0 } else { small as f64 / parameters as f64 },
    })
}

/// Returns the dimensions of `inputs` whose size a call chooses, each once.
fn list_dynamic_dims(inputs: &[TensorSpec]) -> Vec<String> {
    let mut names = Vec::new();
    for input in inputs {
        for (axis, dim) in input.shape.iter().flatten().enumerate() {
            let name = match dim {
                DimSize::Fixed(_) => continue,
                DimSize::Named(name) => name.clone(),
                DimSize::Unnamed => format!("{}.{axis}", input.name),
            };
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}
