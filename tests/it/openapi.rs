//! GitHub's own description of its API, with which every request must agree.

use serde_json::{Value, json};
use wiremock::Request;

use crate::github::root;

/// GitHub's description of its API, reduced to the operations that perfgate uses.
pub(crate) struct Spec(Value);

impl Spec {
    pub(crate) fn load() -> Self {
        let json = std::fs::read(root().join("fixtures/github/openapi.json")).unwrap();
        let mut spec: Value = serde_json::from_slice(&json).unwrap();
        allow_null(&mut spec);
        Self(spec)
    }

    pub(crate) fn check(&self, request: &Request, path: &str) -> Result<(), String> {
        let operation = self.operation(request.method.as_str(), path)?;
        self.check_query(operation, request)?;
        let schema = operation.pointer("/requestBody/content/application~1json/schema");
        let Some(schema) = schema.filter(|_| !request.body.is_empty()) else {
            let needs = operation.pointer("/requestBody/required") == Some(&json!(true));
            return if needs { Err("no body".to_owned()) } else { Ok(()) };
        };
        let body: Value =
            serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
        let schema = json!({ "components": self.0["components"], "allOf": [schema] });
        let validator = jsonschema::draft7::new(&schema).map_err(|error| error.to_string())?;
        let wrong: Vec<_> = validator.iter_errors(&body).map(|error| error.to_string()).collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }

    fn operation(&self, method: &str, path: &str) -> Result<&Value, String> {
        let parts: Vec<_> = path.split('/').collect();
        let fits = |template: &str| {
            let template: Vec<_> = template.split('/').collect();
            template.len() == parts.len()
                && template
                    .iter()
                    .zip(&parts)
                    .all(|(one, part)| one == part || (one.starts_with('{') && !part.is_empty()))
        };
        let mut paths =
            self.0["paths"].as_object().unwrap().iter().filter(|(template, _)| fits(template));
        let (template, operations) = paths.next().ok_or("GitHub has no such path")?;
        operations
            .get(method.to_lowercase())
            .ok_or(format!("GitHub has no {method} for {template}"))
    }

    fn check_query(&self, operation: &Value, request: &Request) -> Result<(), String> {
        let resolved = |parameter: &Value| match parameter["$ref"].as_str() {
            Some(reference) => self.0.pointer(reference.trim_start_matches('#')).unwrap().clone(),
            None => parameter.clone(),
        };
        let parameters = operation["parameters"].as_array().unwrap().iter().map(resolved);
        let known: Vec<_> = parameters
            .filter(|one| one["in"] == "query")
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect();
        let unknown =
            request.url.query_pairs().find(|(name, _)| !known.iter().any(|one| one == name));
        unknown.map_or(Ok(()), |(name, _)| Err(format!("GitHub knows no parameter {name}")))
    }
}

/// Translates `nullable: true` of `OpenAPI` 3.0 into JSON Schema.
fn allow_null(node: &mut Value) {
    match node {
        Value::Object(object) => {
            if let (Some(Value::Bool(true)), Some(Value::String(kind))) =
                (object.get("nullable"), object.get("type").cloned())
            {
                object.insert("type".to_owned(), json!([kind, "null"]));
            }
            object.values_mut().for_each(allow_null);
        }
        Value::Array(items) => items.iter_mut().for_each(allow_null),
        _ => {}
    }
}
