//! A room server on plain sockets that plays exact bytes; between two bad moods it hands
//! requests on to a real one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// The reception of the next requests.
#[derive(Debug, Clone)]
pub(crate) enum Mood {
    /// The real server answers.
    Honest,
    /// These bytes, then the end of the connection.
    Bytes(Vec<u8>),
    /// The head of an answer, then a byte every 50 ms, for ever.
    Trickle,
    /// Not a byte, for ever.
    Silence,
}

impl Mood {
    /// A whole HTTP answer.
    pub(crate) fn answer(status: &str, body: &str) -> Self {
        Self::Bytes(http(status, body.len(), body.as_bytes()))
    }

    /// The head promises more than comes.
    pub(crate) fn cut_off(body: &str) -> Self {
        Self::Bytes(http("200 OK", body.len() + 100, body.as_bytes()))
    }
}

fn http(status: &str, length: usize, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// Listens until the test ends.
#[derive(Debug)]
pub(crate) struct Hostile {
    pub(crate) url: String,
    mood: Arc<Mutex<Mood>>,
}

impl Hostile {
    /// Stands in front of the real server at `upstream`, `host:port`.
    pub(crate) fn start(upstream: &str, mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/weapp", listener.local_addr().unwrap());
        let mood = Arc::new(Mutex::new(mood));
        let (now, upstream) = (mood.clone(), upstream.to_owned());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (now, upstream) = (now.clone(), upstream.clone());
                // A peer that hangs up in the middle is its own business.
                thread::spawn(move || serve(&stream, &now, &upstream));
            }
        });
        Self { url, mood }
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }
}

/// One request, one answer, and the end of the connection.
fn serve(mut stream: &TcpStream, mood: &Mutex<Mood>, upstream: &str) -> std::io::Result<()> {
    let (head, body) = read_request(stream)?;
    let mood = mood.lock().unwrap().clone();
    match mood {
        Mood::Honest => {
            let mut real = TcpStream::connect(upstream)?;
            real.write_all(head.as_bytes())?;
            real.write_all(&body)?;
            std::io::copy(&mut real, &mut stream).map(drop)
        }
        Mood::Bytes(bytes) => stream.write_all(&bytes),
        Mood::Trickle => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            loop {
                stream.write_all(b"1\r\n \r\n")?;
                thread::sleep(Duration::from_millis(50));
            }
        }
        // Ends when the client gives up.
        Mood::Silence => stream.read(&mut [0]).map(drop),
    }
}

/// The head, which asks for the connection to be closed, and the body.
fn read_request(stream: &TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    reader.read_line(&mut head)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim_end().is_empty() {
            break;
        }
        let lower = line.to_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if !lower.starts_with("connection:") {
            head += &line;
        }
    }
    head += "Connection: close\r\n\r\n";
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((head, body))
}
