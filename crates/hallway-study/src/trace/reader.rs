//! Key logs read from files, one request at a time: memory does not grow with the log.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use lzma_rust2::{XzReader, xz_uncompressed_size};

use super::format::{Format, Head, looks_like_oracle, looks_like_text};
use super::parse::{self, NUMBER, ORACLE_RECORD};
use super::request::{Access, Name, Op};

/// The first bytes of every xz file.
const XZ_MAGIC: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];

/// What other packers write first, and how to undo it.
const PACKED: [(&[u8], &str); 2] = [(&[0x28, 0xb5, 0x2f, 0xfd], "zstd"), (&[0x1f, 0x8b, 8], "gzip")];

/// The most memory the decoder may take, in KiB: what `xz -9` needs.
const XZ_MEMORY: u32 = 66 << 10;

/// No key is longer; a longer line is not a line of keys.
const MAX_LINE: u64 = 4 << 10;

/// A key log in a file or a pipe.
pub struct Reader {
    source: Box<dyn BufRead + Send>,
    format: Format,
    /// Requests read so far, or lines of a text.
    position: u64,
    line: String,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("format", &self.format).field("position", &self.position).finish_non_exhaustive()
    }
}

impl Reader {
    /// Opens a key log. Without a format it is told by the name of the file and by what it begins with; whether it is
    /// packed with xz is always told by its first bytes.
    ///
    /// A pipe is opened once, and read no further than the format takes to tell.
    ///
    /// # Errors
    /// Those of the file, and `InvalidData` if it begins like none of the formats, or is packed by zstd or gzip.
    pub fn open(path: &Path, format: Option<Format>) -> io::Result<Self> {
        let mut file = BufReader::new(File::open(path)?);
        // Not what one read gives: a pipe may give less than the format takes to tell.
        let mut head = Vec::new();
        file.by_ref().take(XZ_MAGIC.len() as u64).read_to_end(&mut head)?;
        let is_xz = head == XZ_MAGIC;
        // Numbers may begin like anything, if somebody says that they are numbers.
        if let Some((_, packer)) = PACKED.iter().find(|(magic, _)| head.starts_with(magic))
            && format != Some(Format::Numbers)
        {
            return Err(invalid(format!(
                "it is packed by {packer}: unpack it by `{packer} -dc`, or pack it by xz instead"
            )));
        }
        let mut source: Box<dyn BufRead + Send> = if is_xz {
            let packed = Cursor::new(std::mem::take(&mut head)).chain(file);
            Box::new(BufReader::new(XzReader::new_mem_limit(packed, true, XZ_MEMORY)))
        } else {
            Box::new(file)
        };
        let format = match format.or_else(|| Format::of_name(path)) {
            Some(format) => format,
            None => detect(&mut source, &mut head, is_xz)?,
        };
        Ok(Self { source: Box::new(Cursor::new(head).chain(source)), format, position: 0, line: String::new() })
    }

    /// How the log is written.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// About how many requests a file has, for progress: the index of xz or the length says so, in text the lines are
    /// counted. `None` if that cannot be told, or the file does not let itself be read; reading it will say why.
    #[must_use]
    pub fn length(path: &Path, format: Option<Format>) -> Option<u64> {
        let record = Self::open(path, format).ok()?.format.record();
        let mut file = BufReader::with_capacity(64 << 10, File::open(path).ok()?);
        if file.fill_buf().ok()?.starts_with(&XZ_MAGIC) {
            return Some(xz_uncompressed_size(file).ok()? / record?);
        }
        if let Some(record) = record {
            return Some(path.metadata().ok()?.len() / record);
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

    /// Reads the next request; `None` at the end.
    ///
    /// # Errors
    /// `InvalidData`, with the number of the request or line, for what cannot be read; and those of the file.
    pub fn next_access(&mut self) -> io::Result<Option<Access<'_>>> {
        match self.format {
            Format::Keys => Ok(self.next_line()?.map(|(line, _)| reading(Name::Text(line)))),
            Format::Numbers => {
                Ok(self.record()?.map(|number: [u8; NUMBER]| reading(Name::Number(u32::from_be_bytes(number).into()))))
            }
            Format::OracleGeneral => match self.record::<ORACLE_RECORD>()? {
                Some(record) => parse::oracle(&record)
                    .map(Some)
                    .map_err(|what| invalid(format!("request {} is damaged: {what}", self.position))),
                None => Ok(None),
            },
            Format::Twitter => match self.next_line()? {
                Some((line, position)) => parse::twitter(line)
                    .map(Some)
                    .map_err(|what| invalid(format!("line {position} is no request of a Twitter trace: {what}"))),
                None => Ok(None),
            },
        }
    }

    /// A request of a fixed length; `None` at the end.
    fn record<const N: usize>(&mut self) -> io::Result<Option<[u8; N]>> {
        if self.source.fill_buf()?.is_empty() {
            return Ok(None);
        }
        self.position += 1;
        let mut record = [0; N];
        self.source.read_exact(&mut record).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => invalid(format!("request {} is cut short", self.position)),
            _ => error,
        })?;
        Ok(Some(record))
    }

    /// The next line that is not blank, with its number; `None` at the end.
    fn next_line(&mut self) -> io::Result<Option<(&str, u64)>> {
        self.line.clear();
        // Blank lines are no requests.
        while self.line.is_empty() {
            self.position += 1;
            let read =
                self.source.by_ref().take(MAX_LINE).read_line(&mut self.line).map_err(|error| match error.kind() {
                    io::ErrorKind::InvalidData => {
                        invalid(format!("line {} is not UTF-8; a trace is xz or plain text", self.position))
                    }
                    _ => error,
                })?;
            if read == 0 {
                return Ok(None);
            }
            if read as u64 == MAX_LINE && !self.line.ends_with('\n') {
                return Err(invalid(format!("line {} is longer than any key may be", self.position)));
            }
            self.line.truncate(self.line.trim_end_matches(['\n', '\r']).len());
        }
        Ok(Some((&self.line, self.position)))
    }
}

