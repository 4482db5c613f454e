//! The public traces that figures of the documents are about. They are not part of the repository: their licence asks
//! for attribution, and they are large.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// A public trace, by name and content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownTrace {
    /// File name.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// How its SHA-256 begins: figures about a trace are figures about these bytes.
    pub sha256: &'static str,
    /// To be printed beside figures from it.
    pub attribution: &'static str,
}

const ATTRIBUTION: &str = "trace by headissue GmbH, Jens Wilke, CC BY 4.0";

/// Database objects of a web shop on a busy day: 5,000,000 requests for 76,349 keys.
pub const ORM_BUSY: KnownTrace = KnownTrace {
    name: "orm-busy.trace.xz",
    about: "database objects of a web shop on a busy day",
    sha256: "0b1d6593387d713c",
    attribution: ATTRIBUTION,
};

/// Product pages of a web shop in December: 95,607 requests for 13,756 keys.
pub const WEB12: KnownTrace = KnownTrace {
    name: "web12.trace.xz",
    about: "product pages of a web shop in December",
    sha256: "a76c78e129a982fe",
    attribution: ATTRIBUTION,
};

impl KnownTrace {
    /// The trace in a folder; `None` if it is not there.
    ///
    /// # Errors
    /// `InvalidData` if the file of this name is another one, and those of reading it.
    pub fn in_folder(&self, folder: &Path) -> io::Result<Option<PathBuf>> {
        let path = folder.join(self.name);
        if !path.is_file() {
            return Ok(None);
        }
        let sum = sha256(&path)?;
        if !sum.starts_with(self.sha256) {
            let message =
                format!("{} is not the trace that figures are about: its SHA-256 begins {}", self.name, &sum[..16]);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(Some(path))
    }
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            read => hasher.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_of_the_name_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(WEB12.in_folder(folder.path()).unwrap().is_none());
        std::fs::write(folder.path().join(WEB12.name), "abc").unwrap();
        let error = WEB12.in_folder(folder.path()).unwrap_err().to_string();
        assert!(error.contains("begins ba7816bf8f01cfea"), "{error}");
    }
}
