//! Holds messages to their exact lines, and the annotated files to the defaults.

mod mistakes;

use proptest::prelude::*;

use super::*;

const KIOSK_FILE: &str = include_str!("../../../board/kiosk.toml");
const SERVER_FILE: &str = include_str!("../../../board/rtcroomd.toml");

/// Returns the lines with which a text is refused; none if it is accepted.
fn kiosk_lines(text: &str) -> Vec<String> {
    lines(KioskConfig::parse("kiosk.toml", text).err())
}

fn server_lines(text: &str) -> Vec<String> {
    lines(ServerConfig::parse("rtcroomd.toml", text).err())
}

fn lines(errors: Option<ConfigErrors>) -> Vec<String> {
    errors.map_or_else(Vec::new, |errors| {
        errors.to_string().lines().map(str::to_owned).collect()
    })
}

/// Returns a file with its default lines in force, or its example lines.
fn uncommented(file: &str, mark: &str) -> String {
    let line = |line: &str| {
        let set = line
            .strip_prefix(mark)
            .filter(|rest| !rest.starts_with([' ', '#']));
        let keep = line.starts_with('[');
        format!("{}\n", set.unwrap_or(if keep { line } else { "" }))
    };
    file.lines().map(line).collect()
}

/// Lists the keys that a file shows, as defaults or as examples.
fn shown_keys(file: &str) -> Vec<String> {
    let mut section = String::new();
    let mut keys = Vec::new();
    for line in file.lines() {
        let line = line.strip_prefix("# e.g. ").unwrap_or(line);
        let line = line.strip_prefix('#').unwrap_or(line);
        if let Some(header) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            section = format!("{}.", header.trim_matches(['[', ']']));
        } else if let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| !key.contains(' '))
        {
            keys.push(format!("{section}{key}"));
        }
    }
    keys.sort();
    keys.dedup();
    keys
}

#[test]
fn the_annotated_kiosk_file_is_the_default() {
    let defaults = format!("{:?}", KioskConfig::default());
    for text in [KIOSK_FILE.to_owned(), uncommented(KIOSK_FILE, "#")] {
        let config = KioskConfig::parse("kiosk.toml", &text).unwrap();
        assert_eq!(format!("{config:?}"), defaults);
    }
    assert!(uncommented(KIOSK_FILE, "#").contains("\nfps = 30\n"));
    assert_eq!(shown_keys(KIOSK_FILE), kiosk::known_keys());
    assert_eq!(KioskConfig::default().warnings(), [""; 0]);
}

#[test]
fn the_message_service_is_beside_the_room_server_elsewhere_or_none() {
    let im = |url: &str| KioskConfig::parse("k", &format!("[im]\nurl = \"{url}\"\n"));
    assert_eq!(KioskConfig::default().im, kiosk::Im::Auto);
    assert_eq!(im("none").unwrap().im, kiosk::Im::Off);
    let tencent = im("https://webim.tim.qq.com").unwrap();
    assert!(
        matches!(&tencent.im, kiosk::Im::At(url) if url.host_str() == Some("webim.tim.qq.com"))
    );
    assert_eq!(tencent.warnings(), [""; 0]);
    let plain = im("http://im.example.com:81/").unwrap().warnings();
    assert!(
        plain[0].contains("im.url") && plain[0].contains("messages"),
        "{plain:?}"
    );
    for wrong in [
        "off",
        "https://h/path",
        "https://h/?q=1",
        "ftp://h",
        "https://u:p@h/",
    ] {
        let lines = lines(im(wrong).err());
        assert!(
            lines.len() == 1 && lines[0].contains("im.url") && lines[0].contains("\"auto\""),
            "{wrong}: {lines:?}"
        );
    }
}

