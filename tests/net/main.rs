//! The kiosk on links that narrow and vanish: network namespaces and the kernel's token bucket,
//! with a real relay on the far side. Skipped, with the reason, where namespaces cannot be made.
#![cfg(feature = "kiosk")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod far;
mod lab;
mod near;
#[path = "../wire/nginx.rs"]
#[allow(dead_code, reason = "shared with tests that need more of it")]
mod nginx;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rtckiosk::media::time_code::now_micros;

use self::far::{Player, Seen};
use self::lab::{Lab, Skip};
use self::near::{BARE, PLAY, PUSH, RATES, Report};
use self::nginx::Nginx;

const SECOND: u64 = 1_000_000;
const STREAM: &str = "kiosk";

/// These tests measure: several at once would measure each other.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn sleep(seconds: f64) {
    std::thread::sleep(Duration::from_secs_f64(seconds));
}

fn lab(subnet: u8, args: &[(&str, String)]) -> Option<Lab> {
    match Lab::new(subnet, args) {
        Ok(lab) => Some(lab),
        Err(Skip(reason)) => {
            println!("skipped: {reason}");
            None
        }
    }
}

/// Where the near side runs; not a test by itself.
#[test]
#[ignore = "the other tests start it in a network namespace"]
fn near_side() {
    if std::env::var(PUSH).is_ok() {
        near::run();
    }
}

