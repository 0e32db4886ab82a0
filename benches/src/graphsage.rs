//! `GraphSAGE`: a graph, how neighbourhoods are sampled and gathered from it, and the forward pass.
//!
//! Hamilton, Ying and Leskovec, "Inductive representation learning on large graphs" (2017).

use std::collections::HashMap;

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use crate::session::{InputTensor, Model, SessionOptions};
use crate::{InferenceError, find_set_up_file};

/// Number of features of a node.
pub const FEATURES: usize = 978;

/// Number of trained parameters of the model, without running statistics and constants.
pub const PARAMETERS: u64 = 2_452_647;

/// The number of neighbours that are drawn per node, for each layer of the model.
pub const FAN_OUT: [usize; 3] = [5, 3, 2];

/// A directed graph in compressed rows. Nodes are numbered from zero.
pub struct Graph {
    /// For each node, the place in `neighbours` where its own begin; then the end of the last.
    starts: Vec<usize>,
    neighbours: Vec<u32>,
    /// [`FEATURES`] per node.
    features: Vec<f32>,
}

impl Graph {
    /// Generates a graph in which few nodes are the neighbours of many, as in call and import graphs.
    ///
    /// Neighbours with low numbers are preferred. Every node has 1 to 2 × `degree` neighbours. Features are between −1
    /// and 1. The same arguments give the same graph.
    pub fn generate(nodes: u32, degree: usize, seed: u64) -> Self {
        let mut rng = Pcg64::seed_from_u64(seed);
        let (mut starts, mut neighbours) = (vec![0], Vec::new());
        for _ in 0..nodes {
            for _ in 0..rng.random_range(1..=2 * degree) {
                let early = rng.random_range(0..nodes);
                neighbours.push(rng.random_range(0..=early));
            }
            starts.push(neighbours.len());
        }
        let features =
            (0..nodes as usize * FEATURES).map(|_| rng.random_range(-1.0..1.0)).collect();
        Self { starts, neighbours, features }
    }

    /// The neighbours of `node`; empty if there is no such node.
    pub fn neighbours(&self, node: u32) -> &[u32] {
        let node = node as usize;
        match self.starts.get(node..node + 2) {
            Some(&[start, end]) => &self.neighbours[start..end],
            _ => &[],
        }
    }

    /// The [`FEATURES`] numbers that describe `node`, which must be in the graph.
    pub fn features(&self, node: u32) -> &[f32] {
        &self.features[node as usize * FEATURES..][..FEATURES]
    }

    /// Samples the neighbourhood of `roots`: for each layer, `fan_out` neighbours of every node that the layer before
    /// reached, drawn with replacement. A node that is reached twice is listed once.
    pub fn sample(&self, roots: &[u32], fan_out: &[usize], rng: &mut Pcg64) -> Neighbourhood {
        let mut reached = Neighbourhood { nodes: Vec::new(), edges: Vec::new() };
        let mut places = HashMap::new();
        let mut frontier =
            roots.iter().map(|&root| reached.find_or_add(root, &mut places)).collect::<Vec<_>>();
        for &wanted in fan_out {
            let mut next = Vec::with_capacity(frontier.len() * wanted);
            for from in frontier {
                let neighbours = self.neighbours(reached.nodes[from]);
                for _ in 0..wanted.min(neighbours.len()) {
                    let drawn = neighbours[rng.random_range(0..neighbours.len())];
                    let to = reached.find_or_add(drawn, &mut places);
                    reached.edges.push((from, to));
                    next.push(to);
                }
            }
            frontier = next;
        }
        reached
    }

    /// Copies the model's inputs for a neighbourhood out of the graph.
    pub fn gather(&self, neighbourhood: &Neighbourhood) -> NeighbourhoodInputs {
        let nodes = neighbourhood.nodes.len();
        let features =
            neighbourhood.nodes.iter().flat_map(|&node| self.features(node)).copied().collect();
        let mut adjacency = vec![0.0; nodes * nodes];
        for &(from, to) in &neighbourhood.edges {
            adjacency[from * nodes + to] = 1.0;
        }
        NeighbourhoodInputs { features, adjacency }
    }
}

/// A sample of a graph: nodes, the roots first, and the edges that were drawn between them.
#[derive(Debug, PartialEq, Eq)]
pub struct Neighbourhood {
    /// The nodes' numbers in the graph.
    pub nodes: Vec<u32>,
    /// Edges as places in `nodes`, from and to. An edge that was drawn twice appears twice.
    pub edges: Vec<(usize, usize)>,
}

