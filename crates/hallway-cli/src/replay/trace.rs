//! Access traces read from files, one key at a time: memory does not grow with the trace.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};
use std::path::Path;

use lzma_rust2::{XzReader, xz_uncompressed_size};

/// The first bytes of every xz file.
const XZ_MAGIC: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];

/// The most memory the decoder may take, in KiB: what `xz -9` needs.
const XZ_MEMORY: u32 = 66 << 10;

/// No key is longer; a longer line is not a line of keys.
const MAX_LINE: u64 = 4 << 10;

/// A trace file: xz of big-endian 32-bit keys, or text with one key a line.
pub(crate) struct Trace {
    reader: Reader,
    /// Requests read so far, or lines of a text.
    position: u64,
}

/// The first bytes, read to tell the format, and the rest: a pipe cannot be read from the start again.
type Bytes = Chain<Cursor<Vec<u8>>, BufReader<File>>;

enum Reader {
    Numbers(Box<BufReader<XzReader<Bytes>>>),
    Text(Bytes),
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").field("position", &self.position).finish_non_exhaustive()
    }
}

impl Trace {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = BufReader::new(File::open(path)?);
        // Not what one read gives: a pipe may give less than the format takes to tell.
        let mut first = Vec::new();
        file.by_ref().take(XZ_MAGIC.len() as u64).read_to_end(&mut first)?;
        let is_xz = first == XZ_MAGIC;
        let bytes = Cursor::new(first).chain(file);
        let reader = if is_xz {
            Reader::Numbers(Box::new(BufReader::new(XzReader::new_mem_limit(bytes, true, XZ_MEMORY))))
        } else {
            Reader::Text(bytes)
        };
        Ok(Self { reader, position: 0 })
    }

    /// About how many requests a file has, for progress: the index of xz says so, in text the lines are counted.
    /// `None` if the file does not let itself be read; replaying it will say why.
    pub(crate) fn length(path: &Path) -> Option<u64> {
        let mut file = BufReader::with_capacity(64 << 10, File::open(path).ok()?);
        if file.fill_buf().ok()?.starts_with(&XZ_MAGIC) {
            return xz_uncompressed_size(file).ok().map(|bytes| bytes / 4);
        }
        let mut lines = 0;
        let mut last = b'\n';
        loop {
            let read = file.fill_buf().ok()?;
            let Some(end) = read.last() else { return Some(lines + u64::from(last != b'\n')) };
            last = *end;
            lines += read.iter().filter(|byte| **byte == b'\n').count() as u64;
            let length = read.len();
            file.consume(length);
        }
    }

    /// Reads the next key into `key`; `false` at the end.
    pub(crate) fn next_key(&mut self, key: &mut String) -> io::Result<bool> {
        key.clear();
        match &mut self.reader {
            Reader::Numbers(reader) => {
                if reader.fill_buf()?.is_empty() {
                    return Ok(false);
                }
                self.position += 1;
                let mut number = [0; 4];
                reader.read_exact(&mut number).map_err(|error| match error.kind() {
                    io::ErrorKind::UnexpectedEof => invalid(format!("request {} is cut short", self.position)),
                    _ => error,
                })?;
                // Writing to a string cannot fail.
                let _ = write!(key, "{}", u32::from_be_bytes(number));
                Ok(true)
            }
            Reader::Text(reader) => {
                while key.is_empty() {
                    self.position += 1;
                    let read = reader.by_ref().take(MAX_LINE).read_line(key).map_err(|error| match error.kind() {
                        io::ErrorKind::InvalidData => {
                            invalid(format!("line {} is not UTF-8; a trace is xz or plain text", self.position))
                        }
                        _ => error,
                    })?;
                    if read == 0 {
                        return Ok(false);
                    }
                    if read as u64 == MAX_LINE && !key.ends_with('\n') {
                        return Err(invalid(format!("line {} is longer than any key may be", self.position)));
                    }
                    // Blank lines are no requests.
                    key.truncate(key.trim_end_matches(['\n', '\r']).len());
                }
                Ok(true)
            }
        }
    }
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use lzma_rust2::{XzOptions, XzWriter};

    use super::*;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn xz(bytes: &[u8]) -> Vec<u8> {
        let mut writer = XzWriter::new(Vec::new(), XzOptions::with_preset(6)).unwrap();
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<String>> {
        let file = file(bytes);
        let mut trace = Trace::open(file.path())?;
        let (mut keys, mut key) = (Vec::new(), String::new());
        while trace.next_key(&mut key)? {
            keys.push(key.clone());
        }
        Ok(keys)
    }

    #[test]
    fn xz_holds_big_endian_numbers() {
        let packed = xz(&[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0]);
        assert_eq!(read(&packed).unwrap(), ["1", "4294967295", "256"]);
        assert_eq!(Trace::length(file(&packed).path()), Some(3));
        assert_eq!(read(&xz(&[])).unwrap(), [""; 0]);
    }

    #[test]
    fn damaged_xz_is_an_error() {
        let packed = xz(&[7; 4_000]);
        assert!(read(&packed[..packed.len() - 20]).is_err(), "cut short");
        let mut changed = packed.clone();
        changed[30] ^= 0x55;
        assert!(read(&changed).is_err(), "changed");
        assert!(read(&xz(&[0, 0, 0, 1, 9])).unwrap_err().to_string().contains("request 2 is cut short"));
    }

    #[test]
    fn text_holds_a_key_a_line() {
        assert_eq!(read("user:1\r\n\nü b\nlast".as_bytes()).unwrap(), ["user:1", "ü b", "last"]);
        assert_eq!(Trace::length(file(b"1\n2\n").path()), Some(2));
        assert_eq!(Trace::length(file(b"1\n2").path()), Some(2));
        assert_eq!(read(b"").unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_no_text_is_an_error_that_names_the_line() {
        assert!(read(b"1\n\xff\n").unwrap_err().to_string().contains("line 2 is not UTF-8"));
        assert!(read(&[b'x'; 10_000]).unwrap_err().to_string().contains("line 1 is longer"));
    }
}
