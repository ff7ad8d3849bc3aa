//! The link narrows in the middle of a call, and widens again.

use std::ops::Range;

use rtckiosk::media::time_code::now_micros;
use rtckiosk::protocol::events::PushCode;

use crate::far::{self, Player};
use crate::judge::{
    SECOND, Seen, curve, during, kbps, longest_gap, millis, oldest_shown, quantile,
};
use crate::lab::{self, Lab, WIDE};
use crate::near::{Job, Said, Up};
use crate::nginx::Nginx;
use crate::{STREAM, sleep, told};

/// Least, first and most kbit/s of the picture.
const RATES: [u32; 3] = [100, 1200, 2000];
pub(crate) const NARROW: u32 = 400_000;

#[test]
fn a_link_that_narrows_costs_quality_and_not_delay() {
    lab::in_namespace(
        "narrow::a_link_that_narrows_costs_quality_and_not_delay",
        narrows,
    );
}

/// Sound with all its headers takes 70 kbit/s.
const FOR_SOUND: u32 = 110_000;

#[test]
fn a_link_for_sound_alone_carries_sound_and_no_picture() {
    lab::in_namespace(
        "narrow::a_link_for_sound_alone_carries_sound_and_no_picture",
        sound_alone,
    );
}

fn sound_alone(mut lab: Lab) {
    far::init();
    let nginx = Nginx::start_at(lab.here());
    let url = nginx.url("live", STREAM);
    lab.go(&Job {
        push: Some(url.clone()),
        rates: [100, 800, 800],
        ..Job::default()
    });
    let player = Player::start(&url);
    sleep(6.0);
    lab.set_rate(FOR_SOUND);
    sleep(15.0);
    let back = now_micros();
    lab.set_rate(WIDE);
    sleep(9.0);
    let mut stages: Vec<String> = ups(&lab.said()).map(|up| up.stage.clone()).collect();
    stages.dedup();
    let notes = player.notes();
    let sound = |span: &Range<u64>| {
        let inside = notes.sound.iter().filter(|at| span.contains(*at));
        inside.copied().collect::<Vec<_>>()
    };
    let silence = longest_gap(
        &sound(&(back - 5 * SECOND..back)),
        &(back - 5 * SECOND..back),
    );
    let picture = notes.pictures.iter().find(|seen| seen.captured > back);
    let picture = picture.map(|seen| millis(back, seen.at));
    println!("{stages:?}; silence of {silence:.0} ms at most; picture back after {picture:.0?} ms");
    let down = ["Full", "FewerFrames", "Smaller", "SoundOnly"];
    assert_eq!(stages.get(..4).unwrap_or_default(), down);
    assert_ne!(stages.last().map(String::as_str), Some("SoundOnly"));
    assert!(silence < 1000.0, "{silence} ms without sound");
    assert!(picture.is_some_and(|ms| ms < 8000.0), "{picture:?}");
}

fn ups(said: &[Said]) -> impl Iterator<Item = &Up> {
    said.iter().filter_map(|said| match said {
        Said::Up(up) => Some(up),
        _ => None,
    })
}

fn narrows(mut lab: Lab) {
    far::init();
    let nginx = Nginx::start_at(lab.here());
    let url = nginx.url("live", STREAM);
    lab.go(&Job {
        push: Some(url.clone()),
        rates: RATES,
        ..Job::default()
    });
    let player = Player::start(&url);
    sleep(8.0);
    let mut said = lab.said();
    let cut = now_micros();
    lab.set_rate(NARROW);
    sleep(18.0);
    said.extend(lab.said());
    let back = now_micros();
    lab.set_rate(WIDE);
    // Of 3 Mbit/s the kiosk may use this much.
    let enough = RATES[2] * 8 / 10;
    let mut wide = Vec::new();
    while now_micros() < back + 30 * SECOND && !ups(&wide).any(|up| up.kbps >= enough) {
        sleep(0.2);
        wide.extend(lab.said());
    }
    let reached = now_micros();
    sleep(3.0);
    wide.extend(lab.said());
    let recovered = ups(&wide).map(|up| up.kbps).max();
    said.extend(wide);

    let notes = player.notes();
    let pictures = &notes.pictures;
    let ages = |span| during(pictures, &span).iter().map(Seen::age).collect();
    let normal = quantile(ages(cut - 3 * SECOND..cut), 1.0);
    let (worst, late) = (cut..back, cut + 5 * SECOND..back);
    let (worst, late) = (
        oldest_shown(pictures, &worst),
        oldest_shown(pictures, &late),
    );
    let rate = kbps(&notes.bytes, &(cut + 8 * SECOND..back));
    let got = kbps(&notes.bytes, &(reached..reached + 3 * SECOND));
    println!("before the cut: at most {normal:.0} ms");
    let delay = curve(pictures, cut, 18);
    println!("oldest shown in each second after it: {delay:?} ms");
    println!("worst {worst:.0} ms, after 5 s {late:.0} ms, {rate:.0} kbit/s of picture");
    println!(
        "at {recovered:?} kbit/s {:.1} s after the link widened; {got:.0} kbit/s arrive",
        (reached - back) as f64 / 1e6
    );
    assert!(normal < 500.0, "{normal} ms on a wide link");
    assert!(worst < 2500.0, "{delay:?}");
    assert!(late < 800.0, "{delay:?}");
    assert!(rate > 150.0, "{rate} kbit/s of picture on a link of 400");
    assert!(recovered >= Some(enough), "{recovered:?}");
    assert!(
        got > 0.7 * f64::from(enough),
        "{got} kbit/s arrive of {enough}"
    );
    for up in ups(&said).filter(|up| up.at > cut) {
        assert!(up.connected && up.reconnects == 0, "{up:?}");
    }
    events(&said, cut, back);
}

/// Each step is told with its reason, and the figures come every two seconds.
fn events(said: &[Said], cut: u64, back: u64) {
    let of = |wanted: PushCode, from: u64, to: u64| {
        let found = told(said)
            .filter(move |(at, code, _)| *code == wanted.code() && (from..to).contains(at));
        found
            .map(|(at, _, message)| (at, message.to_owned()))
            .collect::<Vec<_>>()
    };
    let busy = of(PushCode::NetBusy, cut, back);
    assert!(
        busy.iter().any(|(_, why)| why.contains("backlog")),
        "{busy:?}"
    );
    let down = of(PushCode::ChangeBitrate, cut, cut + 5 * SECOND);
    let up = of(PushCode::ChangeBitrate, back, u64::MAX);
    assert!(
        down.iter().any(|(_, why)| why.contains("kbit/s taken")),
        "{down:?}"
    );
    assert!(
        up.iter().any(|(_, why)| why.contains("no backlog")),
        "{up:?}"
    );
    let figures = of(PushCode::NetStatus, cut, back);
    let seconds = (back - cut) / SECOND;
    assert!(
        figures.len() as u64 >= seconds / 2 - 2,
        "{} records in {seconds} s",
        figures.len()
    );
}
