//! Gives the instructions of one side to the functions and lines that they belong to.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::path::Path;

use super::frames::{FrameTable, FunctionKey, find_closure, resolve_frames};
use super::source::{SourceTexts, is_standard, name_file};
use super::stacks::{StackTree, build_stacks};
use crate::measure::criterion::{CallProfile, CodeFunction};
use crate::symbols::SourceFrame;

/// A source line of a function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LineKey {
    /// The function that contains the line.
    pub(super) function: FunctionKey,
    /// Name of the file.
    pub(super) file: String,
    /// Line in the file.
    pub(super) line: u32,
    /// Whether the file is in the repository, and not in a dependency.
    pub(super) is_in_repository: bool,
}

/// The counts of one function.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct FunctionCounts {
    /// Its own instructions, with those of the standard library on its behalf. For a function of the
    /// standard library, its own alone.
    pub(super) own: f64,
    /// Its instructions with those of everything that it calls.
    pub(super) inclusive: f64,
    /// Number of calls of its copies that are not inlined.
    pub(super) calls: f64,
    /// Whether a copy of it is inlined.
    pub(super) is_inlined: bool,
    /// Whether a copy of it is called.
    pub(super) is_called: bool,
}

/// The instructions of one call on one side, by function and by line.
#[derive(Clone, Debug, Default)]
pub(crate) struct AttributedCounts {
    /// Instructions of one call.
    pub(super) total: f64,
    /// The functions outside of the standard library.
    pub(super) functions: BTreeMap<FunctionKey, FunctionCounts>,
    /// The functions of the standard library and of libraries without line tables.
    pub(super) standard: BTreeMap<FunctionKey, FunctionCounts>,
    /// The lines outside of the standard library, with their instructions and their text.
    pub(super) lines: BTreeMap<LineKey, (f64, String)>,
    /// The call stacks with their instructions.
    pub(super) stacks: StackTree,
}

/// Gives the instructions of `profile` to functions and lines. `root` is the folder of the checkout
/// that the program was built from.
///
/// # Errors
///
/// Fails if the program or a library that it loads cannot be read.
pub(crate) fn attribute_profile(
    profile: &CallProfile,
    root: &Path,
    texts: &mut SourceTexts,
) -> io::Result<AttributedCounts> {
    let frames = resolve_frames(profile)?;
    Ok(attribute_frames(profile, &frames, root, texts))
}

fn attribute_frames(
    profile: &CallProfile,
    frames: &FrameTable,
    root: &Path,
    texts: &mut SourceTexts,
) -> AttributedCounts {
    let mut counts = AttributedCounts { total: profile.count_instructions(), ..Default::default() };
    let ledger = Ledger::new(profile, frames);
    for (place, own) in &profile.own {
        match find_owner(&frames[place]) {
            Some(owner) => counts.add_own(owner, *own, root, texts),
            None => counts.add_standard(&frames[place][0], *own),
        }
    }
    // What the standard library does belongs to the instruction that called it.
    let mut shares = HashMap::new();
    for ((place, callee), cost) in &profile.calls {
        if let Some(owner) = find_owner(&frames[place]) {
            let share = ledger.compute_call_share(callee, cost.instructions, cost.calls);
            let on_behalf = share * ledger.sum_standard(callee, &mut shares, &mut HashSet::new());
            counts.add_own(owner, on_behalf, root, texts);
        }
    }
    counts.add_inclusive(profile, frames);
    counts.add_calls(profile, frames);
    counts.stacks = build_stacks(profile, frames);
    counts
}

/// Returns the innermost function at an instruction that does not belong to the standard library.
fn find_owner(frames: &[SourceFrame]) -> Option<&SourceFrame> {
    frames.iter().find(|frame| !is_standard(frame))
}

