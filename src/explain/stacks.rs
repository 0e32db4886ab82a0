//! Call stacks of both sides, with inlined functions as frames of their own.
//!
//! callgrind counts calls from one function to another, and not whole stacks. What a function costs
//! is divided among its callers in proportion to what their calls cost.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::frames::{FrameTable, FunctionKey};
use crate::decision::{SideCounts, StackNode};
use crate::measure::criterion::{CallProfile, CodeFunction, CodePlace, EdgeCost};
use crate::symbols::SourceFrame;
use crate::text::cut_text;

/// What is called deeper than this belongs to the frame at this depth. Readers of JSON refuse files
/// that are nested more deeply than about twice this.
const MAX_DEPTH: usize = 48;
/// Stacks with less than this share of a call belong to the frame that calls them.
const MIN_STACK_SHARE: f64 = 0.0005;
/// Maximum number of frames in an explanation. The smallest ones then belong to their callers.
const MAX_NODES: usize = 400;
/// Maximum length of a function's name in a stack, in bytes.
const MAX_NAME_BYTES: usize = 240;

/// The stacks of one side from one frame on. The outermost frame stands for no function.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct StackTree {
    /// Instructions of the function itself in this stack.
    own: f64,
    /// What it calls or inlines.
    callees: BTreeMap<FunctionKey, StackTree>,
}

/// Puts together the stacks of `profile` from its calls. `frames` has the functions at each
/// instruction.
pub(super) fn build_stacks(profile: &CallProfile, frames: &FrameTable) -> StackTree {
    let graph = CallGraph::new(profile);
    let least = MIN_STACK_SHARE * profile.count_instructions();
    let walk = StackWalk { graph: &graph, frames, least };
    let mut root = StackTree::default();
    for function in &graph.roots {
        walk.descend(function, 1.0, &mut StackSpot { tree: &mut root, top: None, depth: 0 });
    }
    // Frames before the first function that does anything are left out.
    while let Some(only) = root.find_idle_callee() {
        root = only;
    }
    root
}

/// Who calls whom, without the calls that close a circle.
struct CallGraph<'a> {
    own: HashMap<&'a CodeFunction, Vec<(&'a CodePlace, f64)>>,
    calls: HashMap<&'a CodeFunction, Vec<(&'a CodePlace, &'a CodeFunction, EdgeCost)>>,
    /// Instructions of all calls of a function that close no circle.
    incoming: HashMap<&'a CodeFunction, f64>,
    /// Calls of a function that is already on the way to the caller.
    circles: HashSet<(&'a CodeFunction, &'a CodeFunction)>,
    /// Functions that nothing calls, or that only what they call calls.
    roots: Vec<&'a CodeFunction>,
}

impl<'a> CallGraph<'a> {
    fn new(profile: &'a CallProfile) -> Self {
        let mut graph = Self {
            own: HashMap::new(),
            calls: HashMap::new(),
            incoming: HashMap::new(),
            circles: HashSet::new(),
            roots: Vec::new(),
        };
        for (place, own) in &profile.own {
            graph.own.entry(&place.function).or_default().push((place, *own));
        }
        let mut called = HashSet::new();
        for ((place, callee), cost) in &profile.calls {
            graph.calls.entry(&place.function).or_default().push((place, callee, *cost));
            if place.function != *callee {
                called.insert(callee);
            }
        }
        graph.find_circles(&called);
        for (caller, calls) in &graph.calls {
            for (_, callee, cost) in calls {
                if !graph.circles.contains(&(*caller, *callee)) {
                    *graph.incoming.entry(callee).or_default() += cost.instructions;
                }
            }
        }
        graph
    }

    /// Visits all functions, first those that are not `called`, and finds the roots and the calls
    /// that close a circle.
    fn find_circles(&mut self, called: &HashSet<&'a CodeFunction>) {
        let all: BTreeSet<&CodeFunction> =
            self.own.keys().chain(self.calls.keys()).copied().collect();
        let mut all: Vec<&CodeFunction> = all.into_iter().collect();
        all.sort_by_key(|function| called.contains(function));
        let mut visited = HashSet::new();
        for root in all {
            if !visited.insert(root) {
                continue;
            }
            self.roots.push(root);
            // The functions on the way, each with the number of its calls that were followed.
            let mut way = vec![(root, 0)];
            let mut on_way = HashSet::from([root]);
            while let Some((function, followed)) = way.last_mut() {
                let next = self.calls.get(function).and_then(|calls| calls.get(*followed));
                let Some((_, callee, _)) = next else {
                    on_way.remove(function);
                    way.pop();
                    continue;
                };
                *followed += 1;
                if on_way.contains(callee) {
                    self.circles.insert((*function, *callee));
                } else if visited.insert(callee) {
                    on_way.insert(callee);
                    way.push((callee, 0));
                }
            }
        }
    }
}

