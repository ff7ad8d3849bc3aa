//! External programs as peers: started, watched with deadlines, and killed when a test ends.

use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::timeout;

/// A command with no input and its output collected; killed when dropped.
pub(crate) fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).kill_on_drop(true).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn spawn(program: &str, args: &[&str]) -> Child {
    let child = command(program, args).spawn();
    child.unwrap_or_else(|error| panic!("{program} is needed for this test: {error}"))
}

/// Waits for a program to end by itself.
pub(crate) async fn finish(child: Child, within: Duration) -> Output {
    let output = timeout(within, child.wait_with_output()).await;
    output
        .unwrap_or_else(|_| panic!("a program did not end within {within:?}"))
        .unwrap()
}

pub(crate) async fn run(program: &str, args: &[&str], within: Duration) -> Output {
    finish(spawn(program, args), within).await
}

/// Standard output and error as text, for assertions and their messages.
pub(crate) fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    String::from_utf8_lossy(out).into_owned() + &String::from_utf8_lossy(err)
}

/// ffmpeg pushing a test picture and a tone to `url` until killed.
pub(crate) fn ffmpeg_push(url: &str, gop: u32, kbps: u32) -> Child {
    let (gop, rate) = (gop.to_string(), format!("{kbps}k"));
    #[rustfmt::skip]
    let args = [
        "-hide_banner", "-loglevel", "error", "-re",
        "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25,noise=alls=40:allf=t",
        "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000",
        "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p",
        "-g", &gop, "-keyint_min", &gop, "-sc_threshold", "0",
        "-b:v", &rate, "-maxrate", &rate, "-bufsize", &rate,
        "-c:a", "aac", "-b:a", "48k", "-f", "flv", url,
    ];
    spawn("ffmpeg", &args)
}

/// GStreamer's `rtmp2sink` pushing the same until killed.
pub(crate) fn gst_push(url: &str) -> Child {
    let sink = format!("location={url}");
    #[rustfmt::skip]
    let args = [
        "-q", "-e", "flvmux", "name=mux", "streamable=true", "!", "rtmp2sink", &sink,
        "videotestsrc", "is-live=true", "pattern=ball",
        "!", "video/x-raw,width=320,height=240,framerate=25/1",
        "!", "x264enc", "tune=zerolatency", "speed-preset=ultrafast", "bitrate=400", "key-int-max=25",
        "!", "h264parse", "!", "queue", "!", "mux.",
        "audiotestsrc", "is-live=true", "!", "audio/x-raw,rate=48000,channels=1",
        "!", "avenc_aac", "!", "aacparse", "!", "queue", "!", "mux.",
    ];
    spawn("gst-launch-1.0", &args)
}