impl AttributedCounts {
    fn add_own(&mut self, owner: &SourceFrame, own: f64, root: &Path, texts: &mut SourceTexts) {
        let function = FunctionKey::from(owner);
        self.functions.entry(function.clone()).or_default().own += own;
        if let (Some(path), Some(line)) = (&owner.file, owner.line.filter(|line| *line > 0)) {
            let is_in_repository = Path::new(path).starts_with(root);
            let key = LineKey { function, file: name_file(path, root), line, is_in_repository };
            let entry = self.lines.entry(key).or_insert_with(|| (0.0, texts.read_line(path, line)));
            entry.0 += own;
        }
    }

    fn add_standard(&mut self, frame: &SourceFrame, own: f64) {
        self.standard.entry(frame.into()).or_default().own += own;
    }

    fn find_counts(&mut self, key: &FunctionKey) -> Option<&mut FunctionCounts> {
        if self.functions.contains_key(key) {
            return self.functions.get_mut(key);
        }
        self.standard.get_mut(key)
    }

    /// Adds to each function what its instructions and everything that they call cost.
    fn add_inclusive(&mut self, profile: &CallProfile, frames: &FrameTable) {
        let own = profile.own.iter().map(|(place, own)| (place, *own));
        let called = profile.calls.iter().filter_map(|((place, callee), cost)| {
            // The instructions of a recursive call are already those of the function.
            (place.function != *callee).then_some((place, cost.instructions))
        });
        for (place, instructions) in own.chain(called) {
            let keys: BTreeSet<FunctionKey> = frames[place].iter().map(FunctionKey::from).collect();
            for key in keys {
                if let Some(counts) = self.find_counts(&key) {
                    counts.inclusive += instructions;
                }
            }
        }
        // Functions that call each other are counted more than once.
        let total = self.total;
        for counts in self.functions.values_mut().chain(self.standard.values_mut()) {
            counts.inclusive = counts.inclusive.min(total).max(counts.own.min(total));
        }
    }

    /// Adds how often each function is called, and whether it is inlined.
    fn add_calls(&mut self, profile: &CallProfile, frames: &FrameTable) {
        let mut outermost: HashMap<&CodeFunction, FunctionKey> = HashMap::new();
        for place in profile.own.keys() {
            let at = &frames[place];
            let Some(outer) = at.last() else { continue };
            let outer_key = FunctionKey::from(outer);
            for inlined in at.iter().rev().skip(1).map(FunctionKey::from) {
                // The closures of a function are inlined into it and do not make it inlined.
                if inlined.path != outer_key.path
                    && let Some(counts) = self.find_counts(&inlined)
                {
                    counts.is_inlined = true;
                }
            }
            if find_closure(&outer.function).is_none() {
                outermost.entry(&place.function).or_insert(outer_key);
            }
        }
        let mut called: HashMap<&CodeFunction, f64> = HashMap::new();
        for ((_, callee), cost) in &profile.calls {
            *called.entry(callee).or_default() += cost.calls;
        }
        for (function, key) in outermost {
            if let Some(counts) = self.find_counts(&key) {
                counts.is_called = true;
                counts.calls += called.get(function).copied().unwrap_or_default();
            }
        }
    }
}

/// What the standard library costs in each function, and who called it.
struct Ledger<'a> {
    /// Instructions without an owner, by the function of the symbol.
    own: HashMap<&'a CodeFunction, f64>,
    /// Calls from instructions without an owner, by the function that makes them.
    calls: HashMap<&'a CodeFunction, Vec<(&'a CodeFunction, f64, f64)>>,
    /// Instructions and number of all calls of each function.
    incoming: HashMap<&'a CodeFunction, (f64, f64)>,
}

