//! `webrtcdsp` and its `webrtcechoprobe` as a function: a block of the microphone and the block
//! of the loudspeaker in, the cleaned block out, on the caller's thread.
//!
//! The elements are in no pipeline. They get blocks through pads of ours, so both sides always
//! carry the same time, no queue and no thread adds delay, and it does not matter which of the
//! two devices is closed and opened again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use gstreamer as gst;
use gstreamer::prelude::*;

use crate::config::kiosk::VoiceConfig;
use crate::media::elements;
use crate::media::error::MediaError;
use crate::media::format::{Block, samples, sound_caps};
use crate::media::lock::lock;
use crate::media::pipeline::make;

/// Length of a block.
const LENGTH: gst::ClockTime = gst::ClockTime::from_mseconds(10);
/// The canceller finds its probe by name, among those of the whole process.
static PROBES: AtomicU64 = AtomicU64::new(0);

/// The elements at work. Dropping it stops them.
#[derive(Debug)]
pub(super) struct Canceller {
    microphone: PaddedElement,
    far: Option<PaddedElement>,
    bus: gst::Bus,
    blocks: u64,
}

impl Canceller {
    /// Makes and starts the elements: the echo is cancelled when `echo` is set.
    ///
    /// # Errors
    /// `MissingElements` when they do not exist here, `Pipeline` with the element's reason when they do
    /// not start.
    pub(super) fn start(config: VoiceConfig, echo: bool) -> Result<Self, MediaError> {
        elements::check_voice()?;
        let bus = gst::Bus::new();
        let name = format!("probe-{}", PROBES.fetch_add(1, Ordering::Relaxed));
        // First, since the canceller looks for it when it starts.
        let far = echo.then(|| {
            let probe = make("webrtcechoprobe", &name).build()?;
            let far = PaddedElement::start(probe, &bus)?;
            // What is handed in is played at its own time. Without this the probe gives nothing.
            far.output
                .push_event(gst::event::Latency::new(gst::ClockTime::ZERO));
            Ok::<_, MediaError>(far)
        });
        let dsp = make("webrtcdsp", "voice")
            .property("probe", &name)
            .property("echo-cancel", echo)
            .property("noise-suppression", config.noise_suppression)
            .property("gain-control", config.gain_control)
            .build()?;
        Ok(Self {
            far: far.transpose()?,
            microphone: PaddedElement::start(dsp, &bus)?,
            bus,
            blocks: 0,
        })
    }

    /// Cleans `microphone` of the echo of `far`, the block that was handed to the loudspeaker at
    /// the same time.
    ///
    /// # Errors
    /// `Pipeline` with the reason why the elements work no more.
    pub(super) fn process(
        &mut self,
        far: &Block,
        microphone: &mut Block,
    ) -> Result<(), MediaError> {
        let time = LENGTH * self.blocks;
        self.blocks += 1;
        if let Some(stage) = &self.far {
            stage.push(far, time).map_err(|error| self.reason(error))?;
        }
        let cleaned = self.microphone.push(microphone, time);
        *microphone = cleaned.map_err(|error| self.reason(error))?;
        Ok(())
    }

    /// Elements say on the bus why they refuse a block.
    fn reason(&self, error: MediaError) -> MediaError {
        first_error(&self.bus).unwrap_or(error)
    }
}

/// Tries the voice processor for a moment.
///
/// # Errors
/// The reason why it does not work: it is missing, or does not start.
pub fn probe() -> Result<(), MediaError> {
    Canceller::start(VoiceConfig::default(), true).map(drop)
}

/// One element between two pads of ours.
#[derive(Debug)]
struct PaddedElement {
    element: gst::Element,
    input: gst::Pad,
    output: gst::Pad,
    out: Arc<Mutex<Option<Block>>>,
}

impl PaddedElement {
    fn start(element: gst::Element, bus: &gst::Bus) -> Result<Self, MediaError> {
        let out = Arc::new(Mutex::new(None));
        let taken = Arc::clone(&out);
        let output = gst::Pad::builder(gst::PadDirection::Sink)
            .name("output")
            .chain_function(move |_, _, buffer| {
                let block = block(&buffer).ok_or(gst::FlowError::Error)?;
                *lock(&taken) = Some(block);
                Ok(gst::FlowSuccess::Ok)
            })
            .build();
        let input = gst::Pad::builder(gst::PadDirection::Src)
            .name("input")
            .build();
        element.set_bus(Some(bus));
        // From here on dropping it stops the element.
        let stage = Self {
            element,
            input,
            output,
            out,
        };
        stage
            .begin()
            .map_err(|error| first_error(bus).unwrap_or(error))?;
        Ok(stage)
    }

    fn begin(&self) -> Result<(), MediaError> {
        let pad = |name| {
            let broken = || refused(&self.element, &format!("has no pad {name}"));
            self.element.static_pad(name).ok_or_else(broken)
        };
        let linked = |_| refused(&self.element, "cannot be linked");
        self.input.link(&pad("sink")?).map_err(linked)?;
        pad("src")?.link(&self.output).map_err(linked)?;
        self.output.set_active(true)?;
        self.input.set_active(true)?;
        self.element
            .set_state(gst::State::Playing)
            .map_err(|_| refused(&self.element, "does not start"))?;
        let events = [
            gst::event::StreamStart::new(&self.element.name()),
            gst::event::Caps::new(&sound_caps()),
            gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()),
        ];
        if events.into_iter().all(|event| self.input.push_event(event)) {
            Ok(())
        } else {
            Err(refused(&self.element, "does not take our sound"))
        }
    }

    /// Puts a block through the element.
    fn push(&self, block: &Block, time: gst::ClockTime) -> Result<Block, MediaError> {
        let bytes: Vec<u8> = block.iter().flat_map(|s| s.to_le_bytes()).collect();
        let mut buffer = gst::Buffer::from_mut_slice(bytes);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(time);
            buffer.set_duration(LENGTH);
        }
        let pushed = self.input.push(buffer);
        pushed.map_err(|error| refused(&self.element, &format!("refuses sound: {error}")))?;
        let mut out = lock(&self.out);
        out.take()
            .ok_or_else(|| refused(&self.element, "gives no sound"))
    }
}

impl Drop for PaddedElement {
    fn drop(&mut self) {
        // No device behind it: this does not wait.
        let _ = self.element.set_state(gst::State::Null);
        let _ = self.input.set_active(false);
        let _ = self.output.set_active(false);
    }
}

fn block(buffer: &gst::Buffer) -> Option<Block> {
    let bytes = buffer.map_readable().ok()?;
    let mut samples = samples(&bytes);
    let block = std::array::from_fn(|_| samples.next().unwrap_or_default());
    (bytes.len() == size_of::<Block>()).then_some(block)
}

fn refused(element: &gst::Element, message: &str) -> MediaError {
    MediaError::Pipeline {
        element: element.name().to_string(),
        message: message.to_owned(),
        debug: String::new(),
    }
}

fn first_error(bus: &gst::Bus) -> Option<MediaError> {
    let message = bus.pop_filtered(&[gst::MessageType::Error])?;
    let gst::MessageView::Error(error) = message.view() else {
        return None;
    };
    Some(MediaError::Pipeline {
        element: message.src().map(|s| s.name().to_string())?,
        message: error.error().to_string(),
        debug: error.debug().unwrap_or_default().to_string(),
    })
}
