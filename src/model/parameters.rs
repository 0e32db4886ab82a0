//! Which tensors of a model are parameters: what training has learned.
//!
//! The file does not mark them. Weights are distinguished from helper constants by their type and by the
//! operators that use them.

use std::collections::{BTreeMap, HashMap};

use super::operators::{list_nodes, list_tensors};
use super::proto::{ModelProto, NodeProto, TensorProto};
use super::tensor::ElementType;

/// Operators on small integers, with the inputs that are weights or biases. Their other inputs are
/// scales and zero points.
const QUANTIZED_INPUTS: [(&str, &[usize]); 18] = [
    ("ConvInteger", &[1]),
    ("DequantizeLinear", &[0]),
    ("DynamicQuantizeLSTM", &[1, 2, 3]),
    ("DynamicQuantizeMatMul", &[1, 4]),
    ("EmbedLayerNormalization", &[2, 3, 4, 5, 6]),
    ("GatherBlockQuantized", &[0]),
    ("MatMulBnb4", &[1]),
    ("MatMulInteger", &[0, 1]),
    ("MatMulIntegerToFloat", &[1, 6]),
    ("MatMulNBits", &[1, 5]),
    ("QAttention", &[1, 2]),
    ("QEmbedLayerNormalization", &[2, 3, 4, 5, 6]),
    ("QGemm", &[3, 6]),
    ("QLinearConv", &[3, 8]),
    ("QLinearMatMul", &[0, 3]),
    ("QMoE", &[2, 5, 8]),
    ("QOrderedMatMul", &[2, 5]),
    ("QuantizeLinear", &[0]),
];

/// Operators with the inputs that are settings and not weights.
const SETTING_INPUTS: [(&str, &[usize]); 9] = [
    ("BatchNormalization", &[3, 4]),
    ("Clip", &[1, 2]),
    ("ConstantOfShape", &[0]),
    ("NonMaxSuppression", &[2, 3, 4]),
    ("OneHot", &[1, 2]),
    ("Pad", &[1, 2]),
    ("Range", &[0, 1, 2]),
    ("Resize", &[1, 2, 3]),
    ("Upsample", &[1]),
];

/// Operators that multiply by weights, so that a single number added to their result is a bias.
const WEIGHTED: [&str; 6] =
    ["Conv", "ConvTranspose", "Gemm", "MatMul", "MatMulInteger", "MatMulIntegerToFloat"];
/// Operators with which quantizers scale a product, and most of them in a row.
const SCALING: [&str; 3] = ["Cast", "DequantizeLinear", "Mul"];
const SCALING_DEPTH: usize = 3;
/// Operators whose inputs of one element are weights.
const SINGLE_WEIGHTS: [&str; 10] = [
    "BatchNormalization",
    "Conv",
    "ConvTranspose",
    "Gemm",
    "GroupNormalization",
    "InstanceNormalization",
    "LayerNormalization",
    "MatMul",
    "PRelu",
    "SkipLayerNormalization",
];

/// Ends of the names of scales and zero points that quantizers add.
const SCALE_SUFFIXES: [&str; 3] = ["_scale", "_scales", "_zero_point"];

/// The operator of a node, which input of it a tensor is, and the node.
type TensorUse<'m> = (usize, &'m NodeProto);

/// Returns the number of parameters by the type of their elements.
pub(super) fn count_parameters(model: &ModelProto) -> BTreeMap<ElementType, u64> {
    let nodes = list_nodes(model);
    let mut uses: HashMap<&str, Vec<TensorUse<'_>>> = HashMap::new();
    let mut makers: HashMap<&str, &NodeProto> = HashMap::new();
    for node in &nodes {
        for (at, input) in node.input.iter().enumerate() {
            uses.entry(input).or_default().push((at, node));
        }
        makers.extend(node.output.iter().map(|output| (output.as_str(), *node)));
    }
    let constants = nodes.iter().filter(|node| node.op_type() == "Constant").filter_map(|node| {
        Some((node.output.first()?.as_str(), node.find_attribute("value")?.t.as_ref()?))
    });
    let names: HashMap<*const TensorProto, &str> =
        constants.map(|(name, tensor)| (std::ptr::from_ref(tensor), name)).collect();
    let mut counts = BTreeMap::new();
    for tensor in list_tensors(model) {
        let own_name = tensor.name();
        let name = names.get(&std::ptr::from_ref(tensor)).copied().unwrap_or(own_name);
        let users = uses.get(name).map_or(&[][..], Vec::as_slice);
        if is_parameter(tensor, name, users, &makers) {
            *counts.entry(tensor.element()).or_default() += count_values(tensor, users);
        }
    }
    counts
}

fn is_parameter(
    tensor: &TensorProto,
    name: &str,
    users: &[TensorUse<'_>],
    makers: &HashMap<&str, &NodeProto>,
) -> bool {
    if tensor.dims.is_empty() || SCALE_SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) {
        return false;
    }
    let is_weight = |(at, node): &TensorUse<'_>| {
        if let Some(weights) = find_inputs(&QUANTIZED_INPUTS, node) {
            return weights.contains(at);
        }
        if find_inputs(&SETTING_INPUTS, node).is_some_and(|settings| settings.contains(at)) {
            return false;
        }
        // Quantizers of one's own keep weights as small integers and scale them after a cast.
        let is_data = ["Gather", "Cast"].contains(&node.op_type()) && *at == 0;
        let element = tensor.element();
        let has_type = element.is_float() || element.is_small() && is_data;
        has_type && (tensor.count_elements() != 1 || is_single_weight(name, node, makers))
    };
    users.iter().any(is_weight)
}

