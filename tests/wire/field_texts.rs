//! Texts of the field that are not quite JSON, in answers to the kiosk's real clients: each costs itself.

use std::sync::Arc;

use encoding_rs::GBK;
use rtckiosk::protocol::RoomType;
use rtckiosk::room::{ClientSettings, Identity, RoomClient};
use serde_json::json;

use crate::im_call::Call;
use crate::played::{Played, Reply};
use crate::played_im::HALF;

/// The names of the members of a room server that answers these bytes.
async fn names(body: impl Into<Vec<u8>>) -> Vec<(String, String)> {
    let body = Arc::new(body.into());
    let server = Played::start(move |_| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        Reply::Bytes([head.as_bytes(), &body].concat())
    })
    .await;
    let settings = ClientSettings::new(server.url(), RoomType::Multi);
    let me = Identity {
        user_id: "kiosk".into(),
        token: "t".to_owned().into(),
        messages_here: false,
        calls: false,
        renews: false,
    };
    let seen = RoomClient::new(&settings)
        .unwrap()
        .get_pushers(&me, "r")
        .await;
    let members = seen.unwrap().pushers.into_iter();
    members
        .map(|member| (member.user_id, member.user_name))
        .collect()
}

/// Three members, of whom the second is called so (a text of JSON).
fn list(name: &str) -> String {
    let member = |id: &str, name: &str| {
        format!(
            r#"{{"userID":"{id}","userName":{name},"userAvatar":"","accelerateURL":"rtmp://h/l/{id}"}}"#
        )
    };
    let all = [
        member("a", "\"Anna\""),
        member("b", name),
        member("c", "\"\u{67dc}\u{5458}\""),
    ];
    format!(
        r#"{{"code":0,"message":"","roomID":"r","roomInfo":"","roomCreator":"a","pushers":[{}]}}"#,
        all.join(",")
    )
}

fn named(second: &str) -> Vec<(String, String)> {
    let all = [("a", "Anna"), ("b", second), ("c", "\u{67dc}\u{5458}")];
    all.map(|(id, name)| (id.to_owned(), name.to_owned()))
        .to_vec()
}

/// Half an emoji (serde-rs/json#495, vercel-labs/agent-browser#720), and others of its kind.
#[tokio::test]
async fn an_odd_name_costs_itself_and_no_other_member() {
    for (name, read) in [
        (r#""Anna \ud83d""#, "Anna \u{fffd}"),
        (r#""\ude00 Anna""#, "\u{fffd} Anna"),
        ("10086", "10086"),
        ("true", "true"),
        ("null", ""),
        (r#""it\'s""#, "it's"),
    ] {
        assert_eq!(names(list(name)).await, named(read), "{name}");
    }
}

#[tokio::test]
async fn a_member_that_makes_no_sense_costs_itself() {
    for odd in ["7", "null", "\"x\"", "[]", "{}", r#"{"userName":"B"}"#] {
        let whole = list("\"B\"");
        let (before, rest) = whole.split_once(r#"{"userID":"b""#).unwrap();
        let (_, after) = rest.split_once('}').unwrap();
        let mut wanted = named("B");
        wanted.remove(1);
        assert_eq!(
            names(format!("{before}{odd}{after}")).await,
            wanted,
            "{odd}"
        );
    }
}

#[tokio::test]
async fn marks_and_gbk_are_read() {
    let whole = list("\"B\"");
    assert_eq!(names(format!("\u{feff}{whole}")).await, named("B"));
    assert_eq!(names(GBK.encode(&whole).0.into_owned()).await, named("B"));
}

/// The same in texts of the message service: later ones arrive, and each is fetched once.
#[tokio::test]
async fn an_odd_text_costs_itself_and_later_ones_arrive() {
    let mut call = Call::start().await;
    let text =
        |text: serde_json::Value| json!({"MsgType":"TIMTextElem","MsgContent":{"Text":text}});
    let card = json!({"MsgType":"TIMCustomElem","MsgContent":{
        "Data":format!(r#"{{"cmd":"CustomTextMsg","data":{{"nickName":"Anna {HALF}","headPic":7}}}}"#),
        "Desc":10086,"Ext":null}});
    for (elements, nick, said) in [
        (
            json!([text(json!(format!("good {HALF}")))]),
            "agent",
            "good \u{fffd}",
        ),
        (json!([text(json!(10086))]), "agent", "10086"),
        (json!([card, text(json!("card"))]), "Anna \u{fffd}", "card"),
        (json!([text(json!("a\u{1b}[2Jb"))]), "agent", "a[2Jb"),
    ] {
        // What makes no sense at all, before each.
        call.service.say("agent", &json!([{"MsgType":7}]));
        call.service.say("agent", &json!(HALF));
        call.service.say("agent", &elements);
        let message = call.message("TextReceived").await;
        assert_eq!((message.nick.as_str(), message.text.as_str()), (nick, said));
        call.service.say("agent", &json!([text(json!("later"))]));
        assert_eq!(call.message("TextReceived").await.text, "later");
    }
    call.goes_on().await;
    assert!(!call.told_down, "the channel never counted as lost");
    let state = call.handle.snapshot().borrow().clone();
    assert_eq!(state.channel.messages_received, 8, "each once");
}
