//! A load on a real `rtcroomd` on one core: thousands of members on the other cores, which send
//! heartbeats and hold polls over real connections.

mod baseline;
mod bench_load;
mod connection;
mod connection_plan;
mod load_report;
mod load_run;
mod member;
mod message_channel;
mod server_process;
mod tally;
mod usage;

pub(super) use bench_load::{Options, run};
