//! Links that lose packets, and links whose delay comes and goes.

use std::time::Duration;

use rtckiosk::media::time_code::now_micros;

use crate::far::{self, Agent, Player};
use crate::judge::{Seen, during, longest_freeze, millis, quantile};
use crate::lab::{self, Lab};
use crate::near::{Job, Said};
use crate::nginx::Nginx;
use crate::wire::Weather;
use crate::{AGENT, STREAM, sleep, told, until};

/// As a call on the preset `sd`.
const RATES: [u32; 3] = [100, 800, 800];
const AGENT_KBPS: u32 = 350;
const SECONDS: u64 = 25;

/// What both sides saw of each other.
struct Saw {
    far: Vec<Seen>,
    near: Vec<Seen>,
    said: Vec<Said>,
    span: std::ops::Range<u64>,
}

/// A call, first on a good link, then in this weather.
fn call(mut lab: Lab, weather: Weather) -> Saw {
    far::init();
    let nginx = Nginx::start_at(lab.here());
    let url = |stream| nginx.url("live", stream);
    let _agent = Agent::start(&url(AGENT), AGENT_KBPS);
    lab.go(&Job {
        push: Some(url(STREAM)),
        play: Some(url(AGENT)),
        rates: RATES,
        ..Job::default()
    });
    let player = Player::start(&url(STREAM));
    let patience = Duration::from_secs(20);
    until(
        &lab,
        "the push flows",
        patience,
        |said| matches!(said, Said::Up(up) if up.connected),
    );
    until(&lab, "the agent is seen", patience, |said| {
        matches!(said, Said::Shown { .. })
    });
    sleep(2.0);
    lab.set_weather(weather);
    // TCP and the play buffer learn of it.
    sleep(5.0);
    lab.said();
    let begun = now_micros();
    sleep(SECONDS as f64);
    let span = begun..now_micros();
    let said = lab.said();
    let shown = said.iter().filter_map(|said| match *said {
        Said::Shown { at, captured } => Some(Seen { at, captured }),
        _ => None,
    });
    let (near, far) = (shown.collect(), player.notes().pictures.clone());
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
            let saw = call(
                lab,
                Weather {
                    jitter: Duration::from_millis(100),
                    ..Weather::default()
                },
            );
            for (what, seen) in [("up", &saw.far), ("down", &saw.near)] {
                let freeze = freeze(what, seen, &saw.span);
                assert!(freeze < 500.0, "{what}: {freeze} ms without a picture");
            }
            let shown = during(&saw.near, &saw.span);
            let (late, own) = (uneven(&shown), counted(&saw.said));
            println!(
                "of {}: {late} shown late or never, {own} by the player's own count",
                shown.len()
            );
            let most = shown.len() as u64 / 100;
            assert!(
                own <= most,
                "{own} late by the player's own count, {most} may be"
            );
            // This machine's own unevenness is counted in.
            assert!(late <= 5 * most, "{late} late as they are seen");
        },
    );
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
/// than a picture lasts; and those that never came.
fn uneven(shown: &[Seen]) -> u64 {
    let lasts = 1000.0 / f64::from(crate::FPS);
    let each = shown.windows(2).map(|pair| {
        let captured = millis(pair[0].captured, pair[1].captured);
        let late = millis(pair[0].at, pair[1].at) - captured > lasts;
        let missing = (captured / lasts).round() as u64;
        u64::from(late) + missing.saturating_sub(1)
    });
    each.sum()
}
