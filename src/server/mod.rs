//! rtcroomd: the room server and what belongs to it.

pub mod relay;
