//! The output of a process: split into lines, and the end of it kept to be shown.

use std::collections::VecDeque;

use crate::text::replace_invisible;

/// Bytes kept from the end of a process's output.
pub(super) const MAX_KEPT_OUTPUT_BYTES: usize = 16 * 1024;
/// Longest line in bytes; the rest of a longer line is dropped.
const MAX_LINE_BYTES: usize = 64 << 20;

/// The stream that a line was printed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line that a process printed, without the newline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutputLine<'a> {
    /// The stream that the line was printed to.
    pub(crate) stream: OutputStream,
    /// The printed bytes, which may not be UTF-8.
    pub(crate) bytes: &'a [u8],
    /// Id of the process that was started; a process that it started may have printed the line.
    pub(crate) process: u32,
}

/// Splits the output of a process into lines and keeps the end of it.
pub(super) struct LineSplitter<F> {
    process: u32,
    on_line: F,
    unfinished: [Vec<u8>; 2],
    kept: VecDeque<u8>,
}

impl<F: FnMut(OutputLine<'_>) -> bool> LineSplitter<F> {
    /// Creates a splitter for the output of `process`. `on_line` receives every line and returns
    /// true if it should be kept.
    pub(super) fn new(process: u32, on_line: F) -> Self {
        Self { process, on_line, unfinished: [Vec::new(), Vec::new()], kept: VecDeque::new() }
    }

    /// Adds bytes that were read from `stream`, and reports the lines that they complete.
    pub(super) fn push_bytes(&mut self, stream: OutputStream, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let unfinished = &mut self.unfinished[stream as usize];
            let room = MAX_LINE_BYTES.saturating_sub(unfinished.len());
            unfinished.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                let mut line = std::mem::take(unfinished);
                line.pop_if(|byte| *byte == b'\n');
                self.end_line(stream, &line);
            }
        }
    }

    fn end_line(&mut self, stream: OutputStream, bytes: &[u8]) {
        if (self.on_line)(OutputLine { stream, bytes, process: self.process }) {
            self.kept.extend(&bytes[bytes.len().saturating_sub(MAX_KEPT_OUTPUT_BYTES)..]);
            self.kept.push_back(b'\n');
            self.kept.drain(..self.kept.len().saturating_sub(MAX_KEPT_OUTPUT_BYTES));
        }
    }

    /// Reports the lines that have no newline at their end, and returns the end of the kept output.
    /// Invisible characters are replaced so that it is safe to show.
    pub(super) fn into_kept_output(mut self) -> String {
        for stream in [OutputStream::Stdout, OutputStream::Stderr] {
            let rest = std::mem::take(&mut self.unfinished[stream as usize]);
            if !rest.is_empty() {
                self.end_line(stream, &rest);
            }
        }
        replace_invisible(String::from_utf8_lossy(self.kept.make_contiguous()).trim_end())
    }
}
