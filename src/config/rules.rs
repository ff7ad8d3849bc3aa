//! The rules for values: each turns a TOML value into a typed one or says what is allowed.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;
use url::Url;

use super::document::Ruling;

/// A whole number in a range.
pub(super) fn whole<T: TryFrom<u64>>(
    range: RangeInclusive<u64>,
) -> impl Fn(&DeValue<'_>) -> Ruling<T> {
    move |value| {
        whole_in(value, &range)
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| format!("must be a whole number {}", span(&range)))
    }
}

fn whole_in(value: &DeValue<'_>, range: &RangeInclusive<u64>) -> Option<u64> {
    let integer = value.as_integer()?;
    u64::from_str_radix(integer.as_str(), integer.radix())
        .ok()
        .filter(|number| range.contains(number))
}

/// A whole number that is a multiple of two: I420 pictures have no odd sides.
#[cfg(feature = "kiosk")]
pub(super) fn even(range: RangeInclusive<u64>) -> impl Fn(&DeValue<'_>) -> Ruling<u32> {
    move |value| {
        whole_in(value, &range)
            .filter(|number| number % 2 == 0)
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| format!("must be an even number {}", span(&range)))
    }
}

/// One of a few whole numbers.
#[cfg(feature = "kiosk")]
pub(super) fn one_of<T: Copy>(numbers: &[(u64, T)]) -> impl Fn(&DeValue<'_>) -> Ruling<T> {
    move |value| {
        let written = whole_in(value, &(0..=u64::MAX));
        let found = numbers.iter().find(|(number, _)| Some(*number) == written);
        found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let numbers: Vec<_> = numbers
                .iter()
                .map(|(number, _)| number.to_string())
                .collect();
            format!("must be one of {}", numbers.join(", "))
        })
    }
}

/// A number, written whole or with a fraction.
#[cfg(feature = "kiosk")]
pub(super) fn number(range: RangeInclusive<f64>) -> impl Fn(&DeValue<'_>) -> Ruling<f64> {
    move |value| {
        let written = match value {
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str().parse().ok(),
            DeValue::Float(float) => float.as_str().parse().ok(),
            _ => None,
        };
        written
            .filter(|number| range.contains(number))
            .ok_or_else(|| format!("must be a number from {} to {}", range.start(), range.end()))
    }
}

/// Whole seconds.
pub(super) fn seconds(range: RangeInclusive<u64>) -> impl Fn(&DeValue<'_>) -> Ruling<Duration> {
    move |value| {
        whole_in(value, &range)
            .map(Duration::from_secs)
            .ok_or_else(|| format!("must be whole seconds {}", span(&range)))
    }
}

/// Whole milliseconds.
pub(super) fn millis(range: RangeInclusive<u64>) -> impl Fn(&DeValue<'_>) -> Ruling<Duration> {
    move |value| {
        whole_in(value, &range)
            .map(Duration::from_millis)
            .ok_or_else(|| format!("must be whole milliseconds {}", span(&range)))
    }
}

fn span(range: &RangeInclusive<u64>) -> String {
    format!("from {} to {}", range.start(), range.end())
}

/// true or false.
pub(super) fn flag(value: &DeValue<'_>) -> Ruling<bool> {
    value
        .as_bool()
        .ok_or_else(|| "must be true or false".to_owned())
}

/// One of a few words.
pub(super) fn choice<T: Copy>(words: &[(&str, T)]) -> impl Fn(&DeValue<'_>) -> Ruling<T> {
    move |value| {
        let found = words.iter().find(|(word, _)| Some(*word) == value.as_str());
        found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let words: Vec<_> = words
                .iter()
                .map(|(word, _)| format!("\"{word}\""))
                .collect();
            format!("must be one of {}", words.join(", "))
        })
    }
}

