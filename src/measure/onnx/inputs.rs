//! The inputs of the calls: their shapes, and values from files or drawn at random.

use std::collections::BTreeMap;
use std::path::Path;

use half::f16;
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;
use sha2::{Digest as _, Sha256};

use super::input_files::read_input_files;
use super::request::{InputSource, ProbeRefusal, WorkerRequest};
use super::tensor_data::{TensorData, TensorValues};
use crate::model::{DimSize, ElementType, OnnxModel, TensorSpec};

/// Most bytes that the inputs of one call may have.
const MAX_INPUT_BYTES: u64 = 2 << 30;
/// Number of values of integers of which the model does not show which ones it takes: 0 and 1.
const DEFAULT_VOCABULARY: u64 = 2;
/// Bytes of an element, for the limit on all of them. Text counts as much as its smallest form.
const ELEMENT_BYTES: u64 = 8;

/// Inputs for calls of any batch size.
#[derive(Debug)]
pub(super) struct CallInputs {
    specs: Vec<TensorSpec>,
    vocabularies: Vec<Option<u64>>,
    /// Arrays from files, by the name of the input.
    given: BTreeMap<String, TensorData>,
    /// Sizes of dynamic dimensions, by name or as `INPUT.AXIS`.
    dims: BTreeMap<String, u64>,
    batch: BatchDim,
    seed: u64,
    source: InputSource,
}

/// The dimension whose size is the number of rows of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
enum BatchDim {
    /// Every dimension with this name.
    Named(String),
    /// The first dimension of every input that leaves its size open and has no name for it.
    Unnamed,
    /// The model fixes the number of rows, if it has any.
    Fixed(u64),
}

impl CallInputs {
    /// Prepares the inputs of `model` that `request` asks for.
    ///
    /// # Errors
    ///
    /// Fails if the model takes a type that cannot be supplied, if a size is missing or does not fit,
    /// or if a file cannot be read.
    pub(super) fn prepare(
        model: &OnnxModel,
        request: &WorkerRequest,
    ) -> Result<Self, ProbeRefusal> {
        let specs = model.list_inputs();
        for spec in &specs {
            check_type(spec)?;
        }
        let given = match &request.inputs {
            InputSource::Random => BTreeMap::new(),
            InputSource::Path(path) => {
                read_input_files(path, &specs).map_err(ProbeRefusal::new_usage)?
            }
        };
        let batch = find_batch_dim(&specs, &request.dims);
        let mut inputs = Self {
            vocabularies: specs.iter().map(|spec| model.find_vocabulary(&spec.name)).collect(),
            specs,
            given,
            dims: request.dims.clone(),
            batch,
            seed: request.seed,
            source: request.inputs.clone(),
        };
        inputs.learn_dims()?;
        inputs.check_dims()?;
        Ok(inputs)
    }

    /// Returns the batch sizes to measure: the `requested` ones, else the rows of a file, else those
    /// of the model.
    ///
    /// # Errors
    ///
    /// Fails if the model does not allow one, or if a call would need too much memory.
    pub(super) fn choose_batch_sizes(&self, requested: &[u64]) -> Result<Vec<u64>, ProbeRefusal> {
        let mut sizes = requested.to_vec();
        if sizes.is_empty() {
            sizes.push(self.count_given_rows().unwrap_or(match self.batch {
                BatchDim::Fixed(rows) => rows,
                BatchDim::Named(_) | BatchDim::Unnamed => 1,
            }));
        }
        if sizes.contains(&0) {
            return Err(ProbeRefusal::new_usage("the inputs have no rows".to_owned()));
        }
        for size in &sizes {
            if let BatchDim::Fixed(rows) = &self.batch
                && size != rows
            {
                return Err(ProbeRefusal::new_usage(format!(
                    "the model does not take a batch of {size}: its first dimension is fixed at {rows}"
                ))
                .with_help(
                    "leave out --batch-sizes, or the --dim of that dimension, or export the model with a \
                     dynamic one",
                ));
            }
            self.check_bytes(*size)?;
        }
        Ok(sizes)
    }