fn reports(lab: &Lab) -> Vec<Report> {
    let said = lab.said();
    said.iter()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Ages of pictures in ms when they arrived.
fn ages(seen: &[Seen]) -> Vec<f64> {
    seen.iter()
        .map(|seen| (seen.at - seen.captured) as f64 / 1000.0)
        .collect()
}

/// How old the shown picture ever became, in ms: what arrives late, and what does not arrive.
fn oldest_shown(seen: &[Seen]) -> f64 {
    let pairs = seen
        .windows(2)
        .map(|pair| pair[1].at.saturating_sub(pair[0].captured));
    pairs.max().unwrap_or(u64::MAX) as f64 / 1000.0
}

fn worst(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

/// The worst age in each second of a span.
fn curve(player: &Player, from: u64, seconds: u64) -> Vec<u64> {
    let notes = player.notes.lock().unwrap();
    let second = |n| notes.between(from + n * SECOND, from + (n + 1) * SECOND);
    (0..seconds)
        .map(|n| worst(&ages(&second(n))) as u64)
        .collect()
}

#[test]
fn a_link_that_narrows_costs_quality_and_not_delay() {
    let _turn = turn();
    let Some(mut lab) = lab(11, &[(PUSH, STREAM.to_owned())]) else {
        return;
    };
    far::init();
    let nginx = Nginx::start_at(lab.here());
    lab.go(nginx.url("live", "").trim_end_matches('/'));
    let player = Player::start(&nginx.url("live", STREAM));
    sleep(8.0);
    let before = reports(&lab);
    let cut = now_micros();
    lab.set_rate(400_000);
    sleep(18.0);
    let narrow = reports(&lab);
    let back = now_micros();
    lab.set_rate(3_000_000);
    let enough = RATES[2] * 8 / 10;
    let mut wide = Vec::new();
    while now_micros() < back + 30 * SECOND
        && !wide
            .last()
            .is_some_and(|report: &Report| report.target_kbps >= enough)
    {
        sleep(0.2);
        wide.extend(reports(&lab));
    }
    let reached = now_micros();
    sleep(3.0);
    wide.extend(reports(&lab));

    let delay = curve(&player, cut, 18);
    let notes = player.notes.lock().unwrap();
    let normal = ages(&notes.between(cut - 3 * SECOND, cut));
    let during = notes.between(cut, back);
    let late = ages(&notes.between(cut + 5 * SECOND, back));
    let kbps = notes.kbps(cut + 8 * SECOND, back);
    let got = notes.kbps(reached, reached + 3 * SECOND);
    println!(
        "before: worst {:.0} ms at {} kbit/s",
        worst(&normal),
        before.last().unwrap().target_kbps
    );
    println!("worst delay in each second after the cut, ms: {delay:?}");
    println!(
        "cut: worst {:.0} ms, oldest shown {:.0} ms, after 5 s worst {:.0} ms, {kbps:.0} kbit/s of picture",
        worst(&ages(&during)),
        oldest_shown(&during),
        worst(&late)
    );
    let steps: Vec<_> = narrow
        .iter()
        .map(|r| (r.target_kbps, r.fps, r.width, r.reason.clone()))
        .collect();
    let mut steps = steps;
    steps.dedup();
    println!("steps: {steps:#?}");
    println!(
        "recovered to {} kbit/s after {:.1} s; {got:.0} kbit/s arrive",
        wide.last().unwrap().target_kbps,
        (reached - back) as f64 / 1e6
    );
    assert!(worst(&normal) < 500.0, "{normal:?}");
    assert!(worst(&ages(&during)) < 2500.0, "{delay:?}");
    assert!(worst(&late) < 800.0, "{delay:?}");
    assert!(
        oldest_shown(&during) < 3500.0,
        "{} ms",
        oldest_shown(&during)
    );
    assert!(late.len() > 50, "{} pictures in 13 s", late.len());
    assert!(kbps > 150.0, "{kbps} kbit/s of picture on a link of 400");
    assert!(
        wide.iter().any(|report| report.target_kbps >= enough),
        "{:?}",
        wide.last()
    );
    assert!(
        got > 0.7 * f64::from(enough),
        "{got} kbit/s arrive of {enough}"
    );
    for report in [before, narrow, wide]
        .concat()
        .iter()
        .filter(|r| r.micros > cut)
    {
        assert!(report.connected && report.reconnects == 0, "{report:?}");
    }
}

/// Cuts the link for 10 s; both directions must be back within 2 s of its return.
fn gone_for_ten_seconds(subnet: u8, setting: Option<&str>) {
    let _turn = turn();
    let args = [(PUSH, STREAM.to_owned()), (PLAY, "agent".to_owned())];
    let Some(mut lab) = lab(subnet, &args) else {
        return;
    };
    if let Some(setting) = setting.filter(|setting| !lab.sysctl(setting)) {
        println!("skipped: this kernel has no {setting}");
        return;
    }
    far::init();
    let nginx = Nginx::start_at(lab.here());
    let agent = near::bare(&nginx.url("live", "agent"), 600);
    lab.go(nginx.url("live", "").trim_end_matches('/'));
    let player = Player::start(&nginx.url("live", STREAM));
    sleep(7.0);
    assert!(
        reports(&lab)
            .last()
            .is_some_and(|r| r.connected && r.played.is_some())
    );
    lab.set_gone(true);
    sleep(10.0);
    reports(&lab);
    lab.set_gone(false);
    let back = now_micros();
    sleep(6.0);
    let reports = reports(&lab);
    gstreamer::prelude::ElementExt::set_state(&agent, gstreamer::State::Null).unwrap();

    let notes = player.notes.lock().unwrap();
    let fresh = |captured: u64| captured > back - SECOND / 2;
    let since = |at: u64| (at - back) as f64 / 1e6;
    let seen = notes
        .pictures
        .iter()
        .find(|seen| fresh(seen.captured))
        .map(|seen| since(seen.at));
    let heard = notes
        .sound
        .iter()
        .find(|at| **at > back + SECOND / 20)
        .map(|at| since(*at));
    let played = reports
        .iter()
        .find(|r| r.played.is_some_and(fresh))
        .map(|r| since(r.micros));
    let last = reports.last().unwrap();
    println!(
        "after the return: picture up {seen:.2?} s, sound up {heard:.2?} s, picture down {played:.2?} s, {} reconnects",
        last.reconnects
    );
    for (what, after) in [
        ("picture up", seen),
        ("sound up", heard),
        ("picture down", played),
    ] {
        assert!(
            after.is_some_and(|after| after < 2.0),
            "{what}: {after:?} s"
        );
    }
    assert!(last.connected, "{last:?}");
}

#[test]
fn a_link_that_is_gone_for_ten_seconds_is_back_in_two() {
    gone_for_ten_seconds(12, None);
}

/// As the appliance is set: TCP tries again each second.
#[test]
fn a_link_that_is_gone_for_ten_seconds_with_quick_retransmissions() {
    gone_for_ten_seconds(13, Some("net.ipv4.tcp_rto_max_ms=1000"));
}

#[test]
#[ignore = "a comparison: run with --ignored --nocapture"]
fn a_bare_pipeline_on_the_same_link() {
    let _turn = turn();
    for kbps in [800, RATES[1]] {
        let args = [(PUSH, STREAM.to_owned()), (BARE, kbps.to_string())];
        let Some(mut lab) = lab(14, &args) else {
            return;
        };
        far::init();
        let nginx = Nginx::start_at(lab.here());
        lab.go(nginx.url("live", "").trim_end_matches('/'));
        let player = Player::start(&nginx.url("live", STREAM));
        sleep(8.0);
        let cut = now_micros();
        lab.set_rate(400_000);
        sleep(18.0);
        lab.set_rate(3_000_000);
        sleep(6.0);
        println!(
            "rtmp2sink at {kbps} kbit/s, worst delay in each second after the cut, ms: {:?}",
            curve(&player, cut, 24)
        );
    }
}
