//! The age of pictures and sound where they are seen and heard, through a relay that is none of
//! ours, beside ffmpeg on the same streams.

mod bench_delay;
mod bursts;
mod delay_report;
mod ffmpeg;
mod first_picture;
mod picture_ages;
mod plain_pipeline;
mod playback;
mod relay;
mod table;
mod test_stream;

pub(super) use bench_delay::{Options, run};