fn reading(key: Name<'_>) -> Access<'_> {
    Access { key, op: Op::Read, bytes: None }
}

/// Tells the format by what the log begins with. What it reads for that it leaves in `head`.
fn detect(source: &mut Box<dyn BufRead + Send>, head: &mut Vec<u8>, is_xz: bool) -> io::Result<Format> {
    let is_line = |head: &[u8]| looks_like_text(head) && head.trim_ascii_start().contains(&b'\n');
    // Byte by byte: after a line, a pipe may be silent for long. What xz packs comes in blocks.
    while head.len() < ORACLE_RECORD && (is_xz || !is_line(head)) && more(source, head)? {}
    // A few numbers in xz may look like anything; a text that short is not worth packing.
    let is_text = looks_like_text(head) && !(is_xz && head.len() < ORACLE_RECORD);
    while is_text && (head.len() as u64) < MAX_LINE && !is_line(head) && more(source, head)? {}
    let line = std::str::from_utf8(head).ok().and_then(|text| text.trim_start().lines().next());
    let seen = match line {
        _ if !is_text && is_xz && !looks_like_oracle(head) => Head::Packed,
        // Reading it will say which line is no text.
        _ if !is_text && !head.contains(&0) => Head::Line(""),
        _ if !is_text => Head::Binary(head),
        line => Head::Line(line.unwrap_or_default()),
    };
    Format::of_content(&seen)
        .ok_or_else(|| invalid("it begins like no trace that is known; if it is one, name its format".to_owned()))
}

/// Reads one byte into `head`; `false` at the end.
fn more(source: &mut Box<dyn BufRead + Send>, head: &mut Vec<u8>) -> io::Result<bool> {
    Ok(source.by_ref().take(1).read_to_end(head)? == 1)
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

    fn read_as(bytes: &[u8], format: Option<Format>) -> io::Result<Vec<String>> {
        let file = file(bytes);
        let mut reader = Reader::open(file.path(), format)?;
        let mut keys = Vec::new();
        while let Some(access) = reader.next_access()? {
            keys.push(access.key.to_string());
        }
        Ok(keys)
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<String>> {
        read_as(bytes, None)
    }

    fn detected(bytes: &[u8]) -> Format {
        Reader::open(file(bytes).path(), None).unwrap().format()
    }

    /// Records of oracleGeneral: (key, bytes, next).
    fn oracle(records: &[(u64, u32, i64)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (time, (key, size, next)) in (1_700_000_000_u32..).zip(records) {
            bytes.extend_from_slice(&time.to_le_bytes());
            bytes.extend_from_slice(&key.to_le_bytes());
            bytes.extend_from_slice(&size.to_le_bytes());
            bytes.extend_from_slice(&next.to_le_bytes());
        }
        bytes
    }

    const ORACLE: [(u64, u32, i64); 3] = [(u64::MAX, 100, 3), (7, 4_096, -1), (u64::MAX, 100, i64::MAX)];

    const TWITTER: &str = "0,aa,2,17,1,get,0\n0,bb,2,0,1,get,0\n1,bb,2,9,3,set,3600\n2,aa,2,0,1,delete,0\n";

    #[test]
    fn xz_holds_big_endian_numbers() {
        let packed = xz(&[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0]);
        assert_eq!(read(&packed).unwrap(), ["1", "4294967295", "256"]);
        assert_eq!(Reader::length(file(&packed).path(), None), Some(3));
        assert_eq!(read(&xz(&[])).unwrap(), [""; 0]);
        let many: Vec<u8> = (1..100_u32).flat_map(u32::to_be_bytes).collect();
        assert_eq!(detected(&xz(&many)), Format::Numbers);
        assert_eq!(read_as(&many, Some(Format::Numbers)).unwrap().len(), 99);
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
    fn what_is_packed_otherwise_is_told_with_the_way_out() {
        for (bytes, way_out) in
            [(&[0x28, 0xb5, 0x2f, 0xfd, 4, 0, 65, 0][..], "zstd -dc"), (&[0x1f, 0x8b, 8, 0], "gzip -dc")]
        {
            for format in [None, Some(Format::Keys), Some(Format::Twitter)] {
                let error = read_as(bytes, format).unwrap_err();
                assert!(error.kind() == io::ErrorKind::InvalidData && error.to_string().contains(way_out), "{error}");
            }
            assert_eq!(read_as(&bytes[..4], Some(Format::Numbers)).unwrap().len(), 1);
        }
    }

    #[test]
    fn text_holds_a_key_a_line() {
        assert_eq!(read("user:1\r\n\nü b\nlast".as_bytes()).unwrap(), ["user:1", "ü b", "last"]);
        assert_eq!(Reader::length(file(b"1\n2\n").path(), None), Some(2));
        assert_eq!(Reader::length(file(b"1\n2").path(), None), Some(2));
        assert_eq!(read(b"").unwrap(), [""; 0]);
        assert_eq!(read(b"\n\n\na\n").unwrap(), ["a"]);
        let long = format!("{}\nb\n", "a".repeat(3_000));
        assert_eq!(read(&xz(long.as_bytes())).unwrap()[1], "b");
    }

    #[test]
    fn what_is_no_text_is_an_error_that_names_the_line() {
        assert!(read(b"1\n\xff\n").unwrap_err().to_string().contains("line 2 is not UTF-8"));
        assert!(read(b"\xff\xff").unwrap_err().to_string().contains("line 1 is not UTF-8"));
        assert!(read(&[b'x'; 10_000]).unwrap_err().to_string().contains("line 1 is longer"));
        assert!(read(&[0; 100]).unwrap_err().to_string().contains("name its format"));
    }

    #[test]
    fn twitter_tells_reads_writes_and_sizes() {
        for bytes in [TWITTER.as_bytes().to_vec(), xz(TWITTER.as_bytes())] {
            let file = file(&bytes);
            let mut reader = Reader::open(file.path(), None).unwrap();
            assert_eq!(reader.format(), Format::Twitter);
            let mut seen = Vec::new();
            while let Some(access) = reader.next_access().unwrap() {
                seen.push((access.key.to_string(), access.op, access.bytes));
            }
            let expected = [
                ("aa", Op::Read, Some(17)),
                ("bb", Op::Read, None),
                ("bb", Op::Write, Some(9)),
                ("aa", Op::Delete, None),
            ];
            assert_eq!(seen, expected.map(|(key, op, bytes)| (key.to_owned(), op, bytes)));
        }
        let error = read(format!("{TWITTER}3,aa,2\n").as_bytes()).unwrap_err().to_string();
        assert!(error.contains("line 5 ") && error.contains("7 fields"), "{error}");
        assert_eq!(read_as(TWITTER.as_bytes(), Some(Format::Keys)).unwrap().len(), 4, "a format that is named counts");
    }

    #[test]
    fn oracle_general_is_told_by_its_content_or_its_name() {
        let bytes = oracle(&ORACLE);
        for bytes in [bytes.clone(), xz(&bytes)] {
            assert_eq!(detected(&bytes), Format::OracleGeneral);
            assert_eq!(read(&bytes).unwrap(), [&*u64::MAX.to_string(), "7", &*u64::MAX.to_string()]);
            assert_eq!(Reader::length(file(&bytes).path(), None), Some(3));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w01.oracleGeneral.bin");
        // Nothing in it tells: a value of no bytes.
        std::fs::write(&path, oracle(&[(1, 0, -1)])).unwrap();
        assert_eq!(Reader::open(&path, None).unwrap().format(), Format::OracleGeneral);
    }

    #[test]
    fn damaged_oracle_general_names_the_request() {
        let bytes = oracle(&ORACLE);
        assert!(read(&bytes[..bytes.len() - 1]).unwrap_err().to_string().contains("request 3 is cut short"));
        let damaged = oracle(&[ORACLE[0], (1, 1, -77)]);
        assert!(read(&damaged).unwrap_err().to_string().contains("request 2 is damaged"));
    }
}
