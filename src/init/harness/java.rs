//! JMH in projects of Maven and Gradle.

use super::super::source_tree::{SourceTree, find_folder_of};
use super::{FoundHarness, HarnessLanguage, join_folder};

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
    let folder = join_folder(find_folder_of(path));
    let (jar, prepare) = if path.ends_with("pom.xml") {
        (
            format!("{folder}target/benchmarks.jar"),
            format!("mvn --quiet --file {path} -DskipTests package"),
        )
    } else {
        let gradle = if tree.has_file("gradlew") { "./gradlew" } else { "gradle" };
        let project = folder.trim_end_matches('/').replace('/', ":");
        let task =
            if project.is_empty() { "jmhJar".to_owned() } else { format!(":{project}:jmhJar") };
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
