//! The ways in, with seeds of the fuzz targets and with random scripts.

use proptest::prelude::*;

use super::*;

/// The seeds of a fuzz target; the finds of former runs are among them.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = format!("{}/tests/fuzz/seeds/{target}", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(&folder).unwrap();
    let seeds: Vec<_> = files
        .map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .collect();
    assert!(!seeds.is_empty(), "{folder}");
    seeds
}

/// A line of a script, or something like one.
fn line() -> impl Strategy<Value = String> {
    let target = prop_oneof![
        Just("/weapp/double_room/create_room?$T0"),
        Just("/weapp/double_room/add_pusher?$T1"),
        Just("/weapp/multi_room/get_pushers?$T0"),
        Just("/weapp/utils/get_login_info?userID=a"),
        Just("/v4/openim/login?sdkappid=1&identifier=u&usersig=x"),
        Just("/v4/group_open_http_svc/create_group?$R"),
        Just("/v4/group_open_http_svc/apply_join_group?$I0"),
        Just("/v4/group_open_http_svc/send_group_msg?$I1"),
        Just("/v1/group_open_long_polling_http_noauth_svc/get_msg?"),
        Just("/nothing?%"),
    ];
    let kind = prop_oneof![
        Just("application/json"),
        Just("application/x-www-form-urlencoded"),
        Just("text/xml"),
        Just("-"),
    ];
    let body = prop_oneof![
        Just(r#"{"roomID":"r","roomInfo":"i","userID":"u0"}"#.to_owned()),
        Just(r#"{"GroupId":"r","Type":"AVChatRoom","MsgBody":[]}"#.to_owned()),
        Just(r#"{"StartSeq":0,"HoldTime":90,"Key":"$K"}"#.to_owned()),
        r#"[{}\[\]:,"a-z0-9\\]{0,40}"#,
        ".{0,20}",
    ];
    let request = ("POST|GET|PUT", target, kind, body);
    request.prop_map(|(method, target, kind, body)| format!("{method} {target} {kind} {body}"))
}

#[test]
fn what_was_found_once_does_no_harm_again() {
    for seed in seeds("front_door") {
        front_door(&String::from_utf8_lossy(&seed));
    }
    for seed in seeds("room_request") {
        let text = String::from_utf8_lossy(&seed);
        let (kind, body) = text.split_once('\n').unwrap_or((&text, ""));
        room_request(Some(kind), body.as_bytes());
    }
    seeds("relay").iter().for_each(|seed| relay(seed));
    seeds("relay_handshake")
        .iter()
        .for_each(|seed| handshake(seed));
    seeds("relay_status")
        .iter()
        .for_each(|seed| status_answers(seed));
}

#[test]
fn users_and_addresses_of_former_finds_do_no_harm() {
    let text = |seed: &Vec<u8>| String::from_utf8_lossy(seed).into_owned();
    seeds("users_file")
        .iter()
        .for_each(|seed| users_file(&text(seed)));
    seeds("forwarded_for")
        .iter()
        .for_each(|seed| forwarded_for(&text(seed)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_script_does_harm(lines in prop::collection::vec(line(), 0..12)) {
        front_door(&lines.join("\n"));
    }

    #[test]
    fn no_list_of_proxies_does_harm(
        list in prop::collection::vec(prop_oneof![
            Just("10.1.2.3"), Just("::ffff:10.9.9.9"), Just("198.51.100.7"), Just("2001:db8::1"),
            Just("fd00::7"), Just(" 10.0.0.2 "), Just(""), Just("unknown"), Just("10.0.0.1:80"),
        ], 0..8),
        noise in ".{0,12}",
    ) {
        forwarded_for(&list.join(","));
        forwarded_for(&noise);
    }

    #[test]
    fn no_users_file_does_harm(
        id in ".{0,6}",
        rest in r#"("(role|added|revoked|valid_from)":("(kiosk|agent|x)"|[0-9]{1,21}|null),){0,4}"#,
    ) {
        let user = rest.trim_end_matches(',');
        let id = serde_json::to_string(&id).unwrap();
        users_file(&format!(r#"{{"version":1,"users":{{{id}:{{{user}}}}}}}"#));
        users_file(&rest);
    }

    #[test]
    fn no_body_does_harm(
        kind in prop_oneof![Just(None), ".{0,20}".prop_map(Some),
            Just(Some("application/json".to_owned())),
            Just(Some("application/x-www-form-urlencoded".to_owned()))],
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            r#"\{("(roomID|userID|userInfo|cnt|index|pushURL|value)":("[a-z]{0,5}"|[0-9]{1,25}|null|\{\}),){0,4}"a":1\}"#
                .prop_map(String::into_bytes),
        ],
    ) {
        room_request(kind.as_deref(), &body);
    }
}
