//! A GitHub workflow, as far as an audit of it looks: what starts it, its jobs, and their steps.

use serde_json::{Map, Value};

use super::ACTION_REPOSITORY;

/// A workflow file that was read.
#[derive(Clone, Debug)]
pub(super) struct WorkflowFile {
    /// Path of the file, from the root of the repository.
    pub(super) path: String,
    document: Value,
}

/// A job of a workflow.
#[derive(Clone, Copy, Debug)]
pub(super) struct WorkflowJob<'a> {
    /// Key of the job.
    pub(super) name: &'a str,
    body: &'a Value,
}

/// A step of a job that uses an action.
#[derive(Clone, Copy, Debug)]
pub(super) struct WorkflowStep<'a> {
    /// The action: `owner/name@version`.
    pub(super) uses: &'a str,
    body: &'a Value,
}

impl WorkflowFile {
    /// Reads the workflow in `text`, the content of the file at `path`.
    ///
    /// Fails with the parser's message if `text` is not a YAML document with jobs.
    pub(super) fn parse(path: &str, text: &str) -> Result<Self, String> {
        let document: Value =
            serde_saphyr::from_str(text).map_err(|error| error.without_snippet().to_string())?;
        if !document["jobs"].is_object() {
            return Err("it has no `jobs`".to_owned());
        }
        Ok(Self { path: path.to_owned(), document })
    }

    /// Returns the name by which other workflows refer to this one.
    pub(super) fn name(&self) -> &str {
        self.document["name"].as_str().unwrap_or(&self.path)
    }

    /// Returns the settings of the event `name`, if it starts the workflow. They can be null.
    pub(super) fn find_trigger(&self, name: &str) -> Option<&Value> {
        // YAML 1.1 reads the key `on` as true.
        let on = self.document.get("on").or_else(|| self.document.get("true"))?;
        match on {
            Value::String(only) => (only == name).then_some(&Value::Null),
            Value::Array(names) => names.iter().any(|each| each == name).then_some(&Value::Null),
            other => other.get(name),
        }
    }

    /// Returns the group of the workflow's `concurrency`, if it has one.
    pub(super) fn concurrency_group(&self) -> Option<&str> {
        let concurrency = &self.document["concurrency"];
        concurrency.as_str().or_else(|| concurrency["group"].as_str())
    }

    /// Returns the jobs of the workflow.
    pub(super) fn list_jobs(&self) -> impl Iterator<Item = WorkflowJob<'_>> {
        let jobs = self.document["jobs"].as_object().into_iter().flatten();
        jobs.map(|(name, body)| WorkflowJob { name, body })
    }

    /// Returns the permissions of `job`: its own, else those of the workflow. `None` if neither
    /// names any, so that those of the repository's settings hold.
    pub(super) fn find_permissions<'a>(
        &'a self,
        job: &WorkflowJob<'a>,
    ) -> Option<JobPermissions<'a>> {
        let own = job.body.get("permissions");
        own.or_else(|| self.document.get("permissions")).map(JobPermissions)
    }
}

impl<'a> WorkflowJob<'a> {
    /// Returns whether the condition of the job names events and leaves out pull requests.
    pub(super) fn leaves_out_pulls(&self) -> bool {
        let condition = self.body["if"].as_str().unwrap_or_default();
        condition.contains("event_name ==") && !condition.contains("pull_request")
    }

    /// Returns the steps that use an action.
    pub(super) fn list_steps(&self) -> impl Iterator<Item = WorkflowStep<'a>> + use<'a> {
        let steps = self.body["steps"].as_array().into_iter().flatten();
        steps.filter_map(|body| Some(WorkflowStep { uses: body["uses"].as_str()?, body }))
    }
}

impl<'a> WorkflowStep<'a> {
    /// Returns the version if the step uses the action `owner/name`.
    pub(super) fn find_version(&self, action: &str) -> Option<&'a str> {
        let (used, version) = self.uses.split_once('@')?;
        used.eq_ignore_ascii_case(action).then_some(version)
    }

    /// Returns the version of perfgate's action if the step uses it.
    pub(super) fn find_own_version(&self) -> Option<&'a str> {
        self.find_version(ACTION_REPOSITORY.trim_start_matches("https://github.com/"))
    }

    /// Returns an input of the step as text; empty if it is not given.
    pub(super) fn read_input(&self, name: &str) -> String {
        match &self.body["with"][name] {
            Value::Null => String::new(),
            Value::String(text) => text.trim().to_owned(),
            other => other.to_string(),
        }
    }

    /// Returns the condition of the step; empty if it has none.
    pub(super) fn condition(&self) -> &'a str {
        self.body["if"].as_str().unwrap_or_default()
    }

    /// Returns whether the step measures, as opposed to publishing or pruning.
    pub(super) fn is_measuring(&self) -> bool {
        self.find_own_version().is_some()
            && self.read_input("publish-artifact").is_empty()
            && !self.is_pruning()
    }

    /// Returns whether the step thins out the stored baselines.
    pub(super) fn is_pruning(&self) -> bool {
        self.find_own_version().is_some() && self.read_input("prune") == "true"
    }
}

/// The `permissions` of a job.
#[derive(Clone, Copy, Debug)]
pub(super) struct JobPermissions<'a>(&'a Value);

impl JobPermissions<'_> {
    /// Returns whether the job may use `scope` at `level`, `read` or `write`.
    pub(super) fn allows(self, scope: &str, level: &str) -> bool {
        match self.0 {
            Value::String(all) => all == "write-all" || (all == "read-all" && level == "read"),
            Value::Object(scopes) => {
                let granted = read_level(scopes, scope);
                granted == "write" || granted == level
            }
            _ => false,
        }
    }

    /// Returns whether the job may write anything at all.
    pub(super) fn may_write(self) -> bool {
        match self.0 {
            Value::String(all) => all == "write-all",
            Value::Object(scopes) => scopes.values().any(|level| level == "write"),
            _ => false,
        }
    }
}

/// Returns the level of `scope`; empty if `scopes` does not name it.
fn read_level<'a>(scopes: &'a Map<String, Value>, scope: &str) -> &'a str {
    scopes.get(scope).and_then(Value::as_str).unwrap_or_default()
}
