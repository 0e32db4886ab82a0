//! Everything a reader may see, as one typed value.
