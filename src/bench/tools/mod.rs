//! Tools of all benchmarks: child processes, the kernel's figures, spreads of times, and the end of
//! a measurement.

mod child;
mod nginx;
mod outcome;
mod procfs;
mod spread;
mod temp_folder;

pub(crate) use child::killed_with_us;
pub(crate) use nginx::Nginx;
pub(crate) use outcome::{print, print_and_keep, unless_stopped};
pub(crate) use procfs::{cpu_time, machine, open_files, resident_bytes, thread_times};
pub(crate) use spread::Spread;
pub(crate) use temp_folder::TempFolder;
