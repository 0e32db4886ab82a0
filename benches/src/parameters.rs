//! Counts the parameters of a model in its file.
//!
//! An ONNX file is a protocol buffer. This module reads the few fields that it needs, without ONNX Runtime.

use std::collections::HashSet;
use std::path::Path;

use crate::InferenceError;

/// The number of elements in a model's initializers, by their use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelSize {
    /// Weights and biases: tensors of floats or quantized numbers with at least one dimension.
    pub parameters: u64,
    /// Running means and variances of batch normalization, which are not trained.
    pub running_statistics: u64,
    /// Everything else: scalars, shapes, axes.
    pub constants: u64,
}

/// Counts the initializers of the ONNX model at `path`.
///
/// It skips nested graphs, such as the branches of an `If`.
///
/// # Errors
///
/// Returns [`InferenceError::Unreadable`] if the file cannot be read or is not an ONNX model.
pub fn count_parameters(path: &Path) -> Result<ModelSize, InferenceError> {
    let unreadable = |source| InferenceError::Unreadable { path: path.to_owned(), source };
    let bytes = std::fs::read(path).map_err(|error| unreadable(error.into()))?;
    count_in_bytes(&bytes).ok_or_else(|| unreadable("not an ONNX model".into()))
}

/// Field numbers of onnx.proto.
mod field {
    pub(super) const MODEL_GRAPH: u64 = 7;
    pub(super) const GRAPH_NODE: u64 = 1;
    pub(super) const GRAPH_INITIALIZER: u64 = 5;
    pub(super) const NODE_INPUT: u64 = 1;
    pub(super) const NODE_OP_TYPE: u64 = 4;
    pub(super) const TENSOR_DIMS: u64 = 1;
    pub(super) const TENSOR_DATA_TYPE: u64 = 2;
    pub(super) const TENSOR_NAME: u64 = 8;
}

/// `TensorProto.DataType`: FLOAT, UINT8, INT8, FLOAT16, DOUBLE, BFLOAT16, UINT4, INT4.
const WEIGHT_TYPES: [u64; 8] = [1, 2, 3, 10, 11, 16, 21, 22];

/// Inputs 3 and 4 of a `BatchNormalization` are its running mean and variance.
const RUNNING_STATISTICS: std::ops::Range<usize> = 3..5;

fn count_in_bytes(model: &[u8]) -> Option<ModelSize> {
    let graph = read_fields(model)?
        .into_iter()
        .find(|(number, _)| *number == field::MODEL_GRAPH)?
        .1
        .bytes()?;
    let parts = read_fields(graph)?;
    // The names of the tensors that batch normalization uses as running statistics.
    let mut statistics = HashSet::new();
    for (_, node) in parts.iter().filter(|(number, _)| *number == field::GRAPH_NODE) {
        let node = read_fields(node.bytes()?)?;
        if node.contains(&(field::NODE_OP_TYPE, FieldValue::Bytes(b"BatchNormalization"))) {
            let inputs = node.iter().filter(|(number, _)| *number == field::NODE_INPUT);
            statistics.extend(
                inputs
                    .skip(RUNNING_STATISTICS.start)
                    .take(RUNNING_STATISTICS.len())
                    .filter_map(|(_, v)| v.bytes()),
            );
        }
    }
    // Each initializer counts as what its name, type and rank say.
    let mut size = ModelSize::default();
    for (_, tensor) in parts.iter().filter(|(number, _)| *number == field::GRAPH_INITIALIZER) {
        let tensor = Initializer::read(tensor.bytes()?)?;
        let elements =
            tensor.dims.iter().try_fold(1_u64, |product, &dim| product.checked_mul(dim))?;
        let kind = if statistics.contains(tensor.name) {
            &mut size.running_statistics
        } else if !tensor.dims.is_empty() && WEIGHT_TYPES.contains(&tensor.data_type) {
            &mut size.parameters
        } else {
            &mut size.constants
        };
        *kind = kind.checked_add(elements)?;
    }
    Some(size)
}

