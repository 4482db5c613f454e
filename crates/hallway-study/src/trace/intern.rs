//! Keys become numbers, so that what a simulation keeps of a key is a few bytes.

use std::collections::HashMap;
use std::io;

use super::reader::Reader;
use super::request::{KeyId, Name, Request};

/// Different keys that an [`Interner`] takes by default: a few gigabytes of text keys.
pub const MOST_KEYS: usize = 20_000_000;

/// Gives each different key the next number.
#[derive(Debug)]
pub struct Interner {
    numbers: HashMap<u64, KeyId>,
    texts: HashMap<Box<str>, KeyId>,
    most: usize,
    bytes: u64,
}

impl Default for Interner {
    fn default() -> Self {
        Self::new(MOST_KEYS)
    }
}

impl Interner {
    /// Takes at most so many different keys.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { numbers: HashMap::new(), texts: HashMap::new(), most, bytes: 0 }
    }

    /// The number of a key.
    ///
    /// # Errors
    /// `OutOfMemory` if the key is new and there are already as many as this takes.
    pub fn intern(&mut self, name: Name<'_>) -> io::Result<KeyId> {
        let known = match name {
            Name::Number(number) => self.numbers.get(&number),
            Name::Text(text) => self.texts.get(text),
        };
        if let Some(id) = known {
            return Ok(*id);
        }
        let full = || {
            let message = format!(
                "more than {} different keys; take a sample of the keys, such as those whose hash ends in 0, with all their requests",
                self.most
            );
            io::Error::new(io::ErrorKind::OutOfMemory, message)
        };
        let id = KeyId::try_from(self.len()).ok().filter(|_| self.len() < self.most).ok_or_else(full)?;
        match name {
            Name::Number(number) => self.numbers.insert(number, id),
            Name::Text(text) => self.texts.insert(text.into(), id),
        };
        self.bytes += name.len() as u64;
        Ok(id)
    }

    /// Different keys so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.numbers.len() + self.texts.len()
    }

    /// Whether there has been none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Mean length of a key in bytes, each counted once; 0 if there is none.
    #[must_use]
    pub fn mean_key_bytes(&self) -> f64 {
        self.bytes as f64 / self.len().max(1) as f64
    }
}

/// The requests of a key log, with numbered keys.
#[derive(Debug)]
pub struct Requests {
    reader: Reader,
    interner: Interner,
}

impl Requests {
    /// From where the reader is.
    #[must_use]
    pub fn new(reader: Reader, interner: Interner) -> Self {
        Self { reader, interner }
    }

    /// The keys so far.
    #[must_use]
    pub fn interner(&self) -> &Interner {
        &self.interner
    }

    fn read(&mut self) -> io::Result<Option<Request>> {
        let Some(access) = self.reader.next_access()? else { return Ok(None) };
        let key = self.interner.intern(access.key)?;
        Ok(Some(Request { key, op: access.op, bytes: access.bytes }))
    }
}

impl Iterator for Requests {
    type Item = io::Result<Request>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_numbered_by_their_first_request() {
        let mut interner = Interner::default();
        let names = [Name::Text("b"), Name::Text("a"), Name::Text("b"), Name::Number(1), Name::Text("1")];
        let ids = names.map(|name| interner.intern(name).unwrap());
        assert_eq!(ids, [0, 1, 0, 2, 3], "a number is another key than its text");
        assert_eq!(interner.mean_key_bytes(), 1.0);
    }

    #[test]
    fn too_many_keys_are_an_error_with_a_remedy() {
        let mut interner = Interner::new(2);
        assert_eq!([1, 2, 1].map(|key| interner.intern(Name::Number(key)).unwrap()), [0, 1, 0]);
        let error = interner.intern(Name::Number(3)).unwrap_err().to_string();
        assert!(error.contains("more than 2 different keys") && error.contains("sample"), "{error}");
        assert_eq!(interner.intern(Name::Number(2)).unwrap(), 1, "known keys go on");
    }
}
