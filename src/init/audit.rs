//! Finds out what is wrong with the workflows of a repository that use perfgate.

use super::fault::WorkflowFault;
use super::workflow::{WorkflowFile, WorkflowJob, WorkflowStep};
use super::{OWN_VERSION, has_own_release};

/// Events whose jobs get a token that may write, although a stranger can start them.
const UNTRUSTED_TRIGGERS: [&str; 3] = ["pull_request_target", "workflow_run", "issue_comment"];

/// The permissions of a job that publishes an artifact: scope, level, and the line to add.
const PUBLISHING_NEEDS: [(&str, &str, &str); 3] = [
    ("actions", "read", "actions: read"),
    ("pull-requests", "write", "pull-requests: write"),
    ("statuses", "write", "statuses: write"),
];

/// Number of digits of a commit's hash.
const HASH_DIGITS: usize = 40;

/// What an audit of a repository found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WorkflowAudit {
    /// Paths of the workflows that use perfgate.
    pub(crate) audited: Vec<String>,
    /// The faults, each with the path of its file; the path is empty if no file is at fault.
    pub(crate) faults: Vec<(String, WorkflowFault)>,
}

/// Looks at the workflow files of a repository, each a path and its content.
pub(crate) fn audit_workflows(files: &[(String, String)]) -> WorkflowAudit {
    let mut audit = WorkflowAudit::default();
    let mut workflows = Vec::new();
    for (path, text) in files {
        match WorkflowFile::parse(path, text) {
            Ok(workflow) if list_own_steps(&workflow).next().is_some() => workflows.push(workflow),
            // A broken file that does not name perfgate is not perfgate's matter.
            Err(reason) if text.contains("perfgate") => {
                audit.faults.push((path.clone(), WorkflowFault::Unreadable(reason)));
            }
            Ok(_) | Err(_) => {}
        }
    }
    for workflow in &workflows {
        audit.audited.push(workflow.path.clone());
        let faults = find_faults(workflow, &workflows);
        audit.faults.extend(faults.into_iter().map(|fault| (workflow.path.clone(), fault)));
    }
    if workflows.is_empty() && audit.faults.is_empty() {
        audit.faults.push((String::new(), WorkflowFault::Unused));
    } else if !workflows.iter().any(is_recording) {
        audit.faults.push((String::new(), WorkflowFault::NoRecording));
    }
    audit
}

/// Returns the steps of all jobs that use perfgate, each with its job.
fn list_own_steps(
    workflow: &WorkflowFile,
) -> impl Iterator<Item = (WorkflowJob<'_>, WorkflowStep<'_>)> {
    let steps = workflow.list_jobs().flat_map(|job| job.list_steps().map(move |step| (job, step)));
    steps.filter(|(_, step)| step.find_own_version().is_some())
}

/// Returns whether the workflow records the runs of the default branch.
fn is_recording(workflow: &WorkflowFile) -> bool {
    let is_started = ["push", "schedule", "workflow_dispatch"]
        .iter()
        .any(|trigger| workflow.find_trigger(trigger).is_some());
    is_started
        && list_own_steps(workflow)
            .any(|(_, step)| step.is_measuring() && step.read_input("record") != "never")
}

/// Returns the faults of one workflow. `all` are the workflows that use perfgate.
fn find_faults(workflow: &WorkflowFile, all: &[WorkflowFile]) -> Vec<WorkflowFault> {
    let mut faults = Vec::new();
    let judges_pulls = workflow.find_trigger("pull_request").is_some();
    if list_own_steps(workflow).any(|(_, step)| step.is_measuring()) {
        let triggers = UNTRUSTED_TRIGGERS.into_iter();
        let untrusted = triggers.filter(|event| workflow.find_trigger(event).is_some());
        faults.extend(untrusted.map(WorkflowFault::UntrustedTrigger));
        if judges_pulls && workflow.find_trigger("merge_group").is_none() {
            faults.push(WorkflowFault::NoMergeGroup);
        }
        if judges_pulls && !is_published(workflow, all) {
            faults.push(WorkflowFault::NoPublishing);
        }
    }
    if workflow.concurrency_group().is_some_and(|group| group.contains("head_ref")) {
        faults.push(WorkflowFault::SharedConcurrency);
    }
    for job in workflow.list_jobs() {
        let own: Vec<_> =
            job.list_steps().filter(|step| step.find_own_version().is_some()).collect();
        if own.is_empty() {
            continue;
        }
        let judges_pulls = judges_pulls && !job.leaves_out_pulls();
        faults.extend(own.iter().flat_map(|step| find_version_faults(&job, step)));
        faults.extend(find_permission_faults(workflow, &job, judges_pulls));
        if own.iter().any(WorkflowStep::is_measuring) {
            faults.extend(find_measuring_faults(&job, judges_pulls));
        }
        faults.extend(own.iter().filter_map(|step| find_source_fault(workflow, step, all)));
    }
    faults
}

/// Returns whether what the workflow finds is published, by itself or by another workflow.
fn is_published(workflow: &WorkflowFile, all: &[WorkflowFile]) -> bool {
    let leaves_it = list_own_steps(workflow)
        .any(|(_, step)| step.is_measuring() && step.read_input("publish") == "false");
    let mut publishing = all.iter().flat_map(list_own_steps);
    !leaves_it || publishing.any(|(_, step)| !step.read_input("publish-artifact").is_empty())
}

