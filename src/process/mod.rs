//! Ground floor: all that both programs need of their process. The log, standard output, memory,
//! open files, private files, and pauses before another try.

pub mod backoff;
pub mod journal;
pub mod memory;
pub mod open_files;
pub mod output;
pub mod private_file;
