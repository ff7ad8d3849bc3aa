//! A window of the desktop as screen.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Once};

use gstreamer as gst;
use gstreamer_app as gst_app;

use gst::prelude::*;

use super::error::DisplayError;
use super::shared::{NewFrame, Output, Shared, lock};

/// Maximum of canvases on their way to the window; a window that is slower loses the older ones.
const QUEUE: u64 = 2;
/// For a window to show its first canvas.
const OPEN_DEADLINE: gst::ClockTime = gst::ClockTime::from_seconds(5);

static TITLE: Once = Once::new();

/// Members' frames in a canvas, by the number that the canvas's buffer carries as offset.
type OnTheWay = Arc<Mutex<VecDeque<(u64, Vec<NewFrame>)>>>;

/// An open window.
pub(super) struct Window {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    on_the_way: OnTheWay,
    number: u64,
}

impl Window {
    /// Builds the pipeline behind a window; it opens with the first canvas.
    pub(super) fn new(
        sink: &'static str,
        caps: &gst::Caps,
        title: &str,
        shared: &Arc<Shared>,
    ) -> Result<Self, DisplayError> {
        // The sinks take their title from here, and GLib allows it to be set only once.
        TITLE.call_once(|| gst::glib::set_application_name(title));
        let source = gst_app::AppSrc::builder()
            .caps(caps)
            .format(gst::Format::Time)
            .is_live(true)
            .do_timestamp(true)
            .max_buffers(QUEUE)
            .leaky_type(gst_app::AppLeakyType::Downstream)
            .build();
        // Scales to the window's size, since not every sink does.
        let convert = make("videoconvertscale")?;
        let sink = make(sink)?;
        sink.set_property("sync", false);
        let pipeline = gst::Pipeline::new();
        let elements = [source.upcast_ref(), &convert, &sink];
        pipeline
            .add_many(elements)
            .and_then(|()| gst::Element::link_many(elements))
            .map_err(|error| DisplayError::Window(error.to_string()))?;
        let on_the_way = OnTheWay::default();
        watch_arrivals(&sink, &on_the_way, shared);
        Ok(Self {
            pipeline,
            source,
            on_the_way,
            number: 0,
        })
    }

    /// Opens the window with its first canvas.
    pub(super) fn open(&mut self, canvas: &gst::Sample) -> Result<(), DisplayError> {
        let failed = |error: String| DisplayError::Window(error);
        self.pipeline
            .set_state(gst::State::Playing)
            .map_err(|error| failed(self.bus_error().unwrap_or_else(|| error.to_string())))?;
        self.show(canvas, Vec::new());
        let (result, state, _) = self.pipeline.state(OPEN_DEADLINE);
        match result {
            Ok(_) if state == gst::State::Playing => Ok(()),
            Ok(_) => Err(failed(format!(
                "it is still {state:?} after {OPEN_DEADLINE}"
            ))),
            Err(error) => Err(failed(
                self.bus_error().unwrap_or_else(|| error.to_string()),
            )),
        }
    }

    /// Hands a canvas over.
    pub(super) fn show(&mut self, canvas: &gst::Sample, frames: Vec<NewFrame>) {
        // Copies the buffer's description, not its pixels.
        let Some(mut buffer) = canvas.buffer_owned() else {
            return;
        };
        self.number += 1;
        buffer.make_mut().set_offset(self.number);
        {
            let mut on_the_way = lock(&self.on_the_way);
            on_the_way.push_back((self.number, frames));
            while on_the_way.len() as u64 > QUEUE + 2 {
                on_the_way.pop_front();
            }
        }
        // Refused only while the pipeline stops, and the bus says why.
        if let Err(error) = self.source.push_buffer(buffer) {
            log::debug!(error:?; "the window takes no canvas");
        }
    }

    pub(super) fn bus(&self) -> Option<gst::Bus> {
        self.pipeline.bus()
    }

    /// The output that is left after an error message of the pipeline.
    pub(super) fn outcome(error: &gst::message::Error) -> Output {
        // X and Wayland sinks report a closed window as a missing resource.
        let closed = error.error().matches(gst::ResourceError::NotFound)
            && error.error().message().contains("closed");
        if closed {
            Output::Closed
        } else {
            Output::Failed(error.error().message().to_owned())
        }
    }

    fn bus_error(&self) -> Option<String> {
        let message = self.bus()?.pop_filtered(&[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(error) => Some(error.error().message().to_owned()),
            _ => None,
        }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        if self.pipeline.set_state(gst::State::Null).is_err() {
            log::warn!("the window does not close");
        }
    }
}

fn make(name: &'static str) -> Result<gst::Element, DisplayError> {
    gst::ElementFactory::make(name)
        .build()
        .map_err(|_| DisplayError::MissingElement(name))
}

/// Reports the members' frames of each canvas that comes to the sink, and forgets those of
/// canvases dropped before.
fn watch_arrivals(sink: &gst::Element, on_the_way: &OnTheWay, shared: &Arc<Shared>) {
    let Some(pad) = sink.static_pad("sink") else {
        return;
    };
    let (on_the_way, shared) = (Arc::clone(on_the_way), Arc::clone(shared));
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, probe| {
        let number = probe.buffer().map_or(0, |buffer| buffer.offset());
        let mut arrived = None;
        {
            let mut on_the_way = lock(&on_the_way);
            while on_the_way
                .front()
                .is_some_and(|(first, _)| *first <= number)
            {
                arrived = on_the_way.pop_front();
            }
        }
        if let Some((_, frames)) = arrived.filter(|(first, _)| *first == number) {
            shared.report_shown(&frames);
        }
        gst::PadProbeReturn::Ok
    });
}
