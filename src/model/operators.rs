//! The nodes of a model, with those inside of branches, loops and functions.

use std::collections::BTreeMap;

use super::proto::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto};

impl NodeProto {
    /// Returns the attribute `name`, if the node has it.
    pub(super) fn find_attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.attribute.iter().find(|attribute| attribute.name() == name)
    }

    /// Returns the operator, with its domain unless that is the one of ONNX itself.
    fn name_operator(&self) -> String {
        match self.domain() {
            "" | "ai.onnx" => self.op_type().to_owned(),
            domain => format!("{domain}.{}", self.op_type()),
        }
    }
}

/// Returns every graph of the model: its own, then those in attributes of nodes.
pub(super) fn list_graphs(model: &ModelProto) -> Vec<&GraphProto> {
    let mut found: Vec<&GraphProto> = model.graph.iter().collect();
    let functions = model.functions.iter().flat_map(|function| &function.node);
    found.extend(functions.flat_map(list_inner_graphs));
    let mut seen = 0;
    while let Some(graph) = found.get(seen) {
        seen += 1;
        let inner: Vec<&GraphProto> = graph.node.iter().flat_map(list_inner_graphs).collect();
        found.extend(inner);
    }
    found
}

fn list_inner_graphs(node: &NodeProto) -> impl Iterator<Item = &GraphProto> {
    node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs))
}

/// Returns every node of the model.
pub(super) fn list_nodes(model: &ModelProto) -> Vec<&NodeProto> {
    let functions = model.functions.iter().flat_map(|function| &function.node);
    list_graphs(model).into_iter().flat_map(|graph| &graph.node).chain(functions).collect()
}

/// Returns how often each operator is used.
pub(super) fn count_operators(model: &ModelProto) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for node in list_nodes(model) {
        *counts.entry(node.name_operator()).or_default() += 1;
    }
    counts
}

/// Returns every tensor that is in the file: initializers, and values of constants.
pub(super) fn list_tensors(model: &ModelProto) -> Vec<&TensorProto> {
    let graphs = list_graphs(model).into_iter();
    let initializers = graphs.flat_map(|graph| {
        let sparse = graph.sparse_initializer.iter().filter_map(|sparse| sparse.values.as_ref());
        graph.initializer.iter().chain(sparse)
    });
    let attributes = list_nodes(model).into_iter().flat_map(|node| &node.attribute);
    let constants = attributes.flat_map(|attribute| attribute.t.iter().chain(&attribute.tensors));
    initializers.chain(constants).collect()
}
