//! The user id that a room server made up for this kiosk, kept in the state directory. A kiosk
//! that comes back as itself takes its own old seat; under a new id it would find the room full
//! until the server has dropped its ghost, 20 s later.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tokio::sync::watch;

use crate::config::kiosk::{Credentials, is_user_id};
use crate::process::private_file;
use crate::room::RoomSnapshot;

/// The file in the state directory: the user id and a line end.
const FILE: &str = "user_id";

/// The credentials, with the id of the last time where the server would make up another one.
pub(super) fn with_known(credentials: Credentials, state_dir: &Path) -> Credentials {
    match credentials {
        Credentials::GetLoginInfo { user_id: None } => Credentials::GetLoginInfo {
            user_id: read(state_dir),
        },
        own => own,
    }
}

fn read(state_dir: &Path) -> Option<String> {
    let path = state_dir.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            if error.kind() != ErrorKind::NotFound {
                log::warn!(error:%; "{} cannot be read: a new user id is asked for", path.display());
            }
            return None;
        }
    };
    let user_id = text.trim_end();
    if is_user_id(user_id) {
        return Some(user_id.to_owned());
    }
    log::warn!(
        "{} holds no user id: a new one is asked for",
        path.display()
    );
    None
}

/// Waits for the login and keeps its user id.
pub(super) async fn keep(state_dir: PathBuf, mut room: watch::Receiver<RoomSnapshot>) {
    let logged_in = room.wait_for(|room| room.user_id.is_some()).await;
    let made_up = logged_in.ok().and_then(|room| room.user_id.clone());
    let Some(user_id) = made_up.filter(|id| is_user_id(id)) else {
        return;
    };
    let shown = state_dir.display().to_string();
    let written = tokio::task::spawn_blocking(move || write(&state_dir, &user_id)).await;
    match written {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log::warn!(error:%; "the user id cannot be kept in {shown}"),
        Err(error) => log::error!("keeping the user id ended badly: {error}"),
    }
}

fn write(state_dir: &Path, user_id: &str) -> io::Result<()> {
    private_file::write(&state_dir.join(FILE), &format!("{user_id}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_for(state_dir: &Path) -> Option<String> {
        match with_known(Credentials::GetLoginInfo { user_id: None }, state_dir) {
            Credentials::GetLoginInfo { user_id } => user_id,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_made_up_id_comes_back_and_rubbish_does_not() {
        let root = tempfile::tempdir().unwrap();
        let state_dir = root.path().join("state");
        assert_eq!(asked_for(&state_dir), None);
        let (sender, room) = watch::channel(RoomSnapshot::default());
        sender.send_modify(|room| room.user_id = Some("u-1".to_owned()));
        keep(state_dir.clone(), room).await;
        assert_eq!(asked_for(&state_dir).as_deref(), Some("u-1"));
        for rubbish in ["", "\n", "a b", "\u{1b}[2J", &"x".repeat(33)] {
            fs::write(state_dir.join(FILE), rubbish).unwrap();
            assert_eq!(asked_for(&state_dir), None, "{rubbish:?}");
        }
    }

    #[test]
    fn a_configured_id_is_not_replaced() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "kept").unwrap();
        let own = Credentials::GetLoginInfo {
            user_id: Some("own".to_owned()),
        };
        let Credentials::GetLoginInfo { user_id } = with_known(own, root.path()) else {
            panic!("the kind of credentials changed");
        };
        assert_eq!(user_id.as_deref(), Some("own"));
    }
}
