//! The number of connections that the members may open, and the server's limits for them.

use anyhow::{Context, Result};

use crate::process::open_files;

/// Connections for everything but polls where open files are scarce: so few requests are under
/// way at once.
const FEW_CONNECTIONS: usize = 256;
/// Connections to the baseline: so many requests are never under way to it.
pub(super) const BASELINE_CONNECTIONS: usize = 64;
/// Connections that the server may still have to close.
const SPARE_CONNECTIONS: usize = 8;
/// Files that either process needs beside its connections.
const OTHER_FILES: usize = 64;

/// The uses of connections. Every member has one that holds the group's poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ConnectionPlan {
    /// Count of members, from the first on, that hold the ordinary poll too: all, where files
    /// suffice.
    pub(super) ordinary_polls: usize,
    /// Connections for everything else. A poll occupies a connection; what else a member says
    /// needs one for a moment only.
    pub(super) others: usize,
}

impl ConnectionPlan {
    /// Raises the limit of open files, which the server inherits, and plans with what is allowed.
    ///
    /// # Errors
    /// There are too few files for so many members.
    pub(super) fn of(members: usize) -> Result<Self> {
        let besides = OTHER_FILES + BASELINE_CONNECTIONS;
        let files = open_files::raise(besides + 3 * members);
        Self::of_files(members, files.saturating_sub(besides)).with_context(|| {
            format!("{members} members need more than the {files} files that may be open at once (ulimit -Hn)")
        })
    }

    fn of_files(members: usize, files: usize) -> Option<Self> {
        let spare = files.checked_sub(members)?;
        let few = FEW_CONNECTIONS.min(members);
        let others = members.min(spare.saturating_sub(members).max(few));
        let ordinary_polls = members.min(spare.checked_sub(others)?);
        Some(Self {
            ordinary_polls,
            others,
        })
    }
}

/// The server's configuration: free ports, and limits that leave room for all members with this
/// many connections.
pub(super) fn server_config(members: usize, polls: usize, others: usize) -> String {
    // Polls may take three quarters of all connections.
    let connections = (polls + others).max(4 * polls.div_ceil(3)) + SPARE_CONNECTIONS;
    format!(
        "log = \"warn\"
[http]
listen = \"127.0.0.1:0\"
max_connections = {connections}
[http.per_address]
per_second = 100000
[im]
polls_per_address = {connections}
[rooms]
max_rooms = {members}
[relay.embedded]
listen = \"127.0.0.1:0\"
max_connections = 2
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ServerConfig;

    #[test]
    fn the_server_accepts_its_configuration() {
        for (members, polls, others) in [
            (2, 4, 1),
            (3, 6, 3),
            (10_000, 20_000, 1),
            (10_000, 10_000, 10_000),
            (100_000, 200_000, 1),
        ] {
            let config =
                ServerConfig::parse("load", &server_config(members, polls, others)).unwrap();
            let connections = config.http.max_connections;
            assert!(connections >= polls + others);
            assert!(connections / 4 * 3 >= polls, "{members} members");
        }
    }

    #[test]
    fn files_go_to_polls_first() {
        let plan = |members, files| {
            ConnectionPlan::of_files(members, files).map(|plan| (plan.ordinary_polls, plan.others))
        };
        assert_eq!(plan(10, 30), Some((10, 10)));
        assert_eq!(plan(10, 1000), Some((10, 10)));
        assert_eq!(plan(10, 20), Some((0, 10)));
        assert_eq!(plan(10, 19), None);
        assert_eq!(plan(10_000, 20_000), Some((9744, 256)));
        assert_eq!(plan(10_000, 25_000), Some((10_000, 5000)));
    }
}
