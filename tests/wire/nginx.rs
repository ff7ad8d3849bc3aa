//! A real nginx with its RTMP module as a peer.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Debian's libnginx-mod-rtmp.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";

/// RTMP under `rtmp://127.0.0.1:{rtmp_port}/live/`, status under
/// `http://127.0.0.1:{http_port}/stat`. Killed when dropped.
pub(crate) struct Nginx {
    pub(crate) rtmp_port: u16,
    pub(crate) http_port: u16,
    child: Child,
    dir: TempDir,
}

impl Nginx {
    /// Starts it on free ports and waits until both answer.
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (rtmp_port, http_port) = (free_port(), free_port());
        let config = format!(
            "load_module {MODULE};\n\
             daemon off; master_process off; worker_processes 1;\n\
             pid nginx.pid; error_log error.log info;\n\
             events {{ worker_connections 128; }}\n\
             rtmp {{ access_log off; server {{ listen 127.0.0.1:{rtmp_port}; chunk_size 4096;\n\
               application live {{ live on; }} }} }}\n\
             http {{ access_log off; client_body_temp_path body; proxy_temp_path proxy;\n\
               fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n\
               server {{ listen 127.0.0.1:{http_port};\n\
                 location /stat {{ rtmp_stat all; }} }} }}\n"
        );
        std::fs::write(dir.path().join("nginx.conf"), config).unwrap();
        let mut command = Command::new("nginx");
        command
            .arg("-p")
            .arg(dir.path())
            .args(["-c", "nginx.conf", "-e", "error.log"]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn();
        let child = child.unwrap_or_else(|error| panic!("nginx is needed for this test: {error}"));
        let mut nginx = Self {
            rtmp_port,
            http_port,
            child,
            dir,
        };
        nginx.wait_for(rtmp_port);
        nginx.wait_for(http_port);
        nginx
    }

    fn wait_for(&mut self, port: u16) {
        let end = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = self.child.try_wait().unwrap();
            let log = std::fs::read_to_string(self.dir.path().join("error.log"));
            assert!(
                ended.is_none() && Instant::now() < end,
                "nginx does not start: {log:?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
