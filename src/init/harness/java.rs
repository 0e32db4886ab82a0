//! JMH in projects of Maven and Gradle.

use super::super::source_tree::{SourceTree, find_folder_of};
use super::{FoundHarness, HarnessLanguage, join_folder};
use crate::measure::command::quote_words;

/// Arguments of JMH for one fork with short iterations, because perfgate starts it often.
const ARGUMENTS: &str = "-f 1 -wi 3 -w 200ms -i 5 -r 200ms -rf json -rff {out}";

/// Finds the build of a jar with JMH benchmarks.
pub(super) fn find_jmh(tree: &SourceTree) -> Option<FoundHarness> {
    let builds =
        tree.list_named(|name| ["pom.xml", "build.gradle", "build.gradle.kts"].contains(&name));
    let path = builds.into_iter().find(|path| {
        let text = tree.read_text(path);
        text.contains("jmh-core") || text.contains("me.champeau.jmh")
    })?;
    let folder = match join_folder(find_folder_of(path)) {
        root if root.is_empty() => root,
        folder => quote_words(&[folder]),
    };
    let (jar, prepare) = if path.ends_with("pom.xml") {
        (
            format!("{folder}target/benchmarks.jar"),
            format!("mvn --quiet --file {} -DskipTests package", quote_words(&[path.to_owned()])),
        )
    } else {
        let gradle = if tree.has_file("gradlew") { "./gradlew" } else { "gradle" };
        let task = match find_folder_of(path).replace('/', ":") {
            root if root.is_empty() => "jmhJar".to_owned(),
            project => quote_words(&[format!(":{project}:jmhJar")]),
        };
        (format!("{folder}build/libs/*-jmh.jar"), format!("{gradle} --quiet {task}"))
    };
    Some(FoundHarness {
        adapter: "jmh",
        language: HarnessLanguage::Java,
        evidence: path.to_owned(),
        command: format!("java -jar {jar} {ARGUMENTS}"),
        prepare,
        packages: Vec::new(),
        remarks: vec![format!("`{jar}` is where JMH's usual build puts its jar")],
    })
}