/// Returns whether a tensor of one element is a weight of `node`, or a bias that it adds.
fn is_single_weight(name: &str, node: &NodeProto, makers: &HashMap<&str, &NodeProto>) -> bool {
    let mut others = node.input.iter().filter(|input| *input != name);
    SINGLE_WEIGHTS.contains(&node.op_type())
        || node.op_type() == "Add" && others.any(|input| is_weighted(input, makers, SCALING_DEPTH))
}

/// Returns whether `value` is a product with weights, which quantizers cast and scale in at most `depth`
/// steps.
fn is_weighted(value: &str, makers: &HashMap<&str, &NodeProto>, depth: usize) -> bool {
    let Some(maker) = makers.get(value) else { return false };
    WEIGHTED.contains(&maker.op_type())
        || depth > 0
            && SCALING.contains(&maker.op_type())
            && maker.input.iter().any(|input| is_weighted(input, makers, depth - 1))
}

fn find_inputs(table: &[(&str, &'static [usize])], node: &NodeProto) -> Option<&'static [usize]> {
    table.iter().find(|(operator, _)| *operator == node.op_type()).map(|(_, inputs)| *inputs)
}

/// Returns the number of parameters in a tensor. Some operators pack several into one element.
fn count_values(tensor: &TensorProto, users: &[TensorUse<'_>]) -> u64 {
    let packed = users.iter().find(|(at, node)| node.op_type() == "MatMulNBits" && *at == 1);
    let unpacked = packed.and_then(|(_, node)| {
        let size = |name: &str| {
            node.find_attribute(name).and_then(|attribute| u64::try_from(attribute.i()).ok())
        };
        size("K")?.checked_mul(size("N")?)
    });
    unpacked.unwrap_or_else(|| tensor.count_elements())
}

/// Returns the operators on small integers, with how often each is used.
pub(super) fn count_quantized_operators(model: &ModelProto) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for node in list_nodes(model) {
        let is_quantized = find_inputs(&QUANTIZED_INPUTS, node).is_some()
            && node.op_type() != "EmbedLayerNormalization";
        if is_quantized || node.op_type() == "DynamicQuantizeLinear" {
            *counts.entry(node.op_type().to_owned()).or_default() += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::super::proto::GraphProto;
    use super::*;

    fn node(operator: &str, inputs: &[&str], output: &str) -> NodeProto {
        NodeProto {
            op_type: Some(operator.to_owned()),
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec![output.to_owned()],
            ..NodeProto::default()
        }
    }

    fn tensor(name: &str, element: ElementType, dims: &[i64]) -> TensorProto {
        let types = [(ElementType::F32, 1), (ElementType::I8, 3), (ElementType::I64, 7)];
        let data_type = types.iter().find(|(kind, _)| *kind == element).map(|(_, number)| *number);
        TensorProto {
            name: Some(name.to_owned()),
            dims: dims.to_vec(),
            data_type,
            ..TensorProto::default()
        }
    }

    #[track_caller]
    fn assert_counts(
        nodes: Vec<NodeProto>,
        tensors: Vec<TensorProto>,
        expected: &[(ElementType, u64)],
    ) {
        let graph = GraphProto { node: nodes, initializer: tensors, ..GraphProto::default() };
        let model = ModelProto { graph: Some(graph), ..ModelProto::default() };
        assert_eq!(count_parameters(&model), expected.iter().copied().collect());
    }

    #[test]
    fn quantized_weights_count_and_their_scales_do_not() {
        use ElementType as E;
        // A bias of one number follows a product that is cast and scaled.
        let nodes = vec![
            node("MatMulInteger", &["x", "w_quantized", "x_zero", "w_zero_point"], "product"),
            node("Cast", &["product"], "cast"),
            node("Mul", &["cast", "w_scale"], "scaled"),
            node("Add", &["scaled", "bias"], "y"),
        ];
        let tensors = vec![
            tensor("w_quantized", E::I8, &[4, 1]),
            tensor("w_zero_point", E::I8, &[1]),
            tensor("w_scale", E::F32, &[1]),
            tensor("bias", E::F32, &[1]),
        ];
        assert_counts(nodes, tensors, &[(E::F32, 1), (E::I8, 4)]);
    }

    #[test]
    fn shapes_settings_and_running_statistics_are_not_parameters() {
        use ElementType as E;
        let nodes = vec![
            node("BatchNormalization", &["x", "scale", "shift", "mean", "variance"], "a"),
            node("Reshape", &["a", "shape"], "b"),
            node("Add", &["b", "epsilon"], "c"),
            node("Resize", &["c", "", "factors"], "y"),
        ];
        let tensors = vec![
            tensor("scale", E::F32, &[3]),
            tensor("shift", E::F32, &[3]),
            tensor("mean", E::F32, &[3]),
            tensor("variance", E::F32, &[3]),
            tensor("shape", E::I64, &[2]),
            tensor("epsilon", E::F32, &[]),
            tensor("factors", E::F32, &[4]),
        ];
        assert_counts(nodes, tensors, &[(E::F32, 6)]);
    }
}
