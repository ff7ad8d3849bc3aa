//! The room client over HTTPS: who is trusted, who is not, and in which words.

use std::io::{Read, Write};
use std::net::SocketAddr;

use rtckiosk::protocol::RoomType;
use rtckiosk::room::{ClientSettings, RoomClient, RoomError, TransportKind};
use rtckiosk::tls::{Pin, Trust};

use crate::certificates::{Authority, Issued, Key, Valid, trust};
use crate::peers::{openssl_server, room_server};

/// Asks for a login info, and for the words of a failure.
async fn ask(url: &str, trust: Trust, pins: Vec<Pin>) -> Result<(), (TransportKind, String)> {
    let mut settings = ClientSettings::new(url, RoomType::Double);
    (settings.trust, settings.pins) = (trust, pins);
    let client = RoomClient::new(&settings).unwrap();
    match client.get_login_info(None).await {
        Ok(_) => Ok(()),
        Err(error @ RoomError::Transport { kind, .. }) => Err((kind, error.reason())),
        Err(other) => panic!("{other:?}"),
    }
}

fn url(host: &str, addr: SocketAddr) -> String {
    format!("https://{host}:{}/weapp", addr.port())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_certificate_that_proves_nothing_is_refused_in_its_own_words() {
    let ours = Authority::new("ours");
    let stranger = Authority::new("stranger");
    let localhost = |valid| ours.issue(&format!("{valid:?}"), "DNS:localhost", valid, Key::P256);
    let cases: [(&str, Issued, &str, &str); 6] = [
        ("good", localhost(Valid::Now), "localhost", ""),
        (
            "wrong name",
            localhost(Valid::Now),
            "127.0.0.1",
            "its certificate is for localhost, not for 127.0.0.1",
        ),
        (
            "expired",
            localhost(Valid::LastYear),
            "localhost",
            "its certificate expired at 2025-06-01T00:00:00Z; the clock here says 20",
        ),
        (
            "not yet valid",
            localhost(Valid::FarAhead),
            "localhost",
            "its certificate is valid only from 2090-01-01T00:00:00Z, but the clock here says 20",
        ),
        (
            "self-signed",
            ours.self_signed(),
            "localhost",
            "its certificate is signed by itself and not trusted here (tls.ca_file)",
        ),
        (
            "unknown CA",
            stranger.issue("s", "DNS:localhost", Valid::Now, Key::P256),
            "localhost",
            "its certificate is from the CA \"stranger\", which is not trusted here",
        ),
    ];
    for (name, issued, host, words) in cases {
        let server = room_server(issued.settings()).await;
        let url = url(host, server.http);
        let asked = ask(&url, ours.trust(), vec![]).await;
        if words.is_empty() {
            assert_eq!(asked, Ok(()), "{name}");
            continue;
        }
        let (kind, reason) = asked.expect_err(name);
        assert_eq!(kind, TransportKind::Untrusted, "{name}: {reason}");
        assert!(
            reason.contains("the room server cannot be trusted"),
            "{reason}"
        );
        assert!(reason.contains(words), "{name}: {reason}");
        // Only a setting whose name warns of it lets one through.
        assert_eq!(ask(&url, trust(None, true), vec![]).await, Ok(()), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_trusted_without_a_ca() {
    let ours = Authority::new("ours");
    let issued = ours.for_this_machine();
    let server = room_server(issued.settings()).await;
    let url = url("localhost", server.http);
    // The system's store does not know our CA.
    let (kind, reason) = ask(&url, Trust::system(), vec![]).await.unwrap_err();
    assert_eq!(kind, TransportKind::Untrusted, "{reason}");
    let both = rtckiosk::tls::TrustSettings {
        ca_file: Some(ours.path()),
        ..Default::default()
    };
    let both = Trust::load(&both).unwrap();
    assert_eq!(
        ask(&url, both, vec![]).await,
        Ok(()),
        "added to the system's"
    );
    for (file, words) in [
        (issued.key, "holds no -----BEGIN CERTIFICATE-----"),
        ("/no/such/ca.pem".into(), "cannot be read"),
    ] {
        let settings = rtckiosk::tls::TrustSettings {
            ca_file: Some(file),
            ..Default::default()
        };
        let error = Trust::load(&settings).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_ca_file_counts_from_the_next_connection_on() {
    let (ours, stranger) = (Authority::new("ours"), Authority::new("stranger"));
    let servers = [ours.for_this_machine(), stranger.for_this_machine()];
    let [ours_at, stranger_at] = [
        room_server(servers[0].settings()).await,
        room_server(servers[1].settings()).await,
    ];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::copy(ours.path(), &file).unwrap();
    // One for the whole test, as the kiosk has it.
    let trust = trust(Some(file.clone()), false);
    let trusted = async |server: &crate::peers::Server| {
        let asked = ask(&url("localhost", server.http), trust.clone(), vec![]).await;
        asked.map_err(|(kind, _)| kind)
    };
    let refused = Err(TransportKind::Untrusted);
    assert_eq!(trusted(&ours_at).await, Ok(()));
    assert_eq!(trusted(&stranger_at).await, refused);

    // A file that cannot be read changes nothing.
    for wrong in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAA"] {
        std::fs::write(&file, wrong).unwrap();
        assert_eq!(trusted(&ours_at).await, Ok(()), "{wrong:?}");
    }
    std::fs::remove_file(&file).unwrap();
    assert_eq!(trusted(&ours_at).await, Ok(()));
    assert_eq!(trusted(&stranger_at).await, refused);

    std::fs::copy(stranger.path(), &file).unwrap();
    assert_eq!(trusted(&stranger_at).await, Ok(()));
    assert_eq!(trusted(&ours_at).await, refused);

    // Both, put in place at once, as a tool that renews does it.
    let both = [ours.path(), stranger.path()].map(|path| std::fs::read(path).unwrap());
    std::fs::write(folder.path().join("new"), both.concat()).unwrap();
    std::fs::rename(folder.path().join("new"), &file).unwrap();
    assert_eq!(trusted(&ours_at).await, Ok(()));
    assert_eq!(trusted(&stranger_at).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_key_must_be_in_the_chain() {
    let ours = Authority::new("ours");
    let issued = ours.for_this_machine();
    let other = ours.issue("other", "DNS:localhost", Valid::Now, Key::Rsa);
    let server = room_server(issued.settings()).await;
    let url = url("localhost", server.http);
    let (leaf, ca) = (
        Authority::pin(&issued.certificate),
        Authority::pin(&ours.path()),
    );
    let next = Authority::pin(&other.certificate);
    for pins in [vec![leaf], vec![ca], vec![next, leaf]] {
        assert_eq!(
            ask(&url, ours.trust(), pins.clone()).await,
            Ok(()),
            "{pins:?}"
        );
    }
    // Neither trust in the CA nor in everybody replaces the key.
    for trust in [ours.trust(), trust(None, true)] {
        let (kind, reason) = ask(&url, trust, vec![next]).await.unwrap_err();
        assert_eq!(kind, TransportKind::Untrusted);
        assert!(
            reason.contains("none of the keys that vouch for it is pinned"),
            "{reason}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_protocols_and_keys_without_forward_secrecy_are_refused() {
    let ours = Authority::new("ours");
    let issued = ours.issue("rsa", "DNS:localhost", Valid::Now, Key::Rsa);
    for arguments in [
        "-tls1_1 -cipher ALL:@SECLEVEL=0",
        "-tls1_2 -cipher AES128-GCM-SHA256:AES256-SHA",
        "-tls1_2 -cipher DHE-RSA-AES128-GCM-SHA256",
    ] {
        let (_server, port) = openssl_server(&issued, arguments).await;
        let url = format!("https://localhost:{port}/weapp");
        let (kind, reason) = ask(&url, ours.trust(), vec![]).await.unwrap_err();
        assert_eq!(kind, TransportKind::Tls, "{arguments}: {reason}");
        let words = "it offers neither TLS 1.3 nor TLS 1.2 with forward secrecy";
        assert!(reason.contains(words), "{arguments}: {reason}");
    }
}

/// A server that answers whatever comes with these bytes.
fn answering(answer: &'static [u8]) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let read = stream.read(&mut [0; 4096]);
            if read.is_ok() && !answer.is_empty() {
                let _ = stream.write_all(answer);
            }
        }
    });
    addr
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_text_and_tls_that_meet_are_named() {
    let plain = answering(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let (kind, reason) = ask(&url("localhost", plain), Trust::system(), vec![])
        .await
        .unwrap_err();
    assert_eq!(kind, TransportKind::Tls, "{reason}");
    assert!(reason.contains("does not speak TLS"), "{reason}");

    let closing = answering(b"");
    let (kind, reason) = ask(&url("localhost", closing), Trust::system(), vec![])
        .await
        .unwrap_err();
    assert_eq!(kind, TransportKind::Tls, "{reason}");
    assert!(reason.contains("is this a port for TLS?"), "{reason}");

    // The alert with which TLS servers answer a request in plain text.
    let alert = answering(&[21, 3, 3, 0, 2, 2, 10]);
    let http = format!("http://{alert}/weapp");
    let (kind, reason) = ask(&http, Trust::system(), vec![]).await.unwrap_err();
    assert_eq!(kind, TransportKind::NotHttp, "{reason}");
    assert!(reason.contains("https in place of http?"), "{reason}");

    let ours = Authority::new("ours");
    let server = room_server(ours.for_this_machine().settings()).await;
    let settings = ClientSettings::new(format!("http://{}/weapp", server.http), RoomType::Double);
    let client = RoomClient::new(&settings).unwrap();
    let error = client.get_login_info(None).await.unwrap_err().reason();
    assert!(error.contains("this port speaks TLS: use https"), "{error}");
}
