//! Values of the tensors that a model takes.

use half::f16;
use sha2::{Digest as _, Sha256};

use crate::model::ElementType;

/// Values in row-major order, with their shape.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TensorData {
    /// Sizes of the dimensions.
    pub(super) shape: Vec<u64>,
    /// As many values as the shape has.
    pub(super) values: TensorValues,
}

/// The values of a tensor, by the type of its elements.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TensorValues {
    /// 16-bit floats.
    F16(Vec<f16>),
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 64-bit floats.
    F64(Vec<f64>),
    /// 32-bit integers.
    I32(Vec<i32>),
    /// 64-bit integers.
    I64(Vec<i64>),
    /// Bytes.
    U8(Vec<u8>),
    /// True or false.
    Bool(Vec<bool>),
    /// Text.
    Text(Vec<String>),
}

impl TensorValues {
    /// Returns the type of the elements.
    pub(super) fn element(&self) -> ElementType {
        match self {
            Self::F16(_) => ElementType::F16,
            Self::F32(_) => ElementType::F32,
            Self::F64(_) => ElementType::F64,
            Self::I32(_) => ElementType::I32,
            Self::I64(_) => ElementType::I64,
            Self::U8(_) => ElementType::U8,
            Self::Bool(_) => ElementType::BOOL,
            Self::Text(_) => ElementType::STRING,
        }
    }
}

impl TensorData {
    /// Returns the same tensor with `rows` rows in its first dimension: the first ones, repeated from
    /// the start if there are fewer. Rows of a tensor without any stay none.
    pub(super) fn with_rows(&self, rows: u64) -> Self {
        let mut shape = self.shape.clone();
        let Some(own) = shape.first().copied().filter(|own| *own > 0) else { return self.clone() };
        shape[0] = rows;
        let values = match &self.values {
            TensorValues::F16(values) => TensorValues::F16(cycle_rows(values, own, rows)),
            TensorValues::F32(values) => TensorValues::F32(cycle_rows(values, own, rows)),
            TensorValues::F64(values) => TensorValues::F64(cycle_rows(values, own, rows)),
            TensorValues::I32(values) => TensorValues::I32(cycle_rows(values, own, rows)),
            TensorValues::I64(values) => TensorValues::I64(cycle_rows(values, own, rows)),
            TensorValues::U8(values) => TensorValues::U8(cycle_rows(values, own, rows)),
            TensorValues::Bool(values) => TensorValues::Bool(cycle_rows(values, own, rows)),
            TensorValues::Text(values) => TensorValues::Text(cycle_rows(values, own, rows)),
        };
        Self { shape, values }
    }

    /// Adds name, type, shape and values to `hash`.
    pub(super) fn add_to_hash(&self, name: &str, hash: &mut Sha256) {
        hash.update(format!("{name} {} {:?}\n", self.values.element(), self.shape));
        match &self.values {
            TensorValues::F16(values) => hash_each(values, hash, |value| value.to_le_bytes()),
            TensorValues::F32(values) => hash_each(values, hash, |value| value.to_le_bytes()),
            TensorValues::F64(values) => hash_each(values, hash, |value| value.to_le_bytes()),
            TensorValues::I32(values) => hash_each(values, hash, |value| value.to_le_bytes()),
            TensorValues::I64(values) => hash_each(values, hash, |value| value.to_le_bytes()),
            TensorValues::U8(values) => hash.update(values),
            TensorValues::Bool(values) => hash_each(values, hash, |value| [u8::from(*value)]),
            TensorValues::Text(values) => {
                for value in values {
                    hash.update((value.len() as u64).to_le_bytes());
                    hash.update(value);
                }
            }
        }
    }
}

fn hash_each<T, const N: usize>(values: &[T], hash: &mut Sha256, to_bytes: fn(&T) -> [u8; N]) {
    for value in values {
        hash.update(to_bytes(value));
    }
}

/// Returns `rows` rows of `values`, which are those of `own` rows.
fn cycle_rows<T: Clone>(values: &[T], own: u64, rows: u64) -> Vec<T> {
    let width = values.len() / usize::try_from(own).unwrap_or(usize::MAX);
    let count = width.saturating_mul(usize::try_from(rows).unwrap_or(usize::MAX));
    values.iter().cycle().take(count).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_or_repeated_from_the_start() {
        let tensor = TensorData { shape: vec![2, 2], values: TensorValues::U8(vec![1, 2, 3, 4]) };
        let values = |rows| tensor.with_rows(rows).values;
        assert_eq!(values(1), TensorValues::U8(vec![1, 2]));
        assert_eq!(values(3), TensorValues::U8(vec![1, 2, 3, 4, 1, 2]));
        assert_eq!(tensor.with_rows(3).shape, [3, 2]);
    }
}
