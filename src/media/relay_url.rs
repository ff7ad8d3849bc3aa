//! URLs of streams on a relay, for both directions.

use url::Url;

/// Checks that this is `rtmp://` or `rtmps://` with a host, an application and a stream.
/// GStreamer's elements take their defaults for what they cannot read, and call a wrong server.
///
/// # Errors
/// The fault in words, without a quote of what may be secret.
pub(super) fn check(url: &str) -> Result<(), String> {
    let parsed = Url::parse(url).map_err(|_| "is not a URL".to_owned())?;
    if !matches!(parsed.scheme(), "rtmp" | "rtmps") {
        return Err(format!(
            "has scheme {}, which should be rtmp or rtmps",
            parsed.scheme()
        ));
    }
    if parsed.host_str().unwrap_or_default().is_empty() {
        return Err("names no host".to_owned());
    }
    if parsed
        .path()
        .split('/')
        .filter(|name| !name.is_empty())
        .count()
        < 2
    {
        return Err("must name an application and a stream (rtmp://host/live/stream)".to_owned());
    }
    Ok(())
}

/// The relay's host, to connect to.
pub(super) fn host(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    // Addresses of IPv6 stand in brackets.
    let host = url.host_str()?.trim_matches(['[', ']']);
    Some(host.to_owned())
}

/// The relay's port; the protocol's own where the URL names none.
pub(super) fn port(url: &str) -> Option<u16> {
    let url = Url::parse(url).ok()?;
    url.port().or(match url.scheme() {
        "rtmp" => Some(1935),
        "rtmps" => Some(443),
        _ => None,
    })
}

/// `text`, in which the URL's query may be quoted, without that query.
pub(super) fn without_secret(text: &str, url: &str) -> String {
    match url.split_once('?') {
        Some((_, query)) if !query.is_empty() => text.replace(query, "[redacted]"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_wrong_with_a_url_but_not_its_secret() {
        for (url, reason) in [
            ("nonsense txSecret=ab", "is not a URL"),
            ("http://host/live/x?txSecret=ab", "scheme http"),
            ("rtmp:///live/x?txSecret=ab", "no host"),
            ("rtmp://host/live?txSecret=ab", "application and a stream"),
        ] {
            let error = check(url).expect_err(url);
            assert!(
                error.contains(reason) && !error.contains("ab"),
                "{url}: {error}"
            );
        }
        assert_eq!(check("rtmp://h:1936/live/x?txSecret=ab"), Ok(()));
        assert_eq!(check("rtmps://h/a/b/c"), Ok(()));
    }

    #[test]
    fn knows_the_ports() {
        assert_eq!(port("rtmp://h:1936/live/x"), Some(1936));
        assert_eq!(port("rtmp://h/live/x"), Some(1935));
        assert_eq!(port("rtmps://h/live/x"), Some(443));
        assert_eq!(port("nonsense"), None);
    }

    #[test]
    fn hides_the_query() {
        let url = "rtmp://h/live/x?txSecret=ab";
        let text = without_secret("cannot open x?txSecret=ab", url);
        assert_eq!(text, "cannot open x?[redacted]");
        assert_eq!(without_secret("as it is", "rtmp://h/live/x?"), "as it is");
    }
}