/// Returns what is wrong with the version that the step uses and with how it is installed.
fn find_version_faults(job: &WorkflowJob<'_>, step: &WorkflowStep<'_>) -> Vec<WorkflowFault> {
    let mut faults = Vec::new();
    let version = step.find_own_version().unwrap_or_default();
    let installed = step.read_input("version");
    let is_other_action = !is_hash(version) && version != format!("v{OWN_VERSION}");
    if is_other_action || !(installed.is_empty() || installed == OWN_VERSION) {
        faults.push(WorkflowFault::OtherVersion(step.uses.to_owned()));
    }
    let method = step.read_input("install-method");
    if (method.is_empty() || method == "release") && !has_own_release() {
        faults.push(WorkflowFault::NoRelease(job.name.to_owned()));
    }
    faults
}

/// Returns what is wrong with the permissions of a job that uses perfgate, and with the other
/// actions that have them.
fn find_permission_faults(
    workflow: &WorkflowFile,
    job: &WorkflowJob<'_>,
    judges_pulls: bool,
) -> Vec<WorkflowFault> {
    let name = || job.name.to_owned();
    let Some(permissions) = workflow.find_permissions(job) else {
        return vec![WorkflowFault::NoPermissions(name())];
    };
    let mut faults = Vec::new();
    let is_measuring = job.list_steps().any(|step| step.is_measuring());
    if is_measuring && judges_pulls && permissions.allows("contents", "write") {
        faults.push(WorkflowFault::MayWrite(name()));
    }
    let is_publishing =
        job.list_steps().any(|step| !step.read_input("publish-artifact").is_empty());
    let is_recording = job.list_steps().any(|step| {
        step.is_pruning() || (step.is_measuring() && step.read_input("record") == "always")
    });
    let needs = PUBLISHING_NEEDS.into_iter().filter(|_| is_publishing);
    let needs = needs.chain(is_recording.then_some(("contents", "write", "contents: write")));
    let missing = needs.filter(|(scope, level, _)| !permissions.allows(scope, level));
    faults.extend(
        missing.map(|(_, _, permission)| WorkflowFault::NoPermission { job: name(), permission }),
    );
    if permissions.may_write() {
        let movable = job.list_steps().filter(|step| {
            let version = step.uses.split_once('@').map(|(_, version)| version);
            step.find_own_version().is_none() && version.is_some_and(|version| !is_hash(version))
        });
        faults.extend(movable.map(|step| WorkflowFault::NotPinned(step.uses.to_owned())));
    }
    faults
}

/// Returns what is wrong with the steps around a measurement.
fn find_measuring_faults(job: &WorkflowJob<'_>, judges_pulls: bool) -> Vec<WorkflowFault> {
    let mut faults = Vec::new();
    let mut checkouts = job.list_steps().filter(|step| is_action(step, "actions/checkout"));
    if checkouts.any(|step| step.read_input("fetch-depth") != "0") {
        faults.push(WorkflowFault::ShallowCheckout(job.name.to_owned()));
    }
    let mut uploads = job.list_steps().filter(|step| is_action(step, "actions/upload-artifact"));
    let runs_after_failure = |condition: &str| {
        ["always()", "failure()", "cancelled()"].iter().any(|word| condition.contains(word))
    };
    if judges_pulls && uploads.any(|step| !runs_after_failure(step.condition())) {
        faults.push(WorkflowFault::SkippedUpload(job.name.to_owned()));
    }
    faults
}

/// Returns what is wrong with the source of a step that publishes: the workflow that it waits for,
/// or the artifact.
fn find_source_fault(
    workflow: &WorkflowFile,
    step: &WorkflowStep<'_>,
    all: &[WorkflowFile],
) -> Option<WorkflowFault> {
    let artifact = step.read_input("publish-artifact");
    if artifact.is_empty() {
        return None;
    }
    let measuring: Vec<_> = all
        .iter()
        .filter(|other| {
            other.find_trigger("pull_request").is_some()
                && list_own_steps(other).any(|(_, step)| step.is_measuring())
        })
        .collect();
    let waits = workflow.find_trigger("workflow_run").map(|settings| &settings["workflows"]);
    let waits_for = |other: &WorkflowFile| {
        let names = waits.and_then(|names| names.as_array()).into_iter().flatten();
        names.chain(waits).any(|name| name == other.name())
    };
    let Some(measured) = measuring.iter().find(|other| waits_for(other)) else {
        return measuring.first().map(|other| WorkflowFault::OtherName(other.name().to_owned()));
    };
    let uploads = measured.list_jobs().flat_map(|job| job.list_steps());
    let mut uploads = uploads.filter(|step| is_action(step, "actions/upload-artifact"));
    let is_uploaded = uploads.any(|step| {
        // A name that an expression makes cannot be compared.
        let name = step.read_input("name");
        name == artifact || name.contains("${{")
    });
    (!is_uploaded && !artifact.contains("${{")).then_some(WorkflowFault::OtherArtifact(artifact))
}

fn is_action(step: &WorkflowStep<'_>, action: &str) -> bool {
    step.find_version(action).is_some()
}

fn is_hash(version: &str) -> bool {
    version.len() == HASH_DIGITS && version.bytes().all(|byte| byte.is_ascii_hexdigit())
}
