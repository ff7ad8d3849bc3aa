//! The cost of a kiosk in a call: processor time beside bare GStreamer pipelines that do the same,
//! and memory over many calls.

mod bare;
mod bench_cost;
mod cpu;
mod kiosk_process;
mod memory;
mod setup;

pub(super) use bench_cost::{Options, run};
