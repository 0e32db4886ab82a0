//! `perfgate inspect`: shows what an ONNX model takes, returns and consists of. No runtime is needed.

use std::error::Error as _;

use anyhow::Result;

use crate::cli::{InspectArgs, InspectFormat};
use crate::model::{ModelError, ModelSummary, OnnxModel, TensorSpec};
use crate::render::escape_for_terminal;
use crate::session::print;
use crate::session::{CommandError, ExitStatus};

/// Bytes per MB.
const MEGABYTE: f64 = 1e6;
/// Bytes per MiB.
const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// Runs `perfgate inspect`.
///
/// Fails if the file cannot be read or is not an ONNX model.
pub(super) fn run_inspect(args: &InspectArgs) -> Result<ExitStatus> {
    let summary = OnnxModel::read(&args.model)
        .and_then(|model| model.summarize())
        .map_err(|error| explain_model_error(&error))?;
    match args.format {
        InspectFormat::Json => {
            print::print_json(&(serde_json::to_string_pretty(&summary)? + "\n"))?;
        }
        InspectFormat::Text => print::print_answer(&format_summary(&summary))?,
    }
    Ok(ExitStatus::Pass)
}

/// Returns the error with its cause in one line, and its remedy.
fn explain_model_error(error: &ModelError) -> CommandError {
    let message = match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    };
    match error.remedy() {
        Some(remedy) => CommandError::new_usage(message).with_help(remedy),
        None => CommandError::new_usage(message),
    }
}

/// Returns the summary as lines with a word before each.
fn format_summary(summary: &ModelSummary) -> String {
    let mut lines: Vec<(&str, String)> = Vec::new();
    let bytes = summary.bytes as f64;
    let size = format!("{:.2} MB ({:.2} MiB)", bytes / MEGABYTE, bytes / MEBIBYTE);
    let size = match summary.external_files {
        0 => size,
        count => format!("{size}, weights in {}", print::format_plural(count, "further file")),
    };
    lines.push(("size", size));
    lines.push(("sha256", summary.sha256.clone()));
    let opsets = summary.opsets.iter().map(|(domain, version)| format!("{domain} {version}"));
    lines.push(("opset", opsets.collect::<Vec<_>>().join(", ")));
    if !summary.producer.is_empty() {
        lines.push(("producer", summary.producer.clone()));
    }
    lines.push(("parameters", format_thousands(summary.parameters)));
    let types = summary.parameters_by_type.iter();
    let types = types.map(|(kind, count)| format!("{kind} {}", format_thousands(*count)));
    lines.push(("", types.collect::<Vec<_>>().join(", ")));
    for (word, tensors) in [("inputs", &summary.inputs), ("outputs", &summary.outputs)] {
        let each = tensors.iter().map(format_tensor).enumerate();
        lines.extend(each.map(|(at, text)| (if at == 0 { word } else { "" }, text)));
    }
    let dynamic = match summary.dynamic_dims.as_slice() {
        [] => "none".to_owned(),
        names => names.join(", "),
    };
    lines.push(("dynamic", dynamic));
    let mut operators: Vec<_> = summary.operators.iter().collect();
    operators.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let operators = operators.iter().map(|(name, count)| format!("{name} {count}"));
    lines.push(("operators", operators.collect::<Vec<_>>().join(", ")));
    let quantized = summary.quantized_operators.iter();
    let quantized: Vec<_> = quantized.map(|(name, count)| format!("{name} {count}")).collect();
    let quantized = match (quantized.as_slice(), summary.quantized_share > 0.0) {
        ([], false) => "nothing".to_owned(),
        (names, _) => format!(
            "{:.1} % of the parameters; {}",
            summary.quantized_share * 100.0,
            if names.is_empty() { "no operator".to_owned() } else { names.join(", ") }
        ),
    };
    lines.push(("quantized", quantized));
    let width = lines.iter().map(|(word, _)| word.len()).max().unwrap_or(0);
    let shown = lines.iter().filter(|(_, text)| !text.is_empty());
    let shown = shown.map(|(word, text)| format!("{word:width$}  {}\n", escape_for_terminal(text)));
    shown.collect()
}

fn format_tensor(tensor: &TensorSpec) -> String {
    format!("{}  {} {}", tensor.name, tensor.element, tensor.describe_shape())
}

/// Returns the number with a comma before every third digit from the end.
fn format_thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_have_commas() {
        let shown = [0, 999, 1000, 2_452_647].map(format_thousands);
        assert_eq!(shown, ["0", "999", "1,000", "2,452,647"]);
    }
}