    /// Returns the inputs of a call with `rows` rows, by name, in the order of the model.
    pub(super) fn make_tensors(&self, rows: u64) -> Vec<(String, TensorData)> {
        let inputs = self.specs.iter().zip(&self.vocabularies);
        inputs
            .map(|(spec, vocabulary)| {
                let tensor = match self.given.get(&spec.name) {
                    Some(given) if self.has_batch_axis(spec) => given.with_rows(rows),
                    Some(given) => given.clone(),
                    None => self.draw_tensor(spec, *vocabulary, rows),
                };
                (spec.name.clone(), tensor)
            })
            .collect()
    }

    /// Returns words for where the values come from, with the sizes that were chosen.
    pub(super) fn describe_source(&self) -> String {
        let random = format!("random, seed {}", self.seed);
        let words = match &self.source {
            InputSource::Random => random,
            InputSource::Path(path) => {
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
                let mut hash = Sha256::new();
                for (name, tensor) in &self.given {
                    tensor.add_to_hash(name, &mut hash);
                }
                let digest = &hex::encode(hash.finalize())[..12];
                let rest: Vec<&str> = self
                    .specs
                    .iter()
                    .filter(|spec| !self.given.contains_key(&spec.name))
                    .map(|spec| spec.name.as_str())
                    .collect();
                match rest.as_slice() {
                    [] => format!("{name}, sha256 {digest}"),
                    names => format!("{name}, sha256 {digest}; {} {random}", names.join(", ")),
                }
            }
        };
        let sizes = self.dims.iter().map(|(name, size)| format!("{name} = {size}"));
        [words].into_iter().chain(sizes).collect::<Vec<_>>().join("; ")
    }

    /// Takes over the sizes of dynamic dimensions from the arrays of files.
    fn learn_dims(&mut self) -> Result<(), ProbeRefusal> {
        let mut rows = None;
        for spec in &self.specs {
            let Some((given, shape)) = self.given.get(&spec.name).zip(spec.shape.as_ref()) else {
                continue;
            };
            let misfit = || {
                let path = match &self.source {
                    InputSource::Path(path) => path.as_path(),
                    InputSource::Random => Path::new(""),
                };
                ProbeRefusal::new_usage(format!(
                    "`{}`: the array for `{}` has the shape {:?}, and the model takes {}",
                    path.display(),
                    spec.name,
                    given.shape,
                    spec.describe_shape()
                ))
            };
            if shape.len() != given.shape.len() {
                return Err(misfit());
            }
            for (axis, (dim, size)) in shape.iter().zip(&given.shape).enumerate() {
                if is_batch_axis(&self.batch, dim, axis) {
                    if *rows.get_or_insert(*size) != *size && axis != 0 {
                        return Err(misfit());
                    }
                    continue;
                }
                let fits = match dim {
                    DimSize::Fixed(fixed) => fixed == size,
                    DimSize::Named(name) => {
                        *self.dims.entry(name.clone()).or_insert(*size) == *size
                    }
                    DimSize::Unnamed => {
                        let name = name_axis(spec, axis);
                        *self.dims.entry(name).or_insert(*size) == *size
                    }
                };
                if !fits {
                    return Err(misfit());
                }
            }
        }
        Ok(())
    }

