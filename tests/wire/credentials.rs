//! The sources of a kiosk's identity, and the places where it then looks for messages: against a
//! real room server and exact bytes.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests may panic like the tests"
)]

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rtckiosk::config::kiosk::Credentials;
use rtckiosk::protocol::RoomType;
use rtckiosk::protocol::user_sig::{self, Form, SigningKey};
use rtckiosk::room::{
    ChannelState, ClientSettings, ImSettings, RoomEvent, RoomHandle, RoomSession, RoomSnapshot,
    SessionSettings,
};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::im_server::peer::{APP, server, unix_now};
use crate::played::{Played, Reply};
use crate::played_im::Service;
use crate::played_world::World;

const PATIENCE: Duration = Duration::from_secs(5);

/// A private key as openssl writes it.
fn private_key() -> (tempfile::NamedTempFile, SigningKey) {
    let output = Command::new("openssl")
        .args("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256".split(' '))
        .output()
        .expect("this test needs the openssl program (Debian package openssl)");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &output.stdout).unwrap();
    let pem = String::from_utf8(output.stdout).unwrap();
    (file, SigningKey::from_pem(&pem).unwrap())
}

fn signing(path: PathBuf, form: Form) -> Credentials {
    Credentials::Key {
        sdk_app_id: APP,
        account_type: "12345".into(),
        user_id: "kiosk".into(),
        path,
        form,
    }
}

fn settings(base_url: String) -> SessionSettings {
    SessionSettings::new(ClientSettings::new(base_url, RoomType::Double))
}

fn start(
    settings: &SessionSettings,
    credentials: Credentials,
) -> (RoomHandle, mpsc::Receiver<RoomEvent>) {
    let (sender, events) = mpsc::channel(64);
    let handle = RoomSession::start(settings, credentials, sender).unwrap();
    (handle, events)
}

async fn until(handle: &RoomHandle, what: &str, is_it: impl Fn(&RoomSnapshot) -> bool) {
    let mut snapshot = handle.snapshot();
    let waited = timeout(PATIENCE, snapshot.wait_for(is_it)).await;
    assert!(waited.is_ok(), "not within {PATIENCE:?}: {what}");
}

#[tokio::test]
async fn a_kiosk_signs_with_its_own_key_and_finds_messages_where_it_is_told() {
    let (file, key) = private_key();
    let (server, _) = server(|settings| {
        settings.auth.verifying_key = key.verifying_key();
    })
    .await;
    let (service, url) = (Service::default(), format!("http://{}/weapp/", server.addr));
    let public = service.start().await;
    let mut settings = settings(url.clone());
    settings.im = Some(ImSettings::AsTold {
        room_server: url.parse().unwrap(),
        public: format!("http://{}/", public.addr).parse().unwrap(),
    });
    for form in [Form::Node, Form::Java] {
        let (handle, _events) = start(&settings, signing(file.path().into(), form));
        until(&handle, "a login", |state| {
            state.user_id.as_deref() == Some("kiosk")
        })
        .await;
        until(&handle, "messages", |state| {
            state.channel.state == ChannelState::Online
        })
        .await;
        handle.stop().await.unwrap();
    }
    assert_eq!(
        public.seen().len(),
        0,
        "the room server has messages itself"
    );
    server.stop().await;
}

#[tokio::test]
async fn each_official_server_gets_the_signature_that_it_takes() {
    let (file, key) = private_key();
    for (form, signed_app) in [(Form::Node, "1400000001"), (Form::Java, "0")] {
        let world = World::default();
        let rooms = world.start().await;
        let (handle, _events) = start(&settings(rooms.url()), signing(file.path().into(), form));
        until(&handle, "a login", |state| state.logins == 1).await;
        assert_eq!(rooms.count("get_login_info"), 0);
        let seen = rooms.seen();
        let login = seen.iter().find(|seen| seen.verb() == "login").unwrap();
        let sig = login.param("userSig").unwrap();
        let now = unix_now();
        let claims = user_sig::verify(&key.verifying_key(), &sig, APP, "kiosk", now).unwrap();
        assert_eq!(claims.account_type == "0", form == Form::Java);
        assert_eq!(
            login.param("accountType").as_deref(),
            Some("12345"),
            "as configured, beside a signed {signed_app}"
        );
        assert!(now - claims.time < 60, "signed at the login");
        handle.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_key_that_cannot_sign_is_named() {
    let garbage = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(garbage.path(), "-----BEGIN NOTHING-----").unwrap();
    let world = World::default();
    let rooms = world.start().await;
    for (path, reason) in [
        (garbage.path().to_owned(), "neither a PEM private key"),
        ("/nonexistent/key.pem".into(), "No such file"),
    ] {
        let credentials = signing(path.clone(), Form::Node);
        let (_handle, mut events) = start(&settings(rooms.url()), credentials);
        let event = timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
        let RoomEvent::LoginRefused { reason: told } = event else {
            panic!("{event:?}");
        };
        assert!(
            told.contains(&path.display().to_string()) && told.contains(reason),
            "{told}"
        );
    }
    assert_eq!(rooms.seen().len(), 0, "nothing to ask with");
}

#[tokio::test]
async fn an_identity_is_asked_for_where_the_configuration_says() {
    let world = World::default();
    let rooms = world.start().await;
    let desk = Played::start(|_| {
        // As Java writes it.
        Reply::json(
            r#"{"code":0,"message":"请求成功","userID":"kiosk-7","sdkAppID":"1","accType":1,"userSig":"s"}"#,
        )
    })
    .await;
    let mut settings = settings(rooms.url());
    let url = format!("http://{}/branch/info?branch=7", desk.addr);
    settings.client.login_info_url = Some(url.parse().unwrap());
    let user_id = Some("kiosk".into());
    let (handle, _events) = start(&settings, Credentials::GetLoginInfo { user_id });
    until(&handle, "a login", |state| {
        state.user_id.as_deref() == Some("kiosk-7")
    })
    .await;
    assert_eq!(rooms.count("get_login_info"), 0);
    assert_eq!(desk.seen()[0].target, "/branch/info?branch=7&userID=kiosk");
}

#[tokio::test]
async fn messages_of_a_foreign_room_server_are_at_the_public_service() {
    let (world, service) = (World::default(), Service::default());
    let (rooms, public) = (world.start().await, service.start().await);
    let mut settings = settings(rooms.url());
    settings.im = Some(ImSettings::AsTold {
        room_server: rooms.url().parse().unwrap(),
        public: format!("http://{}/", public.addr).parse().unwrap(),
    });
    let user_id = Some("kiosk".into());
    let (handle, _events) = start(&settings, Credentials::GetLoginInfo { user_id });
    until(&handle, "messages", |state| {
        state.channel.state == ChannelState::Online
    })
    .await;
    sleep(Duration::from_millis(100)).await;
    let strayed = rooms
        .seen()
        .into_iter()
        .find(|seen| seen.target.starts_with("/v"));
    assert!(strayed.is_none(), "{strayed:?}");
    assert!(matches!(
        ImSettings::as_told(&rooms.url().parse().unwrap()),
        ImSettings::AsTold { public, .. } if public.as_str() == "https://webim.tim.qq.com/"
    ));
}