/// A text that `parse` understands; `allowed` completes the message.
pub(super) fn text<T>(
    allowed: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> impl Fn(&DeValue<'_>) -> Ruling<T> {
    move |value| {
        value
            .as_str()
            .and_then(&parse)
            .ok_or_else(|| format!("must be {allowed}"))
    }
}

/// A line of text for people: 1 to `most` characters, no control characters.
#[cfg(feature = "kiosk")]
pub(super) fn line(most: usize) -> impl Fn(&DeValue<'_>) -> Ruling<String> {
    move |value| {
        value
            .as_str()
            .and_then(|text| checked_line(text, most))
            .ok_or_else(|| format!("must be {}", line_allowed(most)))
    }
}

#[cfg(feature = "kiosk")]
pub(super) fn checked_line(text: &str, most: usize) -> Option<String> {
    let text = text.trim();
    let fits = (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

#[cfg(feature = "kiosk")]
pub(super) fn line_allowed(most: usize) -> String {
    format!("one line of 1 to {most} characters")
}

/// Whether a text is 1 to `most` of A-Z, a-z, 0-9, `_` and `-`.
pub(super) fn is_identifier(text: &str, most: usize) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=most).contains(&text.len()) && text.bytes().all(allowed)
}

/// An id that goes unescaped into stream names and queries: letters, digits, `_` and `-`.
pub(super) fn identifier(most: usize) -> impl Fn(&DeValue<'_>) -> Ruling<String> {
    move |value| {
        value
            .as_str()
            .filter(|text| is_identifier(text, most))
            .map(str::to_owned)
            .ok_or_else(|| {
                format!("must be 1 to {most} of the characters A-Z, a-z, 0-9, \"_\" and \"-\"")
            })
    }
}

/// A list of user ids, or beginnings of them followed by `*`.
#[cfg(feature = "kiosk")]
pub(super) fn agents(value: &DeValue<'_>) -> Ruling<Vec<String>> {
    let fits = |text: &&str| {
        let name = text.strip_suffix('*').unwrap_or(text);
        (1..=128).contains(&text.len()) && !name.contains(|c: char| c == '*' || c.is_control())
    };
    value
        .as_array()
        .filter(|list| list.len() <= 256)
        .and_then(|list| {
            let texts = list.iter().map(|item| item.get_ref().as_str().filter(fits));
            texts.map(|text| text.map(str::to_owned)).collect()
        })
        .ok_or_else(|| {
            "must be a list of at most 256 user ids such as [\"ann\", \"teller-*\"]".to_owned()
        })
}

/// A list of networks and addresses.
#[cfg(feature = "server")]
pub(super) fn networks(value: &DeValue<'_>) -> Ruling<Vec<ipnet::IpNet>> {
    let network = |text: &str| {
        let address = || Some(text.parse::<std::net::IpAddr>().ok()?.into());
        text.parse().ok().or_else(address)
    };
    value
        .as_array()
        .and_then(|list| {
            let texts = list.iter().map(|item| item.get_ref().as_str());
            texts.map(|text| text.and_then(network)).collect()
        })
        .ok_or_else(|| {
            "must be a list of networks such as [\"10.0.0.0/8\", \"fd00::/8\"] or addresses"
                .to_owned()
        })
}

/// A list of hosts that are reached without a proxy.
#[cfg(feature = "kiosk")]
pub(super) fn exceptions(value: &DeValue<'_>) -> Ruling<Vec<super::proxy::Exception>> {
    value
        .as_array()
        .filter(|list| list.len() <= 256)
        .and_then(|list| {
            let texts = list.iter().map(|item| item.get_ref().as_str());
            texts
                .map(|text| text.and_then(super::proxy::Exception::parse))
                .collect()
        })
        .ok_or_else(|| {
            "must be a list of at most 256 domains, networks or addresses such as \
             [\"bank.example\", \"10.0.0.0/8\"]"
                .to_owned()
        })
}

/// A list of beginnings of user ids.
#[cfg(feature = "server")]
pub(super) fn beginnings(value: &DeValue<'_>) -> Ruling<Vec<String>> {
    let fits = |text: &&str| (1..=128).contains(&text.len()) && !text.contains(char::is_control);
    value
        .as_array()
        .and_then(|list| {
            let texts = list.iter().map(|item| item.get_ref().as_str().filter(fits));
            texts.map(|text| text.map(str::to_owned)).collect()
        })
        .ok_or_else(|| "must be a list of texts such as [\"teller-\"], none empty".to_owned())
}

/// A secret of `least` or more visible ASCII characters.
pub(super) fn secret(least: usize) -> impl Fn(&DeValue<'_>) -> Ruling<String> {
    move |value| {
        value
            .as_str()
            .filter(|text| text.len() >= least && text.bytes().all(|byte| byte.is_ascii_graphic()))
            .map(str::to_owned)
            .ok_or_else(|| format!("must be text of {least} or more ASCII characters, no spaces"))
    }
}

/// An absolute path.
pub(super) fn path(value: &DeValue<'_>) -> Ruling<PathBuf> {
    value
        .as_str()
        .filter(|text| text.starts_with('/') && !text.contains('\0'))
        .map(PathBuf::from)
        .ok_or_else(|| "must be an absolute path such as \"/var/lib/rtckiosk\"".to_owned())
}

/// An address that others reach: one of the schemes and a host, without login or fragment.
pub(super) fn address(text: &str, schemes: &[&str]) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let fits = schemes.contains(&url.scheme())
        && url.host_str().is_some_and(|host| !host.is_empty())
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none();
    fits.then_some(url)
}

