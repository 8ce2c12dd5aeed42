//! A validator for execution traces, stricter than the reader.
//!
//! The reader refuses what it cannot make sense of. The [`Validator`] looks at the events that it
//! delivers and says where they contradict each other, or what any sound program does. It is for
//! tests of what writes or transforms traces, and for traces that look odd.
//!
//! It knows three degrees of offence, see [`Severity`]: what Go's own test validator objects to
//! (format specification, section 8.3), what no sound producer writes, and what is merely
//! unusual. Each check is a [`Rule`] of its own.
//!
//! It works from the public events alone and shares no code with the reader's ordering: so it also
//! checks the reader.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use exectrace_reader::Reader;
//! use exectrace_validate::{Severity, Validator};
//!
//! let mut reader = Reader::new(std::fs::File::open("app.trace")?)?;
//! let mut validator = Validator::new(reader.version());
//! while let Some(event) = reader.next_event()? {
//!     validator.check(&event);
//! }
//! let report = validator.finish();
//! if report.worst() >= Some(Severity::Strict) {
//!     print!("{report}");
//! }
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod alloc_free;
mod facts;
mod generation;
mod ranges;
mod report;
mod rule;
mod sched;
#[cfg(test)]
mod tests;
mod user;
mod validator;

pub use report::{Report, Violation};
pub use rule::{Rule, Severity};
pub use validator::Validator;
