//! Links that lose packets, and links whose delay comes and goes.

use std::time::Duration;

use rtckiosk::media::time_code::now_micros;

use crate::call::Call;
use crate::control::{Control, Wakes};
use crate::judge::{Seen, during, longest_freeze, millis, quantile};
use crate::lab::{self, Lab};
use crate::near::{Said, shown};
use crate::nginx::Nginx;
use crate::wire::Weather;
use crate::{sleep, told};

const AGENT_KBPS: u32 = 350;
const SECONDS: u64 = 25;

/// The view of both sides of each other.
struct Saw {
    far: Vec<Seen>,
    near: Vec<Seen>,
    said: Vec<Said>,
    span: std::ops::Range<u64>,
    /// The state of the machine.
    wakes: Wakes,
}

/// A call, first on a good link, then in this weather.
fn call(lab: Lab, weather: Weather) -> Saw {
    let nginx = Nginx::start_at(lab.here());
    let url = |stream: &str| nginx.url("live", stream);
    let Call { lab, player, .. } = &Call::start(lab, &url, AGENT_KBPS);
    sleep(2.0);
    lab.set_weather(weather);
    // TCP and the play buffer learn of it.
    sleep(5.0);
    lab.said();
    let (begun, control) = (now_micros(), Control::start());
    sleep(SECONDS as f64);
    let (span, wakes) = (begun..now_micros(), control.end());
    let said = lab.said();
    let (near, far) = (shown(&said), player.notes().pictures.clone());
    for (at, code, message) in told(&said).filter(|(_, code, _)| *code < 200_000) {
        println!(
            "{:.1} s: {code} {message}",
            at.saturating_sub(span.start) as f64 / 1e6
        );
    }
    Saw {
        far,
        near,
        said,
        span,
        wakes,
    }
}

/// Prints delay and freezes of one direction; returns the longest freeze in ms.
fn freeze(what: &str, seen: &[Seen], span: &std::ops::Range<u64>) -> f64 {
    let ages: Vec<f64> = during(seen, span).iter().map(Seen::age).collect();
    let freeze = longest_freeze(seen, span);
    println!(
        "{what}: {} pictures, delay p50 {:.0} ms, p95 {:.0} ms, worst {:.0} ms, longest freeze {freeze:.0} ms",
        ages.len(),
        quantile(ages.clone(), 0.5),
        quantile(ages.clone(), 0.95),
        quantile(ages, 1.0),
    );
    freeze
}

#[test]
fn three_of_a_hundred_packets_lost_freeze_nothing_for_a_second() {
    lab::in_namespace(
        "unsteady::three_of_a_hundred_packets_lost_freeze_nothing_for_a_second",
        |lab| {
            let saw = call(
                lab,
                Weather {
                    delay: Duration::from_millis(50),
                    loss: 0.03,
                    ..Weather::default()
                },
            );
            for (what, seen) in [("up", &saw.far), ("down", &saw.near)] {
                let freeze = freeze(what, seen, &saw.span);
                assert!(freeze < 1000.0, "{what}: {freeze} ms without a picture");
                let pictures = during(seen, &saw.span).len() as u64;
                assert!(pictures > SECONDS * 10, "{what}: {pictures} pictures");
            }
            let steady = |said: &Said| match said {
                Said::Up(up) => up.connected && up.reconnects == 0,
                Said::Down(down) => down.connected,
                _ => true,
            };
            assert!(saw.said.iter().all(steady), "a connection was lost");
        },
    );
}

#[test]
fn a_delay_that_comes_and_goes_makes_few_pictures_late() {
    lab::in_namespace(
        "unsteady::a_delay_that_comes_and_goes_makes_few_pictures_late",
        |lab| {
            // A busy machine holds pictures up too.
            if !few_are_late(lab) {
                assert!(few_are_late(Lab::again()), "and again");
            }
        },
    );
}

/// Makes a call while the delay comes and goes; `false` if too much is late and the machine was
/// too busy to say why.
fn few_are_late(lab: Lab) -> bool {
    let weather = Weather {
        jitter: Duration::from_millis(100),
        ..Weather::default()
    };
    let saw = call(lab, weather);
    for (what, seen) in [("up", &saw.far), ("down", &saw.near)] {
        let freeze = freeze(what, seen, &saw.span);
        assert!(freeze < 500.0, "{what}: {freeze} ms without a picture");
    }
    let pictures = paced(&saw);
    let (late, own, all) = (uneven(&pictures), counted(&saw.said), pictures.len() as u64);
    println!(
        "of {all}: {late} shown late or never, {own} by the player's own count; {:?}",
        saw.wakes
    );
    assert!(all > SECONDS * 25, "{all} pictures");
    let few = late.max(own) * 100 <= all;
    assert!(
        few || saw.wakes.busy(),
        "{late} of {all} late, {own} by the player's own count, on a machine with time for it"
    );
    few
}

/// Lists the moments at which the pictures of the span were shown, each with its time on the
/// sender's clock, in µs.
fn paced(saw: &Saw) -> Vec<(u64, u64)> {
    let pictures = saw.said.iter().filter_map(|said| match *said {
        Said::Shown { at, media, .. } => Some((at, media)),
        _ => None,
    });
    pictures.filter(|(at, _)| saw.span.contains(at)).collect()
}

/// Pictures that the player itself calls late, and those that it left out.
fn counted(said: &[Said]) -> u64 {
    let counts = said.iter().filter_map(|said| match said {
        Said::Down(down) => Some(down.late + down.skipped),
        _ => None,
    });
    let counts: Vec<u64> = counts.collect();
    let (first, last) = (counts.first().unwrap(), counts.last().unwrap());
    last - first
}

/// Pictures that came later after the one before them than they were captured after it, by more
/// than a picture lasts, so that whoever looks saw the one before twice; and those that never came.
fn uneven(pictures: &[(u64, u64)]) -> u64 {
    let lasts = 1000.0 / f64::from(crate::FPS);
    let each = pictures.windows(2).map(|pair| {
        let captured = millis(pair[0].1, pair[1].1);
        let late = millis(pair[0].0, pair[1].0) - captured > lasts;
        let missing = (captured / lasts).round() as u64;
        u64::from(late) + missing.saturating_sub(1)
    });
    each.sum()
}

#[test]
fn late_is_what_is_seen_twice_and_what_never_comes() {
    let frame = 33_333;
    let even: Vec<_> = (0..100)
        .map(|n| (9_000_000 + n * frame, n * frame))
        .collect();
    assert_eq!(uneven(&even), 0);
    let mut one_late = even.clone();
    one_late[50].0 += 32_000;
    assert_eq!(uneven(&one_late), 0, "still in its time");
    one_late[50].0 += 2_000;
    assert_eq!(uneven(&one_late), 1);
    let gone = [&even[..50], &even[52..]].concat();
    assert_eq!(uneven(&gone), 2);
}
