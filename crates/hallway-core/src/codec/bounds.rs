//! What all codecs do before and after the format itself.

use std::cell::{Cell, RefCell};
use std::io::{self, Write};

use super::depth::Guard;
use crate::{Error, ErrorKind, HARD_VALUE_CAP, Result};

/// The room that a thread keeps for encoding.
const KEPT: usize = 64 << 10;

thread_local! {
    /// Taken while in use, so that nothing is borrowed should an encoder encode.
    static ROOM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Takes encoded bytes up to the hard cap. Shared, because a format has it while a value may write past the format.
#[derive(Debug, Default)]
pub(super) struct Sink {
    bytes: RefCell<Vec<u8>>,
    over: Cell<bool>,
}

impl Sink {
    pub(super) fn len(&self) -> usize {
        self.bytes.borrow().len()
    }

    /// Writes into the middle of what was written from `start` on: two quotes, or nothing.
    pub(super) fn write_between(&self, start: usize, text: &[u8]) -> io::Result<()> {
        let mut sink = self;
        let closing = {
            let mut all = sink.bytes.borrow_mut();
            let middle = start + (all.len() - start) / 2;
            let closing = all.get(middle).copied();
            all.truncate(middle);
            closing
        };
        sink.write_all(text)?;
        sink.write_all(closing.as_slice())
    }
}

impl Write for &Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = self.bytes.borrow_mut();
        if all.len() + bytes.len() > HARD_VALUE_CAP {
            self.over.set(true);
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        all.extend_from_slice(bytes);
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
    run: impl FnOnce(&Sink) -> Result<(), E>,
    with: impl FnOnce(&[u8]) -> R,
) -> Result<R> {
    // Encoders write piece by piece. In room that is there already nothing grows and is copied with each, and what leaves
    // is as large as it must be.
    let mut room = ROOM.try_with(Cell::take).unwrap_or_default();
    room.clear();
    let sink = Sink { bytes: RefCell::new(room), over: Cell::new(false) };
    let run = run(&sink);
    let (bytes, over) = (sink.bytes.into_inner(), sink.over.get());
    let encoded = run.map(|()| with(&bytes));
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
