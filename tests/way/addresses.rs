//! A server with two addresses, of which the first one swallows everything.

use crate::branch::{Branch, Tls};
use crate::machines::{DEAD, Machine, SERVERS};
use crate::support::program::{Program, written};
use crate::support::{number, turn};

/// More time to the first picture than without the dead address, in ms.
const ALLOWED: u64 = 400;

#[test]
fn a_call_is_made_past_a_dead_first_address_and_check_names_it() {
    let _turn = turn();
    let Some(branch) = Branch::start(Tls::All) else {
        return;
    };
    for address in [DEAD, SERVERS] {
        branch.machines.open_way_to(address);
    }
    branch.configure("");
    let agent = branch.agent();
    branch.machines.name(Machine::Branch, &[SERVERS]);
    let plain = first_picture(&branch, &agent);
    branch.machines.name(Machine::Branch, &[DEAD, SERVERS]);
    let check = branch.tool(&["check"]);
    let says = written(&check);
    assert!(check.status.success(), "{says}");
    let words = format!(
        "WARN room server: rooms.example.com has 2 addresses, and of these {DEAD}:5757 give no answer"
    );
    assert!(says.contains(&words), "{says}");
    let dead = first_picture(&branch, &agent);
    println!("first picture over RTMPS: {plain} ms, {dead} ms past a dead address");
    assert!(dead < plain + ALLOWED, "{plain} ms, {dead} ms");
}

/// Milliseconds from the beginning of the play to its first picture, in a call that is over then.
fn first_picture(branch: &Branch, agent: &Program) -> u64 {
    let _kiosk = branch.kiosk();
    let status = branch.call(agent);
    let first = number(&status, "downlinks.agent-1.first_frame_ms");
    assert!(first > 0, "{status}");
    assert!(branch.tool(&["ctl", "hangup"]).status.success());
    first
}
