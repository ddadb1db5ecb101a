//! A proxy that passes on statements without most of their settings, as chproxy does; and a server that
//! refuses them all.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// What is passed on of a request's parameters.
const PASSED: [&str; 3] = ["query", "database", "default_format"];

/// The address of one before this server, until the process ends.
pub(crate) fn without_settings(server: &str) -> String {
    let server = server.trim_start_matches("http://").to_owned();
    serve(move |connection| pass(connection, &server))
}

/// The address of a server that answers everything with these words, until the process ends.
pub(crate) fn that_says(words: &'static str) -> String {
    serve(move |mut connection| {
        read(&connection)?;
        let head = "HTTP/1.1 500 Internal Server Error\r\nConnection: close";
        let length = words.len();
        let answer = format!("{head}\r\nContent-Length: {length}\r\n\r\n{words}");
        connection.write_all(answer.as_bytes())
    })
}

fn serve(answer: impl Fn(TcpStream) -> io::Result<()> + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || answer(connection));
        }
    });
    format!("http://{address}")
}

fn pass(mut connection: TcpStream, server: &str) -> io::Result<()> {
    let (head, body) = read(&connection)?;
    let (line, headers) = head.split_once("\r\n").unwrap();
    let line = stripped(line);
    let mut upstream = TcpStream::connect(server)?;
    write!(upstream, "{line}\r\n{headers}Connection: close\r\n\r\n")?;
    upstream.write_all(&body)?;
    io::copy(&mut upstream, &mut connection)?;
    Ok(())
}

/// Head, without the empty line, and body of the one request of a connection.
fn read(connection: &TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((head, body))
}

/// `POST /?database=d&readonly=1 HTTP/1.1` without what is not passed on.
fn stripped(line: &str) -> String {
    let (start, rest) = line.split_once('?').unwrap();
    let (parameters, end) = rest.split_once(' ').unwrap();
    let is_passed = |pair: &&str| PASSED.contains(&pair.split('=').next().unwrap());
    let kept: Vec<&str> = parameters.split('&').filter(is_passed).collect();
    format!("{start}?{} {end}", kept.join("&"))
}
