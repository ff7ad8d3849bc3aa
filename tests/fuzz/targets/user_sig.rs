//! userSigs and the keys that sign and verify them.

#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::ZlibEncoder;
use libfuzzer_sys::fuzz_target;
use rtckiosk::protocol::user_sig::{SigningKey, VerifyingKey, verify};
use std::io::Read;
use std::sync::LazyLock;

static KEY: LazyLock<VerifyingKey> = LazyLock::new(|| {
    let key = SigningKey::p256_from_bytes(&[7; 32]).expect("not one of the few");
    key.verifying_key()
});

fuzz_target!(|text: &str| {
    let refused = |sig: &str| {
        // Nothing in the corpus is signed with this key.
        let outcome = verify(&KEY, sig, 1_400_000_001, "kiosk_01", 1_700_000_100);
        let error = outcome.expect_err("nobody signed this");
        assert!(error.to_string().len() < 200 + text.len());
    };
    refused(text);
    refused(&packed(text));
    let _ = SigningKey::from_pem(text);
    let _ = VerifyingKey::from_pem(text);
});

/// Packs the inside of a userSig as one, so that mutations reach behind the compression.
fn packed(json: &str) -> String {
    let mut deflated = Vec::new();
    let mut encoder = ZlibEncoder::new(json.as_bytes(), Compression::fast());
    encoder.read_to_end(&mut deflated).expect("memory");
    let base64 = STANDARD.encode(deflated);
    base64.replace('+', "*").replace('/', "-").replace('=', "_")
}
