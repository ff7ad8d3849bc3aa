//! The part of the self-test that looks at the daemon's own folders.

use std::path::Path;

use rustix::fs::{Access, access};
use tokio::net::UnixStream;

use super::verdict::Check;
use crate::appliance::control;
use crate::appliance::plan::Plan;
use crate::config::kiosk::Credentials;

/// Longest path of a Unix socket in bytes, without the zero at its end (unix(7)).
const SOCKET_PATH: usize = 107;

/// The runtime directory: whether the control socket can be made in it.
pub(super) async fn runtime(folder: &Path) -> Check {
    const NAME: &str = "runtime directory";
    let socket = control::socket(folder);
    let length = socket.as_os_str().len();
    if length > SOCKET_PATH {
        let path = socket.display();
        return Check::failure(
            NAME,
            format!("{path} is {length} bytes long, a socket's path at most {SOCKET_PATH}"),
        );
    }
    if UnixStream::connect(&socket).await.is_ok() {
        return Check::ok(NAME, "a daemon runs already and has the devices");
    }
    Check::needed(NAME, writable(folder))
}

/// The state directory, where the server makes up the user id; without it a new one each time.
pub(super) fn state(plan: &Plan) -> Option<Check> {
    const NAME: &str = "state directory";
    let made_up = matches!(
        plan.credentials,
        Credentials::GetLoginInfo { user_id: None }
    );
    let folder = plan.state_dir.as_deref().filter(|_| made_up)?;
    Some(match writable(folder) {
        Ok(detail) => Check::ok(NAME, detail),
        Err(reason) => Check::warning(NAME, format!("{reason}: the user id will not be kept")),
    })
}

fn writable(folder: &Path) -> Result<String, String> {
    let shown = folder.display();
    match nearest(folder) {
        Some(found) if !found.is_dir() => Err(format!("{} is no directory", found.display())),
        Some(found) if access(found, Access::WRITE_OK | Access::EXEC_OK).is_err() => {
            Err(format!("{} cannot be written to", found.display()))
        }
        Some(found) if found == folder => Ok(format!("{shown} can be written to")),
        _ => Ok(format!("{shown} will be made")),
    }
}

/// The folder itself, or the part of its path that exists.
fn nearest(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|path| path.exists())
}

#[cfg(test)]
mod tests {
    use super::super::verdict::Verdict;
    use super::*;

    #[tokio::test]
    async fn a_folder_is_judged_without_being_made() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        std::fs::write(&file, "").unwrap();
        let (missing, long) = (root.path().join("a/b"), root.path().join("x".repeat(100)));
        for (folder, verdict, detail) in [
            (root.path(), Verdict::Ok, "can be written to"),
            (&missing, Verdict::Ok, "will be made"),
            (&file, Verdict::Failure, "is no directory"),
            (&file.join("a"), Verdict::Failure, "is no directory"),
            (&long, Verdict::Failure, "a socket's path at most 107"),
        ] {
            let check = runtime(folder).await;
            assert_eq!(check.verdict, verdict, "{check:?}");
            assert!(check.detail.ends_with(detail), "{check:?}");
        }
        assert!(!missing.exists());
    }
}
