//! `GraphSAGE`: a graph, the sampling and gathering of neighbourhoods in it, and the forward pass.
//!
//! Hamilton, Ying and Leskovec, "Inductive representation learning on large graphs" (2017).

use std::collections::HashMap;

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use crate::inference::session::{Input, Model, Options};
use crate::inference::{InferenceError, set_up_file};

/// Numbers that describe a node.
pub const FEATURES: usize = 978;

/// The trained numbers of the model; running statistics and constants are not among them.
pub const PARAMETERS: u64 = 2_452_647;

/// How many neighbours are drawn for each node, one number for each layer of the model.
pub const FAN_OUT: [usize; 3] = [5, 3, 2];

/// A directed graph, its nodes numbered from zero: where each node's neighbours begin, and all neighbours in a row.
pub struct Graph {
    starts: Vec<usize>,
    neighbours: Vec<u32>,
    features: Vec<f32>,
}

impl Graph {
    /// A graph whose nodes prefer neighbours that came early, so that few have many, as in call and import graphs.
    ///
    /// Every node has between one and twice `degree` neighbours; features are in −1 to 1.
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

    /// The neighbours of `node`; empty where there is no such node.
    pub fn neighbours(&self, node: u32) -> &[u32] {
        let node = node as usize;
        match self.starts.get(node..node + 2) {
            Some(&[start, end]) => &self.neighbours[start..end],
            _ => &[],
        }
    }

    /// What describes `node`.
    pub fn features(&self, node: u32) -> &[f32] {
        &self.features[node as usize * FEATURES..][..FEATURES]
    }

    /// Draws the neighbourhood of `roots`: from each node reached so far, `fan_out` neighbours with replacement, once
    /// for each layer. A node that is reached twice is one node.
    pub fn sample(&self, roots: &[u32], fan_out: &[usize], rng: &mut Pcg64) -> Neighbourhood {
        let mut reached = Neighbourhood { nodes: Vec::new(), edges: Vec::new() };
        let mut places = HashMap::new();
        let mut frontier =
            roots.iter().map(|&root| reached.place(root, &mut places)).collect::<Vec<_>>();
        for &wanted in fan_out {
            let mut next = Vec::with_capacity(frontier.len() * wanted);
            for from in frontier {
                let neighbours = self.neighbours(reached.nodes[from]);
                for _ in 0..wanted.min(neighbours.len()) {
                    let drawn = neighbours[rng.random_range(0..neighbours.len())];
                    let to = reached.place(drawn, &mut places);
                    reached.edges.push((from, to));
                    next.push(to);
                }
            }
            frontier = next;
        }
        reached
    }

    /// Copies out what the model needs to know of a neighbourhood.
    pub fn gather(&self, neighbourhood: &Neighbourhood) -> Gathered {
        let nodes = neighbourhood.nodes.len();
        let features =
            neighbourhood.nodes.iter().flat_map(|&node| self.features(node)).copied().collect();
        let mut adjacency = vec![0.0; nodes * nodes];
        for &(from, to) in &neighbourhood.edges {
            adjacency[from * nodes + to] = 1.0;
        }
        Gathered { features, adjacency }
    }
}

/// Some nodes of a graph, the roots first, and the edges that were drawn between them.
#[derive(Debug, PartialEq, Eq)]
pub struct Neighbourhood {
    /// The nodes' numbers in the graph.
    pub nodes: Vec<u32>,
    /// Edges as places in `nodes`, from and to; an edge that was drawn twice is there twice.
    pub edges: Vec<(usize, usize)>,
}

impl Neighbourhood {
    fn place(&mut self, node: u32, places: &mut HashMap<u32, usize>) -> usize {
        *places.entry(node).or_insert_with(|| {
            self.nodes.push(node);
            self.nodes.len() - 1
        })
    }
}

/// The model's inputs for a neighbourhood, row by row in the order of its nodes.
pub struct Gathered {
    /// [`FEATURES`] for each node.
    pub features: Vec<f32>,
    /// For each node one number for each node: 1 where an edge goes there, else 0.
    pub adjacency: Vec<f32>,
}

/// What the model says of the nodes it was asked about, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// 512 numbers for each node.
    pub code: Vec<f32>,
    /// One number for each node, between 0 and 1.
    pub confidence: Vec<f32>,
    /// 500 numbers for each node, between 0 and 1.
    pub imports: Vec<f32>,
    /// 50 numbers for each node, between 0 and 1.
    pub bugs: Vec<f32>,
}

/// The model, in one of its two forms.
pub struct GraphSage {
    model: Model,
}

impl GraphSage {
    /// The model that sees the features of each node alone.
    pub fn alone(options: &Options) -> Result<Self, InferenceError> {
        Ok(Self { model: Model::open(&set_up_file("models/graphsage.onnx")?, options)? })
    }

    /// The model that sees the neighbours of each node too.
    pub fn with_adjacency(options: &Options) -> Result<Self, InferenceError> {
        Ok(Self { model: Model::open(&set_up_file("models/graphsage_adjacency.onnx")?, options)? })
    }

    /// Predicts for every row of `features` by itself: the form made by [`GraphSage::alone`].
    pub fn predict(&mut self, features: &[f32]) -> Result<Prediction, InferenceError> {
        let nodes = features.len() / FEATURES;
        self.forward(&[("features", Input::F32(&[nodes, FEATURES], features))])
    }

    /// Predicts for every node of a neighbourhood: the form made by [`GraphSage::with_adjacency`].
    pub fn predict_gathered(&mut self, gathered: &Gathered) -> Result<Prediction, InferenceError> {
        let nodes = gathered.features.len() / FEATURES;
        self.forward(&[
            ("features", Input::F32(&[nodes, FEATURES], &gathered.features)),
            ("adjacency", Input::F32(&[nodes, nodes], &gathered.adjacency)),
        ])
    }

    fn forward(&mut self, inputs: &[(&str, Input<'_>)]) -> Result<Prediction, InferenceError> {
        let outputs = self.model.run(inputs)?;
        let head = |name| outputs.f32(name).map(|(_, values)| values.to_vec());
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