impl Neighbourhood {
    /// Returns the place of `node` in `nodes`, and adds it if it is new.
    fn find_or_add(&mut self, node: u32, places: &mut HashMap<u32, usize>) -> usize {
        *places.entry(node).or_insert_with(|| {
            self.nodes.push(node);
            self.nodes.len() - 1
        })
    }
}

/// The model's inputs for a neighbourhood, row by row in the order of its nodes.
pub struct NeighbourhoodInputs {
    /// [`FEATURES`] numbers per node.
    pub features: Vec<f32>,
    /// The adjacency matrix: 1 at row `from` and column `to` of each edge, else 0.
    pub adjacency: Vec<f32>,
}

/// The outputs of the model's four heads, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// 512 numbers per node.
    pub code: Vec<f32>,
    /// One number per node, between 0 and 1.
    pub confidence: Vec<f32>,
    /// 500 numbers per node, between 0 and 1.
    pub imports: Vec<f32>,
    /// 50 numbers per node, between 0 and 1.
    pub bugs: Vec<f32>,
}

/// The model, in one of its two forms.
pub struct GraphSage {
    model: Model,
}

impl GraphSage {
    /// Opens the model that sees only the features of a node.
    ///
    /// # Errors
    ///
    /// Returns an error if ONNX Runtime or the model is missing or unusable.
    pub fn open_without_neighbours(options: &SessionOptions) -> Result<Self, InferenceError> {
        Ok(Self { model: Model::open(&find_set_up_file("models/graphsage.onnx")?, options)? })
    }

    /// Opens the model that also sees the neighbours of a node.
    ///
    /// # Errors
    ///
    /// Returns an error if ONNX Runtime or the model is missing or unusable.
    pub fn open_with_neighbours(options: &SessionOptions) -> Result<Self, InferenceError> {
        Ok(Self {
            model: Model::open(&find_set_up_file("models/graphsage_adjacency.onnx")?, options)?,
        })
    }

    /// Predicts each row of `features` by itself, with a model from [`GraphSage::open_without_neighbours`].
    ///
    /// # Errors
    ///
    /// Returns an error if the model has the other form, or fails.
    pub fn predict(&mut self, features: &[f32]) -> Result<Prediction, InferenceError> {
        let nodes = features.len() / FEATURES;
        self.forward(&[("features", InputTensor::F32(&[nodes, FEATURES], features))])
    }

    /// Predicts each node of a neighbourhood, with a model from [`GraphSage::open_with_neighbours`].
    ///
    /// # Errors
    ///
    /// Returns an error if the model has the other form, or fails.
    pub fn predict_neighbourhood(
        &mut self,
        gathered: &NeighbourhoodInputs,
    ) -> Result<Prediction, InferenceError> {
        let nodes = gathered.features.len() / FEATURES;
        self.forward(&[
            ("features", InputTensor::F32(&[nodes, FEATURES], &gathered.features)),
            ("adjacency", InputTensor::F32(&[nodes, nodes], &gathered.adjacency)),
        ])
    }

    fn forward(
        &mut self,
        inputs: &[(&str, InputTensor<'_>)],
    ) -> Result<Prediction, InferenceError> {
        let outputs = self.model.run(inputs)?;
        let head = |name| outputs.get_f32(name).map(|(_, values)| values.to_vec());
        Ok(Prediction {
            code: head("code")?,
            confidence: head("confidence")?,
            imports: head("imports")?,
            bugs: head("bugs")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sampled_neighbourhood_has_the_roots_first_and_only_edges_of_the_graph() {
        let graph = Graph::generate(200, 4, 3);
        let sampled = graph.sample(&[7, 150], &FAN_OUT, &mut Pcg64::seed_from_u64(1));
        assert_eq!(sampled.nodes[..2], [7, 150]);
        assert!(sampled.nodes.len() > 2);
        for &(from, to) in &sampled.edges {
            assert!(
                graph.neighbours(sampled.nodes[from]).contains(&sampled.nodes[to]),
                "{from} to {to}"
            );
        }
        let mut distinct = sampled.nodes.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), sampled.nodes.len());
        assert_eq!(sampled, graph.sample(&[7, 150], &FAN_OUT, &mut Pcg64::seed_from_u64(1)));
    }

    #[test]
    fn gathering_marks_each_drawn_edge_and_copies_the_features_in_order() {
        let graph = Graph::generate(50, 3, 5);
        let neighbourhood = Neighbourhood { nodes: vec![4, 9], edges: vec![(0, 1), (0, 1)] };
        let gathered = graph.gather(&neighbourhood);
        assert_eq!(gathered.adjacency, [0.0, 1.0, 0.0, 0.0]);
        assert_eq!(gathered.features, [graph.features(4), graph.features(9)].concat());
    }
}
