//! Answers of external relays, read for one fact: whether a stream is published, and how much of it
//! came. Errors are reasons for not knowing.

use serde::Deserialize;

use crate::protocol::excerpt;
use crate::protocol::json::reason;

/// Fewest bytes of a status page for each of its elements and texts: nginx writes at least 13. A
/// node takes much more memory than its text, so a page of empty elements is not read.
const BYTES_PER_NODE: usize = 8;
/// Elements and texts that are read of the smallest page too.
const FEW_NODES: usize = 64;

/// The knowledge of an answer about one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Publishing {
    No,
    /// With the bytes that came so far, where the relay counts them.
    Yes(Option<u64>),
}

/// The XML page of nginx's `rtmp_stat all`: a stream is published when it has `<publishing/>`.
pub(crate) fn nginx(body: &[u8], stream_id: &str) -> Result<Publishing, String> {
    let text = std::str::from_utf8(body).map_err(|_| "the status page is not UTF-8".to_owned())?;
    let options = roxmltree::ParsingOptions {
        nodes_limit: u32::try_from(body.len() / BYTES_PER_NODE + FEW_NODES).unwrap_or(u32::MAX),
        ..roxmltree::ParsingOptions::default()
    };
    let page = roxmltree::Document::parse_with_options(text, options).map_err(|error| {
        format!(
            "the status page is not XML: {}",
            excerpt(&error.to_string())
        )
    })?;
    if !page.root_element().has_tag_name("rtmp") {
        return Err("the status page is not one of nginx's RTMP module".to_owned());
    }
    let mut streams = page
        .descendants()
        .filter(|node| node.has_tag_name("stream"));
    let publishing = streams.find_map(|stream| {
        let named = |name| stream.children().find(|node| node.has_tag_name(name));
        let is_it = named("name").and_then(|name| name.text()) == Some(stream_id);
        named("publishing").filter(|_| is_it)?;
        let bytes = named("bytes_in").and_then(|node| node.text());
        Some(bytes.and_then(|text| text.trim().parse().ok()))
    });
    Ok(publishing.map_or(Publishing::No, Publishing::Yes))
}

#[derive(Deserialize)]
struct SrsStreams {
    code: i64,
    #[serde(default)]
    streams: Vec<SrsStream>,
}

#[derive(Deserialize)]
struct SrsStream {
    name: String,
    publish: SrsPublish,
    #[serde(default)]
    recv_bytes: Option<u64>,
}

#[derive(Deserialize)]
struct SrsPublish {
    active: bool,
}

/// SRS's `/api/v1/streams/`.
pub(crate) fn srs(body: &[u8], stream_id: &str) -> Result<Publishing, String> {
    let answer: SrsStreams = json(body)?;
    if answer.code != 0 {
        return Err(format!("SRS answered code {}", answer.code));
    }
    let mut streams = answer.streams.iter();
    let stream = streams.find(|stream| stream.name == stream_id && stream.publish.active);
    Ok(stream.map_or(Publishing::No, |stream| Publishing::Yes(stream.recv_bytes)))
}

#[derive(Deserialize)]
struct TencentStatus {
    ret: i64,
    #[serde(default)]
    output: Vec<TencentStream>,
}

#[derive(Deserialize)]
struct TencentStream {
    status: i64,
}

/// `ret` of the live service for a stream that was never pushed.
const NO_SUCH_STREAM: i64 = 20_601;

/// Tencent's `Live_Channel_GetStatus`: status 1 runs, 0 has no input, 3 is disabled.
pub(crate) fn tencent(body: &[u8]) -> Result<Publishing, String> {
    let answer: TencentStatus = json(body)?;
    match answer.ret {
        0 if answer.output.first().is_some_and(|it| it.status == 1) => Ok(Publishing::Yes(None)),
        0 | NO_SUCH_STREAM => Ok(Publishing::No),
        ret => Err(format!("the live service answered ret {ret}")),
    }
}

fn json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(body)
        .map_err(|error| format!("the answer does not fit: {}", reason(&error)))
}

#[cfg(test)]
mod tests {
    use super::Publishing::{No, Yes};
    use super::*;

