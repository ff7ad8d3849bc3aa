//! Holds that each wrong value gets one line with the place, the key, the value and its remedy.

use super::{kiosk_lines, server_lines};

#[test]
fn each_wrong_kiosk_value_gets_its_line() {
    let cases = [
        (
            "[media.video]\nfps = 500",
            "2:7: media.video.fps = 500: must be a whole number from 1 to 60",
        ),
        (
            "[media.video]\nfps = \"30\"",
            "2:7: media.video.fps = \"30\": must be a whole number from 1 to 60",
        ),
        (
            "media.video.fps = -1",
            "1:19: media.video.fps = -1: must be a whole number from 1 to 60",
        ),
        (
            "media.video = { fps = 99_999_999_999_999_999_999 }",
            "1:23: media.video.fps = 99999999999999999999: must be a whole number from 1 to 60",
        ),
        (
            "[media.video]\nwidth = 641",
            "2:9: media.video.width = 641: must be an even number from 160 to 1920",
        ),
        (
            "[media.video]\npreset = \"uhd\"",
            "2:10: media.video.preset = \"uhd\": \
             must be one of \"sd\", \"hd\", \"super\", \"realtime\"",
        ),
        (
            "[media.playback]\nlargest_picture = \"8k\"",
            "2:19: media.playback.largest_picture = \"8k\": \
             must be a size such as \"1920x1088\", 160 to 4096 by 160 to 4096",
        ),
        (
            "[media.video]\nrotation = 45",
            "2:12: media.video.rotation = 45: must be one of 0, 90, 180, 270",
        ),
        (
            "[network]\nproxy_login_file = \"/l\"",
            "2:20: network.proxy_login_file = \"/l\": needs network.proxy as well",
        ),
        (
            "[network]\nproxy = \"http://me:x@p\"\nproxy_login_file = \"/l\"",
            "3:20: network.proxy_login_file = \"/l\": \
             must not be given together with a user in network.proxy",
        ),
        (
            "[network]\nno_proxy = [\"*x*\"]",
            "2:12: network.no_proxy = [...]: must be a list of at most 256 domains, networks or \
             addresses such as [\"bank.example\", \"10.0.0.0/8\"]",
        ),
        (
            "[media.video]\nencoder = \"Camera\"",
            "2:11: media.video.encoder = \"Camera\": must be \"auto\", \"camera\" or the name of a \
             GStreamer element such as \"x264enc\"",
        ),
        (
            "[media.video]\norientation = \"portrait\"\nwidth = 480\nheight = 640",
            "2:15: media.video.orientation = \"portrait\": \
             not together with width and height, which say it",
        ),
        (
            "[media.video]\nsource = \"test\"\n[[media.cameras]]\nname = \"a\"\nsource = \"test\"",
            "2:10: media.video.source = \"test\": \
             not together with [[media.cameras]], which says it for each camera",
        ),
        (
            "[[media.cameras]]\nsource = \"test\"",
            "1:1: media.cameras.name: each [[media.cameras]] needs it",
        ),
        (
            "[[media.cameras]]\nname = \"face\"\nsource = \"auto\"",
            "3:10: media.cameras.source = \"auto\": must be \"test\", a device such as \
             \"/dev/video0\", \"name:CAMERA\" or \"gst:SOURCE DESCRIPTION\"",
        ),
        (
            "[[media.cameras]]\nname = \"a b\"\nsource = \"test\"",
            "2:8: media.cameras.name = \"a b\": \
             must be 1 to 32 of the characters A-Z, a-z, 0-9, \"_\" and \"-\"",
        ),
        (
            "[[media.cameras]]\nname = \"a\"\nsource = \"test\"\nwidth = 1920",
            "4:9: media.cameras.width = 1920: needs media.cameras.height as well",
        ),
        (
            "[[media.cameras]]\nname = \"a\"\nsource = \"test\"\nrotate = 90",
            "4:1: media.cameras.rotate: unknown key, \
             known here: height, name, rotation, source, width",
        ),
        (
            "[[media.cameras]]\nname = \"a\"\nsource = \"test\"\n\
             [[media.cameras]]\nname = \"a\"\nsource = \"test\"",
            "1:1: media.cameras = [...]: \"a\" is the name of two cameras",
        ),
        (
            "[[media.cameras]]\nname = \"a\"\nsource = \"/dev/video0\"\n\
             [[media.cameras]]\nname = \"b\"\nsource = \"/dev/video0\"",
            "1:1: media.cameras = [...]: \"a\" and \"b\" have one source",
        ),
        (
            "media.cameras = [1]",
            "1:17: media.cameras = [...]: must be at most 8 tables, each under [[media.cameras]]",
        ),
        (
            "[media.video]\naspect = \"9:16\"",
            "2:10: media.video.aspect = \"9:16\": must be one of \"4:3\", \"16:9\"",
        ),
        (
            "[media.video]\nmin_kbps = 900",
            "2:12: media.video.min_kbps = 900: must not be above the bitrate of 800",
        ),
        (
            "[media.video]\npreset = \"hd\"\nmax_kbps = 1000",
            "3:12: media.video.max_kbps = 1000: must not be below the bitrate of 1200",
        ),
        (
            "[media.video]\nwidth = 480",
            "2:9: media.video.width = 480: needs media.video.height as well",
        ),
        (
            "[media.video]\ngop_seconds = nan",
            "2:15: media.video.gop_seconds = nan: must be a number from 0.5 to 4",
        ),
        (
            "[media.video]\nsource = \"video0\"",
            "2:10: media.video.source = \"video0\": must be \"auto\", \"test\", a device such as \
             \"/dev/video0\", \"name:CAMERA\" or \"gst:SOURCE DESCRIPTION\"",
        ),
        (
            "[media.video]\nsource = \"gst: \"",
            "2:10: media.video.source = \"gst: \": must be \"auto\", \"test\", a device such as \
             \"/dev/video0\", \"name:CAMERA\" or \"gst:SOURCE DESCRIPTION\"",
        ),
        (
            "[media.audio]\nmicrophone = \"test:9000\"",
            "2:14: media.audio.microphone = \"test:9000\": must be \"auto\", \"test\", \
             \"test:HERTZ\" (50 to 8000), an ALSA device such as \"hw:1,0\", \
             \"name:MICROPHONE\" or \"gst:SOURCE DESCRIPTION\"",
        ),
        (
            "[media.audio]\nspeaker = \"atuo\"",
            "2:11: media.audio.speaker = \"atuo\": must be \"auto\", \"none\", \
             an ALSA device such as \"hw:1,0\", \"name:SPEAKER\" or \"gst:SINK DESCRIPTION\"",
        ),
        (
            "[room]\nheartbeat_seconds = 13",
            "2:21: room.heartbeat_seconds = 13: must be whole seconds from 1 to 12",
        ),
        (
            "[room]\nserver_url = \"ftp://user:pw@host/weapp?token=1\"",
            "2:14: room.server_url = \"ftp://(hidden)@host/weapp?(hidden)\": \
             must be the base of a room server such as \"https://rooms.example.com/weapp\", \
             without login, query or fragment",
        ),
        (
            "[room]\ntype = \"multi\"\nserver_url = \"https://h/weapp/double_room\"",
            "3:14: room.server_url = \"https://h/weapp/double_room\": \
             must not end in another room type than room.type",
        ),
        (
            "[room]\nuser_id = \"a/b\"",
            "2:11: room.user_id = \"a/b\": \
             must be 1 to 32 of the characters A-Z, a-z, 0-9, \"_\" and \"-\"",
        ),
        (
            "[room]\nuser_sig = \"short-secret\"",
            "2:12: room.user_sig = (hidden): must be text of 16 or more ASCII characters, no spaces",
        ),
        (
            "[room]\nuser_sig = \"0123456789abcdef\"",
            "2:12: room.user_sig = (hidden): \
             needs room.sdk_app_id, room.account_type, room.user_id as well",
        ),
        (
            "language = \"de\"",
            "1:12: language = \"de\": must be one of \"en\", \"zh\"",
        ),
        (
            "name = \"two\\nlines\"",
            "1:8: name = \"two\\nlines\": must be one line of 1 to 64 characters",
        ),
        (
            "state_dir = \"var\"",
            "1:13: state_dir = \"var\": must be an absolute path such as \"/var/lib/rtckiosk\"",
        ),
        ("media = 3", "1:9: media = 3: must be a table, [media]"),
        ("[[room]]", "1:1: room = [...]: must be a table, [room]"),
        (
            "[display]\nself_view = true",
            "2:13: display.self_view = true: must be one of \
             \"top-left\", \"top-right\", \"bottom-left\", \"bottom-right\", \"off\"",
        ),
        (
            "[media.video]\n\nfsp = 30",
            "3:1: media.video.fsp: unknown key, did you mean media.video.fps?",
        ),
        (
            "[media]\nfps = 30",
            "2:1: media.fps: unknown key, did you mean media.video.fps?",
        ),
        (
            "[tls]\nsystem_ca = false",
            "2:13: tls.system_ca = false: needs tls.ca_file or tls.ca as well: no server would be trusted",
        ),
        (
            "[tls]\nrelay_pins = [\"sha256/abc\"]",
            "2:14: tls.relay_pins = [...]: must be a list of keys such as \
             [\"sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"]",
        ),
        (
            "[tls]\ninsecure = true",
            "2:1: tls.insecure: unknown key, known here: ca, ca_file, im_pins, \
             insecure_skip_certificate_check, relay_pins, room_pins, system_ca",
        ),
        (
            "[disply]\nwidth = 640",
            "1:2: disply: unknown key, did you mean display?",
        ),
        (
            "[media.camera]\nwidth = 640",
            "1:8: media.camera: unknown key, did you mean media.cameras?",
        ),
        ("fps = 30\nfps = 30", "2:1: not valid TOML: duplicate key"),
    ];
    for (text, line) in cases {
        assert_eq!(kiosk_lines(text), [format!("kiosk.toml:{line}")], "{text}");
    }
}

