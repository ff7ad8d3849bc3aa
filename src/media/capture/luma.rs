//! The brightness of frames on their way, for whoever draws into them.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use crate::media::time_code;

/// Writes into each frame when it was captured.
pub(super) fn stamp_frames(element: &gst::Element) {
    change_luma(element, |captured, luma, stride, width, height| {
        time_code::stamp(luma, stride, width, height, captured);
    });
}

/// Changes the luma of each frame that `element` puts out. `change` gets the time of capture in
/// microseconds, the plane, its stride, width and height.
pub(super) fn change_luma(
    element: &gst::Element,
    change: impl Fn(u64, &mut [u8], usize, usize, usize) + Send + Sync + 'static,
) {
    let Some(pad) = element.static_pad("src") else {
        return;
    };
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let captured = captured_micros(pad, info.buffer());
        let video = pad
            .current_caps()
            .and_then(|caps| gst_video::VideoInfo::from_caps(&caps).ok());
        if let (Some(micros), Some(video), Some(buffer)) = (captured, video, info.buffer_mut()) {
            let buffer = buffer.make_mut();
            if let Ok(mut frame) =
                gst_video::VideoFrameRef::from_buffer_ref_writable(buffer, &video)
            {
                let (width, height) = (frame.width() as usize, frame.height() as usize);
                let stride = frame.plane_stride()[0].unsigned_abs() as usize;
                if let Ok(luma) = frame.plane_data_mut(0) {
                    change(micros, luma, stride, width, height);
                }
            }
        }
        gst::PadProbeReturn::Ok
    });
}

fn captured_micros(pad: &gst::Pad, buffer: Option<&gst::Buffer>) -> Option<u64> {
    let base = pad.parent_element()?.base_time()?;
    let segment = pad.sticky_event::<gst::event::Segment>(0)?;
    let segment = segment.segment().downcast_ref::<gst::ClockTime>()?.clone();
    Some((base + segment.to_running_time(buffer?.pts())?).useconds())
}
