//! The configurations of both programs: any text gives a valid one, or lines that point into it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtckiosk::config::{ConfigErrors, KioskConfig, ServerConfig};

fuzz_target!(|text: &str| {
    check(text, ServerConfig::parse("rtcroomd.toml", text).map(|config| drop(config.warnings())));
    check(text, KioskConfig::parse("kiosk.toml", text).map(drop));
});

fn check(text: &str, read: Result<(), ConfigErrors>) {
    let Err(errors) = read else { return };
    assert!(!errors.problems().is_empty());
    for problem in errors.problems() {
        assert!(problem.line <= text.matches('\n').count() + 1);
        assert_eq!(problem.to_string().lines().count(), 1);
    }
}
