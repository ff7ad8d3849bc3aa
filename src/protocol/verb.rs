//! Verbs of the room protocol and the room types they exist for.

/// The type of a room; each type has its own space of room ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub enum RoomType {
    /// Two members.
    #[serde(rename = "double_room")]
    Double,
    /// Four members.
    #[serde(rename = "multi_room")]
    Multi,
    /// One broadcaster with co-pushers and an audience.
    #[serde(rename = "live_room")]
    Live,
}

impl RoomType {
    pub const ALL: [Self; 3] = [Self::Double, Self::Multi, Self::Live];

    /// The path segment that names the type.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Double => "double_room",
            Self::Multi => "multi_room",
            Self::Live => "live_room",
        }
    }

    #[must_use]
    pub fn from_path(segment: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.path() == segment)
    }

    /// Number of members that the official servers admit, the creator included.
    #[must_use]
    pub const fn default_capacity(self) -> usize {
        match self {
            Self::Double => 2,
            Self::Multi | Self::Live => 4,
        }
    }
}

impl std::fmt::Display for RoomType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.path())
    }
}

/// A verb of a room server, under `/weapp/{type}/{verb}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    Login,
    Logout,
    GetPushUrl,
    GetRoomList,
    GetPushers,
    CreateRoom,
    DestroyRoom,
    AddPusher,
    DeletePusher,
    PusherHeartbeat,
    MergeStream,
    GetCustomInfo,
    SetCustomField,
    AddAudience,
    DeleteAudience,
    GetAudiences,
    /// Ours: asks for the room of an idle agent, which is then held for the caller.
    Call,
    /// Ours: a new userSig for the caller, whose own is half over.
    RenewUserSig,
}

impl Verb {
    pub const ALL: [Self; 18] = [
        Self::Login,
        Self::Logout,
        Self::GetPushUrl,
        Self::GetRoomList,
        Self::GetPushers,
        Self::CreateRoom,
        Self::DestroyRoom,
        Self::AddPusher,
        Self::DeletePusher,
        Self::PusherHeartbeat,
        Self::MergeStream,
        Self::GetCustomInfo,
        Self::SetCustomField,
        Self::AddAudience,
        Self::DeleteAudience,
        Self::GetAudiences,
        Self::Call,
        Self::RenewUserSig,
    ];

    /// The path segment that names the verb.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Logout => "logout",
            Self::GetPushUrl => "get_push_url",
            Self::GetRoomList => "get_room_list",
            Self::GetPushers => "get_pushers",
            Self::CreateRoom => "create_room",
            Self::DestroyRoom => "destroy_room",
            Self::AddPusher => "add_pusher",
            Self::DeletePusher => "delete_pusher",
            Self::PusherHeartbeat => "pusher_heartbeat",
            Self::MergeStream => "merge_stream",
            Self::GetCustomInfo => "get_custom_info",
            Self::SetCustomField => "set_custom_field",
            Self::AddAudience => "add_audience",
            Self::DeleteAudience => "delete_audience",
            Self::GetAudiences => "get_audiences",
            Self::Call => "call",
            Self::RenewUserSig => "renew_user_sig",
        }
    }

    #[must_use]
    pub fn from_path(segment: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.path() == segment)
    }

    /// Whether rooms of this type know the verb.
    #[must_use]
    pub const fn exists_for(self, kind: RoomType) -> bool {
        match self {
            Self::MergeStream
            | Self::GetCustomInfo
            | Self::SetCustomField
            | Self::AddAudience
            | Self::DeleteAudience
            | Self::GetAudiences => matches!(kind, RoomType::Live),
            Self::Call => matches!(kind, RoomType::Double | RoomType::Multi),
            _ => true,
        }
    }
}

impl std::fmt::Display for Verb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_map_both_ways() {
        for verb in Verb::ALL {
            assert_eq!(Verb::from_path(verb.path()), Some(verb));
        }
        for kind in RoomType::ALL {
            assert_eq!(RoomType::from_path(kind.path()), Some(kind));
        }
        assert_eq!(Verb::from_path("merge"), None);
    }

    #[test]
    fn only_live_rooms_have_an_audience() {
        let only_live: Vec<_> = Verb::ALL
            .into_iter()
            .filter(|verb| !verb.exists_for(RoomType::Double))
            .map(Verb::path)
            .collect();
        assert_eq!(
            only_live,
            [
                "merge_stream",
                "get_custom_info",
                "set_custom_field",
                "add_audience",
                "delete_audience",
                "get_audiences"
            ]
        );
    }
}
