//! Every key of the annotated files does something: another value makes another plan for the
//! kiosk, or other settings for the server.

use std::path::Path;
use std::process::Command;

use secrecy::ExposeSecret as _;

use rtckiosk::appliance::plan::Plan;
use rtckiosk::config::{KioskConfig, ServerConfig};
use rtckiosk::server::Settings;

const KIOSK_FILE: &str = include_str!("../../board/kiosk.toml");
const SERVER_FILE: &str = include_str!("../../board/rtcroomd.toml");

/// The keys of an annotated file with their sections, as in `media.video.fps`.
fn documented(file: &str) -> Vec<String> {
    let mut section = String::new();
    let mut keys = Vec::new();
    for line in file.lines() {
        let line = line.strip_prefix("# e.g. ").unwrap_or(line);
        if let Some(named) = line.strip_prefix('[') {
            section = named.trim_matches(['[', ']']).to_owned();
            continue;
        }
        let shown = line.strip_prefix('#').unwrap_or(line);
        let Some((key, _)) = shown.split_once(" = ") else {
            continue;
        };
        if key
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        {
            let path = if section.is_empty() {
                key.to_owned()
            } else {
                format!("{section}.{key}")
            };
            keys.push(path);
        }
    }
    keys
}

/// Two texts that differ in the value of one key.
struct Change {
    path: &'static str,
    without: String,
    with: String,
}

/// Reads a table of lines `path | text without | text with`; `;` stands for a new line, `{dir}`
/// for a folder with a certificate and its key.
fn changes(table: &'static str, folder: &Path) -> Vec<Change> {
    let lines = table.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            let parts: Vec<_> = line.split('|').map(str::trim).collect();
            let [path, without, with] = parts[..] else {
                panic!("three columns: {line}");
            };
            // Generated keys are those of the time before where they were kept.
            let text = |column: &str| {
                let kept = match column.starts_with("state_dir") {
                    true => "",
                    false => "state_dir = \"{dir}/state\"; ",
                };
                let text = format!("{kept}{column}").replace("; ", "\n");
                text.replace("{dir}", folder.to_str().unwrap())
            };
            Change {
                path,
                without: text(without),
                with: text(with),
            }
        })
        .collect()
}

/// The plan that a kiosk would be started with, or the reason why it would not start.
fn kiosk(text: &str) -> String {
    let config = KioskConfig::parse("k", text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let plan = Plan::from(&config).map_err(|error| error.to_string());
    format!("{plan:#?} {:?}", config.log)
}

/// The settings that a server would be started with, or the reason why it would not start.
fn server(text: &str) -> String {
    let config = ServerConfig::parse("s", text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let settings = Settings::load(&config).map_err(|error| error.to_string());
    // Debug hides them, and a key that is not given is another one each time.
    let urls = settings.as_ref().map(|settings| &settings.urls);
    let stream = &config.stream;
    let keys = [
        (&stream.push_key, urls.map(|urls| &urls.push_key)),
        (&stream.play_key, urls.map(|urls| &urls.play_key)),
    ];
    let given = keys.map(|(given, used)| {
        let used = given.is_some().then_some(used);
        used.map(|used| used.map(|key| key.expose_secret().to_owned()))
    });
    format!("{settings:#?} {given:?} {:?}", config.log)
}

fn certificate_in(folder: &Path) {
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ])
        .args([
            "-subj",
            "/CN=localhost",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
        ])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
}

fn every_key_counts(file: &str, table: &'static str, made: fn(&str) -> String) {
    let folder = tempfile::tempdir().unwrap();
    certificate_in(folder.path());
    let changes = changes(table, folder.path());
    let mut unread = Vec::new();
    for change in &changes {
        let without = made(&change.without);
        assert_eq!(without, made(&change.without), "one text makes one plan");
        if without == made(&change.with) {
            unread.push(change.path);
        }
    }
    assert_eq!(unread, [""; 0], "nothing reads these keys");
    let mut listed: Vec<_> = changes
        .iter()
        .map(|change| change.path.to_owned())
        .collect();
    let mut documented = documented(file);
    listed.sort();
    documented.sort();
    documented.dedup();
    assert_eq!(
        listed, documented,
        "the table and the annotated file differ"
    );
}

