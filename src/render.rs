//! Places words: a `Report` as text, Markdown, HTML, JSON, CSV or JUnit. Decides nothing.
