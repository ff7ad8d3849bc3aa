//! Numbers of the events that pushers and players report, as in the headers of Tencent's SDKs.
//!
//! If the Windows and the mobile SDK give one number different meanings, that of Windows is
//! taken: the kiosk is a fixed device with pluggable cameras, as a PC is.

/// Declares an enum whose variants carry the SDK's number and name.
macro_rules! sdk_numbers {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal $sdk:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(i32)]
        pub enum $name { $($(#[$variant_doc])* $variant = $code),+ }

        impl $name {
            /// Every known event, in the order of the tables.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The SDK's number.
            #[must_use]
            pub const fn code(self) -> i32 {
                self as i32
            }

            /// The SDK's name, for which support staff search.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $sdk),+ }
            }

            /// The event with this number, if it is known.
            #[must_use]
            pub fn from_code(code: i32) -> Option<Self> {
                Self::ALL.iter().copied().find(|event| event.code() == code)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{} {}", self.code(), self.name())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_i32(self.code())
            }
        }
    };
}

sdk_numbers! {
    /// An event of a pusher (uplink).
    PushCode {
        /// Connection to the push server made.
        ConnectSucc = 1001 "PUSH_EVT_CONNECT_SUCC",
        /// Handshake done, media is being sent; again after each reconnect.
        PushBegin = 1002 "PUSH_EVT_PUSH_BEGIN",
        OpenCameraSucc = 1003 "PUSH_EVT_OPEN_CAMERA_SUCC",
        ScreenCaptureSucc = 1004 "PUSH_EVT_SCREEN_CAPTURE_SUCC",
        /// Rate control changed the picture size.
        ChangeResolution = 1005 "PUSH_EVT_CHANGE_RESOLUTION",
        /// Rate control changed the bitrate.
        ChangeBitrate = 1006 "PUSH_EVT_CHANGE_BITRATE",
        FirstFrameAvailable = 1007 "PUSH_EVT_FIRST_FRAME_AVAILABLE",
        StartVideoEncoder = 1008 "PUSH_EVT_START_VIDEO_ENCODER",
        CameraRemoved = 1009 "PUSH_EVT_CAMERA_REMOVED",
        CameraAvailable = 1010 "PUSH_EVT_CAMERA_AVAILABLE",
        CameraClosed = 1011 "PUSH_EVT_CAMERA_CLOSED",
        SnapshotResult = 1012 "PUSH_EVT_SNAPSHOT_RESULT",
        RoomIn = 1018 "PUSH_EVT_ROOM_IN",
        RoomOut = 1019 "PUSH_EVT_ROOM_OUT",
        RoomUserList = 1020 "PUSH_EVT_ROOM_USERLIST",
        RoomNeedReenter = 1021 "PUSH_EVT_ROOM_NEED_REENTER",
        /// The mini-program was suspended for too long; leave the room.
        HandupStop = 5000 "WARNING_HANDUP_STOP",
        OpenCameraFail = -1301 "PUSH_ERR_OPEN_CAMERA_FAIL",
        OpenMicFail = -1302 "PUSH_ERR_OPEN_MIC_FAIL",
        VideoEncodeFail = -1303 "PUSH_ERR_VIDEO_ENCODE_FAIL",
        AudioEncodeFail = -1304 "PUSH_ERR_AUDIO_ENCODE_FAIL",
        UnsupportedResolution = -1305 "PUSH_ERR_UNSUPPORTED_RESOLUTION",
        UnsupportedSampleRate = -1306 "PUSH_ERR_UNSUPPORTED_SAMPLERATE",
        /// Connection lost and the automatic reconnects failed.
        NetDisconnect = -1307 "PUSH_ERR_NET_DISCONNECT",
        CameraOccupy = -1308 "PUSH_ERR_CAMERA_OCCUPY",
        ScreenCaptureUnsupported = -1309 "PUSH_ERR_SCREEN_CAPTURE_UNSUPPORTED",
        /// Uplink too slow, queue grows.
        NetBusy = 1101 "PUSH_WARNING_NET_BUSY",
        /// Connection lost, automatic reconnect running.
        Reconnect = 1102 "PUSH_WARNING_RECONNECT",
        HwAccelerationFail = 1103 "PUSH_WARNING_HW_ACCELERATION_FAIL",
        VideoEncodeWarning = 1104 "PUSH_WARNING_VIDEO_ENCODE_FAIL",
        BeautySurfaceViewInitFail = 1105 "PUSH_WARNING_BEAUTYSURFACE_VIEW_INIT_FAIL",
        VideoEncodeBitrateOverflow = 1106 "PUSH_WARNING_VIDEO_ENCODE_BITRATE_OVERFLOW",
        VideoEncodeSwSwitchHw = 1107 "PUSH_WARNING_VIDEO_ENCODE_SW_SWITCH_HW",
        DnsFail = 3001 "PUSH_WARNING_DNS_FAIL",
        /// The SDK spells SEVER.
        ServerConnFail = 3002 "PUSH_WARNING_SEVER_CONN_FAIL",
        ShakeFail = 3003 "PUSH_WARNING_SHAKE_FAIL",
        /// The server closed: URL invalid, txSecret wrong or expired, or URL in use.
        ServerDisconnect = 3004 "PUSH_WARNING_SERVER_DISCONNECT",
        ServerNoData = 3005 "PUSH_WARNING_SERVER_NO_DATA",
        /// Periodic upload figures.
        NetStatus = 200_001 "NET_STATUS_UPLOAD",
    }
}

