//! What a worker is asked for, and what it answers before anything is measured.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What runs the operators of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ModelProvider {
    /// The CPU, which every ONNX Runtime supports.
    #[default]
    Cpu,
    /// NVIDIA, through CUDA.
    Cuda,
    /// NVIDIA, through `TensorRT`.
    TensorRt,
    /// Apple, through `CoreML`.
    CoreMl,
    /// Intel, through `OpenVINO`.
    OpenVino,
    /// AMD, through `MIGraphX`.
    MiGraphX,
    /// Windows, through `DirectML`.
    DirectMl,
}

impl ModelProvider {
    /// All providers, with the name on the command line.
    const NAMES: [(Self, &'static str); 7] = [
        (Self::Cpu, "cpu"),
        (Self::Cuda, "cuda"),
        (Self::TensorRt, "tensorrt"),
        (Self::CoreMl, "coreml"),
        (Self::OpenVino, "openvino"),
        (Self::MiGraphX, "migraphx"),
        (Self::DirectMl, "directml"),
    ];

    /// Returns the provider with this name, or what is wrong with the name.
    ///
    /// # Errors
    ///
    /// Fails if ONNX Runtime has no such provider.
    pub(crate) fn find_provider(name: &str) -> Result<Self, String> {
        if let Some((provider, _)) = Self::NAMES.iter().find(|(_, own)| *own == name) {
            return Ok(*provider);
        }
        Err(match name {
            "mps" | "metal" => {
                "ONNX Runtime has no such provider; the nearest is `coreml` on macOS".to_owned()
            }
            "rocm" => "ONNX Runtime no longer has it; the nearest is `migraphx`".to_owned(),
            _ => {
                let known = Self::NAMES.map(|(_, own)| format!("`{own}`"));
                format!("the known ones are {}", known.join(", "))
            }
        })
    }

    /// Returns the name on the command line.
    #[cfg(feature = "onnx")]
    pub(super) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(provider, _)| *provider == self).map_or("", |(_, name)| name)
    }
}

/// How far ONNX Runtime rewrites the graph before it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OptimizationLevel {
    /// Not at all.
    Off,
    /// What keeps the meaning of each node.
    Basic,
    /// Also fused nodes.
    Extended,
    /// Also the layout of tensors in memory. The default of ONNX Runtime.
    #[default]
    All,
}

impl OptimizationLevel {
    /// Names on the command line, in the order of the levels.
    const NAMES: [(Self, &'static str); 4] = [
        (Self::Off, "off"),
        (Self::Basic, "basic"),
        (Self::Extended, "extended"),
        (Self::All, "all"),
    ];

    /// Returns the level with this name, if there is one.
    pub(crate) fn find_level(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, own)| *own == name).map(|(level, _)| *level)
    }

    /// Returns the name on the command line.
    #[cfg(feature = "onnx")]
    pub(super) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(level, _)| *level == self).map_or("", |(_, name)| name)
    }
}

/// Where the inputs of a model come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum InputSource {
    /// Drawn at random, as the model declares them.
    Random,
    /// Read from a file or folder. What it does not have is drawn at random.
    Path(PathBuf),
}

/// What a worker does with the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WorkerMode {
    /// Checks the request and opens the model, and prints a [`ProbeAnswer`].
    Probe,
    /// Measures, and prints samples.
    Measure,
    /// Runs the model once per batch size, and writes the outputs to this folder.
    WriteOutputs(PathBuf),
    /// Measures, and compares the outputs with those in this folder.
    Compare(PathBuf),
}

/// What a worker is asked for. It is the argument of the worker's command line, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkerRequest {
    /// The model file.
    pub(crate) model: PathBuf,
    /// The library of ONNX Runtime.
    pub(crate) library: PathBuf,
    /// What to do.
    pub(crate) mode: WorkerMode,
    /// Numbers of rows per call; empty for what the model or the file of inputs has.
    pub(crate) batch_sizes: Vec<u64>,
    /// Sizes of other dynamic dimensions, by name or as `INPUT.AXIS`.
    pub(crate) dims: BTreeMap<String, u64>,
    /// What runs the operators.
    pub(crate) provider: ModelProvider,
    /// Number of threads inside one operator.
    pub(crate) threads: u32,
    /// How far the graph is rewritten.
    pub(crate) optimization: OptimizationLevel,
    /// Where the inputs come from.
    pub(crate) inputs: InputSource,
    /// Seed of random inputs.
    pub(crate) seed: u64,
    /// Time of the calls of each batch size.
    pub(crate) launch_time: Duration,
    /// Time of the calls before them.
    pub(crate) warmup: Duration,
    /// sha256 of the model, which the probe found; `None` before it.
    pub(crate) digest: Option<String>,
}

/// What the worker found before anything is measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ProbeAnswer {
    /// The model can be measured.
    Ready {
        /// sha256 of the model.
        digest: String,
        /// Numbers of rows per call that are measured.
        batch_sizes: Vec<u64>,
    },
    /// The request cannot be met.
    Refused(ProbeRefusal),
}

/// Why a request cannot be met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProbeRefusal {
    /// What kind of obstacle it is.
    pub(crate) kind: RefusalKind,
    /// The obstacle, as a sentence.
    pub(crate) message: String,
    /// The remedy; `None` if none is known.
    pub(crate) help: Option<String>,
}

#[cfg(feature = "onnx")]
impl ProbeRefusal {
    /// Returns the refusal of an argument, a model or a file of inputs.
    pub(super) fn new_usage(message: impl Into<String>) -> Self {
        Self { kind: RefusalKind::Usage, message: message.into(), help: None }
    }

    /// Returns the refusal because a library or a device is missing.
    pub(super) fn new_unavailable(message: impl Into<String>) -> Self {
        Self { kind: RefusalKind::Unavailable, message: message.into(), help: None }
    }

    /// Adds the remedy.
    pub(super) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// What kind of obstacle stands against a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RefusalKind {
    /// An argument, the model or a file of inputs is wrong.
    Usage,
    /// A library or a device is missing.
    Unavailable,
}

/// Returns the id of the benchmark of a batch size.
#[cfg(feature = "onnx")]
pub(super) fn name_batch_benchmark(batch: u64) -> String {
    format!("infer/batch/{batch}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_is_found_by_its_name_and_unknown_ones_name_the_nearest() {
        for (provider, name) in ModelProvider::NAMES {
            assert_eq!(ModelProvider::find_provider(name), Ok(provider));
        }
        assert!(ModelProvider::find_provider("mps").unwrap_err().contains("`coreml`"));
        assert!(ModelProvider::find_provider("warp").unwrap_err().contains("`cuda`"));
    }
}
