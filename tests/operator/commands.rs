//! `rtcroomd init`, `user` and `check`.

use std::ffi::OsStr;
use std::fmt::Debug;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use rtckiosk::protocol::user_sig::{self, VerifyingKey};
use serde_json::Value;

use crate::support::program::{RTCROOMD, written};

fn rtcroomd<T: AsRef<OsStr>>(arguments: &[T]) -> Output {
    Command::new(RTCROOMD).args(arguments).output().unwrap()
}

/// Output of a command that must succeed.
fn done<T: AsRef<OsStr> + Debug>(arguments: &[T]) -> String {
    let output = rtcroomd(arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        written(&output)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn refused<T: AsRef<OsStr> + Debug>(arguments: &[T]) -> String {
    let output = rtcroomd(arguments);
    assert!(
        !output.status.success(),
        "{arguments:?}: {}",
        written(&output)
    );
    String::from_utf8(output.stderr).unwrap()
}

/// A directory that `init` made, and its configuration.
fn initialised(host: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("etc");
    let said = done(&["init", "--host", host, "--dir", dir.to_str().unwrap()]);
    for word in [
        "rtcroomd.toml",
        "kiosk.toml",
        "agent.toml",
        "Back up",
        "397 days",
    ] {
        assert!(said.contains(word), "{said}");
    }
    let config = dir.join("rtcroomd.toml").to_str().unwrap().to_owned();
    (folder, config)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn init_makes_all_once_and_private() {
    let (folder, config) = initialised("rooms.example.com");
    let dir = folder.path().join("etc");
    let mut files: Vec<_> = ["", "state"]
        .iter()
        .flat_map(|sub| fs::read_dir(dir.join(sub)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    assert!(files.len() >= 11, "{files:?}");
    for file in &files {
        // The lock of the users file holds nothing.
        if !file.ends_with("users.json.lock") {
            assert_eq!(mode(file), 0o600, "{}", file.display());
        }
    }
    let before: Vec<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    let dir = dir.to_str().unwrap();
    let said = refused(&["init", "--host", "rooms.example.com", "--dir", dir]);
    assert!(
        said.contains("rtcroomd.toml, kiosk.toml") && said.contains("nothing is overwritten"),
        "{said}"
    );
    let after: Vec<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    assert!(before == after, "a second init changed something");
    // The certificate is for the host, and of the CA that the kiosk is given.
    let verified = Command::new("openssl")
        .args(["verify", "-verify_hostname", "rooms.example.com", "-CAfile"])
        .args([format!("{dir}/ca.pem"), format!("{dir}/server.pem")])
        .output()
        .unwrap();
    assert!(verified.status.success(), "{}", written(&verified));
    let kiosk = fs::read_to_string(format!("{dir}/kiosk.toml")).unwrap();
    let ca = fs::read_to_string(format!("{dir}/ca.pem")).unwrap();
    assert!(kiosk.contains(&ca));
    rtckiosk::config::KioskConfig::parse("kiosk.toml", &kiosk).unwrap();
    // The next certificate comes from the same CA.
    let first = fs::read(format!("{dir}/server.pem")).unwrap();
    done(&[
        "init",
        "--host",
        "rooms.example.com",
        "--dir",
        dir,
        "--renew-certificate",
    ]);
    assert_ne!(first, fs::read(format!("{dir}/server.pem")).unwrap());
    let verified = Command::new("openssl")
        .args([
            "verify",
            "-CAfile",
            &format!("{dir}/ca.pem"),
            &format!("{dir}/server.pem"),
        ])
        .output()
        .unwrap();
    assert!(verified.status.success(), "{}", written(&verified));
    assert!(done(&["check", "--config", &config]).contains("1 kiosks, 1 agents"));
}

#[test]
fn init_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("etc");
    let dir = dir.to_str().unwrap();
    for host in ["", "rooms.example.com:5757", "https://h", "a b", "h/x"] {
        let said = refused(&["init", "--host", host, "--dir", dir]);
        assert!(said.contains("must be a host"), "{said}");
    }
    let said = refused(&[
        "init",
        "--host",
        "h",
        "--dir",
        dir,
        "--cert",
        "/absent.pem",
        "--key",
        "/absent.pem",
    ]);
    assert!(said.contains("/absent.pem"), "{said}");
    assert!(!Path::new(dir).exists(), "nothing was written");
}

#[test]
fn users_come_and_go() {
    let (folder, config) = initialised("127.0.0.1");
    let user = |command: &[&str]| -> Vec<String> {
        let words = [&["user"], command, &["--config", &config]].concat();
        words.into_iter().map(str::to_owned).collect()
    };
    let list = || -> Value { serde_json::from_str(&done(&user(&["list", "--json"]))).unwrap() };
    let png = folder.path().join("kiosk-2.png");
    let sig = done(&user(&[
        "add",
        "kiosk-2",
        "--role",
        "kiosk",
        "--days",
        "90",
        "--qr",
        png.to_str().unwrap(),
    ]));
    let claims = user_sig::peek(sig.trim()).unwrap();
    assert_eq!(
        (claims.identifier.as_str(), claims.expire_after),
        ("kiosk-2", 90 * 86_400)
    );
    assert_eq!(list()["kiosk-2"]["role"], "kiosk");
    assert_eq!(
        list()["kiosk-2"]["signed_until"],
        claims.time + claims.expire_after
    );
    // A device reads the code.
    let read = Command::new("zbarimg")
        .args(["--raw", "-q"])
        .arg(&png)
        .output()
        .unwrap();
    let read: Value = serde_json::from_slice(&read.stdout).unwrap();
    assert_eq!(read["user_sig"], sig.trim());
    assert_eq!(read["server_url"], "https://127.0.0.1:5757/weapp");
    // Revoked, signed for no more, and let in again with a new signature alone.
    assert!(done(&user(&["revoke", "kiosk-2"])).contains("revoked"));
    let said = refused(&user(&["sign", "kiosk-2"]));
    assert!(said.contains("kiosk-2 is revoked"), "{said}");
    assert!(done(&user(&["list"])).contains("revoked since"));
    let again = done(&user(&["add", "kiosk-2", "--role", "kiosk"]));
    let again = user_sig::peek(again.trim()).unwrap();
    assert!(again.time > claims.time, "the old signature stays void");
    assert!(again.time >= list()["kiosk-2"]["valid_from"].as_u64().unwrap());
    // Of somebody whom another signs for.
    done(&user(&["revoke", "stranger"]));
    assert!(list()["stranger"]["revoked"].is_u64());
    let said = refused(&user(&["sign", "nobody"]));
    assert!(said.contains("nobody is not known here"), "{said}");
    assert!(refused(&user(&["add", "a\nb"])).contains("is no user id"));
    // Many at once lose nothing.
    let adding: Vec<_> = (0..20)
        .map(|n| {
            let mut command = Command::new(RTCROOMD);
            command
                .args(user(&["add", &format!("many-{n}")]))
                .stdout(std::process::Stdio::null());
            command.spawn().unwrap()
        })
        .collect();
    for mut child in adding {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(
        list()
            .as_object()
            .unwrap()
            .keys()
            .filter(|id| id.starts_with("many-"))
            .count(),
        20
    );
    // The server's own key verifies.
    let state = Path::new(&config)
        .parent()
        .unwrap()
        .join("state/usersig-key.pem");
    let public = Command::new("openssl")
        .args(["pkey", "-pubout", "-in"])
        .arg(state)
        .output()
        .unwrap();
    let key = VerifyingKey::from_pem(std::str::from_utf8(&public.stdout).unwrap()).unwrap();
    let verified = user_sig::verify(&key, sig.trim(), 1_400_000_001, "kiosk-2", claims.time);
    assert_eq!(verified, Ok(claims));
}

#[test]
fn check_finds_what_an_operator_should_mend() {
    let (_folder, config) = initialised("rooms.example.com");
    let dir = Path::new(&config).parent().unwrap();
    let check = || {
        let output = rtcroomd(&["check", "--json", "--config", &config]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.success(), report["ok"] == true);
        report
    };
    assert_eq!(check()["ok"], true, "{:#}", check());
    let key = dir.join("state/usersig-key.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let report = check().to_string();
    assert!(report.contains("usersig-key.pem has mode 644"), "{report}");
    // A certificate for another host.
    let text = fs::read_to_string(&config).unwrap();
    let other = text.replace(
        "public_host = \"rooms.example.com\"",
        "public_host = \"other.example.com\"",
    );
    fs::write(&config, &other).unwrap();
    let report = check();
    assert_eq!(report["ok"], false);
    assert!(
        report.to_string().contains("it is for rooms.example.com"),
        "{report}"
    );
    fs::write(&config, &text).unwrap();
    // A port that another program has.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = text.replace("0.0.0.0:5757", &taken.local_addr().unwrap().to_string());
    fs::write(&config, busy).unwrap();
    assert!(check().to_string().contains("is in use"), "{}", check());
    fs::write(&config, &text).unwrap();
    // Files that are not what they should be.
    fs::write(dir.join("state/users.json"), "{}").unwrap();
    assert!(
        check().to_string().contains("users.json is wrong"),
        "{}",
        check()
    );
    fs::write(&key, "no key").unwrap();
    assert!(
        check().to_string().contains("usersig-key.pem"),
        "{}",
        check()
    );
    fs::write(&config, "open = 7").unwrap();
    assert!(check().to_string().contains("open = 7"), "{}", check());
    assert!(
        rtcroomd(&["check", "--config", "/absent.toml"])
            .status
            .code()
            == Some(1)
    );
}
