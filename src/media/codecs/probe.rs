//! The trials, one after the other.

use std::time::Duration;

use gstreamer as gst;
use gstreamer_video as gst_video;
use tokio::sync::watch;

use super::decoder::Decoder;
use super::h264::{Target, build_aac, unknown};
use super::judge::{Finding, Run, judge};
use super::report::{CodecReport, Kind, Outcome, Shape};
use super::table::H264;
use super::trial::{Build, Output, nal_types, pictures, replay, run as attempt, tone};
use crate::media::error::MediaError;
use crate::media::format::{side, sound_caps};
use crate::media::pipeline::make;

/// Frames that an encoder must give. Its source has no end, as in a call.
const FRAMES: usize = 10;
/// Time for them to come out; hardware that needs longer is of no use.
const DEADLINE: Duration = Duration::from_secs(2);
/// The same for software, which only needs it on a machine that is very busy just now.
const SOFTWARE_DEADLINE: Duration = Duration::from_secs(5);

/// Starts the trials on a thread of their own.
pub(super) fn in_background(shape: Shape) -> watch::Receiver<CodecReport> {
    let (sender, report) = watch::channel(CodecReport::new(shape));
    let tries = move || {
        let found = run(shape, |now| {
            sender.send_replace(now.clone());
        });
        log_result(&found);
    };
    let spawned = std::thread::Builder::new()
        .name("codec-probe".to_owned())
        .spawn(tries);
    if let Err(error) = spawned {
        log::error!(error:%; "no thread for the trials of encoders and decoders");
    }
    report
}

/// Makes the trials; `news` is told after each.
pub(super) fn run(shape: Shape, mut news: impl FnMut(&CodecReport)) -> CodecReport {
    let mut report = CodecReport::new(shape);
    let (mut picture, mut sound) = (Vec::new(), Vec::new());
    for (kind, hardware) in [
        (Kind::H264Encoder, false),
        (Kind::AacEncoder, false),
        (Kind::H264Decoder, false),
        (Kind::AacDecoder, false),
        (Kind::H264Encoder, true),
        (Kind::H264Decoder, true),
    ] {
        for &(element, package) in kind.elements() {
            if is_hardware(kind, element) != hardware {
                continue;
            }
            let deadline = if hardware {
                DEADLINE
            } else {
                SOFTWARE_DEADLINE
            };
            let stream = if kind == Kind::H264Decoder {
                &picture
            } else {
                &sound
            };
            let (finding, made) = find_out(kind, element, shape, stream, deadline);
            let outcome = judge(kind, &finding, package, shape);
            if matches!(outcome, Outcome::Works(_)) {
                match kind {
                    Kind::H264Encoder if picture.is_empty() => picture = made,
                    Kind::AacEncoder if sound.is_empty() => sound = made,
                    _ => {}
                }
            }
            report.set(element, outcome);
            news(&report);
        }
    }
    report.done = true;
    news(&report);
    report
}

pub(super) fn is_hardware(kind: Kind, element: &str) -> bool {
    match kind {
        Kind::H264Encoder => H264::named(element).is_some_and(H264::is_hardware),
        Kind::H264Decoder => Decoder::named(element).is_some_and(Decoder::is_hardware),
        Kind::AacEncoder | Kind::AacDecoder => false,
    }
}

/// Tries one element; also what it made.
fn find_out(
    kind: Kind,
    element: &'static str,
    shape: Shape,
    stream: &[gst::Sample],
    deadline: Duration,
) -> (Finding, Vec<gst::Sample>) {
    if gst::ElementFactory::find(element).is_none() {
        let hardware = is_hardware(kind, element);
        return (Finding::Missing { hardware }, Vec::new());
    }
    let decodes = matches!(kind, Kind::H264Decoder | Kind::AacDecoder);
    if decodes && stream.is_empty() {
        let reason = "no encoder made a stream to try it with".to_owned();
        return (Finding::Broken(reason), Vec::new());
    }
    match attempt_one(kind, element, shape, stream, deadline) {
        Err(finding) => (finding, Vec::new()),
        Ok(output) => {
            let put_in = if decodes { stream.len() } else { FRAMES };
            let run = look_at(kind, &output, put_in);
            (Finding::Ran(run), output.samples)
        }
    }
}

