//! What the data say, what the gate decides, and the file that records both.