/// Pinned public keys in the form of RFC 7469.
#[cfg(feature = "kiosk")]
pub(super) fn pins(value: &DeValue<'_>) -> Ruling<Vec<[u8; 32]>> {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let pin = |text: &str| {
        let hash = STANDARD.decode(text.strip_prefix("sha256/")?).ok()?;
        <[u8; 32]>::try_from(hash).ok()
    };
    value
        .as_array()
        .filter(|list| !list.is_empty())
        .and_then(|list| {
            list.iter()
                .map(|item| pin(item.get_ref().as_str()?))
                .collect()
        })
        .ok_or_else(|| {
            "must be a list of keys such as \
             [\"sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"]"
                .to_owned()
        })
}

/// Whether an address is on this machine, so that nobody is on the way to it.
pub(super) fn is_local(url: &Url) -> bool {
    match url.host_str() {
        Some(host) => {
            let ip = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
            host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
        }
        None => false,
    }
}

/// A level of the log.
pub(super) fn log_level(value: &DeValue<'_>) -> Ruling<log::LevelFilter> {
    choice(&[
        ("error", log::LevelFilter::Error),
        ("warn", log::LevelFilter::Warn),
        ("info", log::LevelFilter::Info),
        ("debug", log::LevelFilter::Debug),
        ("trace", log::LevelFilter::Trace),
    ])(value)
}

/// An address and port to listen on.
#[cfg(feature = "server")]
pub(super) fn socket(value: &DeValue<'_>) -> Ruling<std::net::SocketAddr> {
    text(
        "an IP address with port such as \"127.0.0.1:5757\" or \"[::]:5757\"",
        |text| text.parse().ok(),
    )(value)
}

/// A host name or IP address, perhaps with a port.
#[cfg(feature = "server")]
pub(super) fn host(value: &DeValue<'_>) -> Ruling<String> {
    let allowed = "a host such as \"rooms.example.com\" or \"192.168.1.5:1935\"";
    text(allowed, |text| {
        let url = address(&format!("http://{text}"), &["http"])?;
        let bare = url.path() == "/" && url.query().is_none() && !text.ends_with('/');
        bare.then(|| text.to_owned())
    })(value)
}

/// Web origins that may call; "*" allows all, which is `None`.
#[cfg(feature = "server")]
pub(super) fn origins(value: &DeValue<'_>) -> Ruling<Option<Vec<String>>> {
    let allowed =
        || "must be [\"*\"] or a list of origins such as \"https://desk.example.com\"".to_owned();
    let list: Vec<&str> = value
        .as_array()
        .and_then(|list| list.iter().map(|item| item.get_ref().as_str()).collect())
        .ok_or_else(allowed)?;
    if list == ["*"] {
        return Ok(None);
    }
    let origin = |text: &str| {
        address(text, &["http", "https"])
            .map(|url| url.origin().ascii_serialization())
            .filter(|origin| origin == text)
    };
    list.into_iter()
        .map(origin)
        .collect::<Option<_>>()
        .map(Some)
        .ok_or_else(allowed)
}