/// A constant tensor of the graph, without its data.
struct Initializer<'a> {
    name: &'a [u8],
    data_type: u64,
    dims: Vec<u64>,
}

impl<'a> Initializer<'a> {
    fn read(message: &'a [u8]) -> Option<Self> {
        let mut tensor = Self { name: &[], data_type: 0, dims: Vec::new() };
        for (number, value) in read_fields(message)? {
            match (number, value) {
                (field::TENSOR_NAME, FieldValue::Bytes(name)) => tensor.name = name,
                (field::TENSOR_DATA_TYPE, FieldValue::Number(data_type)) => {
                    tensor.data_type = data_type;
                }
                (field::TENSOR_DIMS, FieldValue::Number(dim)) => tensor.dims.push(dim),
                (field::TENSOR_DIMS, FieldValue::Bytes(mut packed)) => {
                    while !packed.is_empty() {
                        tensor.dims.push(read_varint(&mut packed)?);
                    }
                }
                _ => {}
            }
        }
        Some(tensor)
    }
}

/// The value of a field in the wire format of protocol buffers.
#[derive(Clone, Copy, PartialEq)]
enum FieldValue<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// 4 or 8 bytes, which no field read here has.
    Fixed,
}

impl<'a> FieldValue<'a> {
    fn bytes(self) -> Option<&'a [u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }
}

/// Reads the fields of one message as pairs of number and value; `None` if the bytes are not a message.
fn read_fields(mut message: &[u8]) -> Option<Vec<(u64, FieldValue<'_>)>> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let tag = read_varint(&mut message)?;
        let value = match tag & 7 {
            0 => FieldValue::Number(read_varint(&mut message)?),
            1 => message.split_off(..8).map(|_| FieldValue::Fixed)?,
            2 => {
                let length = usize::try_from(read_varint(&mut message)?).ok()?;
                FieldValue::Bytes(message.split_off(..length)?)
            }
            5 => message.split_off(..4).map(|_| FieldValue::Fixed)?,
            _ => return None,
        };
        fields.push((tag >> 3, value));
    }
    Some(fields)
}

/// Reads a variable-length integer and removes it from `message`; `None` if it is incomplete.
fn read_varint(message: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *message.split_off_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len() >> 7).unwrap();
        let low = u8::try_from(payload.len() & 0x7f).unwrap();
        [&[number << 3 | 2, low | 0x80, length], payload].concat()
    }

    fn tensor(name: &str, data_type: u8, dims: &[u8]) -> Vec<u8> {
        let dims = dims.iter().flat_map(|&dim| [1 << 3, dim]);
        let tensor =
            dims.chain([2 << 3, data_type]).chain(message(8, name.as_bytes())).collect::<Vec<_>>();
        message(5, &tensor)
    }

    #[test]
    fn initializers_are_distinguished_by_use_type_and_rank() {
        let inputs =
            ["x", "scale", "shift", "mean", "var"].map(|name| message(1, name.as_bytes())).concat();
        let node = message(1, &[inputs, message(4, b"BatchNormalization")].concat());
        let tensors = [
            tensor("scale", 1, &[6]),
            tensor("shift", 1, &[6]),
            tensor("mean", 1, &[6]),
            tensor("var", 1, &[6]),
            tensor("quantized", 3, &[2, 5]),
            tensor("epsilon", 1, &[]),
            tensor("axes", 7, &[2]),
        ];
        let model = message(7, &[node, tensors.concat()].concat());
        assert_eq!(
            count_in_bytes(&model),
            Some(ModelSize { parameters: 22, running_statistics: 12, constants: 3 })
        );
    }

    #[test]
    fn a_truncated_file_is_not_a_model() {
        let model = message(7, &tensor("weight", 1, &[3]));
        assert!(count_in_bytes(&model).is_some());
        for end in 1..model.len() {
            assert_eq!(count_in_bytes(&model[..end]), None, "{end} bytes");
        }
        assert_eq!(count_in_bytes(b""), None);
    }
}