sdk_numbers! {
    /// An event of a player (downlink).
    PlayCode {
        ConnectSucc = 2001 "PLAY_EVT_CONNECT_SUCC",
        RtmpStreamBegin = 2002 "PLAY_EVT_RTMP_STREAM_BEGIN",
        RcvFirstIFrame = 2003 "PLAY_EVT_RCV_FIRST_I_FRAME",
        PlayBegin = 2004 "PLAY_EVT_PLAY_BEGIN",
        PlayProgress = 2005 "PLAY_EVT_PLAY_PROGRESS",
        PlayEnd = 2006 "PLAY_EVT_PLAY_END",
        /// Buffering; `PlayBegin` follows on recovery.
        PlayLoading = 2007 "PLAY_EVT_PLAY_LOADING",
        StartVideoDecoder = 2008 "PLAY_EVT_START_VIDEO_DECODER",
        /// The first two parameters are width and height.
        ChangeResolution = 2009 "PLAY_EVT_CHANGE_RESOLUTION",
        SnapshotResult = 2010 "PLAY_EVT_SNAPSHOT_RESULT",
        ChangeRotation = 2011 "PLAY_EVT_CHANGE_ROTATION",
        GetMessage = 2012 "PLAY_EVT_GET_MESSAGE",
        VodPlayPrepared = 2013 "PLAY_EVT_VOD_PLAY_PREPARED",
        VodLoadingEnd = 2014 "PLAY_EVT_VOD_LOADING_END",
        /// Connection lost and the automatic reconnects failed.
        NetDisconnect = -2301 "PLAY_ERR_NET_DISCONNECT",
        GetRtmpAccUrlFail = -2302 "PLAY_ERR_GET_RTMP_ACC_URL_FAIL",
        FileNotFound = -2303 "PLAY_ERR_FILE_NOT_FOUND",
        HevcDecodeFail = -2304 "PLAY_ERR_HEVC_DECODE_FAIL",
        HlsKey = -2305 "PLAY_ERR_HLS_KEY",
        GetPlayInfoFail = -2306 "PLAY_ERR_GET_PLAYINFO_FAIL",
        VideoDecodeFail = 2101 "PLAY_WARNING_VIDEO_DECODE_FAIL",
        AudioDecodeFail = 2102 "PLAY_WARNING_AUDIO_DECODE_FAIL",
        Reconnect = 2103 "PLAY_WARNING_RECONNECT",
        RecvDataLag = 2104 "PLAY_WARNING_RECV_DATA_LAG",
        /// Visible stall.
        VideoPlayLag = 2105 "PLAY_WARNING_VIDEO_PLAY_LAG",
        HwAccelerationFail = 2106 "PLAY_WARNING_HW_ACCELERATION_FAIL",
        VideoDiscontinuity = 2107 "PLAY_WARNING_VIDEO_DISCONTINUITY",
        FirstIdrHwDecodeFail = 2108 "PLAY_WARNING_FIRST_IDR_HW_DECODE_FAIL",
        DnsFail = 3001 "PLAY_WARNING_DNS_FAIL",
        /// The SDK spells SEVER.
        ServerConnFail = 3002 "PLAY_WARNING_SEVER_CONN_FAIL",
        ShakeFail = 3003 "PLAY_WARNING_SHAKE_FAIL",
        ServerDisconnect = 3004 "PLAY_WARNING_SERVER_DISCONNECT",
        /// Ours: whether picture and sound flow, as the first two parameters: 1, 0, or absent for
        /// a track that never came.
        TrackFlow = 2190 "PLAY_EVT_TRACK_FLOW",
        /// Periodic download figures.
        NetStatus = 200_002 "NET_STATUS_DOWNLOAD",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_sdks_and_unique() {
        assert_eq!(PushCode::PushBegin.code(), 1002);
        assert_eq!(
            PushCode::NetDisconnect.to_string(),
            "-1307 PUSH_ERR_NET_DISCONNECT"
        );
        assert_eq!(PlayCode::from_code(2009), Some(PlayCode::ChangeResolution));
        assert_eq!(PlayCode::from_code(1), None);
        for &event in PushCode::ALL {
            assert_eq!(PushCode::from_code(event.code()), Some(event));
        }
        for &event in PlayCode::ALL {
            assert_eq!(PlayCode::from_code(event.code()), Some(event));
        }
    }
}
