//! Types and shapes of tensors.

use std::fmt;

use serde::Serialize;

use super::proto::{DimProto, TensorProto, ValueProto};

/// The type of a tensor's elements, by the numbers of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ElementType(i32);

impl ElementType {
    /// 32-bit floats.
    pub(crate) const F32: Self = Self(1);
    /// Unsigned 8-bit integers.
    pub(crate) const U8: Self = Self(2);
    /// Signed 8-bit integers.
    pub(super) const I8: Self = Self(3);
    /// Signed 32-bit integers.
    #[cfg(feature = "onnx")]
    pub(crate) const I32: Self = Self(6);
    /// Signed 64-bit integers.
    #[cfg(any(feature = "onnx", test))]
    pub(crate) const I64: Self = Self(7);
    /// Text.
    #[cfg(feature = "onnx")]
    pub(crate) const STRING: Self = Self(8);
    /// True or false.
    #[cfg(feature = "onnx")]
    pub(crate) const BOOL: Self = Self(9);
    /// 16-bit floats of IEEE 754.
    pub(crate) const F16: Self = Self(10);
    /// 64-bit floats.
    pub(crate) const F64: Self = Self(11);
    /// The upper halves of 32-bit floats.
    const BF16: Self = Self(16);
    /// Not a tensor, or a type without a name here.
    const UNKNOWN: Self = Self(0);

    /// Names of the types, by their number.
    const NAMES: [&'static str; 24] = [
        "not a tensor",
        "f32",
        "u8",
        "i8",
        "u16",
        "i16",
        "i32",
        "i64",
        "string",
        "bool",
        "f16",
        "f64",
        "u32",
        "u64",
        "complex64",
        "complex128",
        "bf16",
        "f8e4m3fn",
        "f8e4m3fnuz",
        "f8e5m2",
        "f8e5m2fnuz",
        "u4",
        "i4",
        "f4e2m1",
    ];

    /// Returns the name, as reports show it.
    pub(crate) fn name(self) -> &'static str {
        let named = usize::try_from(self.0).ok().and_then(|number| Self::NAMES.get(number));
        named.copied().unwrap_or("an unknown type")
    }

    /// Returns whether the elements are floats of 16 bits or more.
    pub(super) fn is_float(self) -> bool {
        [Self::F32, Self::F16, Self::F64, Self::BF16].contains(&self)
    }

    /// Returns whether the elements have 8 bits or fewer.
    pub(super) fn is_small(self) -> bool {
        const FIRST_FLOAT8: i32 = 17;
        self == Self::U8 || self == Self::I8 || self.0 >= FIRST_FLOAT8
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The size of one dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DimSize {
    /// Always the same.
    Fixed(u64),
    /// Chosen by the call, and the same wherever the model has this name.
    Named(String),
    /// Chosen by the call.
    Unnamed,
}

impl DimSize {
    fn from_proto(dim: &DimProto) -> Self {
        match (dim.dim_value, dim.dim_param.as_deref()) {
            (Some(size), _) if size >= 0 => Self::Fixed(size.unsigned_abs()),
            // Some exporters write a question mark for every size that they do not know.
            (_, Some(name)) if !name.is_empty() && name != "?" => Self::Named(name.to_owned()),
            _ => Self::Unnamed,
        }
    }
}

impl fmt::Display for DimSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size}"),
            Self::Named(name) => f.write_str(name),
            Self::Unnamed => f.write_str("?"),
        }
    }
}

/// Name, type and shape of an input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TensorSpec {
    /// Its name in the model.
    pub(crate) name: String,
    /// The type of its elements.
    pub(crate) element: ElementType,
    /// Its dimensions; `None` if the model leaves their number open.
    pub(crate) shape: Option<Vec<DimSize>>,
}

impl TensorSpec {
    pub(super) fn from_value(value: &ValueProto) -> Self {
        let tensor = value.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
        let shape = tensor.and_then(|tensor| tensor.shape.as_ref());
        Self {
            name: value.name().to_owned(),
            element: tensor.map_or(ElementType::UNKNOWN, |tensor| ElementType(tensor.elem_type())),
            shape: shape.map(|shape| shape.dim.iter().map(DimSize::from_proto).collect()),
        }
    }

    /// Returns the shape as people write it: `[batch, 3, 224, 224]`.
    pub(crate) fn describe_shape(&self) -> String {
        let Some(shape) = &self.shape else { return "[…]".to_owned() };
        let sizes: Vec<String> = shape.iter().map(DimSize::to_string).collect();
        format!("[{}]", sizes.join(", "))
    }
}

impl Serialize for TensorSpec {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let sizes: Option<Vec<serde_json::Value>> = self.shape.as_ref().map(|shape| {
            let to_value = |dim: &DimSize| match dim {
                DimSize::Fixed(size) => (*size).into(),
                DimSize::Named(name) => name.as_str().into(),
                DimSize::Unnamed => serde_json::Value::Null,
            };
            shape.iter().map(to_value).collect()
        });
        let mut fields = serializer.serialize_struct("TensorSpec", 3)?;
        fields.serialize_field("name", &self.name)?;
        fields.serialize_field("element", self.element.name())?;
        fields.serialize_field("shape", &sizes)?;
        fields.end()
    }
}

impl TensorProto {
    /// Returns the type of the elements.
    pub(super) fn element(&self) -> ElementType {
        ElementType(self.data_type())
    }

    /// Returns the number of elements. A hostile shape gives a number that is wrong, not a panic.
    pub(super) fn count_elements(&self) -> u64 {
        let sizes = self.dims.iter().map(|size| u64::try_from(*size).unwrap_or(0));
        sizes.fold(1, u64::saturating_mul)
    }
}