const KIOSK_CHANGES: &str = r#"
name | | name = "Branch 7"
language | | language = "zh"
state_dir | | state_dir = "/tmp/state"
snapshot_dir | | snapshot_dir = "/tmp/snapshots"
runtime_dir | | runtime_dir = "/tmp/run"
log | | log = "debug"
network.proxy | | [network]; proxy = "socks5h://p"
network.proxy_login_file | [network]; proxy = "http://p:3128" | [network]; proxy = "http://p:3128"; proxy_login_file = "/l"
network.no_proxy | [network]; proxy = "http://p:3128" | [network]; proxy = "http://p:3128"; no_proxy = ["bank.example"]
room.server_url | | [room]; server_url = "https://rooms.example.com/weapp"
room.type | | [room]; type = "multi"
room.mode | | [room]; mode = "host"
room.room_id | [room]; mode = "host" | [room]; mode = "host"; room_id = "r"
room.agents | | [room]; agents = ["teller-*"]
room.first_picture_seconds | | [room]; first_picture_seconds = 11
room.answer_seconds | | [room]; answer_seconds = 11
room.user_id | | [room]; user_id = "k"
room.login_info_url | | [room]; login_info_url = "https://h/info"
room.sdk_app_id | [room]; user_id = "k"; account_type = "1"; user_sig_file = "/s"; sdk_app_id = 1 | [room]; user_id = "k"; account_type = "1"; user_sig_file = "/s"; sdk_app_id = 2
room.account_type | [room]; user_id = "k"; sdk_app_id = 1; user_sig_file = "/s"; account_type = "1" | [room]; user_id = "k"; sdk_app_id = 1; user_sig_file = "/s"; account_type = "2"
room.user_sig | [room]; user_id = "k"; sdk_app_id = 1; account_type = "1"; user_sig_file = "/s" | [room]; user_id = "k"; sdk_app_id = 1; account_type = "1"; user_sig = "0123456789abcdef"
room.user_sig_file | [room]; user_id = "k"; sdk_app_id = 1; account_type = "1"; user_sig_file = "/s" | [room]; user_id = "k"; sdk_app_id = 1; account_type = "1"; user_sig_file = "/t"
room.private_key_file | [room]; user_id = "k"; sdk_app_id = 1; account_type = "1"; private_key_file = "/s" | [room]; user_id = "k"; sdk_app_id = 1; account_type = "1"; private_key_file = "/t"
room.user_sig_form | [room]; user_id = "k"; sdk_app_id = 1; account_type = "1"; private_key_file = "/s" | [room]; user_id = "k"; sdk_app_id = 1; account_type = "1"; private_key_file = "/s"; user_sig_form = "java"
room.request_timeout_ms | | [room]; request_timeout_ms = 6000
room.heartbeat_seconds | | [room]; heartbeat_seconds = 8
room.poll_seconds | | [room]; poll_seconds = 3
im.url | | [im]; url = "none"
tls.ca_file | | [tls]; ca_file = "/dev/null/ca.pem"
tls.ca | | [tls]; ca = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----"
tls.system_ca | [tls]; ca_file = "{dir}/cert.pem" | [tls]; ca_file = "{dir}/cert.pem"; system_ca = false
tls.room_pins | | [tls]; room_pins = ["sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="]
tls.im_pins | | [tls]; im_pins = ["sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="]
tls.relay_pins | | [tls]; relay_pins = ["sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="]
tls.insecure_skip_certificate_check | | [tls]; insecure_skip_certificate_check = true
media.cameras.name | [[media.cameras]]; name = "a"; source = "test" | [[media.cameras]]; name = "b"; source = "test"
media.cameras.source | [[media.cameras]]; name = "a"; source = "test" | [[media.cameras]]; name = "a"; source = "/dev/video1"
media.cameras.rotation | [[media.cameras]]; name = "a"; source = "test" | [[media.cameras]]; name = "a"; source = "test"; rotation = 90
media.cameras.width | [[media.cameras]]; name = "a"; source = "test"; height = 720; width = 960 | [[media.cameras]]; name = "a"; source = "test"; height = 720; width = 1280
media.cameras.height | [[media.cameras]]; name = "a"; source = "test"; width = 960; height = 720 | [[media.cameras]]; name = "a"; source = "test"; width = 960; height = 540
media.video.source | | [media.video]; source = "test"
media.video.rotation | | [media.video]; rotation = 180
media.video.preset | | [media.video]; preset = "hd"
media.video.aspect | | [media.video]; aspect = "16:9"
media.video.orientation | | [media.video]; orientation = "portrait"
media.video.width | [media.video]; height = 600; width = 640 | [media.video]; height = 600; width = 800
media.video.height | [media.video]; width = 800; height = 480 | [media.video]; width = 800; height = 600
media.video.fps | | [media.video]; fps = 25
media.video.bitrate_kbps | [media.video]; max_kbps = 900 | [media.video]; max_kbps = 900; bitrate_kbps = 600
media.video.min_kbps | | [media.video]; min_kbps = 200
media.video.max_kbps | | [media.video]; max_kbps = 1000
media.video.gop_seconds | | [media.video]; gop_seconds = 2.0
media.video.encoder | | [media.video]; encoder = "x264enc"
media.audio.microphone | | [media.audio]; microphone = "hw:1,0"
media.audio.speaker | | [media.audio]; speaker = "hw:1,0"
media.audio.bitrate_kbps | | [media.audio]; bitrate_kbps = 64
media.audio.volume | | [media.audio]; volume = 50
media.audio.microphone_level | | [media.audio]; microphone_level = 80
media.audio.speaker_level | | [media.audio]; speaker_level = 80
media.audio.echo_cancellation | | [media.audio]; echo_cancellation = "half-duplex"
media.audio.noise_suppression | | [media.audio]; noise_suppression = false
media.audio.gain_control | | [media.audio]; gain_control = false
media.playback.largest_picture | | [media.playback]; largest_picture = "1280x720"
media.network.connect_timeout_seconds | | [media.network]; connect_timeout_seconds = 11
media.network.reconnect_window_seconds | | [media.network]; reconnect_window_seconds = 60
display.backend | | [display]; backend = "headless"
display.width | | [display]; width = 800
display.height | | [display]; height = 480
display.self_view | | [display]; self_view = "off"
display.mirror | | [display]; mirror = false
"#;

