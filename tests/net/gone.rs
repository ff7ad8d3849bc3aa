//! The link is gone for ten seconds.

use std::net::SocketAddr;

use rtckiosk::media::time_code::now_micros;
use rtckiosk::protocol::events::{PlayCode, PushCode};

use crate::call::Call;
use crate::judge::{SECOND, Seen, millis};
use crate::lab::{self, Lab};
use crate::near::{Said, shown};
use crate::nginx::Nginx;
use crate::wire::Weather;
use crate::{sleep, told};

#[test]
fn a_link_that_is_gone_for_ten_seconds_is_back_in_two() {
    lab::in_namespace(
        "gone::a_link_that_is_gone_for_ten_seconds_is_back_in_two",
        |lab| {
            let nginx = Nginx::start_at(lab.here());
            gone(lab, &|stream| nginx.url("live", stream));
        },
    );
}

#[cfg(feature = "server")]
#[test]
fn so_it_is_with_the_embedded_relay() {
    use rtckiosk::server::relay::{Relay, RelayConfig};
    use tokio_util::sync::CancellationToken;
    lab::in_namespace("gone::so_it_is_with_the_embedded_relay", |lab| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let config = RelayConfig {
            listen: SocketAddr::from((lab.here(), 0)),
            ..RelayConfig::default()
        };
        let relay = runtime
            .block_on(Relay::bind(config, || 1_700_000_000))
            .unwrap();
        let address = relay.local_addr();
        runtime.spawn(relay.run(CancellationToken::new()));
        gone(lab, &|stream| format!("rtmp://{address}/live/{stream}"));
    });
}

/// Both directions must be back within 2 s of the link's return.
fn gone(lab: Lab, url: &dyn Fn(&str) -> String) {
    let Call { lab, player, .. } = &Call::start(lab, url, 600);
    sleep(4.0);
    let cut = now_micros();
    lab.set_weather(Weather {
        gone: true,
        ..Weather::default()
    });
    sleep(10.0);
    let back = now_micros();
    lab.set_weather(Weather::default());
    sleep(6.0);
    let said = lab.said();

    let notes = player.notes();
    let fresh = |seen: &&Seen| seen.at > back && seen.captured > back - SECOND / 2;
    let since = |at: u64| millis(back, at);
    let up_seen = notes.pictures.iter().find(fresh).map(|seen| since(seen.at));
    let up_heard = notes
        .sound
        .iter()
        .find(|at| **at > back)
        .map(|at| since(*at));
    let down_seen = shown(&said).iter().find(fresh).map(|seen| since(seen.at));
    let down_heard = said.iter().find_map(|said| match said {
        Said::Down(down) if down.heard && down.at > back => Some(since(down.at)),
        _ => None,
    });
    for (at, code, message) in told(&said).filter(|(at, code, _)| *at > cut && *code < 200_000) {
        println!("{:8.0} ms: {code} {message}", millis(cut, at));
    }
    let all = [
        ("picture up", up_seen),
        ("sound up", up_heard),
        ("picture down", down_seen),
        ("sound down", down_heard),
    ];
    println!("ms after the link's return: {all:.0?}");
    for (what, after) in all {
        assert!(after.is_some_and(|ms| ms < 2000.0), "{what}: {after:?} ms");
    }
    let heard_of = |code: i32| told(&said).any(|(at, told, _)| told == code && at > cut);
    for code in [PushCode::Reconnect.code(), PushCode::PushBegin.code()] {
        assert!(heard_of(code), "{code} is missing");
    }
    for code in [PlayCode::PlayLoading.code(), PlayCode::PlayBegin.code()] {
        assert!(heard_of(code), "{code} is missing");
    }
    let last = said.iter().rev().find_map(|said| match said {
        Said::Up(up) => Some(up),
        _ => None,
    });
    assert!(last.is_some_and(|up| up.connected), "{last:?}");
}