impl<'a> Ledger<'a> {
    fn new(profile: &'a CallProfile, frames: &FrameTable) -> Self {
        let mut ledger =
            Self { own: HashMap::new(), calls: HashMap::new(), incoming: HashMap::new() };
        for (place, own) in &profile.own {
            if find_owner(&frames[place]).is_none() {
                *ledger.own.entry(&place.function).or_default() += own;
            }
        }
        for ((place, callee), cost) in &profile.calls {
            // A recursive call works for whoever made the first one.
            if place.function == *callee {
                continue;
            }
            let sum = ledger.incoming.entry(callee).or_default();
            sum.0 += cost.instructions;
            sum.1 += cost.calls;
            if find_owner(&frames[place]).is_none() {
                let edge = (callee, cost.instructions, cost.calls);
                ledger.calls.entry(&place.function).or_default().push(edge);
            }
        }
        ledger
    }

    /// Returns which share of the instructions of `callee` these calls cause.
    fn compute_call_share(&self, callee: &CodeFunction, instructions: f64, calls: f64) -> f64 {
        match self.incoming.get(callee) {
            Some((all, _)) if *all > 0.0 => (instructions / all).clamp(0.0, 1.0),
            Some((_, all)) if *all > 0.0 => (calls / all).clamp(0.0, 1.0),
            _ => 0.0,
        }
    }