fn attempt_one(
    kind: Kind,
    element: &'static str,
    shape: Shape,
    stream: &[gst::Sample],
    deadline: Duration,
) -> Result<Output, Finding> {
    let stream = stream.to_vec();
    let (build, caps, enough): (Build, _, _) = match kind {
        Kind::H264Encoder => {
            let byte_stream = gst::Caps::builder("video/x-h264")
                .field("stream-format", "byte-stream")
                .field("alignment", "au");
            let build = move || h264_encoder(element, shape);
            (Box::new(build), byte_stream.build(), FRAMES)
        }
        Kind::AacEncoder => {
            let raw = gst::Caps::builder("audio/mpeg").field("stream-format", "raw");
            (Box::new(|| aac_encoder(element)), raw.build(), FRAMES)
        }
        Kind::H264Decoder => {
            let build = move || h264_decoder(element, &stream);
            (Box::new(build), i420(), usize::MAX)
        }
        Kind::AacDecoder => {
            let build = move || aac_decoder(element, &stream);
            (Box::new(build), sound_caps(), usize::MAX)
        }
    };
    attempt(build, &caps, enough, deadline)
}

fn h264_encoder(element: &str, shape: Shape) -> Result<Vec<gst::Element>, MediaError> {
    let raw = raw_caps(shape);
    let h264 = H264::named(element).ok_or_else(|| unknown(element))?;
    let target = Target {
        kbps: shape.kbps,
        gop: shape.fps.max(1),
    };
    let mut chain = pictures(&raw)?;
    chain.extend(h264.stage(target, &raw)?.elements);
    Ok(chain)
}

fn aac_encoder(element: &str) -> Result<Vec<gst::Element>, MediaError> {
    let mut chain = tone(&sound_caps())?;
    chain.push(make("audioconvert", "convert").build()?);
    chain.push(build_aac(element, 64)?);
    chain.push(make("aacparse", "parse").build()?);
    Ok(chain)
}

fn h264_decoder(element: &str, stream: &[gst::Sample]) -> Result<Vec<gst::Element>, MediaError> {
    let decoder = Decoder::named(element).ok_or_else(|| unknown(element))?;
    Ok(vec![
        replay(stream)?,
        make("h264parse", "parse").build()?,
        decoder.make("decoder")?,
        make("videoconvert", "convert").build()?,
    ])
}

fn aac_decoder(element: &str, stream: &[gst::Sample]) -> Result<Vec<gst::Element>, MediaError> {
    Ok(vec![
        replay(stream)?,
        make("aacparse", "parse").build()?,
        make(element, "decoder").build()?,
        make("audioconvert", "convert").build()?,
        make("audioresample", "resample").build()?,
    ])
}

fn look_at(kind: Kind, output: &Output, put_in: usize) -> Run {
    let mut run = Run {
        put_in,
        came_out: output.samples.len(),
        took: output.took,
        ..Run::default()
    };
    if kind == Kind::H264Encoder {
        let (mut sps, mut pps) = (false, false);
        for sample in &output.samples {
            let Some(map) = sample.buffer().and_then(|b| b.map_readable().ok()) else {
                continue;
            };
            for nal in nal_types(&map) {
                match nal {
                    5 => run.idr = true,
                    7 => sps = true,
                    8 => pps = true,
                    _ => {}
                }
            }
        }
        run.parameters = sps && pps;
    }
    run
}

fn raw_caps(shape: Shape) -> gst::Caps {
    gst_video::VideoCapsBuilder::new()
        .format(gst_video::VideoFormat::I420)
        .width(side(shape.width))
        .height(side(shape.height))
        .framerate(gst::Fraction::new(side(shape.fps), 1))
        .build()
}

fn i420() -> gst::Caps {
    let caps = gst_video::VideoCapsBuilder::new();
    caps.format(gst_video::VideoFormat::I420).build()
}

fn log_result(report: &CodecReport) {
    for kind in Kind::ALL {
        let name = kind.name();
        let refused = report.refused(kind, |_| true);
        match report.working(kind).next() {
            Some(best) => log::info!(refused; "{name}: {best}"),
            None => log::error!("{name}: none works: {refused}"),
        }
    }
}
