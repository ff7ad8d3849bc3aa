//! The commands of the message service and the paths that they are posted to.

/// Declares the commands with the path they are posted to.
macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident = $path:literal),* $(,)?) => {
        /// A command to the message service.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ImCommand { $($(#[$doc])* $name),* }

        impl ImCommand {
            /// Every command.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The path below the host, without a leading slash.
            #[must_use]
            pub const fn path(self) -> &'static str {
                match self { $(Self::$name => $path),* }
            }
        }
    };
}

commands! {
    Login = "v4/openim/login",
    /// Logs out every instance of the user.
    Logout = "v4/openim/logout",
    AuthKey = "v4/openim/authkey",
    GetLongPollingId = "v4/openim/getlongpollingid",
    LongPolling = "v4/openim/longpolling",
    /// Logs out this instance only.
    LongPollingLogout = "v4/openim/longpollinglogout",
    SendMsg = "v4/openim/sendmsg",
    GetMsg = "v4/openim/getmsg",
    MsgReaded = "v4/openim/msgreaded",
    PortraitGet = "v4/profile/portrait_get",
    PortraitSet = "v4/profile/portrait_set",
    WebReport = "v4/imopenstat/web_report",
    GetJoinedGroupList = "v4/group_open_http_svc/get_joined_group_list",
    ApplyJoinGroup = "v4/group_open_http_svc/apply_join_group",
    QuitGroup = "v4/group_open_http_svc/quit_group",
    SendGroupMsg = "v4/group_open_http_svc/send_group_msg",
    GroupMsgGet = "v4/group_open_http_svc/group_msg_get",
    ApplyJoinGroupAnonymous = "v1/group_open_http_noauth_svc/apply_join_group",
    QuitGroupAnonymous = "v1/group_open_http_noauth_svc/quit_group",
    /// Polls a big group, logged in or not.
    BigGroupPoll = "v1/group_open_long_polling_http_noauth_svc/get_msg",
}

impl ImCommand {
    /// Finds the command at a path, without a leading slash.
    #[must_use]
    pub fn from_path(path: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|c| c.path() == path)
    }
}

impl std::fmt::Display for ImCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path();
        f.write_str(path.rsplit('/').next().unwrap_or(path))
    }
}
