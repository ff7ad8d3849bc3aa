//! The owner of one `gst::Pipeline`: state changes with a deadline off the tokio workers, the
//! bus as an async stream, errors named by element, and NULL when dropped.

use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use tokio::sync::{mpsc, oneshot};

use super::error::MediaError;

/// Time after which a device or a socket that changes its state hangs: our choice.
pub(crate) const STATE_DEADLINE: Duration = Duration::from_secs(10);

/// Messages that may wait for the owner.
const WAITING: usize = 64;
/// Room that warnings leave to errors, of which an element that fails posts a few.
const FOR_ERRORS: usize = 16;

/// Niceness of threads of sound, which come before pictures, because an ear hears a gap that an eye
/// overlooks; PulseAudio takes the same value. Without the right to it (LimitNICE) the threads stay
/// as they are.
const URGENT_NICENESS: i32 = -11;

/// News of a pipeline for its owner.
#[derive(Debug)]
pub(crate) enum BusEvent {
    Error(MediaError),
    Warning { element: String, message: String },
    Eos,
}

/// Owns a pipeline. Runs on the monotonic system clock, so that times of several pipelines
/// can be compared (see [`Pipeline::base_time`]).
#[derive(Debug)]
pub(crate) struct Pipeline {
    inner: gst::Pipeline,
    events: mpsc::Receiver<BusEvent>,
    name: &'static str,
}

impl Pipeline {
    pub(crate) fn new(name: &'static str) -> Self {
        Self::with_threads(name, false)
    }

    /// A pipeline whose threads go before those of others.
    pub(crate) fn urgent(name: &'static str) -> Self {
        Self::with_threads(name, true)
    }

    fn with_threads(name: &'static str, urgent: bool) -> Self {
        let inner = gst::Pipeline::with_name(name);
        inner.use_clock(Some(&gst::SystemClock::obtain()));
        let (sender, events) = mpsc::channel(WAITING);
        let pipeline = inner.downgrade();
        let bus = inner.bus().expect("a pipeline always has a bus");
        bus.set_sync_handler(move |_, message| {
            match message.view() {
                gst::MessageView::StreamStatus(status) => {
                    if status.get().0 == gst::StreamStatusType::Enter {
                        rank_this_thread(name, urgent);
                    }
                }
                gst::MessageView::Latency(_) => {
                    if let Some(pipeline) = pipeline.upgrade() {
                        off_runtime(move || pipeline.recalculate_latency());
                    }
                }
                _ => hand_over(message, name, &sender),
            }
            gst::BusSyncReply::Drop
        });
        Self {
            inner,
            events,
            name,
        }
    }

    /// The pipeline itself, for adding and linking elements.
    #[cfg(test)]
    pub(crate) fn gst(&self) -> &gst::Pipeline {
        &self.inner
    }

    /// Adds elements and links them one after the other.
    ///
    /// # Errors
    /// `Build` when two neighbours do not fit.
    pub(crate) fn chain(&self, elements: &[gst::Element]) -> Result<(), MediaError> {
        self.inner.add_many(elements)?;
        Ok(gst::Element::link_many(elements)?)
    }

    /// Time of the monotonic system clock at which the pipeline's running time is zero.
    /// Fixed by [`Pipeline::start`].
    pub(crate) fn base_time(&self) -> gst::ClockTime {
        self.inner.base_time().unwrap_or(gst::ClockTime::ZERO)
    }

    /// Brings the pipeline to PLAYING with a running time that begins now. Returns whether its
    /// sources are live.
    ///
    /// # Errors
    /// The first error that an element reports, or `StateTimeout`.
    pub(crate) async fn start(&mut self) -> Result<bool, MediaError> {
        // Set by hand, so that pausing or a late preroll never shifts it.
        self.inner.set_start_time(gst::ClockTime::NONE);
        self.inner.set_base_time(gst::SystemClock::obtain().time());
        self.change(
            |pipeline| {
                // Only the step to PAUSED tells whether sources are live.
                let paused = pipeline.set_state(gst::State::Paused)?;
                pipeline.set_state(gst::State::Playing)?;
                Ok(paused == gst::StateChangeSuccess::NoPreroll)
            },
            gst::State::Playing,
        )
        .await
    }

    /// Brings the pipeline to NULL: devices are free and sockets closed when this returns.
    ///
    /// # Errors
    /// `StateTimeout`; the pipeline then goes on stopping on its own thread.
    pub(crate) async fn stop(&mut self) -> Result<(), MediaError> {
        let to_null = |pipeline: &gst::Pipeline| pipeline.set_state(gst::State::Null).map(drop);
        self.change(to_null, gst::State::Null).await
    }

