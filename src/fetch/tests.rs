//! Downloads from a server that truncates, corrupts, redirects and stalls.

use super::*;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What the server does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// It sends the rest of the file that is asked for.
    Rest,
    /// It announces the rest and closes the connection after so many bytes.
    Part(usize),
    /// It sends the whole file, whatever is asked for.
    Whole,
    /// It sends other bytes.
    Corrupt,
    /// It sends a longer file.
    Longer,
    /// It redirects to itself.
    Redirect,
    /// It sends one byte and then nothing.
    Stall,
    Missing,
}

const BODY: &[u8] = b"The quick brown fox jumps over the lazy dog";

fn remote() -> RemoteFile {
    RemoteFile {
        name: "fox.gz",
        bytes: BODY.len() as u64,
        sha256: "d7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592",
    }
}

/// A server with one answer after the other, the last for all further requests.
struct Server {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn new(answers: &'static [Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (own, seen) = (address.clone(), Arc::clone(&requests));
        // It ends with the test process.
        thread::spawn(move || {
            let mut answers = answers.iter();
            let mut answer = Answer::Rest;
            for stream in listener.incoming() {
                answer = answers.next().copied().unwrap_or(answer);
                let (stream, own, seen) = (stream.unwrap(), own.clone(), Arc::clone(&seen));
                thread::spawn(move || serve(stream, answer, &own, &seen));
            }
        });
        Self { address, requests }
    }

    fn requests(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

fn serve(mut stream: TcpStream, answer: Answer, own: &str, seen: &Mutex<Vec<String>>) {
    let mut head = String::new();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    while let Some(Ok(line)) = lines
        .next()
        .filter(|line| !matches!(line, Ok(l) if l.is_empty()))
    {
        head.push_str(&line.to_lowercase());
        head.push('\n');
    }
    let from = head
        .split("range: bytes=")
        .nth(1)
        .and_then(|rest| rest.split('-').next());
    let from: usize = from.map_or(0, |from| from.parse().unwrap());
    seen.lock().unwrap().push(head);
    let rest = &BODY[from..];
    let status = match answer {
        Answer::Missing => "404 Not Found".to_owned(),
        Answer::Redirect => format!("302 Found\r\nLocation: {own}again"),
        Answer::Whole | Answer::Corrupt | Answer::Longer => "200 OK".to_owned(),
        _ if from > 0 => {
            let last = BODY.len() - 1;
            format!(
                "206 Partial Content\r\nContent-Range: bytes {from}-{last}/{}",
                BODY.len()
            )
        }
        _ => "200 OK".to_owned(),
    };
    let body = match answer {
        Answer::Whole => BODY.to_vec(),
        Answer::Corrupt => BODY.to_ascii_uppercase(),
        Answer::Longer => BODY.repeat(3),
        Answer::Missing | Answer::Redirect => Vec::new(),
        _ => rest.to_vec(),
    };
    let sent = match answer {
        Answer::Part(n) => n.min(body.len()),
        Answer::Stall => 1,
        _ => body.len(),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&body[..sent]);
    if answer == Answer::Stall {
        // Until the client gives up.
        let _ = stream.read(&mut [0]);
    }
}

#[derive(Default)]
struct Seen {
    waited: Mutex<bool>,
    reached: Mutex<Vec<u64>>,
}

impl Watcher for Seen {
    fn waiting(&self) {
        *self.waited.lock().unwrap() = true;
    }

    fn reached(&self, _: &RemoteFile, bytes: u64) {
        self.reached.lock().unwrap().push(bytes);
    }
}

fn fetch(server: &Server, folder: &Path) -> Result<usize, FetchError> {
    let fetch = Fetch {
        address: &server.address,
        folder,
        stalled_after: 1,
    };
    fetch.all(&[remote()], &Seen::default())
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name != LOCK);
    names.sort();
    names
}

#[test]
fn file_is_downloaded_once() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::new(&[Answer::Rest]));
    let folder = dir.path().join("new");
    assert_eq!(fetch(&server, &folder).unwrap(), 1);
    assert_eq!(fs::read(folder.join("fox.gz")).unwrap(), BODY);
    assert_eq!(names(&folder), ["fox.gz"]);
    assert_eq!(fetch(&server, &folder).unwrap(), 0);
    assert_eq!(server.requests(), 1);
    // A file with another content is replaced.
    fs::write(folder.join("fox.gz"), BODY.to_ascii_uppercase()).unwrap();
    assert_eq!(fetch(&server, &folder).unwrap(), 1);
    assert_eq!(fs::read(folder.join("fox.gz")).unwrap(), BODY);
}

