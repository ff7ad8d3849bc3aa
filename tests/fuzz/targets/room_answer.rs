//! Answers of a room server to every verb, as the kiosk reads them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtckiosk::protocol::answer::{
    Answer, Audiences, CreatedRoom, CustomInfo, Done, LoggedIn, LoginInfo, Merged, PushUrl, Room,
    RoomList, TestAccUrl, TestPushUrl, parse,
};
use serde_json::Value;

/// Longest error: it repeats no more than a few excerpts of what came.
const MAX_ERROR: usize = 2048;

fuzz_target!(|input: (bool, &[u8])| {
    let (ok, body) = input;
    let status = if ok { 200 } else { 502 };
    same_again::<Done>(status, body);
    same_again::<LoginInfo>(status, body);
    same_again::<LoggedIn>(status, body);
    same_again::<PushUrl>(status, body);
    same_again::<CreatedRoom>(status, body);
    same_again::<RoomList>(status, body);
    same_again::<Room>(status, body);
    same_again::<Audiences>(status, body);
    same_again::<TestPushUrl>(status, body);
    same_again::<TestAccUrl>(status, body);
    // These two carry any JSON, whose fractions need not survive.
    let _ = parse::<CustomInfo>(status, body);
    let _ = parse::<Merged>(status, body);
});

/// An answer that was understood, written as a server would, is understood again.
fn same_again<A: Answer + PartialEq + std::fmt::Debug>(status: u16, body: &[u8]) {
    let answer: A = match parse(status, body) {
        Ok(answer) => answer,
        Err(error) => {
            assert!(error.to_string().len() < MAX_ERROR, "{error}");
            return;
        }
    };
    let mut json = serde_json::to_value(&answer).expect("no odd keys");
    if let Value::Object(fields) = &mut json {
        fields.insert("code".into(), 0.into());
        fields.insert("message".into(), "".into());
    }
    let again: Result<A, _> = parse(200, json.to_string().as_bytes());
    assert_eq!(again.as_ref(), Ok(&answer));
}
