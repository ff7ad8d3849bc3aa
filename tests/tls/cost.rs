//! Measures the cost of RTMPS in delay and processor time, beside plain RTMP and beside
//! GStreamer's TLS: `cargo test --test tls -- --ignored --nocapture cost`. nginx is the relay in
//! all cases.

use std::time::Duration;

use rtckiosk::protocol::events::PushCode;
use tokio::time::sleep;

use crate::certificates::Authority;
use crate::nginx_tls::TlsProxy;
use crate::peers::PATIENCE;
use crate::process::spawn;
use crate::support::nginx::Nginx;
use crate::uplink_rig::{Push, delays};

const FOR: Duration = Duration::from_secs(6);

/// Processor time of a process so far, in ms; a tick is 10 ms.
fn processor_ms(process: &str) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split(' ').collect();
    let ticks = |at: usize| fields[at].parse::<u64>().unwrap();
    (ticks(12) + ticks(13)) * 10
}

fn at(sorted: &[u64], share: f64) -> f64 {
    let last = sorted.len() - 1;
    sorted[(last as f64 * share).round() as usize] as f64 / 1000.0
}

async fn ours(name: &str, url: &str, plain: &str, tls: &rtckiosk::tls::ClientTls) {
    let mut push = Push::with(url, |config| config.tls = tls.clone()).await;
    push.until(PushCode::PushBegin, PATIENCE).await;
    sleep(Duration::from_secs(2)).await;
    let before = processor_ms("self");
    sleep(FOR).await;
    let spent = (processor_ms("self") - before) as f64 / FOR.as_secs_f64();
    let plain = plain.to_owned();
    let seen = tokio::task::spawn_blocking(move || delays(&plain, 240)).await;
    let mut late = seen.unwrap().split_off(60);
    late.sort_unstable();
    let (p50, p95) = (at(&late, 0.5), at(&late, 0.95));
    println!("{name}: {spent:.1} ms/s of processor, delay p50 {p50:.1} ms, p95 {p95:.1} ms");
    push.end().await;
}

async fn gstreamers(name: &str, url: &str) {
    let sink = format!("location={url}");
    #[rustfmt::skip]
    let args = [
        "-q", "flvmux", "name=mux", "streamable=true", "!", "rtmp2sink", &sink,
        "tls-validation-flags=0", "videotestsrc", "is-live=true",
        "!", "video/x-raw,width=640,height=360,framerate=30/1", "!", "x264enc",
        "tune=zerolatency", "speed-preset=ultrafast", "bitrate=800", "key-int-max=30",
        "!", "h264parse", "!", "mux.",
    ];
    let child = spawn("gst-launch-1.0", &args);
    let process = child.id().unwrap().to_string();
    sleep(Duration::from_secs(3)).await;
    let before = processor_ms(&process);
    sleep(FOR).await;
    let spent = (processor_ms(&process) - before) as f64 / FOR.as_secs_f64();
    println!("{name}: {spent:.1} ms/s of processor");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures for most of a minute, on a machine that does nothing else"]
async fn cost() {
    let authority = Authority::new("ours");
    let nginx = Nginx::start();
    let proxy = TlsProxy::before(&nginx, &authority.for_this_machine());
    let tls = authority.trust().client(&[]);
    let secure = |stream: &str| format!("rtmps://localhost:{}/live/{stream}", proxy.port);
    let plain = |stream: &str| nginx.url("live", stream);
    ours("uplink, rtmp", &plain("a"), &plain("a"), &tls).await;
    ours(
        "uplink, rtmps by the tunnel",
        &secure("b"),
        &plain("b"),
        &tls,
    )
    .await;
    gstreamers("rtmp2sink, rtmp", &plain("c")).await;
    gstreamers("rtmp2sink, rtmps by GIO", &secure("d")).await;
}