#[test]
fn every_key_of_the_kiosk_is_read() {
    every_key_counts(KIOSK_FILE, KIOSK_CHANGES, kiosk);
}

const SERVER_CHANGES: &str = r#"
state_dir | | state_dir = "/dev/null/state"
open | | open = false
memory_mib | | memory_mib = 256
log | | log = "debug"
tls.certificate_file | [tls]; certificate_file = "{dir}/cert.pem"; key_file = "{dir}/key.pem" | [tls]; certificate_file = "{dir}/absent.pem"; key_file = "{dir}/key.pem"
tls.key_file | [tls]; certificate_file = "{dir}/cert.pem"; key_file = "{dir}/key.pem" | [tls]; certificate_file = "{dir}/cert.pem"; key_file = "{dir}/absent.pem"
tls.ca_file | [relay.external]; push_url = "rtmp://h/{stream}?{query}"; play_url = "rtmp://h/{stream}"; status_url = "https://h/s"; status_kind = "nginx" | [tls]; ca_file = "/c"; [relay.external]; push_url = "rtmp://h/{stream}?{query}"; play_url = "rtmp://h/{stream}"; status_url = "https://h/s"; status_kind = "nginx"
http.listen | | [http]; listen = "127.0.0.1:5758"
http.tls | [tls]; certificate_file = "{dir}/cert.pem"; key_file = "{dir}/key.pem" | [tls]; certificate_file = "{dir}/cert.pem"; key_file = "{dir}/key.pem"; [http]; tls = false
http.cors_origins | | [http]; cors_origins = ["https://h"]
http.max_body_bytes | | [http]; max_body_bytes = 65536
http.request_timeout_ms | | [http]; request_timeout_ms = 9000
http.max_connections | | [http]; max_connections = 600
http.trusted_proxies | open = false | open = false; [http]; trusted_proxies = ["10.0.0.0/8"]
http.per_address.per_second | | [http.per_address]; per_second = 90
http.per_address.burst | | [http.per_address]; burst = 300
http.per_user.per_second | | [http.per_user]; per_second = 9
http.per_user.burst | | [http.per_user]; burst = 30
rooms.double_capacity | | [rooms]; double_capacity = 3
rooms.multi_capacity | | [rooms]; multi_capacity = 5
rooms.live_capacity | | [rooms]; live_capacity = 5
rooms.live_audience | | [rooms]; live_audience = 31
rooms.room_info_limit | | [rooms]; room_info_limit = 2048
rooms.max_rooms | | [rooms]; max_rooms = 9000
rooms.rooms_per_user | | [rooms]; rooms_per_user = 9
rooms.memberships_per_user | | [rooms]; memberships_per_user = 9
rooms.heartbeat_timeout_seconds | | [rooms]; heartbeat_timeout_seconds = 21
rooms.sweep_seconds | | [rooms]; sweep_seconds = 4
rooms.idle_room_seconds | | [rooms]; idle_room_seconds = 31
rooms.creator_can_destroy_room | | [rooms]; creator_can_destroy_room = true
auth.sdk_app_id | | [auth]; sdk_app_id = 1
auth.account_type | | [auth]; account_type = "2"
auth.private_key_file | | [auth]; private_key_file = "/dev/null/key"
auth.public_key_file | | open = false; [auth]; public_key_file = "/dev/null/key"
auth.usersig_seconds | | [auth]; usersig_seconds = 86400
auth.token_seconds | | [auth]; token_seconds = 43200
auth.users_file | | [auth]; users_file = "/etc/hostname"
auth.kiosk_prefixes | | [auth]; kiosk_prefixes = ["k"]
auth.agent_prefixes | | [auth]; agent_prefixes = ["k"]
auth.supervisor_prefixes | | [auth]; supervisor_prefixes = ["k"]
auth.api_key | [relay.external]; push_url = "rtmp://h/{stream}?{query}"; play_url = "rtmp://h/{stream}" | [auth]; api_key = "0123456789"; [relay.external]; push_url = "rtmp://h/{stream}?{query}"; play_url = "rtmp://h/{stream}"
im.administrator | | [im]; administrator = "root"
im.hold_seconds | | [im]; hold_seconds = 24
im.anonymous_readers | | [im]; anonymous_readers = 5
im.max_groups | | [im]; max_groups = 9000
im.polls_per_address | | [im]; polls_per_address = 100
im.per_user.per_second | | [im.per_user]; per_second = 19
im.per_user.burst | | [im.per_user]; burst = 50
im.messages.per_second | | [im.messages]; per_second = 4
im.messages.burst | | [im.messages]; burst = 11
stream.bizid | | [stream]; bizid = "1001"
stream.push_key | [stream]; push_key = "0123456789" | [stream]; push_key = "9876543210"
stream.play_key | [stream]; play_key = "0123456789" | [stream]; play_key = "9876543210"
stream.valid_seconds | | [stream]; valid_seconds = 86400
relay.embedded.listen | | [relay.embedded]; listen = "127.0.0.1:1936"
relay.embedded.tls | [tls]; certificate_file = "{dir}/cert.pem"; key_file = "{dir}/key.pem" | [tls]; certificate_file = "{dir}/cert.pem"; key_file = "{dir}/key.pem"; [relay.embedded]; tls = false
relay.embedded.plain_listen | [tls]; certificate_file = "{dir}/cert.pem"; key_file = "{dir}/key.pem" | [tls]; certificate_file = "{dir}/cert.pem"; key_file = "{dir}/key.pem"; [relay.embedded]; plain_listen = "127.0.0.1:1936"
relay.embedded.public_host | | [relay.embedded]; public_host = "h"
relay.embedded.app | | [relay.embedded]; app = "play"
relay.embedded.gop_cache | | [relay.embedded]; gop_cache = false
relay.embedded.gop_cache_kib | | [relay.embedded]; gop_cache_kib = 2048
relay.embedded.player_queue_kib | | [relay.embedded]; player_queue_kib = 2048
relay.embedded.max_connections | | [relay.embedded]; max_connections = 900
relay.external.push_url | [relay.external]; push_url = "rtmp://h/{stream}?{query}"; play_url = "rtmp://h/{stream}" | [relay.external]; push_url = "rtmp://i/{stream}?{query}"; play_url = "rtmp://h/{stream}"
relay.external.play_url | [relay.external]; push_url = "rtmp://h/{stream}?{query}"; play_url = "rtmp://h/{stream}" | [relay.external]; push_url = "rtmp://h/{stream}?{query}"; play_url = "rtmp://i/{stream}"
relay.external.mixed_play_url | [relay.external]; push_url = "rtmp://h/{stream}?{query}"; play_url = "rtmp://h/{stream}" | [relay.external]; push_url = "rtmp://h/{stream}?{query}"; play_url = "rtmp://h/{stream}"; mixed_play_url = "https://h/{stream}.flv"
relay.external.status_url | [relay.external]; push_url = "rtmp://h/{stream}?{query}"; play_url = "rtmp://h/{stream}"; status_kind = "nginx"; status_url = "http://h/s" | [relay.external]; push_url = "rtmp://h/{stream}?{query}"; play_url = "rtmp://h/{stream}"; status_kind = "nginx"; status_url = "http://h/t"
relay.external.status_kind | [relay.external]; push_url = "rtmp://h/{stream}?{query}"; play_url = "rtmp://h/{stream}"; status_url = "http://h/s"; status_kind = "nginx" | [relay.external]; push_url = "rtmp://h/{stream}?{query}"; play_url = "rtmp://h/{stream}"; status_url = "http://h/s"; status_kind = "srs"
relay.external.hook_key | [relay.external]; push_url = "rtmp://h/{stream}?{query}"; play_url = "rtmp://h/{stream}"; status_url = "http://h/s"; status_kind = "nginx" | [relay.external]; push_url = "rtmp://h/{stream}?{query}"; play_url = "rtmp://h/{stream}"; status_url = "http://h/s"; status_kind = "nginx"; hook_key = "0123456789abcdef"
relay.external.control_url | [relay.external]; push_url = "rtmp://h/{stream}?{query}"; play_url = "rtmp://h/{stream}"; status_url = "http://h/s"; status_kind = "nginx"; hook_key = "0123456789abcdef" | [relay.external]; push_url = "rtmp://h/{stream}?{query}"; play_url = "rtmp://h/{stream}"; status_url = "http://h/s"; status_kind = "nginx"; hook_key = "0123456789abcdef"; control_url = "http://h/c"
relay.external.app_id | [auth]; api_key = "0123456789"; [relay.external]; push_url = "rtmp://h/{stream}?{query}"; play_url = "rtmp://h/{stream}"; status_url = "http://h/s"; status_kind = "tencent"; app_id = 1 | [auth]; api_key = "0123456789"; [relay.external]; push_url = "rtmp://h/{stream}?{query}"; play_url = "rtmp://h/{stream}"; status_url = "http://h/s"; status_kind = "tencent"; app_id = 2
"#;

#[test]
fn every_key_of_the_server_is_read() {
    every_key_counts(SERVER_FILE, SERVER_CHANGES, server);
}
