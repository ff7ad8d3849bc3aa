//! The judge, the choices made from a report, and real trials on this machine.

use std::time::{Duration, Instant};

use super::judge::{Finding, Run, judge};
use super::known::now;
use super::report::{CodecReport, Kind, Outcome, Shape};
use super::table::H264;
use crate::config::kiosk::EncoderChoice;
use crate::media::elements;

/// A board: what is known to GStreamer there and does not simply work, and what works.
struct Board {
    name: &'static str,
    works: &'static [&'static str],
    fails: &'static [(&'static str, Finding)],
    /// H.264 encoder and decoder, AAC encoder and decoder.
    chosen: [Option<&'static str>; 4],
    /// Part of the reasons why.
    because: &'static str,
}

const SHAPE: Shape = Shape {
    width: 1280,
    height: 720,
    fps: 30,
    kbps: 1500,
};

/// Debian's packages of plugins without hardware.
const DEBIAN: [&str; 7] = [
    "x264enc",
    "openh264enc",
    "avdec_h264",
    "openh264dec",
    "avenc_aac",
    "voaacenc",
    "avdec_aac",
];

fn good() -> Finding {
    Finding::Ran(Run {
        put_in: 10,
        came_out: 10,
        parameters: true,
        idr: true,
        took: Duration::from_millis(40),
    })
}

fn report(board: &Board) -> CodecReport {
    let mut report = CodecReport::new(SHAPE);
    for kind in Kind::ALL {
        for &(element, package) in kind.elements() {
            let failed = board.fails.iter().find(|(name, _)| *name == element);
            let works = board.works.contains(&element);
            let finding = match failed {
                Some((_, finding)) => finding.clone(),
                None if works => good(),
                None => Finding::Missing {
                    hardware: super::probe::is_hardware(kind, element),
                },
            };
            report.set(element, judge(kind, &finding, package, SHAPE));
        }
    }
    report.done = true;
    report
}

fn ran(came_out: usize, parameters: bool, idr: bool) -> Finding {
    Finding::Ran(Run {
        put_in: 10,
        came_out,
        parameters,
        idr,
        took: Duration::from_millis(40),
    })
}

#[test]
fn every_board_gets_the_best_that_works() {
    let pi = [&DEBIAN[..], &["v4l2h264enc", "v4l2h264dec"]].concat();
    let pi: &'static [&str] = pi.leak();
    let va = [&DEBIAN[..], &["vah264enc", "vah264dec"]].concat();
    let hw_fails: &'static [(&str, Finding)] = vec![
        (
            "v4l2h264enc",
            Finding::Broken("encoder: Failed to process frame.".to_owned()),
        ),
        ("v4l2h264dec", Finding::Hung(Duration::from_secs(2))),
    ]
    .leak();
    let odd: &'static [(&str, Finding)] = vec![
        ("vah264enc", ran(10, true, false)),
        ("vah264lpenc", ran(10, false, true)),
        ("qsvh264enc", ran(3, true, true)),
    ]
    .leak();
    for board in [
        Board {
            name: "Pi 3",
            works: pi,
            fails: &[],
            chosen: [
                Some("v4l2h264enc"),
                Some("v4l2h264dec"),
                Some("avenc_aac"),
                Some("avdec_aac"),
            ],
            because: "vah264enc: no such hardware",
        },
        Board {
            name: "Pi 4",
            works: pi,
            fails: &[],
            chosen: [
                Some("v4l2h264enc"),
                Some("v4l2h264dec"),
                Some("avenc_aac"),
                Some("avdec_aac"),
            ],
            because: "vah264enc: no such hardware",
        },
        Board {
            name: "Pi 4 whose firmware is out of memory",
            works: pi,
            fails: hw_fails,
            chosen: [
                Some("x264enc"),
                Some("avdec_h264"),
                Some("avenc_aac"),
                Some("avdec_aac"),
            ],
            because: "v4l2h264enc: encoder: Failed to process frame.",
        },
        Board {
            name: "Pi 5: no H.264 in hardware at all",
            works: &DEBIAN,
            fails: &[],
            chosen: [
                Some("x264enc"),
                Some("avdec_h264"),
                Some("avenc_aac"),
                Some("avdec_aac"),
            ],
            because: "v4l2h264enc: no such hardware, or gstreamer1.0-plugins-good is missing",
        },
        Board {
            name: "x86 with VA",
            works: va.leak(),
            fails: &[],
            chosen: [
                Some("vah264enc"),
                Some("vah264dec"),
                Some("avenc_aac"),
                Some("avdec_aac"),
            ],
            because: "v4l2h264enc: no such hardware",
        },
        Board {
            name: "x86 with hardware that makes what nobody can play",
            works: &DEBIAN,
            fails: odd,
            chosen: [
                Some("x264enc"),
                Some("avdec_h264"),
                Some("avenc_aac"),
                Some("avdec_aac"),
            ],
            because: "vah264enc: its stream has no IDR picture; vah264lpenc: its stream has no \
                      parameter sets (SPS, PPS); vaapih264enc: no such hardware, or \
                      gstreamer1.0-vaapi is missing; qsvh264enc: only 3 of 10 pictures came out",
        },
        Board {
            name: "x86",
            works: &DEBIAN,
            fails: &[],
            chosen: [
                Some("x264enc"),
                Some("avdec_h264"),
                Some("avenc_aac"),
                Some("avdec_aac"),
            ],
            because: "nvh264enc: no such hardware",
        },
        Board {
            name: "Yocto without commercial plugins",
            works: &["openh264enc", "openh264dec", "voaacenc", "fdkaacdec"],
            fails: &[],
            chosen: [
                Some("openh264enc"),
                Some("openh264dec"),
                Some("voaacenc"),
                Some("fdkaacdec"),
            ],
            because: "x264enc: gstreamer1.0-plugins-ugly is missing",
        },
        Board {
            name: "nothing installed",
            works: &[],
            fails: &[],
            chosen: [None; 4],
            because: "openh264enc: gstreamer1.0-plugins-bad is missing",
        },
    ] {
        let report = report(&board);
        let chosen = Kind::ALL.map(|kind| report.choose(kind, |_| true).and_then(Result::ok));
        assert_eq!(chosen, board.chosen, "{}", board.name);
        let reasons = report.refused(Kind::H264Encoder, |_| true);
        assert!(reasons.contains(board.because), "{}: {reasons}", board.name);
    }
}

