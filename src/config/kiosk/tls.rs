//! `[tls]`: the servers that the kiosk trusts.

use std::path::PathBuf;

use crate::config::document::Section;
use crate::config::rules;

/// `[tls]`: for the room server, the message service and the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// CA certificates (PEM) that are trusted beside those of the system, or in their place.
    pub ca_file: Option<PathBuf>,
    /// The same, written into the configuration itself.
    pub ca: Option<String>,
    /// Whether the system's CA certificates are trusted.
    pub system_ca: bool,
    /// SHA-256 of public keys, of which one must be in the chain; empty: any chain will do.
    pub room_pins: Vec<[u8; 32]>,
    pub im_pins: Vec<[u8; 32]>,
    pub relay_pins: Vec<[u8; 32]>,
    /// Whether certificates are not looked at.
    pub insecure: bool,
}

const CA_ALLOWED: &str = "one or more certificates in PEM, each from -----BEGIN CERTIFICATE----- to \
    -----END CERTIFICATE-----";

fn certificates(text: &str) -> Option<String> {
    let parsed = pem::parse_many(text).ok()?;
    let fits = !parsed.is_empty() && parsed.iter().all(|block| block.tag() == "CERTIFICATE");
    fits.then(|| text.to_owned())
}

impl Tls {
    pub(super) fn read(tls: &Section<'_>) -> Self {
        let pins = |key| tls.get(key, Vec::new(), rules::pins);
        let ca_file = tls.optional("ca_file", rules::path);
        let ca = tls.optional("ca", rules::text(CA_ALLOWED, certificates));
        let system_ca = tls.get("system_ca", true, rules::flag);
        if !system_ca && !tls.has("ca_file") && !tls.has("ca") {
            tls.reject(
                "system_ca",
                "needs tls.ca_file or tls.ca as well: no server would be trusted",
            );
        }
        Self {
            ca_file,
            ca,
            system_ca,
            room_pins: pins("room_pins"),
            im_pins: pins("im_pins"),
            relay_pins: pins("relay_pins"),
            insecure: tls.get("insecure_skip_certificate_check", false, rules::flag),
        }
    }
}
