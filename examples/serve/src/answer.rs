//! Errors as answers.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An error that the client sees, in the form that clients of OpenAI's interface read.
pub(crate) struct ErrorAnswer {
    status: StatusCode,
    message: String,
}

impl ErrorAnswer {
    /// Creates the answer to a request that cannot be meant.
    pub(crate) fn new_invalid(message: &str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.to_owned() }
    }

    /// Creates the answer to a request that the service failed to serve.
    pub(crate) fn new_failed(error: impl std::fmt::Display) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, message: error.to_string() }
    }
}

impl IntoResponse for ErrorAnswer {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": { "message": self.message } }))).into_response()
    }
}
