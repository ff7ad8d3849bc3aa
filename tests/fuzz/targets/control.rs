//! Requests at the kiosk's control socket: what is understood is understood again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rtckiosk::appliance::control::Request;

fuzz_target!(|line: &[u8]| {
    if let Ok(request) = serde_json::from_slice::<Request>(line) {
        let sent = serde_json::to_string(&request).expect("a request is JSON");
        assert!(!sent.contains('\n'));
        assert_eq!(serde_json::from_str::<Request>(&sent).ok(), Some(request));
    }
});
