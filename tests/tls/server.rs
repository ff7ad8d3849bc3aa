//! The server's side, as openssl sees it: what is offered, what is refused, and certificates that
//! are renewed while it runs.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::certificates::{Authority, Issued, Key, Valid};
use crate::peers::{PATIENCE, Server, openssl_client, room_server};

#[tokio::test(flavor = "multi_thread")]
async fn only_tls_1_2_and_1_3_with_ephemeral_keys_are_served() {
    let ours = Authority::new("ours");
    // With RSA, keys that are not ephemeral would be possible.
    let issued = ours.issue("rsa", "DNS:localhost,IP:127.0.0.1", Valid::Now, Key::Rsa);
    let server = room_server(issued.settings()).await;
    let verify = format!("-CAfile {} -verify_return_error", ours.path().display());
    for addr in [server.http, server.relay] {
        for (arguments, cipher) in [
            ("-tls1_3", "New, TLSv1.3, Cipher is TLS_AES_"),
            ("-tls1_2", "New, TLSv1.2, Cipher is ECDHE-RSA-"),
        ] {
            let said = openssl_client(addr, &format!("{arguments} {verify}")).await;
            assert!(said.contains(cipher), "{arguments}: {said}");
            assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
        }
        for refused in [
            "-tls1_1 -cipher ALL:@SECLEVEL=0",
            "-tls1 -cipher ALL:@SECLEVEL=0",
            "-tls1_2 -cipher AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA",
            "-tls1_2 -cipher DHE-RSA-AES128-GCM-SHA256",
        ] {
            let said = openssl_client(addr, refused).await;
            assert!(said.contains("Cipher is (NONE)"), "{refused}: {said}");
        }
        // Old keys are never used again.
        let again = openssl_client(addr, "-tls1_2 -reconnect").await;
        assert!(again.contains("New, TLSv1.2"), "{again}");
        assert!(!again.contains("Reused"), "{again}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_makes_no_session_is_let_go() {
    // Its folder holds the files until the end.
    let ours = Authority::new("ours");
    let issued = ours.for_this_machine();
    let server = room_server(issued.settings()).await;
    for addr in [server.http, server.relay] {
        // Says nothing, or stops in the middle of the hello.
        for begun in [&[][..], &[22, 3, 1, 2, 0, 1]] {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            stream.write_all(begun).await.unwrap();
            let asked = Instant::now();
            let end = timeout(PATIENCE, stream.read(&mut [0; 64])).await;
            assert!(
                !matches!(end, Ok(Ok(1..))) && end.is_ok(),
                "{addr}: {end:?}"
            );
            let waited = asked.elapsed();
            assert!(waited > Duration::from_secs(4), "{addr}: {waited:?}");
        }
    }
    // Plain RTMP on the port for RTMPS.
    let mut stream = TcpStream::connect(server.relay).await.unwrap();
    stream.write_all(&[3; 1537]).await.unwrap();
    let end = timeout(Duration::from_secs(3), stream.read(&mut [0; 64])).await;
    assert!(!matches!(end, Ok(Ok(1..))) && end.is_ok(), "{end:?}");
}

/// The subject of the certificate that is served now.
async fn served(server: &Server) -> String {
    let said = openssl_client(server.http, "").await;
    let subject = said.lines().find_map(|line| line.strip_prefix("subject="));
    subject.unwrap_or_else(|| panic!("{said}")).replace(' ', "")
}

fn put(from: &Issued, to: &Issued) {
    std::fs::copy(&from.certificate, &to.certificate).unwrap();
    std::fs::copy(&from.key, &to.key).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_served_and_a_wrong_one_is_not() {
    let ours = Authority::new("ours");
    let names = "DNS:localhost";
    let (first, second) = ("first", "second");
    let [one, two] = [first, second].map(|name| ours.issue(name, names, Valid::Now, Key::P256));
    let live = ours.issue("live", names, Valid::Now, Key::P256);
    put(&one, &live);
    let server = room_server(live.settings()).await;
    assert_eq!(served(&server).await, "CN=first");
    // A connection that stands is not touched by what follows.
    let mut standing = TcpStream::connect(server.http).await.unwrap();

    std::fs::write(&live.certificate, "no certificate").unwrap();
    server.handle.reload_certificate();
    assert_eq!(served(&server).await, "CN=first", "garbage");
    std::fs::copy(&two.certificate, &live.certificate).unwrap();
    server.handle.reload_certificate();
    assert_eq!(served(&server).await, "CN=first", "another's key");
    std::fs::remove_file(&live.key).unwrap();
    server.handle.reload_certificate();
    assert_eq!(served(&server).await, "CN=first", "no key");
    put(&two, &live);
    server.handle.reload_certificate();
    assert_eq!(served(&server).await, "CN=second");

    // Nobody says so this time.
    put(&one, &live);
    let noticed = async {
        while served(&server).await != "CN=first" {
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(PATIENCE, noticed)
        .await
        .expect("the change is noticed");
    standing.write_all(&[22]).await.unwrap();
}

#[test]
fn files_that_cannot_be_served_are_named_at_the_start() {
    let ours = Authority::new("ours");
    let [one, two] = ["one", "two"].map(|name| ours.issue(name, "DNS:h", Valid::Now, Key::P256));
    let error = |certificate: &std::path::Path, key: &std::path::Path| {
        let error = rtckiosk::tls::ServerTls::load(certificate, key);
        error.unwrap_err().to_string()
    };
    for (text, words) in [
        (
            error(&one.certificate, &two.key),
            "does not belong to the first certificate",
        ),
        (
            error(&one.key, &one.key),
            "holds no -----BEGIN CERTIFICATE-----",
        ),
        (
            error(&one.certificate, &one.certificate),
            "holds no private key",
        ),
        (
            error("/no/such".as_ref(), &one.key),
            "tls.certificate_file = \"/no/such\": No such file",
        ),
        (
            error(&one.certificate, "/no/such".as_ref()),
            "tls.key_file = \"/no/such\": No such file",
        ),
    ] {
        assert!(text.contains(words), "{text}");
    }
    std::fs::set_permissions(&one.key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(rtckiosk::tls::ServerTls::load(&one.certificate, &one.key).is_ok());
}