/// A place in the stacks that a function is called from.
struct StackSpot<'a> {
    tree: &'a mut StackTree,
    /// The function of the innermost frame; `None` outside of all.
    top: Option<FunctionKey>,
    depth: usize,
}

impl StackSpot<'_> {
    /// Returns the spot below the functions `at` an instruction, the innermost of which comes first.
    fn enter(&mut self, at: &[SourceFrame]) -> StackSpot<'_> {
        let mut tree = &mut *self.tree;
        let (mut top, mut depth) = (self.top.clone(), self.depth);
        for key in at.iter().rev().map(FunctionKey::from) {
            // A closure belongs to the function that has it.
            if depth < MAX_DEPTH && top.as_ref() != Some(&key) {
                tree = tree.callees.entry(key.clone()).or_default();
                depth += 1;
                top = Some(key);
            }
        }
        StackSpot { tree, top, depth }
    }
}

/// A walk from the roots of a call graph to everything that they call.
struct StackWalk<'a> {
    graph: &'a CallGraph<'a>,
    frames: &'a FrameTable,
    /// Instructions below which a call is not followed.
    least: f64,
}

impl StackWalk<'_> {
    /// Adds the part `share` of what `function` costs below `spot`, which calls it.
    fn descend(&self, function: &CodeFunction, share: f64, spot: &mut StackSpot<'_>) {
        for (place, own) in self.graph.own.get(function).into_iter().flatten() {
            spot.enter(&self.frames[*place]).tree.own += share * own;
        }
        for (place, callee, cost) in self.graph.calls.get(function).into_iter().flatten() {
            // The instructions of a circle are in the functions that it consists of.
            if cost.instructions <= 0.0 || self.graph.circles.contains(&(function, *callee)) {
                continue;
            }
            let all = self.graph.incoming.get(callee).copied().unwrap_or_default();
            let part = share * (cost.instructions / all).clamp(0.0, 1.0);
            let mut inner = spot.enter(&self.frames[*place]);
            if part * all < self.least || inner.depth >= MAX_DEPTH {
                inner.tree.own += part * all;
            } else {
                self.descend(callee, part, &mut inner);
            }
        }
    }
}

impl StackTree {
    /// Returns the tree of the only callee if neither this frame nor that one does anything itself.
    fn find_idle_callee(&mut self) -> Option<Self> {
        let mut callees = self.callees.values_mut();
        let (only, None) = (callees.next()?, callees.next()) else { return None };
        let is_idle = self.own <= 0.0 && only.own <= 0.0 && only.callees.len() == 1;
        is_idle.then(|| std::mem::take(only))
    }
}

/// The stacks of both sides from one frame on.
#[derive(Default)]
struct StackPair {
    own: SideCounts,
    callees: BTreeMap<String, StackPair>,
}

/// Sets the stacks of both sides against each other. `name` returns the name of a function in the
/// report.
pub(super) fn contrast_stacks(
    [baseline, candidate]: [&StackTree; 2],
    name: &dyn Fn(&FunctionKey) -> String,
) -> Vec<StackNode> {
    let mut pair = StackPair::default();
    pair.add(baseline, name, |own| &mut own.baseline);
    pair.add(candidate, name, |own| &mut own.candidate);
    let total = pair.sum();
    let mut least = MIN_STACK_SHARE * total.baseline.max(total.candidate);
    while pair.count() > MAX_NODES && least > 0.0 {
        least *= 2.0;
        pair.absorb_small(least);
    }
    pair.into_nodes()
}

impl StackPair {
    fn add(
        &mut self,
        tree: &StackTree,
        name: &dyn Fn(&FunctionKey) -> String,
        side: fn(&mut SideCounts) -> &mut f64,
    ) {
        *side(&mut self.own) += tree.own;
        for (key, callee) in &tree.callees {
            let callees = self.callees.entry(cut_text(&name(key), MAX_NAME_BYTES));
            callees.or_default().add(callee, name, side);
        }
    }

    /// Returns the instructions of this frame and of everything that it calls.
    fn sum(&self) -> SideCounts {
        self.callees.values().fold(self.own, |sum, callee| {
            let inner = callee.sum();
            SideCounts {
                baseline: sum.baseline + inner.baseline,
                candidate: sum.candidate + inner.candidate,
            }
        })
    }

    /// Returns the number of frames below this one.
    fn count(&self) -> usize {
        self.callees.values().map(|callee| 1 + callee.count()).sum()
    }

    /// Gives what has less than `least` instructions on both sides to the frame that calls it.
    fn absorb_small(&mut self, least: f64) {
        let own = &mut self.own;
        self.callees.retain(|_, callee| {
            let sum = callee.sum();
            let is_large = sum.baseline.max(sum.candidate) >= least;
            if is_large {
                callee.absorb_small(least);
            } else {
                own.baseline += sum.baseline;
                own.candidate += sum.candidate;
            }
            is_large
        });
    }

