//! Benchmarks: the measurements behind the targets of docs/performance.md.

mod child;
mod command;
mod cost;
mod delay;
mod events;
mod load;
mod nginx;
mod outcome;
mod procfs;
mod spread;
mod temp_folder;

pub use command::{Bench, run};
