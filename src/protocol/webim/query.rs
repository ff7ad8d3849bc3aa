//! The query of every request.

use url::form_urlencoded;

use super::constants::{VERSION, WEB_SDK_APP_ID};

/// The application that a user belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    pub sdk_app_id: u64,
    pub account_type: String,
}

/// The caller in the query.
#[derive(Clone, Copy)]
pub enum Caller<'a> {
    Anonymous,
    /// For `login` only.
    LoggingIn {
        identifier: &'a str,
        user_sig: &'a str,
    },
    /// With the answer to `login`.
    LoggedIn {
        tiny_id: &'a str,
        a2_key: &'a str,
    },
}

impl std::fmt::Debug for Caller<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Anonymous => f.write_str("Anonymous"),
            Self::LoggingIn { identifier, .. } => write!(f, "LoggingIn({identifier})"),
            Self::LoggedIn { tiny_id, .. } => write!(f, "LoggedIn({tiny_id})"),
        }
    }
}

/// Escapes a value. A userSig stays as it is: its alphabet needs no escaping.
fn escaped(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

/// A query as a server reads it; absent keys are empty.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RequestQuery {
    pub identifier: String,
    pub user_sig: String,
    pub tiny_id: String,
    pub a2_key: String,
    pub sdk_app_id: String,
    pub account_type: String,
}

impl RequestQuery {
    /// Composes the query, in the order of the official client. `now` is in unix seconds; `seq`
    /// counts the requests of a process from 1.
    #[must_use]
    pub fn compose(caller: Caller<'_>, app: &App, now: u64, seq: u64) -> String {
        let who = match caller {
            Caller::Anonymous => String::new(),
            Caller::LoggingIn {
                identifier,
                user_sig,
            } => format!(
                "&identifier={}&usersig={}&contenttype=json",
                escaped(identifier),
                escaped(user_sig)
            ),
            Caller::LoggedIn { tiny_id, a2_key } => format!(
                "&tinyid={}&a2={}&contenttype=json",
                escaped(tiny_id),
                escaped(a2_key)
            ),
        };
        format!(
            "websdkappid={WEB_SDK_APP_ID}&v={VERSION}{who}&sdkappid={}&accounttype={}&apn=1&reqtime={now}&reqSeq={seq}",
            app.sdk_app_id,
            escaped(&app.account_type),
        )
    }

    /// Reads a query, without the `?`.
    #[must_use]
    pub fn parse(query: &str) -> Self {
        let mut read = Self::default();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let field = match key.as_ref() {
                "identifier" => &mut read.identifier,
                "usersig" => &mut read.user_sig,
                "tinyid" => &mut read.tiny_id,
                "a2" => &mut read.a2_key,
                "sdkappid" => &mut read.sdk_app_id,
                "accounttype" => &mut read.account_type,
                _ => continue,
            };
            *field = value.into_owned();
        }
        read
    }
}

impl std::fmt::Debug for RequestQuery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestQuery")
            .field("identifier", &self.identifier)
            .field("tiny_id", &self.tiny_id)
            .field("sdk_app_id", &self.sdk_app_id)
            .field("account_type", &self.account_type)
            .finish_non_exhaustive()
    }
}
