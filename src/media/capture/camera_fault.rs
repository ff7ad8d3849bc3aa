//! Explains GStreamer's errors of a camera where its words do not.

use crate::media::error::MediaError;

/// The same error, with what it means where GStreamer's words do not tell.
pub(super) fn explain(error: MediaError) -> MediaError {
    let MediaError::Pipeline {
        element,
        message,
        debug,
    } = error
    else {
        return error;
    };
    let full = [
        "No space left on device",
        "Failed to allocate required memory",
    ];
    let hint = if full
        .iter()
        .any(|text| message.contains(text) || debug.contains(text))
    {
        " (a USB bus may have no bandwidth left for it beside another camera: try a smaller or a \
         compressed mode, or another port)"
    } else if message.contains("is busy") || debug.contains("Device or resource busy") {
        " (another program, or another camera of the configuration, uses it)"
    } else {
        ""
    };
    MediaError::Pipeline {
        element,
        message: message + hint,
        debug,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explains_what_gstreamer_does_not() {
        let explained = |message: &str, debug: &str| {
            let error = MediaError::Pipeline {
                element: "camera".to_owned(),
                message: message.to_owned(),
                debug: debug.to_owned(),
            };
            explain(error).to_string()
        };
        for (message, debug, hint) in [
            (
                "Could not start.",
                "VIDIOC_STREAMON: No space left on device",
                "USB bus",
            ),
            ("Failed to allocate required memory.", "", "USB bus"),
            ("Device '/dev/video0' is busy", "", "another program"),
            (
                "Could not start.",
                "S_FMT: Device or resource busy",
                "another program",
            ),
        ] {
            let text = explained(message, debug);
            assert!(text.starts_with(&format!("camera: {message} (")), "{text}");
            assert!(text.contains(hint), "{text}");
        }
        assert_eq!(explained("gone", "ENODEV"), "camera: gone");
    }
}