#[test]
fn a_name_in_the_configuration_is_obeyed() {
    let board = Board {
        name: "x86",
        works: &DEBIAN,
        fails: &[],
        chosen: [None; 4],
        because: "",
    };
    let report = report(&board);
    let name = |encoder: &str| EncoderChoice::Named(encoder.to_owned());
    let none: &[&str] = &[];
    for (choice, failed, expected) in [
        (EncoderChoice::Auto, none, Some("x264enc")),
        (EncoderChoice::Auto, &["x264enc"], Some("openh264enc")),
        (name("openh264enc"), none, Some("openh264enc")),
        (name("openh264enc"), &["openh264enc"], None),
        (name("v4l2h264enc"), none, None),
        (name("vp8enc"), none, None),
    ] {
        let chosen = H264::choose(&choice, failed, &report).expect("all was tried");
        assert_eq!(
            chosen.ok().map(|h264| h264.element),
            expected,
            "{choice:?} {failed:?}"
        );
    }
    let verdict = report.verdict(Kind::H264Encoder, &name("v4l2h264enc"));
    let reason = verdict.expect_err("not on this board");
    assert!(
        reason.contains("v4l2h264enc: no such hardware") && !reason.contains("vah264enc"),
        "{reason}"
    );
    let found = report
        .verdict(Kind::H264Encoder, &EncoderChoice::Auto)
        .expect("one works");
    assert!(
        found.starts_with("x264enc: 10 pictures of 1280x720 in 40 ms; refused: v4l2"),
        "{found}"
    );
    assert!(!found.contains("openh264enc"), "{found}");
}

#[test]
fn a_call_takes_what_is_known_and_waits_only_for_the_first() {
    let mut report = CodecReport::new(SHAPE);
    let choose = |report: &CodecReport| {
        let chosen = H264::choose(&EncoderChoice::Auto, &[], report);
        chosen.map(|chosen| chosen.expect("nothing is refused yet").element)
    };
    assert_eq!(choose(&report), None);
    report.set("x264enc", Outcome::Works(String::new()));
    assert_eq!(choose(&report), Some("x264enc"));
    report.set("v4l2h264enc", Outcome::Works(String::new()));
    assert_eq!(choose(&report), Some("v4l2h264enc"));
}

#[test]
fn what_this_machine_has_passes_its_trials() {
    elements::init().expect("GStreamer starts");
    let report = now(Shape::default());
    assert!(report.done && report.is_enough(), "{report:#?}");
    let works: Vec<_> = report
        .trials
        .iter()
        .filter(|t| matches!(t.outcome, Outcome::Works(_)))
        .collect();
    for element in DEBIAN {
        assert!(
            works.iter().any(|trial| trial.element == element),
            "{element}: {report:#?}"
        );
    }
    let untried = report
        .trials
        .iter()
        .filter(|t| t.outcome == Outcome::Untried);
    assert_eq!(untried.count(), 0);
}

#[test]
fn a_codec_that_hangs_is_given_up() {
    elements::init().expect("GStreamer starts");
    let caps = gstreamer::Caps::new_any();
    // A live source that never ends stands for a driver that never answers.
    let endless = || {
        let source = gstreamer::ElementFactory::make("videotestsrc")
            .property("is-live", true)
            .build()?;
        Ok(vec![source])
    };
    let deadline = Duration::from_millis(100);
    let begun = Instant::now();
    let finding =
        super::trial::run(Box::new(endless), &caps, 1000, deadline).expect_err("never ends");
    assert_eq!(finding, Finding::Hung(deadline));
    assert!(begun.elapsed() < Duration::from_secs(5));
    let asleep = || {
        std::thread::sleep(Duration::from_secs(3));
        Ok(Vec::new())
    };
    let finding = super::trial::run(Box::new(asleep), &caps, 1, deadline).expect_err("hangs");
    assert_eq!(finding, Finding::Hung(2 * deadline));
}

#[test]
fn an_encoder_that_fails_says_why() {
    elements::init().expect("GStreamer starts");
    let broken = || {
        let source = gstreamer::ElementFactory::make("v4l2src")
            .property("device", "/dev/no-such-encoder")
            .build()?;
        Ok(vec![source])
    };
    let caps = gstreamer::Caps::new_any();
    let finding = super::trial::run(Box::new(broken), &caps, 1, Duration::from_secs(2));
    let Err(Finding::Broken(reason)) = finding else {
        panic!("{finding:?}");
    };
    assert!(reason.contains("/dev/no-such-encoder"), "{reason}");
}
