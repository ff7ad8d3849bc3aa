//! Reads the address of a room server as people write it, and makes those of its verbs.

use url::Url;

use crate::protocol::RoomType;

use super::client_settings::SetupError;

/// Returns the base below which `{type}/{verb}` and `utils/{verb}` stand.
///
/// Accepts the forms in use: with or without a trailing slash, with or without the room type
/// at the end (clients of the protocol keep it in their `serverDomain`), and a bare host, for
/// which `/weapp` is added.
pub(super) fn parse_base(text: &str, kind: RoomType) -> Result<Url, SetupError> {
    let wrong = |reason: String| SetupError::BaseUrl {
        value: text.to_owned(),
        reason,
    };
    let mut url = Url::parse(text.trim()).map_err(|error| wrong(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("it must start with https:// or http://".into()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("it must have no ? and no #".into()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it must have no user name or password".into()));
    }
    let mut segments: Vec<String> = url
        .path_segments()
        .map(|parts| parts.filter(|part| !part.is_empty()).map(String::from))
        .into_iter()
        .flatten()
        .collect();
    if let Some(named) = segments.last().and_then(|last| RoomType::from_path(last)) {
        if named != kind {
            return Err(wrong(format!(
                "it ends in {named}, but the room type is {kind}"
            )));
        }
        segments.pop();
    }
    if segments.is_empty() {
        segments.push("weapp".into());
    }
    url.set_path(&segments.join("/"));
    Ok(url)
}

/// Appends two path segments to `base`.
pub(super) fn below(base: &Url, first: &str, second: &str) -> Url {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().push(first).push(second);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_way_to_write_it() {
        for (text, verb) in [
            (
                "http://h:5757/weapp",
                "http://h:5757/weapp/double_room/login",
            ),
            ("https://h/weapp/", "https://h/weapp/double_room/login"),
            (
                "https://h/weapp/double_room",
                "https://h/weapp/double_room/login",
            ),
            (
                "https://h/weapp/double_room/",
                "https://h/weapp/double_room/login",
            ),
            (
                " https://h/roomservice//weapp/double_room/ ",
                "https://h/roomservice/weapp/double_room/login",
            ),
            (
                "http://127.0.0.1:5757",
                "http://127.0.0.1:5757/weapp/double_room/login",
            ),
            (
                "http://[::1]/double_room/",
                "http://[::1]/weapp/double_room/login",
            ),
        ] {
            let base = parse_base(text, RoomType::Double).unwrap();
            assert_eq!(
                below(&base, "double_room", "login").as_str(),
                verb,
                "{text}"
            );
        }
    }

    #[test]
    fn names_what_is_wrong() {
        for (text, reason) in [
            ("h/weapp", "relative URL without a base"),
            ("ftp://h/weapp", "https:// or http://"),
            ("https://h/weapp?x=1", "no ?"),
            ("https://u:p@h/weapp", "no user name"),
            (
                "https://h/weapp/multi_room/",
                "the room type is double_room",
            ),
        ] {
            let error = parse_base(text, RoomType::Double).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