    /// Checks that every dynamic dimension has a size, and that every size is of a dimension.
    fn check_dims(&self) -> Result<(), ProbeRefusal> {
        let (mut known, mut missing) = (Vec::new(), Vec::new());
        for spec in &self.specs {
            let Some(shape) = &spec.shape else {
                if self.given.contains_key(&spec.name) {
                    continue;
                }
                return Err(ProbeRefusal::new_usage(format!(
                    "the model leaves the number of dimensions of `{}` open",
                    spec.name
                ))
                .with_help("give it an array with --inputs FILE"));
            };
            for (axis, dim) in shape.iter().enumerate() {
                let names = name_dim(spec, axis, dim);
                let Some(shown) = names.first().cloned() else { continue };
                let has_size = names.iter().any(|name| self.dims.contains_key(name));
                if !has_size && !is_batch_axis(&self.batch, dim, axis) && !missing.contains(&shown)
                {
                    missing.push(shown);
                }
                known.extend(names);
            }
        }
        if let Some(unknown) = self.dims.keys().find(|name| !known.contains(name)) {
            let refusal =
                ProbeRefusal::new_usage(format!("the model has no dynamic dimension `{unknown}`"));
            return Err(match known.as_slice() {
                [] => refusal,
                names => refusal.with_help(format!("it has `{}`", names.join("`, `"))),
            });
        }
        if missing.is_empty() {
            return Ok(());
        }
        let flags: Vec<String> = missing.iter().map(|name| format!("--dim {name}=N")).collect();
        Err(ProbeRefusal::new_usage(format!(
            "the model leaves sizes open: `{}`",
            missing.join("`, `")
        ))
        .with_help(format!("add {}, or give arrays with --inputs FILE", flags.join(" "))))
    }

    /// Checks that the inputs of a call with `rows` rows can be held in memory.
    fn check_bytes(&self, rows: u64) -> Result<(), ProbeRefusal> {
        let mut total = 0_u64;
        for spec in &self.specs {
            let shape = self.resolve_shape(spec, rows);
            let count = shape.iter().fold(1_u64, |count, size| count.saturating_mul(*size));
            let count = match self.given.get(&spec.name) {
                Some(_) if shape.is_empty() => 1,
                _ => count,
            };
            total = total.saturating_add(count.saturating_mul(ELEMENT_BYTES));
            if total > MAX_INPUT_BYTES {
                return Err(ProbeRefusal::new_usage(format!(
                    "`{}` of the shape {shape:?} is too large: the inputs of a call may have 2 GiB, \
                     at 8 bytes an element",
                    spec.name
                )));
            }
        }
        Ok(())
    }

    fn count_given_rows(&self) -> Option<u64> {
        let mut given = self.specs.iter().filter(|spec| self.has_batch_axis(spec));
        given.find_map(|spec| self.given.get(&spec.name)?.shape.first().copied())
    }

    fn has_batch_axis(&self, spec: &TensorSpec) -> bool {
        let first = spec.shape.as_ref().and_then(|shape| shape.first());
        first.is_some_and(|dim| is_batch_axis(&self.batch, dim, 0))
    }

    fn resolve_shape(&self, spec: &TensorSpec, rows: u64) -> Vec<u64> {
        let dims = spec.shape.iter().flatten().enumerate();
        dims.map(|(axis, dim)| match dim {
            DimSize::Fixed(size) => *size,
            _ if is_batch_axis(&self.batch, dim, axis) => rows,
            _ => {
                let names = name_dim(spec, axis, dim);
                names.iter().find_map(|name| self.dims.get(name)).copied().unwrap_or(rows)
            }
        })
        .collect()
    }

    /// Draws the values of an input. Each input has a sequence of its own, so that another input does
    /// not change them.
    fn draw_tensor(&self, spec: &TensorSpec, vocabulary: Option<u64>, rows: u64) -> TensorData {
        let shape = self.resolve_shape(spec, rows);
        let count = shape.iter().fold(1_u64, |count, size| count.saturating_mul(*size));
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let digest = Sha256::digest(spec.name.as_bytes());
        let own = digest.iter().take(8).fold(0_u64, |own, byte| own << 8 | u64::from(*byte));
        let mut random = Pcg64::seed_from_u64(self.seed ^ own);
        let limit = vocabulary.unwrap_or(DEFAULT_VOCABULARY);
        // A mask that hides everything makes some models divide by zero.
        let is_mask = vocabulary.is_none() && spec.name.contains("mask");
        let mut integer =
            |most: u64| if is_mask { 1 } else { random.random_range(0..limit.min(most)) };
        let values = match spec.element {
            ElementType::I32 => TensorValues::I32(
                (0..count)
                    .map(|_| i32::try_from(integer(i32::MAX.unsigned_abs().into())).unwrap_or(0))
                    .collect(),
            ),
            ElementType::I64 => TensorValues::I64(
                (0..count)
                    .map(|_| i64::try_from(integer(i64::MAX.unsigned_abs())).unwrap_or(0))
                    .collect(),
            ),
            ElementType::U8 if vocabulary.is_none() => {
                TensorValues::U8((0..count).map(|_| random.random()).collect())
            }
            ElementType::U8 => TensorValues::U8(
                (0..count).map(|_| u8::try_from(integer(256)).unwrap_or(0)).collect(),
            ),
            ElementType::BOOL if is_mask => TensorValues::Bool(vec![true; count]),
            ElementType::BOOL => TensorValues::Bool((0..count).map(|_| random.random()).collect()),
            ElementType::STRING => TensorValues::Text(
                (0..count).map(|_| format!("w{}", random.random_range(0..1000_u32))).collect(),
            ),
            ElementType::F16 => TensorValues::F16(
                (0..count).map(|_| f16::from_f32(random.random::<f32>())).collect(),
            ),
            ElementType::F64 => TensorValues::F64((0..count).map(|_| random.random()).collect()),
            _ => TensorValues::F32((0..count).map(|_| random.random()).collect()),
        };
        TensorData { shape, values }
    }
}

