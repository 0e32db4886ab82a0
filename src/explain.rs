//! Where the added instructions of a slower benchmark are: the counts of both sides by function and
//! by source line.
//!
//! callgrind counts by address. The line tables of the program name the functions at an address, and
//! functions and lines are what two versions of a program have in common. This module knows no clock
//! and decides nothing: it explains a change that was found in times.

mod source;
mod frames;
mod stacks;
mod attribute;
mod contrast;

pub(crate) use self::attribute::{AttributedCounts, attribute_profile};
pub(crate) use self::contrast::{HiddenEvents, contrast_sides, explains_time};
pub(crate) use self::source::SourceTexts;
