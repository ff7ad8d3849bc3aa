//! Being a good citizen of the machine: where the log goes.

pub mod journal;