#[test]
fn each_wrong_server_value_gets_its_line() {
    let cases = [
        (
            "[http]\nlisten = \"5757\"",
            "2:10: http.listen = \"5757\": \
             must be an IP address with port such as \"127.0.0.1:5757\" or \"[::]:5757\"",
        ),
        (
            "[http]\ncors_origins = [\"https://a.example/path\"]",
            "2:16: http.cors_origins = [...]: \
             must be [\"*\"] or a list of origins such as \"https://desk.example.com\"",
        ),
        (
            "[http]\ntls = true",
            "2:7: http.tls = true: needs tls.certificate_file and tls.key_file as well",
        ),
        (
            "[tls]\nkey_file = \"/k\"",
            "2:12: tls.key_file = \"/k\": needs tls.certificate_file as well",
        ),
        (
            "[relay.embedded]\nplain_listen = \"127.0.0.1:1936\"",
            "2:16: relay.embedded.plain_listen = \"127.0.0.1:1936\": only beside TLS: \
             relay.embedded.listen is plain itself",
        ),
        (
            "[http.per_user]\nper_second = 50\nburst = 20",
            "3:9: http.per_user.burst = 20: must be at least per_second, 50",
        ),
        (
            "[rooms]\ncreator_can_destroy_room = \"yes\"",
            "2:28: rooms.creator_can_destroy_room = \"yes\": must be true or false",
        ),
        (
            "[rooms]\nheartbeat_timeout_seconds = 10\nsweep_seconds = 30",
            "3:17: rooms.sweep_seconds = 30: must not be longer than heartbeat_timeout_seconds",
        ),
        (
            "[auth]\npublic_key_file = \"/etc/key.pem\"",
            "2:19: auth.public_key_file = \"/etc/key.pem\": cannot sign, and this server is open: \
             needs open = false, or auth.private_key_file instead",
        ),
        (
            "[http]\nlisten = \"0.0.0.0:5757\"",
            "2:10: http.listen = \"0.0.0.0:5757\": a server that does not give identities away \
             needs keys: state_dir, or auth.private_key_file with stream.push_key and \
             stream.play_key (`rtcroomd init` makes them all)",
        ),
        (
            "[auth]\nagent_prefixes = [\"\"]",
            "2:18: auth.agent_prefixes = [...]: \
             must be a list of texts such as [\"teller-\"], none empty",
        ),
        (
            "[auth]\napi_key = 12345678",
            "2:11: auth.api_key = (hidden): must be text of 8 or more ASCII characters, no spaces",
        ),
        (
            "[stream]\npush_key = \"a secret\"",
            "2:12: stream.push_key = (hidden): \
             must be text of 8 or more ASCII characters, no spaces",
        ),
        (
            "[relay.embedded]\npublic_host = \"rtmp://h\"",
            "2:15: relay.embedded.public_host = \"rtmp://h\": \
             must be a host such as \"rooms.example.com\" or \"192.168.1.5:1935\"",
        ),
        (
            "[relay.external]\npush_url = \"rtmp://h/live/{steam}\"\nplay_url = \"rtmp://h/live/{stream}\"",
            "2:12: relay.external.push_url = \"rtmp://h/live/{steam}\": must be an RTMP URL \
             such as \"rtmp://relay.example.com/live/{stream}?{query}\"",
        ),
        (
            "[relay.external]\npush_url = \"rtmp://h/live/{stream}\"",
            "2:12: relay.external.push_url = \"rtmp://h/live/{stream}\": \
             needs relay.external.play_url as well",
        ),
        (
            "[relay.external]\nstatus_kind = \"srs\"",
            "2:15: relay.external.status_kind = \"srs\": needs relay.external.push_url, \
             relay.external.play_url, relay.external.status_url as well",
        ),
        (
            "[relay]\nexternal.push_url = \"rtmp://h/{stream}\"\nexternal.play_url = \"rtmp://h/{stream}\"\nembedded.gop_cache = true",
            "4:1: relay.embedded = {...}: not together with [relay.external]",
        ),
    ];
    for (text, line) in cases {
        assert_eq!(
            server_lines(text),
            [format!("rtcroomd.toml:{line}")],
            "{text}"
        );
    }
}