    fn into_nodes(self) -> Vec<StackNode> {
        let nodes = self.callees.into_iter().map(|(function, callee)| StackNode {
            function,
            own: callee.own,
            callees: callee.into_nodes(),
        });
        nodes.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn function(symbol: &str) -> CodeFunction {
        CodeFunction { object: Arc::from("/bench"), symbol: Arc::from(symbol) }
    }

    /// A profile whose instructions each have the named functions, the outermost first.
    #[derive(Default)]
    struct Scene {
        profile: CallProfile,
        frames: FrameTable,
    }

    impl Scene {
        fn place(&mut self, stack: &[&str]) -> CodePlace {
            let place =
                CodePlace { function: function(stack[0]), address: self.frames.len() as u64 };
            let frames = stack.iter().rev().map(|name| SourceFrame {
                function: (*name).to_owned(),
                arguments: String::new(),
                file: None,
                line: None,
            });
            self.frames.insert(place.clone(), frames.collect());
            place
        }

        fn run(&mut self, stack: &[&str], own: f64) {
            let place = self.place(stack);
            self.profile.own.insert(place, own);
        }

        fn call(&mut self, stack: &[&str], callee: &str, instructions: f64) {
            let place = self.place(stack);
            let cost = EdgeCost { calls: 1.0, instructions };
            self.profile.calls.insert((place, function(callee)), cost);
        }

        fn list(&self) -> Vec<(String, f64)> {
            let tree = build_stacks(&self.profile, &self.frames);
            let empty = StackTree::default();
            let nodes = contrast_stacks([&empty, &tree], &|key| key.path.clone());
            let mut lines = Vec::new();
            list_stacks(&nodes, "", &mut lines);
            lines
        }
    }

    fn list_stacks(nodes: &[StackNode], above: &str, lines: &mut Vec<(String, f64)>) {
        for node in nodes {
            let stack = format!("{above}{}", node.function);
            if node.own.candidate != 0.0 {
                lines.push((stack.clone(), node.own.candidate));
            }
            list_stacks(&node.callees, &format!("{stack};"), lines);
        }
    }

    #[track_caller]
    fn has_stacks(scene: &Scene, expected: &[(&str, f64)]) {
        let listed = scene.list();
        let listed: Vec<(&str, f64)> = listed.iter().map(|(at, own)| (&**at, *own)).collect();
        assert_eq!(listed, expected);
    }

    #[test]
    fn inlined_functions_are_frames_and_shared_ones_are_divided_by_what_their_calls_cost() {
        let mut scene = Scene::default();
        // Nothing but the call of `iter` happens in `main`.
        scene.call(&["main"], "iter", 1000.0);
        scene.run(&["iter"], 100.0);
        scene.run(&["iter", "inlined"], 100.0);
        scene.call(&["iter", "inlined"], "shared", 600.0);
        scene.call(&["iter"], "shared", 200.0);
        scene.run(&["shared"], 800.0);
        let expected = [
            ("iter", 100.0),
            ("iter;inlined", 100.0),
            ("iter;inlined;shared", 600.0),
            ("iter;shared", 200.0),
        ];
        has_stacks(&scene, &expected);
    }

    #[test]
    fn functions_that_call_each_other_have_their_instructions_once() {
        let mut scene = Scene::default();
        scene.run(&["main"], 10.0);
        scene.call(&["main"], "even", 90.0);
        scene.run(&["even"], 50.0);
        scene.call(&["even"], "odd", 80.0);
        scene.run(&["odd"], 40.0);
        scene.call(&["odd"], "even", 70.0);
        scene.call(&["odd"], "odd", 20.0);
        has_stacks(&scene, &[("main", 10.0), ("main;even", 50.0), ("main;even;odd", 40.0)]);
    }

    #[test]
    fn what_is_very_deep_or_very_small_belongs_to_its_caller() {
        let mut scene = Scene::default();
        let names: Vec<String> = (0..100).map(|depth| format!("f{depth}")).collect();
        for pair in names.windows(2) {
            scene.call(&[&pair[0]], &pair[1], 100.0);
        }
        scene.run(&["f0"], 900.0);
        scene.run(&["f99"], 100.0);
        let listed = scene.list();
        assert!((listed[1].1 - 100.0).abs() < 1e-9, "{listed:?}");
        assert_eq!(listed[1].0.split(';').count(), MAX_DEPTH);
        // More small functions than can be shown.
        let mut scene = Scene::default();
        for callee in 0..2000_u32 {
            let name = format!("g{callee}");
            scene.call(&["main"], &name, f64::from(callee));
            scene.run(&[&name], f64::from(callee));
        }
        let listed = scene.list();
        assert!(listed.len() <= MAX_NODES, "{}", listed.len());
        let sum: f64 = listed.iter().map(|(_, own)| own).sum();
        assert!((sum - 1_999_000.0).abs() < 1.0, "{sum}");
    }
}
