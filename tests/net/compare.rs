//! The kiosk beside the programs that anybody would start, on the same link. A measurement, for
//! docs/performance.md: `make bench`.

use std::path::Path;

use rtckiosk::media::time_code::now_micros;

use crate::far::{self, Player};
use crate::judge::{SECOND, Seen, kbps, oldest_shown, quantile};
use crate::lab::{self, Lab, WIDE};
use crate::narrow::NARROW;
use crate::near::Job;
use crate::nginx::Nginx;
use crate::other::Other;
use crate::plot::{Curve, draw};
use crate::{STREAM, sleep};

/// Of the picture, kbit/s.
const KBPS: u32 = 800;
const NARROW_FROM: u64 = 8;
const NARROW_TO: u64 = 28;
const SECONDS: u64 = 45;
/// Points of a curve in a second.
const POINTS: u64 = 10;

/// One of those who push.
struct Pusher {
    name: &'static str,
    color: (u8, u8, u8),
    other: Option<Other>,
}

const PUSHERS: [Pusher; 3] = [
    Pusher {
        name: "rtckiosk, 100 to 800 kbit/s",
        color: (0, 110, 70),
        other: None,
    },
    Pusher {
        name: "gst-launch rtmp2sink, 800 kbit/s",
        color: (200, 60, 30),
        other: Some(Other::GstLaunch),
    },
    Pusher {
        name: "ffmpeg, 800 kbit/s",
        color: (50, 80, 190),
        other: Some(Other::Ffmpeg),
    },
];

#[test]
#[ignore = "a measurement of two and a half minutes: make bench"]
fn on_the_same_link() {
    lab::in_namespace("compare::on_the_same_link", |lab| {
        let mut lab = Some(lab);
        let mut curves = Vec::new();
        for pusher in PUSHERS {
            let seen = push(lab.take().unwrap_or_else(Lab::again), &pusher);
            curves.push(Curve {
                name: pusher.name,
                color: pusher.color,
                points: seen,
            });
        }
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/bad-networks.png");
        let title = "Delay of a call's picture on a link of 3 Mbit/s that narrows to 400 kbit/s";
        let narrow = NARROW_FROM as f64..NARROW_TO as f64;
        draw(&file, title, SECONDS as f64, &narrow, &curves);
        println!("curves: {}", file.display());
    });
}

/// Pushes over the link; returns how old the shown picture was, by time.
fn push(mut lab: Lab, pusher: &Pusher) -> Vec<(f64, f64)> {
    far::init();
    let nginx = Nginx::start_at(lab.here());
    let url = nginx.url("live", STREAM);
    let player = Player::start(&url);
    lab.go(&Job {
        push: Some(url),
        rates: [100, KBPS, KBPS],
        other: pusher.other,
        ..Job::default()
    });
    let patience = now_micros() + 20 * SECOND;
    while player.notes().pictures.is_empty() {
        assert!(now_micros() < patience, "{}: no picture", pusher.name);
        sleep(0.05);
    }
    sleep(2.0);
    let begun = now_micros();
    sleep(NARROW_FROM as f64);
    lab.set_rate(NARROW);
    sleep((NARROW_TO - NARROW_FROM) as f64);
    lab.set_rate(WIDE);
    sleep((SECONDS - NARROW_TO) as f64);
    let notes = player.notes();
    let second = |n: u64| begun + n * SECOND;
    let ages = |from, to| {
        let shown = notes
            .pictures
            .iter()
            .filter(|seen| (second(from)..second(to)).contains(&seen.at));
        shown.map(Seen::age).collect::<Vec<_>>()
    };
    let narrow = second(NARROW_FROM)..second(NARROW_TO);
    let back = oldest_since(&notes.pictures, second(NARROW_TO), second(SECONDS));
    println!(
        "| {} | {:.0} ms | {:.0} ms | {:.1} s | {:.0} kbit/s | {back:.1} s |",
        pusher.name,
        quantile(ages(0, NARROW_FROM), 0.5),
        quantile(ages(NARROW_FROM + 5, NARROW_TO), 0.5),
        oldest_shown(&notes.pictures, &narrow) / 1000.0,
        kbps(&notes.bytes, &narrow),
    );
    let step = SECOND / POINTS;
    let points = (0..SECONDS * POINTS).map(|n| {
        let from = begun + n * step;
        let age = oldest_shown(&notes.pictures, &(from..from + step));
        (n as f64 / POINTS as f64, age)
    });
    points.collect()
}

/// Seconds until the shown picture is, and stays, younger than 500 ms.
fn oldest_since(seen: &[Seen], from: u64, to: u64) -> f64 {
    let tenth = SECOND / POINTS;
    let old = |n: &u64| oldest_shown(seen, &(from + n * tenth..from + (n + 1) * tenth)) >= 500.0;
    let last = (0..(to - from) / tenth).rev().find(old);
    last.map_or(0.0, |n| (n + 1) as f64 / POINTS as f64)
}
