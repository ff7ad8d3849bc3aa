//! Keys of the string files. The compiler finds a key that nothing uses, and a test one that a
//! file lacks.

macro_rules! keys {
    ($($key:ident = $name:literal),+ $(,)?) => {
        /// A text of the string files.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Key {
            $($key),+
        }

        impl Key {
            #[cfg(test)]
            pub(super) const ALL: &[Self] = &[$(Self::$key),+];

            /// The key as it stands in the files.
            pub(super) const fn name(self) -> &'static str {
                match self {
                    $(Self::$key => $name),+
                }
            }
        }
    };
}

keys! {
    Starting = "starting",
    OutOfService = "out_of_service",
    Attract = "attract",
    Queueing = "queueing",
    ConnectingPreparing = "connecting.preparing",
    ConnectingPushing = "connecting.pushing",
    ConnectingEntering = "connecting.entering",
    Call = "call",
    CallMuted = "call.muted",
    CallWaiting = "call.waiting",
    CallDisturbed = "call.disturbed",
    CallNoPicture = "call.no_picture",
    CallNoSound = "call.no_sound",
    CallOwnMicrophone = "call.own_microphone",
    CallOwnSpeaker = "call.own_speaker",
    CallOtherMicrophone = "call.other_microphone",
    CallOtherSpeaker = "call.other_speaker",
    MoreNames = "call.more_names",
    Message = "call.message",
    EndedHungUp = "ended.hung_up",
    EndedPeerLeft = "ended.peer_left",
    EndedNobodyAnswered = "ended.nobody_answered",
    EndedRoomClosed = "ended.room_closed",
    EndedRemoved = "ended.removed",
    EndedFailed = "ended.failed",
    NoPicture = "no_picture",
    CameraAway = "no_picture.camera_away",
    CamerasAway = "no_picture.cameras_away",
}