/// Returns the sha256 of the inputs of a call.
pub(super) fn hash_tensors(tensors: &[(String, TensorData)]) -> String {
    let mut hash = Sha256::new();
    for (name, tensor) in tensors {
        tensor.add_to_hash(name, &mut hash);
    }
    hex::encode(hash.finalize())
}

fn check_type(spec: &TensorSpec) -> Result<(), ProbeRefusal> {
    const SUPPLIED: [ElementType; 8] = [
        ElementType::F32,
        ElementType::F16,
        ElementType::F64,
        ElementType::I64,
        ElementType::I32,
        ElementType::U8,
        ElementType::BOOL,
        ElementType::STRING,
    ];
    if SUPPLIED.contains(&spec.element) {
        return Ok(());
    }
    let known = SUPPLIED.map(ElementType::name).join(", ");
    Err(ProbeRefusal::new_usage(format!(
        "the input `{}` is {}, which perfgate cannot supply; it can supply {known}",
        spec.name, spec.element
    )))
}

/// Finds the dimension that counts rows: the first one of the first input whose size is open, unless
/// `dims` sets it.
fn find_batch_dim(specs: &[TensorSpec], dims: &BTreeMap<String, u64>) -> BatchDim {
    let mut set_by_user = None;
    for spec in specs {
        let Some(first) = spec.shape.as_ref().and_then(|shape| shape.first()) else { continue };
        if let Some(rows) = name_dim(spec, 0, first).iter().find_map(|name| dims.get(name)) {
            set_by_user = set_by_user.or(Some(*rows));
            continue;
        }
        match first {
            DimSize::Named(name) => return BatchDim::Named(name.clone()),
            DimSize::Unnamed => return BatchDim::Unnamed,
            DimSize::Fixed(_) => {}
        }
    }
    let fixed = specs.iter().find_map(|spec| match spec.shape.as_ref()?.first()? {
        DimSize::Fixed(rows) if *rows > 0 => Some(*rows),
        _ => None,
    });
    BatchDim::Fixed(set_by_user.or(fixed).unwrap_or(1))
}

fn is_batch_axis(batch: &BatchDim, dim: &DimSize, axis: usize) -> bool {
    match (batch, dim) {
        (BatchDim::Named(batch), DimSize::Named(name)) => batch == name,
        (BatchDim::Unnamed, DimSize::Unnamed) => axis == 0,
        _ => false,
    }
}

/// Returns the names under which a dynamic dimension gets its size. A fixed one has none.
fn name_dim(spec: &TensorSpec, axis: usize, dim: &DimSize) -> Vec<String> {
    match dim {
        DimSize::Fixed(_) => Vec::new(),
        DimSize::Named(name) => vec![name.clone(), name_axis(spec, axis)],
        DimSize::Unnamed => vec![name_axis(spec, axis)],
    }
}

fn name_axis(spec: &TensorSpec, axis: usize) -> String {
    format!("{}.{axis}", spec.name)
}
