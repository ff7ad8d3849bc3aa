//! The double: a bin that encodes or decodes in software under another element's name, and fails
//! after so many pictures. Its errors come in its own name, as a real element's do.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer::subclass::prelude::*;

/// The way in which it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fails {
    WithError,
    /// Takes pictures and gives none.
    InSilence,
}

/// GStreamer's own words when `identity` is told to fail.
pub(crate) const REASON: &str = "Failed after iterations as requested.";

/// An element, and the software that stands in for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Double {
    /// The name it goes by.
    pub(crate) element: &'static str,
    /// The element that does the work, and how it is set beforehand.
    pub(crate) software: &'static str,
    pub(crate) fixed: &'static [(&'static str, &'static str)],
    /// Properties that are numbers, and those that are words: their name, and the software's name
    /// for it, if there is one.
    pub(crate) numbers: &'static [(&'static str, Option<&'static str>)],
    pub(crate) words: &'static [(&'static str, &'static str)],
    /// Pictures until it fails; each new element begins anew.
    pub(crate) after: i32,
    pub(crate) fails: Fails,
}

impl Double {
    /// The same, that falls silent.
    pub(crate) fn silent(self) -> Self {
        Self {
            fails: Fails::InSilence,
            ..self
        }
    }
}

static DOUBLE: OnceLock<Double> = OnceLock::new();

/// Makes `double` an element of this process, in place of one of the same name.
pub(crate) fn register(double: Double) {
    gst::init().expect("GStreamer");
    if let Some(real) = gst::ElementFactory::find(double.element) {
        // Its plugin would bring it back when it is loaded later.
        let real = real.load().expect("a plugin that loads");
        gst::Registry::get().remove_feature(&real);
    }
    DOUBLE.set(double).expect("one for each process");
    let first = gst::Rank::PRIMARY + 1;
    let kind = Failing::static_type();
    gst::Element::register(None, double.element, first, kind).expect("a new name");
}

fn double() -> &'static Double {
    DOUBLE.get().expect("registered before it is made")
}

glib::wrapper! {
    pub(crate) struct Failing(ObjectSubclass<Inner>) @extends gst::Bin, gst::Element, gst::Object;
}

#[derive(Default)]
pub(crate) struct Inner {
    software: OnceLock<gst::Element>,
    came_out: AtomicI32,
}

#[glib::object_subclass]
impl ObjectSubclass for Inner {
    const NAME: &'static str = "FailingCodec";
    type Type = Failing;
    type ParentType = gst::Bin;
}

impl Inner {
    fn software(&self) -> &gst::Element {
        self.software.get().expect("made with the bin")
    }

    /// Makes the element behind the software that fails.
    fn trap(&self) -> gst::Element {
        let Double { after, fails, .. } = *double();
        let trap = gst::ElementFactory::make("identity");
        let trap = match fails {
            Fails::WithError => trap.property("error-after", after),
            Fails::InSilence => trap,
        };
        trap.build().expect("identity")
    }
}

impl ObjectImpl for Inner {
    fn properties() -> &'static [glib::ParamSpec] {
        static ALL: OnceLock<Vec<glib::ParamSpec>> = OnceLock::new();
        ALL.get_or_init(|| {
            let number = |(name, _): &(&str, _)| {
                let number = glib::ParamSpecUInt::builder(name);
                number.mutable_playing().build()
            };
            let word = |(name, _): &(&str, _)| glib::ParamSpecString::builder(name).build();
            let numbers = double().numbers.iter().map(number);
            numbers.chain(double().words.iter().map(word)).collect()
        })
    }

    fn set_property(&self, _id: usize, value: &glib::Value, property: &glib::ParamSpec) {
        let software = self.software();
        let Double { numbers, words, .. } = *double();
        let number = numbers.iter().find(|(own, _)| *own == property.name());
        let word = words.iter().find(|(own, _)| *own == property.name());
        if let Some((_, Some(name))) = number {
            software.set_property_from_value(name, value);
        }
        if let Some((_, name)) = word {
            software.set_property_from_str(name, value.get().expect("a word"));
        }
    }

    fn constructed(&self) {
        self.parent_constructed();
        let Double {
            software, fixed, ..
        } = *double();
        let element = gst::ElementFactory::make(software);
        let element = element.build().expect("software that is installed");
        for (name, value) in fixed {
            element.set_property_from_str(name, value);
        }
        let (bin, trap) = (self.obj(), self.trap());
        bin.add_many([&element, &trap]).expect("fresh elements");
        element.link(&trap).expect("they fit");
        let sink = element.static_pad("sink").expect("a pad");
        let source = trap.static_pad("src").expect("a pad");
        for pad in [&sink, &source] {
            let ghost = gst::GhostPad::with_target(pad).expect("a free pad");
            bin.add_pad(&ghost).expect("a new name");
        }
        self.software.set(element).expect("made once");
        if double().fails == Fails::InSilence {
            let this = self.downgrade();
            source.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                let before = this
                    .upgrade()
                    .map(|this| this.came_out.fetch_add(1, Ordering::Relaxed));
                match before {
                    Some(before) if before >= double().after => gst::PadProbeReturn::Drop,
                    _ => gst::PadProbeReturn::Ok,
                }
            });
        }
    }
}

impl GstObjectImpl for Inner {}

impl ElementImpl for Inner {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: OnceLock<gst::subclass::ElementMetadata> = OnceLock::new();
        let text = "Works for a while";
        Some(METADATA.get_or_init(|| {
            gst::subclass::ElementMetadata::new("Failing codec", "Codec/Video", text, "rtckiosk")
        }))
    }

    /// A bin gives upstream events to its sinks, of which there are none.
    fn send_event(&self, event: gst::Event) -> bool {
        self.software().send_event(event)
    }
}

impl BinImpl for Inner {
    fn handle_message(&self, message: gst::Message) {
        let message = match message.view() {
            gst::MessageView::Error(error) => {
                gst::message::Error::builder_from_error(error.error())
                    .src(&*self.obj())
                    .build()
            }
            _ => message,
        };
        self.parent_handle_message(message);
    }
}