    #[test]
    fn reads_the_page_of_nginx() {
        let page = br#"<?xml version="1.0" encoding="utf-8" ?>
            <?xml-stylesheet type="text/xsl" href="stat.xsl" ?>
            <rtmp><server><application><name>live</name><live>
            <stream><name>a</name><time>9</time><bytes_in>7</bytes_in><client><id>1</id><publishing/><active/></client>
            <publishing/><active/></stream>
            <stream><name>b</name><client><id>2</id></client><nclients>1</nclients></stream>
            </live></application></server></rtmp>"#;
        for (stream, found) in [("a", Yes(Some(7))), ("b", No), ("c", No)] {
            assert_eq!(nginx(page, stream), Ok(found), "{stream}");
        }
        let empty = format!("<rtmp>{}</rtmp>", "<a/>".repeat(1000));
        let long = format!("<rtmp></{}>", "long".repeat(1000));
        for (bad, reason) in [
            (&b"<html/>"[..], "not one of nginx"),
            (b"<rtmp>", "not XML"),
            (b"", "not XML"),
            (b"\xff", "not UTF-8"),
            (empty.as_bytes(), "nodes limit"),
            (long.as_bytes(), "not XML"),
            (b"<!DOCTYPE r [<!ENTITY a 'b'>]><rtmp>&a;</rtmp>", "not XML"),
        ] {
            let error = nginx(bad, "a").unwrap_err();
            assert!(error.contains(reason) && error.len() < 300, "{error}");
        }
    }

    #[test]
    fn reads_as_many_clients_as_a_page_may_hold() {
        let client = "<client><id>1</id><address>10.0.0.1</address><time>9</time>\
            <flashver>LNX 9,0,124,2</flashver><dropped>0</dropped><avsync>0</avsync>\
            <timestamp>0</timestamp><active/></client>\n";
        let clients = client.repeat((4 << 20) / client.len());
        let page = format!(
            "<rtmp><server><stream><name>a</name>{clients}<publishing/></stream></server></rtmp>"
        );
        assert_eq!(nginx(page.as_bytes(), "a"), Ok(Yes(None)));
    }

    #[test]
    fn reads_the_list_of_srs() {
        let list = br#"{"code":0,"server":"x","streams":[
            {"id":"1","name":"a","app":"live","publish":{"active":true,"cid":"z"},"recv_bytes":9,"kbps":{}},
            {"id":"2","name":"b","app":"live","publish":{"active":false,"cid":""}}]}"#;
        for (stream, found) in [("a", Yes(Some(9))), ("b", No), ("c", No)] {
            assert_eq!(srs(list, stream), Ok(found), "{stream}");
        }
        assert_eq!(srs(br#"{"code":0,"streams":[]}"#, "a"), Ok(No));
        assert!(srs(br#"{"code":2048}"#, "a").unwrap_err().contains("2048"));
        assert!(srs(b"<html>", "a").is_err());
        let long = format!("{{\"code\":\"{}\"}}", "long".repeat(1000));
        assert!(srs(long.as_bytes(), "a").unwrap_err().len() < 300);
    }

    #[test]
    fn reads_the_live_service() {
        for (body, live) in [
            (
                r#"{"ret":0,"output":[{"rate_type":0,"status":1}]}"#,
                Ok(Yes(None)),
            ),
            (r#"{"ret":0,"output":[{"status":0}]}"#, Ok(No)),
            (r#"{"ret":0,"output":[{"status":3}]}"#, Ok(No)),
            (r#"{"ret":0,"output":[]}"#, Ok(No)),
            (r#"{"ret":20601}"#, Ok(No)),
            (r#"{"ret":100,"message":"sign"}"#, Err("ret 100")),
            (r#"{"output":[]}"#, Err("does not fit")),
            ("busy", Err("does not fit")),
        ] {
            match (tencent(body.as_bytes()), live) {
                (Ok(got), Ok(wanted)) => assert_eq!(got, wanted, "{body}"),
                (Err(got), Err(wanted)) => assert!(got.contains(wanted), "{got}"),
                (got, _) => panic!("{body}: {got:?}"),
            }
        }
    }
}
