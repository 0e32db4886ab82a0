//! Which integers an input may have, as far as the graph shows it.

use std::collections::{HashMap, HashSet};

use super::operators::{list_nodes, list_tensors};
use super::proto::{AttributeProto, ModelProto, NodeProto};

/// Operators that pass integers on unchanged, from their first input.
const PASSING: [&str; 9] = [
    "Cast",
    "Expand",
    "Flatten",
    "Identity",
    "Reshape",
    "Slice",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
];

/// Operators that scale a table which was quantized, and most of them in a row.
const SCALING: [&str; 4] = ["Cast", "DequantizeLinear", "Identity", "Mul"];
const SCALING_DEPTH: usize = 4;

/// Inputs of `EmbedLayerNormalization` that are looked up, each with the input that has the table.
const FUSED_TABLES: [(usize, usize); 2] = [(0, 2), (1, 4)];

/// Returns the smallest number of rows of the tables in which values of the input `name` are looked
/// up. `None` if they are looked up in none whose size is known.
pub(super) fn find_vocabulary(model: &ModelProto, name: &str) -> Option<u64> {
    // Plan: follow the input through operators that do not change it, in the order of the nodes, which
    // is one in which they can run. Whatever looks it up in a table limits it.
    let tables: HashMap<&str, &[i64]> =
        list_tensors(model).into_iter().map(|tensor| (tensor.name(), &*tensor.dims)).collect();
    let mut makers: HashMap<&str, &NodeProto> = HashMap::new();
    for node in list_nodes(model) {
        makers.extend(node.output.iter().map(|output| (output.as_str(), node)));
    }
    let mut followed = HashSet::from([name]);
    let mut rows = Vec::new();
    for node in list_nodes(model) {
        let is_followed =
            |at: usize| node.input.get(at).is_some_and(|input| followed.contains(input.as_str()));
        let table_at = |at: usize| find_table(node.input.get(at)?, &tables, &makers, SCALING_DEPTH);
        match node.op_type() {
            operator if PASSING.contains(&operator) && is_followed(0) => {
                followed.extend(node.output.iter().map(String::as_str));
            }
            "Gather" | "GatherBlockQuantized" if is_followed(1) => {
                rows.extend(table_at(0).and_then(|table| count_rows(node, table)));
            }
            "EmbedLayerNormalization" => {
                for (ids, table) in FUSED_TABLES {
                    if is_followed(ids) {
                        rows.extend(table_at(table).and_then(|table| table.first().copied()));
                    }
                }
            }
            _ => {}
        }
    }
    rows.into_iter().filter_map(|rows| u64::try_from(rows).ok()).filter(|rows| *rows > 0).min()
}

/// Returns the shape of the table `name`: one of the file, or one that at most `depth` operators scale
/// after it was quantized.
fn find_table<'m>(
    name: &str,
    tables: &HashMap<&str, &'m [i64]>,
    makers: &HashMap<&str, &NodeProto>,
    depth: usize,
) -> Option<&'m [i64]> {
    if let Some(table) = tables.get(name) {
        return Some(table);
    }
    let maker = makers.get(name).filter(|maker| SCALING.contains(&maker.op_type()) && depth > 0)?;
    let inputs = maker.input.iter();
    // A scale has fewer dimensions than the table, or fewer rows.
    let shapes = inputs.filter_map(|input| find_table(input, tables, makers, depth - 1));
    shapes.max_by_key(|shape| (shape.len(), shape.first().copied()))
}

/// Returns the size of `table` along the axis in which the node looks up.
fn count_rows(node: &NodeProto, table: &[i64]) -> Option<i64> {
    let axis = node.find_attribute("axis").map_or(0, AttributeProto::i);
    let rank = i64::try_from(table.len()).ok()?;
    let axis = if axis < 0 { axis.checked_add(rank)? } else { axis };
    table.get(usize::try_from(axis).ok()?).copied()
}
