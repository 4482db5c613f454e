//! What all codecs do before and after the format itself.

use std::cell::Cell;
use std::io;

use super::depth::Guard;
use crate::{Error, ErrorKind, HARD_VALUE_CAP, Result};

/// The room that a thread keeps for encoding.
const KEPT: usize = 64 << 10;

thread_local! {
    /// Taken while in use, so that nothing is borrowed should an encoder encode.
    static ROOM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Takes encoded bytes up to the hard cap.
#[derive(Debug, Default)]
pub(super) struct Sink {
    bytes: Vec<u8>,
    over: bool,
}

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > HARD_VALUE_CAP {
            self.over = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs an encoder into a [`Sink`], and hands out what it wrote. Its own error may quote the value, so it is dropped.
pub(super) fn encode<E, R>(
    name: &'static str,
    guard: &Guard,
    run: impl FnOnce(&mut Sink) -> Result<(), E>,
    with: impl FnOnce(&[u8]) -> R,
) -> Result<R> {
    // Encoders write piece by piece. In room that is there already nothing grows and is copied with each, and what leaves
    // is as large as it must be.
    let mut sink = Sink { bytes: ROOM.try_with(Cell::take).unwrap_or_default(), over: false };
    sink.bytes.clear();
    let encoded = run(&mut sink).map(|()| with(&sink.bytes));
    let Sink { bytes, over } = sink;
    if bytes.capacity() <= KEPT {
        // Nowhere to put it while the thread is ending.
        let _ = ROOM.try_with(|room| room.set(bytes));
    }
    match encoded {
        Ok(encoded) => Ok(encoded),
        Err(_) if over => Err(too_large("the encoded value is over the cap of 16 MiB; split it")),
        Err(_) => Err(match guard.refused() {
            Some(why) => Error::invalid_input(why),
            None => Error::invalid_input(format!("the value has no form in {name}")),
        }),
    }
}

/// Refuses input over the hard cap, and hands out the guard for the rest.
pub(super) fn guard(bytes: &[u8]) -> Result<Guard> {
    if bytes.len() > HARD_VALUE_CAP {
        return Err(too_large("the bytes to decode are over the cap of 16 MiB"));
    }
    Ok(Guard::decoding(bytes.len()))
}

/// Why decoding failed. The format's own error may quote the data, so it is dropped.
pub(super) fn corrupt(name: &'static str, guard: &Guard) -> Error {
    match guard.refused() {
        Some(why) => Error::new(ErrorKind::Corrupt, why),
        None => Error::new(ErrorKind::Corrupt, format!("the bytes are not the {name} of the type asked for")),
    }
}

/// The value stands there, and then something else.
pub(super) fn trailing(name: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("bytes are left over after the {name} of the type asked for"))
}

fn too_large(message: &'static str) -> Error {
    Error::new(ErrorKind::TooLarge, message)
}