    /// Returns the instructions without an owner in `function` and in what it calls. `open` holds
    /// the functions that the sum is being computed for, so that recursion ends.
    fn sum_standard(
        &self,
        function: &'a CodeFunction,
        known: &mut HashMap<&'a CodeFunction, f64>,
        open: &mut HashSet<&'a CodeFunction>,
    ) -> f64 {
        if let Some(sum) = known.get(function) {
            return *sum;
        }
        if !open.insert(function) {
            return 0.0;
        }
        let mut sum = self.own.get(function).copied().unwrap_or_default();
        for &(callee, instructions, calls) in self.calls.get(function).into_iter().flatten() {
            let share = self.compute_call_share(callee, instructions, calls);
            sum += share * self.sum_standard(callee, known, open);
        }
        open.remove(function);
        known.insert(function, sum);
        sum
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::measure::criterion::{CodePlace, EdgeCost};

    fn function(symbol: &str) -> CodeFunction {
        CodeFunction { object: Arc::from("/bench"), symbol: Arc::from(symbol) }
    }

    fn frame(function: &str, file: Option<&str>, line: u32) -> SourceFrame {
        SourceFrame {
            function: function.to_owned(),
            arguments: String::new(),
            file: file.map(str::to_owned),
            line: Some(line),
        }
    }

    /// A profile with the chain of functions at each of its instructions.
    #[derive(Default)]
    struct Scene {
        profile: CallProfile,
        frames: FrameTable,
    }

    impl Scene {
        fn place(&mut self, symbol: &str, frames: &[SourceFrame]) -> CodePlace {
            let address = self.frames.len() as u64;
            let place = CodePlace { function: function(symbol), address };
            self.frames.insert(place.clone(), frames.to_vec());
            place
        }

        fn run(&mut self, symbol: &str, own: f64, frames: &[SourceFrame]) {
            let place = self.place(symbol, frames);
            self.profile.own.insert(place, own);
        }

        fn call(&mut self, symbol: &str, frames: &[SourceFrame], callee: &str, cost: [f64; 2]) {
            let place = self.place(symbol, frames);
            let cost = EdgeCost { calls: cost[0], instructions: cost[1] };
            self.profile.calls.insert((place, function(callee)), cost);
        }

        fn attribute(&self) -> AttributedCounts {
            let texts = &mut SourceTexts::default();
            attribute_frames(&self.profile, &self.frames, Path::new("/r"), texts)
        }
    }

    #[track_caller]
    fn assert_own(counts: &AttributedCounts, path: &str, own: f64) {
        let key = FunctionKey { path: path.to_owned(), arguments: String::new() };
        assert_eq!(counts.functions.get(&key).map(|counts| counts.own), Some(own), "{path}");
    }

    #[test]
    fn inlined_code_belongs_to_the_function_that_the_source_has_it_in() {
        let mut scene = Scene::default();
        let outer = frame("outer", Some("/r/a.rs"), 10);
        scene.run("outer", 5.0, std::slice::from_ref(&outer));
        scene.run("outer", 70.0, &[frame("small", Some("/r/a.rs"), 3), outer.clone()]);
        let add = frame("core::num::wrapping_add", Some("/rustc/1/core/num.rs"), 9);
        scene.run("outer", 20.0, &[add, frame("small", Some("/r/a.rs"), 4), outer]);
        let counts = scene.attribute();
        assert_own(&counts, "small", 90.0);
        assert_own(&counts, "outer", 5.0);
        let lines = counts.lines.iter().map(|(key, (own, _))| (&*key.file, key.line, *own));
        let expected = [("a.rs", 10, 5.0), ("a.rs", 3, 70.0), ("a.rs", 4, 20.0)];
        assert_eq!(lines.collect::<Vec<_>>(), expected);
        let small = FunctionKey { path: "small".to_owned(), arguments: String::new() };
        assert!(counts.functions[&small].is_inlined && !counts.functions[&small].is_called);
    }

    #[test]
    fn a_closure_is_a_part_of_its_function() {
        let key = |path: &str| FunctionKey::from(&frame(path, None, 0)).path;
        assert_eq!(key("known::more::{{closure}}::{{closure}}"), "known::more");
        assert_eq!(key("known::more::{closure#3}"), "known::more");
        let other = "core::ops::call::<known::more::{closure#0}>";
        assert_eq!(key(other), other);
        let mut scene = Scene::default();
        let more = frame("more", Some("/r/a.rs"), 1);
        scene.run("more", 30.0, &[frame("more::{{closure}}", Some("/r/a.rs"), 2), more.clone()]);
        scene.call("main", &[frame("main", Some("/r/a.rs"), 9)], "more", [4.0, 30.0]);
        let counts = scene.attribute();
        let more = &counts.functions[&FunctionKey::from(&more)];
        assert_eq!((more.own, more.calls, more.is_inlined), (30.0, 4.0, false));
    }

    #[test]
    fn the_allocator_works_for_its_callers_in_proportion() {
        // `a` allocates three times as often as `b`, through a function of the standard library.
        let mut scene = Scene::default();
        let grow = [frame("alloc::grow", Some("/rustc/1/alloc/vec.rs"), 9)];
        scene.run("malloc", 400.0, &[frame("malloc", None, 0)]);
        scene.run("grow", 40.0, &grow);
        scene.call("grow", &grow, "malloc", [4.0, 400.0]);
        scene.call("a", &[frame("a", Some("/r/a.rs"), 1)], "grow", [3.0, 330.0]);
        scene.call("b", &[frame("b", Some("/r/a.rs"), 2)], "grow", [1.0, 110.0]);
        let counts = scene.attribute();
        assert_own(&counts, "a", 330.0);
        assert_own(&counts, "b", 110.0);
        let standard = counts.standard.iter().map(|(key, counts)| (&*key.path, counts.own));
        assert_eq!(standard.collect::<Vec<_>>(), [("alloc::grow", 40.0), ("malloc", 400.0)]);
    }

    #[test]
    fn recursion_ends_and_is_not_counted_twice() {
        let mut scene = Scene::default();
        let walk = [frame("walk", Some("/r/a.rs"), 1)];
        scene.run("walk", 50.0, &walk);
        scene.call("walk", &walk, "walk", [9.0, 45.0]);
        let drop = [frame("core::drop", None, 0)];
        scene.run("drop", 30.0, &drop);
        scene.call("drop", &drop, "drop", [2.0, 20.0]);
        scene.call("walk", &walk, "drop", [1.0, 30.0]);
        let counts = scene.attribute();
        let key = FunctionKey { path: "walk".to_owned(), arguments: String::new() };
        assert!((counts.functions[&key].inclusive - 80.0).abs() < 1e-9);
        assert_own(&counts, "walk", 80.0);
    }
}
