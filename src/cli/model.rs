//! The arguments of the commands that measure or read an ONNX model.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};

/// How an ONNX model is run.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ModelArgs {
    /// Rows per call; several are several benchmarks [default: 1, or those of --inputs]
    #[arg(long, value_name = "N", num_args = 1.., value_delimiter = ',',
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) batch_sizes: Vec<u64>,
    /// Threads inside one operator [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) threads: Option<u32>,
    /// What runs the operators: cpu, cuda, tensorrt, coreml, openvino, migraphx, directml
    /// [default: cpu]
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<String>,
    /// Inputs: `random`, a .npy, .npz or .json file, or a folder of .npy files [default: random]
    #[arg(long, value_name = "INPUTS")]
    pub(crate) inputs: Option<PathBuf>,
    /// Size of a dynamic dimension, by its name or as INPUT.AXIS; may be repeated
    #[arg(long, value_name = "NAME=N", value_parser = parse_dim)]
    pub(crate) dim: Vec<(String, u64)>,
    /// How far ONNX Runtime rewrites the graph [default: all]
    #[arg(long, value_name = "LEVEL",
          value_parser = PossibleValuesParser::new(["off", "basic", "extended", "all"]))]
    pub(crate) graph_optimization: Option<String>,
}

/// Parses `NAME=N`.
fn parse_dim(text: &str) -> Result<(String, u64), String> {
    let parsed = text.rsplit_once('=').and_then(|(name, size)| Some((name, size.parse().ok()?)));
    let parsed = parsed.filter(|(name, size): &(&str, u64)| !name.is_empty() && *size > 0);
    parsed
        .map(|(name, size)| (name.to_owned(), size))
        .ok_or_else(|| "write NAME=N, with N above zero".to_owned())
}

/// `perfgate inspect`.
#[derive(Args, Debug)]
#[command(after_help = "\
Parameters are weights and biases. Running statistics of batch normalization, scales of quantizers and
helper constants do not count.

Examples:
  perfgate inspect model.onnx
  perfgate inspect model.onnx --format json")]
pub(crate) struct InspectArgs {
    /// The model file
    pub(crate) model: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: InspectFormat,
}

/// How a model is described.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum InspectFormat {
    /// For terminals
    #[default]
    Text,
    /// For programs
    Json,
}

/// What perfgate starts as a worker.
#[derive(Args, Debug)]
pub(crate) struct OnnxWorkerArgs {
    /// The request, as JSON
    pub(crate) request: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dimension_has_a_name_and_a_size_above_zero() {
        assert_eq!(parse_dim("a=b=3"), Ok(("a=b".to_owned(), 3)));
        for wrong in ["batch=0", "=3", "batch", "batch=-1"] {
            assert!(parse_dim(wrong).is_err(), "{wrong}");
        }
    }
}