    /// The next event; pends for ever when there is none. Safe to drop and call again.
    pub(crate) async fn next_event(&mut self) -> BusEvent {
        match self.events.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }

    /// Runs `step` and waits until the pipeline is in `state`.
    async fn change<T: Send + 'static>(
        &mut self,
        step: impl FnOnce(&gst::Pipeline) -> Result<T, gst::StateChangeError> + Send + 'static,
        state: gst::State,
    ) -> Result<T, MediaError> {
        let pipeline = self.inner.clone();
        let done = off_runtime(move || {
            let result = step(&pipeline)?;
            pipeline
                .state(gst::ClockTime::try_from(STATE_DEADLINE).ok())
                .0?;
            Ok((result, pipeline.current_state()))
        });
        match tokio::time::timeout(STATE_DEADLINE, done).await {
            Ok(Ok(Ok((result, reached)))) if reached == state => Ok(result),
            Ok(Ok(Err(gst::StateChangeError))) => Err(self.first_error()),
            Ok(_) | Err(_) => Err(self.timeout(state)),
        }
    }

    fn timeout(&self, state: gst::State) -> MediaError {
        MediaError::StateTimeout {
            pipeline: self.name,
            state: state.name().as_str(),
            deadline: STATE_DEADLINE,
        }
    }

    /// The reason why a state change failed: elements post it on the bus before the change returns.
    fn first_error(&mut self) -> MediaError {
        while let Ok(event) = self.events.try_recv() {
            if let BusEvent::Error(error) = event {
                return error;
            }
        }
        MediaError::Pipeline {
            element: self.name.to_owned(),
            message: "refused to change state".to_owned(),
            debug: String::new(),
        }
    }
}

/// Passes on what the owner of a pipeline must know. Called on the thread that posts.
fn hand_over(message: &gst::Message, name: &str, events: &mpsc::Sender<BusEvent>) {
    let element = || match message.src() {
        Some(source) => source.name().to_string(),
        None => name.to_owned(),
    };
    let event = match message.view() {
        gst::MessageView::Error(error) => BusEvent::Error(MediaError::Pipeline {
            element: element(),
            message: error.error().to_string(),
            debug: error.debug().unwrap_or_default().to_string(),
        }),
        gst::MessageView::Warning(warning) if events.capacity() > FOR_ERRORS => BusEvent::Warning {
            element: element(),
            message: warning.error().to_string(),
        },
        gst::MessageView::Eos(_) => BusEvent::Eos,
        _ => return,
    };
    // Refused when the owner has gone, or has as many errors unread as it can use.
    let _ = events.try_send(event);
}

/// GStreamer's threads go from one pipeline to the next: each has to be told what it is now.
fn rank_this_thread(pipeline: &str, urgent: bool) {
    let wanted = match urgent {
        true => Ok(URGENT_NICENESS),
        false => rustix::process::getpriority_process(Some(rustix::process::getpid())),
    };
    let thread = Some(rustix::thread::gettid());
    let ranked = wanted.and_then(|wanted| rustix::process::setpriority_process(thread, wanted));
    if let Err(error) = ranked {
        log::debug!(pipeline, error:%; "a thread stays at its priority");
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        // Also when the state is NULL now: a change may be under way on another thread.
        let pipeline = self.inner.clone();
        off_runtime(move || pipeline.set_state(gst::State::Null));
    }
}

/// Begins an element; building it with `?` gives a `MediaError`.
pub(crate) fn make<'a>(
    factory: &'a str,
    name: &'a str,
) -> gst::element_factory::ElementBuilder<'a> {
    gst::ElementFactory::make(factory).name(name)
}

/// A source from the configuration, in GStreamer's launch syntax.
///
/// # Errors
/// `BadSource` with GStreamer's reason.
pub(crate) fn parse_source(description: &str) -> Result<gst::Element, MediaError> {
    let bad = |reason: String| MediaError::BadSource {
        description: description.to_owned(),
        reason,
    };
    // GStreamer cannot parse a description that ends in caps unless something follows.
    let bin = gst::parse::bin_from_description(&format!("{description} ! identity"), true)
        .map_err(|error| bad(error.to_string()))?;
    if bin.static_pad("src").is_none() {
        return Err(bad("it has no output".to_owned()));
    }
    Ok(bin.upcast())
}

/// A sink from the configuration, in GStreamer's launch syntax.
///
/// # Errors
/// `NoSpeaker` with GStreamer's reason.
pub(crate) fn parse_sink(description: &str) -> Result<gst::Element, MediaError> {
    let bad = |reason: &str| MediaError::NoSpeaker {
        wanted: format!("{description:?} cannot be used: {reason}"),
    };
    let bin = gst::parse::bin_from_description(description, true)
        .map_err(|error| bad(&error.to_string()))?;
    if bin.static_pad("sink").is_none() {
        return Err(bad("it has no input"));
    }
    Ok(bin.upcast())
}

