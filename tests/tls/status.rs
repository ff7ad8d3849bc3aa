//! The room server asks an external relay for its status by HTTPS: a real nginx with its RTMP
//! module, behind TLS.

use std::path::PathBuf;

use rtckiosk::config::server::Status;
use rtckiosk::server::relay::{ExternalRelay, StreamProbe, StreamState};
use url::Url;

use crate::certificates::Authority;
use crate::nginx_tls::TlsProxy;
use crate::support::nginx::Nginx;

fn relay(port: u16, ca_file: Option<PathBuf>) -> ExternalRelay {
    let url = Url::parse(&format!("https://localhost:{port}/stat")).unwrap();
    ExternalRelay::new(&Status::Nginx(url), None, ca_file, || 0).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_whose_ca_is_in_the_file_is_believed_and_no_other() {
    let (ours, stranger) = (Authority::new("ours"), Authority::new("stranger"));
    let nginx = Nginx::start();
    let issued = ours.for_this_machine();
    let proxy = TlsProxy::to(nginx.http_port, &issued);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::copy(ours.path(), &file).unwrap();
    let known = relay(proxy.port, Some(file));
    assert_eq!(known.state("a").await, StreamState::NotLive);
    for ca_file in [None, Some(stranger.path())] {
        let refused = relay(proxy.port, ca_file).state("a").await;
        let StreamState::Unknown(reason) = refused else {
            panic!("{refused:?}");
        };
        let words = "from the CA \"ours\", which is not trusted here (tls.ca_file)";
        assert!(reason.contains(words), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_file_that_cannot_be_used_is_named_at_the_start() {
    let text = "[tls]\nca_file = \"/no/such/ca.pem\"\n[relay.external]\n\
        push_url = \"rtmp://r/live/{stream}\"\nplay_url = \"rtmp://r/live/{stream}\"\n\
        status_url = \"https://r/stat\"\nstatus_kind = \"nginx\"\n";
    let config = rtckiosk::config::ServerConfig::parse("r", text).unwrap();
    let mut settings = rtckiosk::server::Settings::load(&config).unwrap();
    settings.http.listen = ([127, 0, 0, 1], 0).into();
    let error = rtckiosk::server::RoomServer::bind(settings)
        .await
        .unwrap_err();
    let words = "tls.ca_file = \"/no/such/ca.pem\" cannot be read: No such file";
    assert!(error.to_string().contains(words), "{error}");
}