#[test]
fn truncated_download_goes_on_where_it_ended() {
    let answers = &[Answer::Part(10), Answer::Part(20), Answer::Rest];
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::new(answers));
    assert_eq!(fetch(&server, dir.path()).unwrap(), 1);
    assert_eq!(fs::read(dir.path().join("fox.gz")).unwrap(), BODY);
    let requests = server.requests.lock().unwrap();
    assert!(!requests[0].contains("range:"), "{requests:?}");
    assert!(requests[1].contains("range: bytes=10-"), "{requests:?}");
    assert!(requests[2].contains("range: bytes=30-"), "{requests:?}");
}

#[test]
fn stopped_download_goes_on_later() {
    let (dir, server) = (
        tempfile::tempdir().unwrap(),
        Server::new(&[Answer::Part(10), Answer::Part(0)]),
    );
    let error = fetch(&server, dir.path()).unwrap_err().to_string();
    assert!(
        error.contains("the connection ended early; run the same command again"),
        "{error}"
    );
    assert!(
        error.contains(&format!("put it into `{}`", dir.path().display())),
        "{error}"
    );
    assert_eq!(names(dir.path()), ["fox.gz.part"]);
    let server = Server::new(&[Answer::Rest]);
    assert_eq!(fetch(&server, dir.path()).unwrap(), 1);
    assert!(server.requests.lock().unwrap()[0].contains("range: bytes=10-"));
    assert_eq!(names(dir.path()), ["fox.gz"]);
}

#[test]
fn server_without_ranges_sends_the_whole_file_again() {
    let (dir, server) = (
        tempfile::tempdir().unwrap(),
        Server::new(&[Answer::Part(10), Answer::Whole]),
    );
    assert_eq!(fetch(&server, dir.path()).unwrap(), 1);
    assert_eq!(fs::read(dir.path().join("fox.gz")).unwrap(), BODY);
}

#[test]
fn corrupt_file_is_removed_and_named() {
    let (dir, server) = (
        tempfile::tempdir().unwrap(),
        Server::new(&[Answer::Corrupt]),
    );
    let error = fetch(&server, dir.path()).unwrap_err().to_string();
    assert!(error.contains("its SHA-256 is"), "{error}");
    assert!(error.contains("expected d7a8fbb307d7"), "{error}");
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn wrong_sizes_endless_redirects_and_missing_files_end() {
    for (answers, says) in [
        (&[Answer::Longer][..], "the file is larger than expected"),
        (&[Answer::Redirect], "redirects more than 5 times"),
        (&[Answer::Missing], "404"),
    ] {
        let answers: &'static [Answer] = answers.to_vec().leak();
        let (dir, server) = (tempfile::tempdir().unwrap(), Server::new(answers));
        let error = fetch(&server, dir.path()).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        assert!(!dir.path().join("fox.gz").exists());
    }
}

#[test]
fn stalled_connection_ends_and_the_next_goes_on() {
    let (dir, server) = (
        tempfile::tempdir().unwrap(),
        Server::new(&[Answer::Stall, Answer::Rest]),
    );
    assert_eq!(fetch(&server, dir.path()).unwrap(), 1);
    let server = Server::new(&[Answer::Stall, Answer::Part(0)]);
    fs::remove_file(dir.path().join("fox.gz")).unwrap();
    let error = fetch(&server, dir.path()).unwrap_err().to_string();
    assert!(error.contains("cannot download"), "{error}");
    assert_eq!(fs::read(dir.path().join("fox.gz.part")).unwrap(), b"T");
}

#[test]
fn unreachable_server_is_named_with_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    // The port is free again when the listener is dropped.
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let address = format!("http://{address}/");
    let fetch = Fetch {
        address: &address,
        folder: dir.path(),
        stalled_after: 1,
    };
    let error = fetch
        .all(&[remote()], &Seen::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("there is no connection to the server"),
        "{error}"
    );
    assert!(error.contains(&address), "{error}");
}

#[test]
fn second_process_waits_and_finds_the_file() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::new(&[Answer::Rest]));
    let lock = File::create(dir.path().join(LOCK)).unwrap();
    lock.lock().unwrap();
    let seen = Seen::default();
    thread::scope(|scope| {
        let fetch = Fetch {
            address: &server.address,
            folder: dir.path(),
            stalled_after: 1,
        };
        let seen = &seen;
        let second = scope.spawn(move || fetch.all(&[remote()], seen));
        while !*seen.waited.lock().unwrap() {
            thread::yield_now();
        }
        fs::write(dir.path().join("fox.gz"), BODY).unwrap();
        lock.unlock().unwrap();
        assert_eq!(second.join().unwrap().unwrap(), 0);
    });
    assert_eq!(server.requests(), 0);
    assert_eq!(*seen.reached.lock().unwrap(), [BODY.len() as u64]);
}
