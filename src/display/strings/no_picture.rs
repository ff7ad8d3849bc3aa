//! Words of the picture that is sent while no camera works.

use super::catalog::text;
use super::key::Key;
use crate::config::kiosk::Language;

/// The picture's two lines. `camera` is the name of the only camera; `None` if there are more.
#[must_use]
pub fn no_picture(language: Language, camera: Option<&str>) -> [String; 2] {
    let away = match camera {
        Some(camera) => text(language, Key::CameraAway, &[("camera", camera)]),
        None => text(language, Key::CamerasAway, &[]),
    };
    [text(language, Key::NoPicture, &[]), away]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_camera_is_named_and_more_are_not() {
        let english = |camera| no_picture(Language::English, camera);
        assert_eq!(english(Some("main")), ["No picture", "camera main is away"]);
        assert_eq!(english(None), ["No picture", "all cameras are away"]);
        let chinese = no_picture(Language::Chinese, Some("main"));
        assert_eq!(chinese, ["无画面", "摄像头main未连接"]);
    }
}
