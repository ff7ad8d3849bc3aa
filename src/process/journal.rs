//! The log: to the systemd journal with its fields when a service runs, else to
//! standard error for a person.

use log::{LevelFilter, Log, Metadata, Record};
use systemd_journal_logger::JournalLog;

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
    let Ok(journal) = JournalLog::new() else {
        return false;
    };
    let started = log::set_boxed_logger(Box::new(Journal { journal, level })).is_ok();
    if started {
        log::set_max_level(level);
    }
    started
}

/// The journal for what [`start`] lets through: libraries write URLs and headers, secrets included,
/// at their lower levels.
struct Journal {
    journal: JournalLog,
    level: LevelFilter,
}

impl Log for Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= allowed(metadata.target(), self.level)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.journal.log(record);
        }
    }

    fn flush(&self) {
        self.journal.flush();
    }
}

/// The level from which on a module may write.
fn allowed(target: &str, level: LevelFilter) -> LevelFilter {
    let own = OWN.iter().any(|own| {
        let rest = target.strip_prefix(own);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    });
    if own {
        level
    } else {
        level.min(LevelFilter::Warn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_say_only_what_is_wrong() {
        use LevelFilter::{Error, Trace, Warn};
        for (target, level, expected) in [
            ("rtckiosk", Trace, Trace),
            ("rtcroomd", Trace, Trace),
            ("rtckiosk::room::link", Trace, Trace),
            ("rtckiosk_other", Trace, Warn),
            ("hyper::proto::h1", Trace, Warn),
            ("reqwest", Error, Error),
        ] {
            assert_eq!(allowed(target, level), expected, "{target}");
        }
    }
}