#[test]
fn voices_are_cleaned_and_test_tones_are_not() {
    use kiosk::EchoControl::{Cancel, HalfDuplex, Off};
    let cases = [
        ("", (Cancel, true, true)),
        ("microphone = \"gst:pulsesrc\"", (Cancel, true, true)),
        ("speaker = \"gst:pulsesink\"", (Cancel, true, true)),
        ("speaker = \"none\"", (Off, true, true)),
        ("microphone = \"test\"", (Off, false, false)),
        (
            "microphone = \"test\"\nspeaker = \"none\"\necho_cancellation = \"cancel\"",
            (Cancel, false, false),
        ),
        (
            "echo_cancellation = \"half-duplex\"",
            (HalfDuplex, true, true),
        ),
        (
            "echo_cancellation = \"off\"\nnoise_suppression = false\ngain_control = false",
            (Off, false, false),
        ),
    ];
    for (text, expected) in cases {
        let config = KioskConfig::parse("k", &format!("[media.audio]\n{text}\n")).unwrap();
        let audio = &config.media.audio;
        let voice = audio.voice;
        let found = (voice.echo, voice.noise_suppression, voice.gain_control);
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn an_identity_is_asked_for_brought_or_signed() {
    let credentials = |lines: &str| {
        let own = "sdk_app_id = 1\naccount_type = \"1\"\nuser_id = \"k\"\n";
        let own = if lines.contains("login_info") {
            ""
        } else {
            own
        };
        let config = KioskConfig::parse("k", &format!("[room]\n{own}{lines}"));
        config.map(|config| {
            let room = &config.room;
            format!("{:?} {:?}", room.credentials, room.login_info_url)
        })
    };
    for (lines, expected) in [
        (
            "login_info_url = \"https://h/info?branch=7\"",
            "host: Some(Domain(\"h\"))",
        ),
        ("user_sig_file = \"/s\"", "SigFile"),
        (
            "private_key_file = \"/k.pem\"",
            "path: \"/k.pem\", form: Node }",
        ),
        (
            "private_key_file = \"/k.pem\"\nuser_sig_form = \"java\"",
            "path: \"/k.pem\", form: Java }",
        ),
    ] {
        let read = credentials(lines).unwrap();
        assert!(read.contains(expected), "{lines}: {read}");
    }
    for (lines, wrong) in [
        (
            "user_sig_file = \"/s\"\nprivate_key_file = \"/k\"",
            "must not be given together with room.user_sig_file",
        ),
        (
            "user_sig_file = \"/s\"\nuser_sig_form = \"java\"",
            "needs room.private_key_file as well",
        ),
        ("login_info_url = \"ftp://h/info\"", "must be the address"),
        (
            "login_info_url = \"https://h/i\"\nprivate_key_file = \"/k\"",
            "must not be given together with room.private_key_file",
        ),
        ("", "needs room.user_sig as well"),
    ] {
        let errors = credentials(lines).unwrap_err().to_string();
        assert!(errors.contains(wrong), "{lines}: {errors}");
    }
    let plain = "[room]\nlogin_info_url = \"http://h/i\"\n";
    let warnings = KioskConfig::parse("k", plain).unwrap().warnings();
    assert!(warnings[0].contains("room.login_info_url"), "{warnings:?}");
}

#[test]
fn the_annotated_server_file_is_the_default() {
    let defaults = format!("{:?}", ServerConfig::default());
    for text in [SERVER_FILE.to_owned(), uncommented(SERVER_FILE, "#")] {
        let config = ServerConfig::parse("rtcroomd.toml", &text).unwrap();
        assert_eq!(format!("{config:?}"), defaults);
    }
    assert!(uncommented(SERVER_FILE, "#").contains("\nbizid = \"1000\"\n"));
    assert_eq!(shown_keys(SERVER_FILE), server::known_keys());
    assert_eq!(ServerConfig::default().warnings(), [""; 0]);
}

#[test]
fn the_examples_are_right_but_for_those_that_exclude_each_other() {
    let positions_cut = |lines: Vec<String>| -> Vec<String> {
        let cut = |line: String| line.splitn(4, ':').last().unwrap_or_default().to_owned();
        lines.into_iter().map(cut).collect()
    };
    assert_eq!(
        positions_cut(kiosk_lines(&uncommented(KIOSK_FILE, "# e.g. "))),
        [
            " room.room_id = \"branch7-counter3\": only with mode = \"host\": \
             a guest takes the room of an idle agent",
            " room.login_info_url = \"https://rooms.example.com/weapp/utils/get_login_info\": \
             must not be given together with room.user_sig: no credentials are asked for then",
            " room.user_sig_file = \"/etc/rtckiosk/user.sig\": \
             must not be given together with room.user_sig",
            " room.private_key_file = \"/etc/rtckiosk/private_key.pem\": \
             must not be given together with room.user_sig",
        ]
    );
    assert_eq!(
        positions_cut(server_lines(&uncommented(SERVER_FILE, "# e.g. "))),
        [
            " tls.ca_file = \"/etc/rtckiosk/ca.pem\": only where relay.external.status_url starts \
             with https: nobody else is asked for a certificate",
            " auth.public_key_file = \"/etc/rtckiosk/public_key.pem\": \
             not together with auth.private_key_file, which holds the public key too",
            " relay.embedded = {...}: not together with [relay.external]",
        ]
    );
}

#[test]
fn every_mistake_is_reported_in_the_order_of_the_text() {
    let text = "nam = \"Counter 3\"\n\n[media.video]\nfps = 500\nwidth = \"640\"\n\n\
                [media.audio]\nvolume = 101\nmicrophone = 5\n\n[room]\ntype = \"live\"\n";
    let starts: Vec<String> = kiosk_lines(text)
        .iter()
        .map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(": "))
        .collect();
    assert_eq!(
        starts,
        [
            "kiosk.toml:1:1: nam",
            "kiosk.toml:4:7: media.video.fps = 500",
            "kiosk.toml:5:9: media.video.width = \"640\"",
            "kiosk.toml:8:10: media.audio.volume = 101",
            "kiosk.toml:9:14: media.audio.microphone = 5",
            "kiosk.toml:12:8: room.type = \"live\"",
        ]
    );
}

#[test]
fn text_that_is_not_toml_is_placed_and_wrong_values_beside_it_still_show() {
    let lines = kiosk_lines("[media.video]\nfps = abc\nwidth = 641\n");
    assert_eq!(
        lines,
        [
            "kiosk.toml:2:7: not valid TOML: string values must be quoted, expected literal string",
            "kiosk.toml:3:9: media.video.width = 641: must be an even number from 160 to 1920",
        ]
    );
}

#[test]
fn secrets_are_never_echoed() {
    let secret = "s3cr3t-v4lue";
    let texts = [
        format!("[room]\nuser_sig = \"{secret}\""),
        format!("[room]\nuser_sig = {secret}"),
        format!("[room]\nuser_sgi = \"{secret}\""),
        format!("[room]\nuser_sig = [\"{secret}\"]"),
        format!("[room]\nuser_sig = \"{secret}\ntype = 3"),
        format!("[room]\nserver_url = \"https://u:{secret}@h/weapp\""),
        format!("[room]\nserver_url = \"https://h/weapp?token={secret}\""),
        format!("[room]\nserver_url = \"user:{secret}@h/weapp\""),
        format!("[network]\nproxy = \"http://me:{secret}@h/path\""),
        format!("[network]\nproxy = \"http://me:?{secret}@h\""),
        format!("[network]\nproxy_login_file = \"/l\"\nproxy = \"http://me:{secret}@h\""),
    ];
    for text in texts {
        let lines = kiosk_lines(&text).join("\n");
        assert!(!lines.is_empty(), "{text}");
        assert!(!lines.contains(secret), "{lines}");
    }
    let text = format!(
        "[room]\nuser_id = \"k\"\nsdk_app_id = 1\naccount_type = \"1\"\nuser_sig = \"{secret}-0123456789\""
    );
    let config = KioskConfig::parse("kiosk.toml", &text).unwrap();
    assert!(!format!("{config:?}").contains(secret));
}

#[test]
fn addresses_are_taken_with_and_without_room_type_and_slash() {
    use crate::protocol::RoomType::{Double, Multi};
    let cases = [
        ("http://h:5757/weapp", "http://h:5757/weapp/", Double),
        ("https://h/weapp/", "https://h/weapp/", Double),
        ("https://h/weapp/multi_room", "https://h/weapp/", Multi),
        (
            "https://h/roomservice/weapp/double_room/",
            "https://h/roomservice/weapp/",
            Double,
        ),
        ("https://h", "https://h/", Double),
        ("https://h/multi_room/", "https://h/", Multi),
    ];
    for (written, base, room_type) in cases {
        let config = KioskConfig::parse("k", &format!("room.server_url = \"{written}\"")).unwrap();
        assert_eq!(config.room.base_url.as_str(), base);
        assert_eq!(config.room.room_type, room_type);
        assert_eq!(
            config.warnings().len(),
            usize::from(written.starts_with("http:"))
        );
    }
}

#[test]
fn presets_are_the_sdks_and_give_way_to_explicit_values() {
    let video = |text: &str| {
        let config = KioskConfig::parse("k", &format!("[media.video]\n{text}")).unwrap();
        let v = &config.media.video;
        (v.width, v.height, v.bitrate_kbps, v.min_kbps, v.max_kbps)
    };
    let cases = [
        ("", (640, 480, 800, 100, 800)),
        ("aspect = \"16:9\"", (640, 360, 800, 100, 800)),
        ("preset = \"hd\"", (960, 720, 1200, 100, 1200)),
        (
            "preset = \"hd\"\naspect = \"16:9\"",
            (960, 540, 1200, 100, 1200),
        ),
        ("preset = \"super\"", (1280, 960, 1500, 100, 1500)),
        (
            "preset = \"super\"\naspect = \"16:9\"",
            (1280, 720, 1500, 100, 1500),
        ),
        ("preset = \"realtime\"", (480, 360, 350, 100, 350)),
        (
            "preset = \"realtime\"\naspect = \"16:9\"",
            (480, 272, 350, 100, 350),
        ),
        (
            "preset = \"super\"\nwidth = 480\nheight = 320\nbitrate_kbps = 500",
            (480, 320, 500, 100, 500),
        ),
        (
            "preset = \"hd\"\nmin_kbps = 300\nmax_kbps = 2000",
            (960, 720, 1200, 300, 2000),
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(video(text), expected, "{text}");
    }
}

#[test]
fn cameras_are_read_in_their_order() {
    use kiosk::{Rotation, VideoSource};
    let text = "[media.video]\nrotation = 90\norientation = \"portrait\"\n\
                [[media.cameras]]\nname = \"face\"\nsource = \"name:Brio\"\n\
                [[media.cameras]]\nname = \"desk\"\nsource = \"/dev/video2\"\nrotation = 180\n\
                width = 1920\nheight = 1080\n";
    let media = KioskConfig::parse("k", text).unwrap().media.clone();
    assert_eq!((media.video.width, media.video.height), (480, 640));
    let camera = |name: &str, source, rotation, at_least| kiosk::Camera {
        name: name.to_owned(),
        source,
        rotation,
        at_least,
    };
    assert_eq!(
        media.cameras,
        [
            camera(
                "face",
                VideoSource::Name("Brio".into()),
                Rotation::Right,
                None
            ),
            camera(
                "desk",
                VideoSource::Device("/dev/video2".into()),
                Rotation::Half,
                Some((1920, 1080))
            ),
        ]
    );
    let only = KioskConfig::default().media.cameras.clone();
    assert_eq!(
        only,
        [camera("main", VideoSource::Auto, Rotation::None, None)]
    );
}

#[test]
fn sources_are_read() {
    use kiosk::{AudioSink, AudioSource, Credentials, VideoSource};
    let text = "[room]\nuser_id = \"k\"\nsdk_app_id = 1_400\naccount_type = \"1\"\n\
                user_sig_file = \"/run/sig\"\n\
                [media.video]\nsource = \"gst:libcamerasrc ! queue\"\ngop_seconds = 2\n\
                [media.audio]\nmicrophone = \"test:880\"\nspeaker = \"plughw:CARD=Codec,DEV=0\"\n";
    let config = KioskConfig::parse("k", text).unwrap();
    assert_eq!(
        config.media.cameras[0].source,
        VideoSource::Gst("libcamerasrc ! queue".to_owned())
    );
    assert!((config.media.video.gop_seconds - 2.0).abs() < 1e-9);
    assert_eq!(
        config.media.audio.microphone,
        AudioSource::Test { hz: 880.0 }
    );
    assert_eq!(
        config.media.audio.speaker,
        AudioSink::Device("plughw:CARD=Codec,DEV=0".to_owned())
    );
    assert!(matches!(
        &config.room.credentials,
        Credentials::SigFile { sdk_app_id: 1400, path, .. }
            if path.as_os_str() == "/run/sig"
    ));
}

#[test]
fn an_external_relay_replaces_the_embedded_one() {
    let text = "[auth]\napi_key = \"0123456789\"\n[relay.external]\n\
                push_url = \"rtmp://push.example/live/{stream}?{query}\"\n\
                play_url = \"rtmp://play.example/live/{stream}\"\n\
                status_url = \"http://fcgi.example/common_access\"\n\
                status_kind = \"tencent\"\napp_id = 125\n";
    let config = ServerConfig::parse("r", text).unwrap();
    let server::Relay::External(external) = &config.relay else {
        panic!("{:?}", config.relay);
    };
    assert_eq!(
        external.push_url.fill("1000_a", "bizid=1000"),
        "rtmp://push.example/live/1000_a?bizid=1000"
    );
    assert_eq!(external.mixed_play_url, external.play_url);
    assert!(matches!(
        external.status,
        Some(server::Status::Tencent { app_id: 125, .. })
    ));
    let with_ca = format!("[tls]\nca_file = \"/ca.pem\"\n{text}");
    let refused = "rtcroomd.toml:2:11: tls.ca_file = \"/ca.pem\": only where \
                   relay.external.status_url starts with https: nobody else is asked for a \
                   certificate";
    assert_eq!(server_lines(&with_ca), [refused]);
    assert_eq!(server_lines("[tls]\nca_file = \"/ca.pem\""), [refused]);
    let with_ca = with_ca.replace("http://", "https://");
    let config = ServerConfig::parse("r", &with_ca).unwrap();
    assert_eq!(config.ca_file, Some("/ca.pem".into()));
    assert_eq!(config.tls, None, "no certificate of its own");
    let without_key = text.replace("api_key", "#api_key");
    assert_eq!(
        server_lines(&without_key),
        [
            "rtcroomd.toml:7:15: relay.external.status_kind = \"tencent\": \
             needs relay.external.app_id and auth.api_key as well"
        ]
    );
}

#[test]
fn servers_that_others_reach_are_warned_about() {
    let warnings = |text: &str| ServerConfig::parse("r", text).unwrap().warnings();
    let keys = "state_dir = \"/s\"\n";
    let reached = "http.listen = \"0.0.0.0:5757\"\n";
    let locked = warnings(&format!("{keys}{reached}"));
    assert!(
        locked.len() == 1 && locked[0].contains("plain HTTP"),
        "{locked:?}"
    );
    let open = format!("open = true\n{reached}");
    let given = warnings(&open).join("\n");
    assert!(
        given.contains("open = true: whoever reaches this server gets an identity"),
        "{given}"
    );
    assert!(given.contains("void after a restart"), "{given}");
    assert!(
        warnings("").is_empty(),
        "an open server for this machine alone"
    );
    let relay = "relay.embedded.listen = \"0.0.0.0:1935\"\n";
    let plain = warnings(&format!("{keys}{relay}")).join("\n");
    assert!(
        plain.contains("relay.embedded.listen = \"0.0.0.0:1935\": plain RTMP"),
        "{plain}"
    );
    let tls = "tls = { certificate_file = \"/c\", key_file = \"/k\" }\n";
    let open_by_tls = warnings(&format!("{open}{relay}{tls}")).join("\n");
    assert!(!open_by_tls.contains("plain"), "{open_by_tls}");
    let beside = format!("{keys}{tls}relay.embedded.plain_listen = \"0.0.0.0:1936\"");
    let beside = warnings(&beside).join("\n");
    assert!(beside.contains("relay.embedded.plain_listen"), "{beside}");
    let cdn = "[relay.external]\npush_url = \"rtmp://cdn/l/{stream}\"\n\
               play_url = \"rtmps://cdn/l/{stream}\"";
    let cdn = warnings(cdn);
    assert!(
        cdn.len() == 2
            && cdn[0].starts_with("relay.external.push_url: plain RTMP")
            && cdn[1].starts_with("relay.external.hook_key is not set"),
        "{cdn:?}"
    );
}

#[test]
fn a_certificate_turns_tls_on_where_it_is_not_switched_off() {
    let tls = "tls = { certificate_file = \"/c\", key_file = \"/k\" }\n";
    for (text, http, relay) in [
        ("", false, false),
        (tls, true, true),
        (&format!("{tls}http.tls = false"), false, true),
        (&format!("{tls}relay.embedded.tls = false"), true, false),
    ] {
        let config = ServerConfig::parse("r", text).unwrap();
        let server::Relay::Embedded(embedded) = &config.relay else {
            panic!("{config:?}");
        };
        assert_eq!((config.http.tls, embedded.tls), (http, relay), "{text}");
    }
}

#[test]
fn skipping_the_certificate_check_is_never_silent() {
    let warnings = |text: &str| KioskConfig::parse("k", text).unwrap().warnings();
    assert!(!KioskConfig::default().tls.insecure);
    let insecure = warnings("tls.insecure_skip_certificate_check = true");
    assert!(
        insecure.len() == 1 && insecure[0].starts_with("tls.insecure_skip_certificate_check"),
        "{insecure:?}"
    );
    assert_eq!(
        warnings("tls.insecure_skip_certificate_check = false"),
        [""; 0]
    );
}

#[test]
fn a_name_from_elsewhere_is_checked_too() {
    let config = KioskConfig::default().with_name(" Counter 3 ").unwrap();
    assert_eq!(config.name, "Counter 3");
    assert_eq!(
        config.with_name("").unwrap_err(),
        "name \"\": must be one line of 1 to 64 characters"
    );
}

/// Lines as a tired operator types them: known keys and tables with any value.
fn scribble() -> impl Strategy<Value = String> {
    let keys: Vec<String> = kiosk::known_keys()
        .into_iter()
        .chain(server::known_keys())
        .collect();
    let value = prop_oneof![
        "[0-9.eE_+-]{0,8}",
        "\"[^\"]{0,12}\"",
        "[\\[{\"'tf]{0,3}",
        ".{0,12}"
    ];
    let line = (proptest::sample::select(keys), value)
        .prop_map(|(key, value)| format!("{key} = {value}\n"));
    proptest::collection::vec(line, 0..6).prop_map(|lines| lines.concat())
}

proptest! {
    #[test]
    fn any_text_gets_a_config_or_lines_that_point_into_it(text in prop_oneof![any::<String>(), scribble()]) {
        for errors in [
            KioskConfig::parse("f", &text).err(),
            ServerConfig::parse("f", &text).err(),
        ].into_iter().flatten() {
            prop_assert!(!errors.problems().is_empty());
            for problem in errors.problems() {
                prop_assert!(problem.line <= text.matches('\n').count() + 1);
                prop_assert!(problem.column >= 1);
                prop_assert_eq!(problem.to_string().lines().count(), 1);
            }
        }
    }
}
