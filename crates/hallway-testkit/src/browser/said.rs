//! What a child process says, waited for no longer than a deadline.

use std::fmt::Display;
use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long a program may take to say what it says at its start.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is found in the first line in which something is. The child is read to its end, so that it never stands still
/// because nobody listens.
///
/// # Panics
/// If the child ends before, or does not say it within a minute; with what it said instead.
pub fn wait_for_line<T>(who: impl Display, stdout: impl Read + Send + 'static, find: impl Fn(&str) -> Option<T>) -> T {
    hear(PATIENCE, stdout, find).unwrap_or_else(|said| panic!("{who} {said}"))
}

fn hear<T>(
    patience: Duration,
    stdout: impl Read + Send + 'static,
    find: impl Fn(&str) -> Option<T>,
) -> Result<T, String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // Fails once the line was found; then what follows is of no interest.
            let _heard = sender.send(line);
        }
    });
    let until = Instant::now() + patience;
    let mut said = Vec::new();
    loop {
        match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => match find(&line) {
                Some(found) => return Ok(found),
                None => said.push(line),
            },
            Err(RecvTimeoutError::Timeout) => {
                return Err(format!("did not say what is waited for within {patience:?}, but {said:?}"));
            }
            Err(RecvTimeoutError::Disconnected) => return Err(format!("said no more than {said:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_keeps_silent_is_not_waited_for_without_end() {
        use std::io::Write as _;
        let number = |line: &str| line.parse::<u32>().ok();
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"hello\n").unwrap();
        // The pipe stays open, as that of a child that hangs.
        let error = hear(Duration::from_millis(200), reader, number).unwrap_err();
        assert!(error.contains("within 200ms"), "{error}");
        drop(writer);

        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"hello\n7\n8\n").unwrap();
        assert_eq!(hear(PATIENCE, reader, number), Ok(7));

        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"hello\n").unwrap();
        drop(writer);
        assert_eq!(hear(PATIENCE, reader, number), Err("said no more than [\"hello\"]".into()));
    }
}
