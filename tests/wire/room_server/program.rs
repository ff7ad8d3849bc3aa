//! `rtcroomd` as a program: what it prints, how it refuses, how it stops.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn rtcroomd(config: &str) -> (tempfile::TempDir, Command) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("rtcroomd.toml");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_rtcroomd"));
    command.arg("--config").arg(file);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    (dir, command)
}

fn free_addr() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

fn exited(mut child: Child) -> Output {
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "it does not stop"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn request(addr: &str, head: &str) -> String {
    let mut stream = TcpStream::connect(addr).unwrap();
    write!(
        stream,
        "{head} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    body.to_owned()
}

#[test]
fn it_says_where_it_listens_keeps_secrets_out_of_the_log_and_stops_on_sigterm() {
    let (http, rtmp) = (free_addr(), free_addr());
    let config = format!(
        "log = \"trace\"\n[http]\nlisten = \"{http}\"\n[relay.embedded]\nlisten = \"{rtmp}\"\n"
    );
    let (_dir, mut command) = rtcroomd(&config);
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    let expected =
        format!("listening on http://{http}/weapp (rooms) and rtmp://{rtmp}/live (relay)\n");
    assert_eq!(line, expected);

    let http = http.to_string();
    let info = request(&http, "GET /weapp/utils/get_login_info?userID=alice");
    let info: serde_json::Value = serde_json::from_str(&info).unwrap();
    let sig = info["userSig"].as_str().unwrap();
    let login = format!(
        "POST /weapp/double_room/login?sdkAppID={}&accountType=1&userID=alice&userSig={sig}",
        info["sdkAppID"]
    );
    let login: serde_json::Value = serde_json::from_str(&request(&http, &login)).unwrap();
    let token = login["token"].as_str().unwrap();
    let head = format!("POST /weapp/double_room/get_push_url?userID=alice&token={token}");
    request(&http, &head);

    let terminated = Command::new("kill").arg(child.id().to_string()).status();
    assert!(terminated.unwrap().success());
    let output = exited(child);
    assert_eq!(output.status.code(), Some(0));
    let log = stderr(&output);
    assert!(log.contains("logged in") && log.contains("alice"), "{log}");
    assert!(log.contains("get_push_url"), "{log}");
    assert!(!log.contains(token) && !log.contains(sig), "{log}");
}

#[test]
fn a_port_in_use_and_a_wrong_config_are_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let free = free_addr();
    for config in [
        format!("[http]\nlisten = \"{addr}\"\n[relay.embedded]\nlisten = \"{free}\"\n"),
        format!("[http]\nlisten = \"{free}\"\n[relay.embedded]\nlisten = \"{addr}\"\n"),
    ] {
        let (_dir, mut command) = rtcroomd(&config);
        let output = exited(command.spawn().unwrap());
        assert_eq!(output.status.code(), Some(1));
        let text = stderr(&output);
        let wanted = format!("cannot listen on {addr}: Address already in use");
        assert_eq!(text.matches(&wanted).count(), 1, "{text}");
        assert_eq!(text.matches("in use").count(), 1, "{text}");
    }
    for (config, wanted) in [
        ("[http]\nlissen = \"x\"\n", "lissen"),
        (
            "[auth]\nprivate_key_file = \"/nonexistent/key.pem\"\n",
            "/nonexistent/key.pem",
        ),
    ] {
        let (_dir, mut command) = rtcroomd(config);
        let output = exited(command.spawn().unwrap());
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(wanted), "{}", stderr(&output));
    }
    let missing = Command::new(env!("CARGO_BIN_EXE_rtcroomd"))
        .args(["--config", "/nonexistent.toml"])
        .output()
        .unwrap();
    assert!(stderr(&missing).contains("cannot read /nonexistent.toml: No such file"));
}
