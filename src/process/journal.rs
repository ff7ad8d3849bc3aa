//! The log: to the systemd journal with its fields when a service runs, else to
//! standard error for a person.

use log::LevelFilter;

/// The library and the programs of this package.
const OWN: [&str; 2] = ["rtckiosk", "rtcroomd"];

/// Starts logging for the whole process: everything of this program from `level` on, and of
/// its libraries only what is wrong. To be called once, before the first message.
pub fn start(level: LevelFilter) {
    if systemd_journal_logger::connected_to_journal() && to_journal(level) {
        return;
    }
    let mut logger = env_logger::Builder::new();
    logger
        .filter_level(level.min(LevelFilter::Warn))
        .format_timestamp_millis();
    for module in OWN {
        logger.filter_module(module, level);
    }
    let started = logger.try_init();
    if started.is_err() {
        log::debug!("logging was started already");
    }
}

fn to_journal(level: LevelFilter) -> bool {
    let journal = systemd_journal_logger::JournalLog::new();
    let started = journal.is_ok_and(|journal| journal.install().is_ok());
    if started {
        log::set_max_level(level);
    }
    started
}