/// Runs a blocking job on a thread of its own. Not tokio's blocking pool: a driver that hangs
/// would keep the runtime from ever shutting down.
pub(crate) fn off_runtime<T: Send + 'static>(
    job: impl FnOnce() -> T + Send + 'static,
) -> oneshot::Receiver<T> {
    let (done, receiver) = oneshot::channel();
    let spawned = std::thread::Builder::new()
        .name("gst-state".to_owned())
        .spawn(move || {
            // The caller may have stopped waiting.
            let _ = done.send(job());
        });
    if let Err(error) = spawned {
        log::error!(error:%; "no thread for a GStreamer state change");
    }
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(names: &[&str]) -> (Pipeline, Vec<gst::Element>) {
        gst::init().expect("GStreamer starts");
        let pipeline = Pipeline::new("test");
        let elements: Vec<_> = names
            .iter()
            .map(|name| {
                gst::ElementFactory::make(name)
                    .build()
                    .expect("element exists")
            })
            .collect();
        pipeline.gst().add_many(&elements).expect("fresh elements");
        gst::Element::link_many(&elements).expect("compatible elements");
        (pipeline, elements)
    }

    #[tokio::test]
    async fn a_failing_element_is_named() {
        let (mut pipeline, elements) = chain(&["v4l2src", "fakesink"]);
        elements[0].set_property("device", "/dev/no-such-camera");
        let error = pipeline.start().await.expect_err("there is no such camera");
        let MediaError::Pipeline {
            element, message, ..
        } = error
        else {
            panic!("not typed: {error:?}");
        };
        assert!(element.starts_with("v4l2src"), "{element}");
        assert!(message.contains("/dev/no-such-camera"), "{message}");
    }

    #[tokio::test]
    async fn a_source_that_ends_says_so_and_stop_frees_it() {
        let (mut pipeline, elements) = chain(&["videotestsrc", "fakesink"]);
        elements[0].set_property("num-buffers", 3);
        assert!(
            !pipeline.start().await.expect("starts"),
            "videotestsrc is not live by default"
        );
        assert!(matches!(pipeline.next_event().await, BusEvent::Eos));
        pipeline.stop().await.expect("stops");
        assert_eq!(elements[0].current_state(), gst::State::Null);
    }

    #[tokio::test]
    async fn a_live_source_is_known_as_such() {
        let (mut pipeline, elements) = chain(&["videotestsrc", "fakesink"]);
        elements[0].set_property("is-live", true);
        assert!(pipeline.start().await.expect("starts"));
        drop(pipeline);
        tokio::time::timeout(STATE_DEADLINE, async {
            while elements[0].current_state() != gst::State::Null {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .expect("dropping stops the pipeline");
    }

    /// Niceness of the thread that carries a pipeline's buffers.
    async fn niceness(mut pipeline: Pipeline) -> i32 {
        let chain: Vec<_> = ["audiotestsrc", "fakesink"]
            .iter()
            .map(|name| make(name, name).build().expect("element exists"))
            .collect();
        pipeline.chain(&chain).expect("compatible elements");
        let (tell, mut told) = mpsc::channel(1);
        let pad = chain[1].static_pad("sink").expect("a sink has one");
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            let thread = Some(rustix::thread::gettid());
            let _ = tell.try_send(rustix::process::getpriority_process(thread));
            gst::PadProbeReturn::Ok
        });
        pipeline.start().await.expect("starts");
        told.recv().await.expect("a buffer").expect("readable")
    }

    #[tokio::test]
    async fn urgent_threads_go_first_where_that_is_allowed() {
        gst::init().expect("GStreamer starts");
        let own = rustix::process::getpriority_process(None).expect("readable");
        let allowed = std::thread::spawn(|| {
            let thread = Some(rustix::thread::gettid());
            rustix::process::setpriority_process(thread, URGENT_NICENESS).is_ok()
        });
        let urgent = match allowed.join().expect("no panic") {
            true => URGENT_NICENESS,
            false => own,
        };
        assert_eq!(niceness(Pipeline::new("test")).await, own);
        assert_eq!(niceness(Pipeline::urgent("test")).await, urgent);
    }

    #[tokio::test(start_paused = true)]
    async fn a_sink_that_never_prerolls_is_a_timeout() {
        let (mut pipeline, _elements) = chain(&["appsrc", "fakesink"]);
        let error = pipeline.start().await.expect_err("nothing ever arrives");
        assert!(
            matches!(
                error,
                MediaError::StateTimeout {
                    state: "PLAYING",
                    ..
                }
            ),
            "{error:?}"
        );
    }
}
