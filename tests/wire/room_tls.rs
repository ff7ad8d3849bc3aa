//! The room client and TLS: certificates are verified, against the system's and extra CAs.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests may panic like the tests"
)]

use std::io::{Read, Write};
use std::process::Command;

use rtckiosk::protocol::RoomType;
use rtckiosk::room::{ClientSettings, RoomClient, RoomError, TransportKind};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

fn kind(error: &RoomError) -> TransportKind {
    match error {
        RoomError::Transport { kind, .. } => *kind,
        other => panic!("{other}"),
    }
}

/// A TLS server that answers every connection with a login info.
fn tls_server(dir: &std::path::Path) -> std::net::SocketAddr {
    let chain = vec![CertificateDer::from_pem_file(dir.join("leaf.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(dir.join("leaf.key")).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = std::sync::Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let session = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut tls = rustls::StreamOwned::new(session, stream);
            let body =
                r#"{"code":0,"message":"","userID":"u","sdkAppID":1,"accType":"1","userSig":"s"}"#;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            if tls.read(&mut [0; 4096]).is_ok() {
                let _ = tls.write_all(format!("{head}{body}").as_bytes());
                let _ = tls.flush();
            }
        }
    });
    addr
}

fn openssl(dir: &std::path::Path, args: &str) {
    let output = Command::new("openssl")
        .args(args.split_whitespace())
        .current_dir(dir)
        .output()
        .expect("this test needs the openssl program (Debian package openssl)");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "openssl {args}: {text}");
}

#[tokio::test]
async fn tls_is_verified() {
    let dir = tempfile::tempdir().unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    openssl(
        dir.path(),
        &format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=ca"),
    );
    openssl(
        dir.path(),
        &format!(
            "req -x509 {key} -keyout leaf.key -out leaf.pem -subj /CN=leaf -CA ca.pem -CAkey ca.key \
             -addext basicConstraints=CA:FALSE -addext subjectAltName=DNS:localhost"
        ),
    );
    let addr = tls_server(dir.path());
    let ask = async |host: &str, ca: Option<String>| {
        let url = format!("https://{host}:{}/weapp", addr.port());
        let mut settings = ClientSettings::new(url, RoomType::Double);
        settings.extra_ca_pem = ca;
        RoomClient::new(&settings)
            .unwrap()
            .get_login_info(None)
            .await
    };
    let ca = std::fs::read_to_string(dir.path().join("ca.pem")).unwrap();
    assert_eq!(
        ask("localhost", Some(ca.clone())).await.unwrap().user_id,
        "u"
    );
    for (host, ca) in [("localhost", None), ("127.0.0.1", Some(ca))] {
        let error = ask(host, ca).await.unwrap_err();
        assert_eq!(kind(&error), TransportKind::Tls, "{host}: {error:?}");
        assert!(error.reason().contains("certificate"), "{}", error.reason());
    }
    let mut settings = ClientSettings::new("https://h", RoomType::Double);
    settings.extra_ca_pem = Some("no certificate".into());
    assert!(RoomClient::new(&settings).is_err());
}

#[tokio::test]
async fn a_server_without_tls_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            let _ = stream.read(&mut [0; 4096]);
        }
    });
    let settings = ClientSettings::new(format!("https://{addr}"), RoomType::Double);
    let client = RoomClient::new(&settings).unwrap();
    let error = client.get_login_info(None).await.unwrap_err();
    assert_eq!(kind(&error), TransportKind::Tls, "{error:?}");
}
