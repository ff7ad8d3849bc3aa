//! The server's configuration, read as the kiosk's is: any text gives a valid configuration or
//! lines that point into it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtckiosk::config::ServerConfig;

fuzz_target!(|text: &str| {
    match ServerConfig::parse("rtcroomd.toml", text) {
        Ok(config) => drop(config.warnings()),
        Err(errors) => {
            assert!(!errors.problems().is_empty());
            for problem in errors.problems() {
                assert!(problem.line <= text.matches('\n').count() + 1);
                assert_eq!(problem.to_string().lines().count(), 1);
            }
        }
    }
});
