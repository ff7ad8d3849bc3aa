//! The self-test behind `rtckiosk check`: could a call be made now? It looks at the same
//! [`Plan`] that `rtckiosk run` starts from, and judges as the daemon would fare with it.

mod devices;
mod folder;
mod network;
mod secrets;
mod verdict;

use std::path::Path;

pub(super) use self::secrets::readable_by_others;
pub use self::verdict::{Check, SelfTest, Verdict};
use super::plan::Plan;

use crate::config::KioskConfig;

/// Runs the self-test with a valid configuration; takes up to 40 s where much is broken.
pub async fn self_test(file: &Path, config: &KioskConfig) -> SelfTest {
    let valid = format!("{} is valid", file.display());
    let mut checks = vec![Check::ok("config", valid)];
    let warnings = config.warnings().into_iter();
    checks.extend(warnings.map(|warning| Check::warning("config", warning)));
    let readable = readable_by_others(file, config).into_iter();
    checks.extend(readable.map(|warning| Check::warning("identity", warning)));
    checks.extend(secrets::check(config));
    match Plan::from(config) {
        Err(error) => checks.push(Check::failure("tls", error.to_string())),
        Ok(plan) => {
            checks.push(folder::runtime(&plan.runtime_dir).await);
            checks.extend(folder::state(&plan));
            checks.extend(devices::checks(&plan).await);
            checks.push(devices::screen(plan.display.clone()).await);
            checks.extend(network::checks(&plan).await);
        }
    }
    SelfTest::new(checks)
}
