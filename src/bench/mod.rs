//! Benchmarks: the measurements behind the targets of docs/performance.md.

mod command;
mod cost;
mod delay;
mod events;
mod load;
mod tools;

pub use command::{Bench, run};
