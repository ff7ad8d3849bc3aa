//! Displays, as the kernel's DRM connectors tell of them.

use std::path::Path;

use serde::Serialize;

/// A DRM connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Display {
    /// The kernel's name: `card1-HDMI-A-1`.
    pub connector: String,
    pub connected: bool,
    /// `1920x1080`, the preferred one first; a size may come more than once.
    pub modes: Vec<String>,
}

pub(super) fn displays() -> Vec<Display> {
    in_folder(Path::new("/sys/class/drm"))
}

fn in_folder(folder: &Path) -> Vec<Display> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found: Vec<Display> = entries
        .flatten()
        .filter_map(|entry| {
            // Only connectors have a status; cards and render nodes have none.
            let status = std::fs::read_to_string(entry.path().join("status")).ok()?;
            let modes = std::fs::read_to_string(entry.path().join("modes")).unwrap_or_default();
            Some(Display {
                connector: entry.file_name().to_string_lossy().into_owned(),
                connected: status.trim() == "connected",
                modes: modes.lines().map(str::to_owned).collect(),
            })
        })
        .collect();
    found.sort_by(|a, b| a.connector.cmp(&b.connector));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_connectors_and_skips_the_rest() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, files) in [
            ("card1", &[][..]),
            (
                "card1-HDMI-A-2",
                &[("status", "disconnected\n"), ("modes", "")],
            ),
            (
                "card1-HDMI-A-1",
                &[
                    ("status", "connected\n"),
                    ("modes", "1920x1080\n1280x720\n"),
                ],
            ),
        ] {
            let path = folder.path().join(name);
            std::fs::create_dir(&path).expect("a folder");
            for (file, text) in files {
                std::fs::write(path.join(file), text).expect("a file");
            }
        }
        let found = in_folder(folder.path());
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].connector, "card1-HDMI-A-1");
        assert!(found[0].connected && !found[1].connected);
        assert_eq!(found[0].modes, ["1920x1080", "1280x720"]);
        assert_eq!(in_folder(&folder.path().join("none")), []);
    }
}
