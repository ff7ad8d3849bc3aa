//! The parts of a play URL that its server is told. Servers check signatures over them, so they are
//! told as they are written.

/// The port of `rtmp://`, which is not said.
const DEFAULT_PORT: &str = ":1935";

/// The names that `connect` and `play` ask for.
#[derive(Clone, PartialEq, Eq)]
pub struct PlayAddress {
    /// `app` of `connect`.
    pub app: String,
    /// `tcUrl` of `connect`.
    pub tc_url: String,
    /// The name of the stream with its query, which may hold a secret.
    pub stream: String,
}

/// Without the secret.
impl std::fmt::Debug for PlayAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlayAddress")
            .field("tc_url", &self.tc_url)
            .finish_non_exhaustive()
    }
}

impl PlayAddress {
    /// Takes a URL apart; `None` when it names no host, no application or no stream.
    #[must_use]
    pub fn of(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let (authority, rest) = rest.split_once('/')?;
        // User and password are nobody's business here.
        let address = authority.rsplit('@').next()?;
        let address = match scheme.as_str() {
            "rtmp" => address.strip_suffix(DEFAULT_PORT).unwrap_or(address),
            _ => address,
        };
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        let (app, name) = path.rsplit_once('/')?;
        if address.is_empty() || app.is_empty() {
            return None;
        }
        Some(Self {
            app: app.to_owned(),
            tc_url: format!("{scheme}://{address}/{app}"),
            stream: query.map_or_else(|| name.to_owned(), |query| format!("{name}?{query}")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first five are what rtmp2src of GStreamer 1.22 was seen to send.
    #[test]
    fn servers_are_told_what_is_written() {
        for (url, app, tc_url, stream) in [
            (
                "rtmp://127.0.0.1:19351/live/x?txSecret=a%2fb&txTime=9&aa=1+2",
                "live",
                "rtmp://127.0.0.1:19351/live",
                "x?txSecret=a%2fb&txTime=9&aa=1+2",
            ),
            (
                "rtmp://localhost:19352/a/b%20c/s%2Fx?b=1&a=",
                "a/b%20c",
                "rtmp://localhost:19352/a/b%20c",
                "s%2Fx?b=1&a=",
            ),
            (
                "rtmp://localhost:19353//live//x/?b",
                "/live//x",
                "rtmp://localhost:19353//live//x",
                "?b",
            ),
            ("rtmp://h:1935/live/x", "live", "rtmp://h/live", "x"),
            ("RTMP://[::1]:1936/l/s", "l", "rtmp://[::1]:1936/l", "s"),
            ("rtmps://u:p@h:443/l/s?/a", "l", "rtmps://h:443/l", "s?/a"),
        ] {
            let address = PlayAddress::of(url).expect(url);
            let told = (&*address.app, &*address.tc_url, &*address.stream);
            assert_eq!(told, (app, tc_url, stream), "{url}");
            assert!(!format!("{address:?}").contains("txSecret"));
        }
        for url in [
            "",
            "rtmp://h",
            "rtmp://h/live",
            "rtmp:///live/x",
            "h/live/x",
        ] {
            assert_eq!(PlayAddress::of(url), None, "{url}");
        }
    }
}
