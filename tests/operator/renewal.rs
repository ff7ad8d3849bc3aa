//! A kiosk's identity that renews itself, before half of its life is over, for as long as the operator lets it in.

use std::fs;

use rtckiosk::config::server::UserRole;
use rtckiosk::protocol::user_sig;
use serde_json::json;

use crate::support::kiosk::{Kiosk, Setting};
use crate::support::locked::Locked;
use crate::support::{PATIENCE, number, turn, until, until_true};

#[test]
fn a_kiosk_has_its_identity_renewed_and_comes_back_with_it() {
    let _turn = turn();
    let locked = Locked::start(&[("kiosk", UserRole::Kiosk)], "");
    // A minute of an hour is left: the next start would be refused.
    let old = locked.sign_for("kiosk", 3540, 3600);
    let room = Locked::credentials_with(&old);
    let mut kiosk = Kiosk::start(&Setting {
        room: &room,
        ..Setting::kiosk(&locked.server.url)
    });
    kiosk.until_state("attract", PATIENCE);
    let file = kiosk.config.with_file_name("state-kiosk").join("user_sig");
    let renewed = until("the renewed userSig is kept", PATIENCE, || {
        fs::read_to_string(&file).ok()
    });
    let claims = user_sig::peek(renewed.trim()).unwrap();
    assert_eq!(claims.identifier, "kiosk");
    let end = claims.time + claims.expire_after;
    assert!(
        end > user_sig::peek(&old).unwrap().time + 2 * 3600,
        "{claims:?}"
    );
    until_true("status says until when it is good", PATIENCE, || {
        number(&kiosk.status(), "room.user_sig_ends") == end
    });
    // After a restart it is the renewed one that counts, also where the old one would not do any more.
    kiosk.program.kill();
    let text = fs::read_to_string(&kiosk.config).unwrap();
    let expired = locked.sign_for("kiosk", 7200, 3600);
    fs::write(&kiosk.config, text.replace(&old, &expired)).unwrap();
    kiosk.restart();
    kiosk.until_state("attract", PATIENCE);
    let checked = kiosk.tool(&["check", "--json"]);
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(
        said.contains("identity") && said.contains("the userSig"),
        "{said}"
    );
    // Revoked, it is told so, and nothing is renewed any more.
    locked.revoke("kiosk");
    let _ = kiosk.ask(&json!({ "command": "call" }));
    kiosk.until_state("out_of_service", PATIENCE);
}
