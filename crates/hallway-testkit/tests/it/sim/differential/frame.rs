//! Replies as trees, and when two of them mean the same.

/// One reply or push.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Frame {
    Bulk(Vec<u8>),
    /// First byte, parts.
    Many(u8, Vec<Frame>),
    /// First byte, text of the line.
    Line(u8, String),
}

impl Frame {
    /// Reads one frame and says how long it was.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let length = crate::sim::resp::frame(bytes)?;
        let end = bytes.iter().position(|byte| *byte == b'\n')? + 1;
        let line = String::from_utf8_lossy(&bytes[1..end - 2]).into_owned();
        let frame = match bytes[0] {
            b'$' if line == "-1" => Self::Line(b'$', line),
            b'$' => Self::Bulk(bytes[end..length - 2].to_vec()),
            kind @ (b'*' | b'>' | b'%') => {
                let mut parts = Vec::new();
                let mut at = end;
                while at < length {
                    let (part, part_length) = Self::read(&bytes[at..length])?;
                    parts.push(part);
                    at += part_length;
                }
                Self::Many(kind, parts)
            }
            kind => Self::Line(kind, line),
        };
        Some((frame, length))
    }

    pub(super) fn is_push(&self) -> bool {
        matches!(self, Self::Many(b'>', _))
    }

    /// Without what may differ: lines of scripts, deadlines of markers, ids of connections, the order of a scan.
    pub(super) fn comparable(self, ids: &dyn Fn(i64) -> String) -> Self {
        match self {
            Self::Bulk(bytes) if bytes.first() == Some(&b'M') => Self::Bulk(without_deadlines(&bytes)),
            Self::Line(b'-', text) => Self::Line(b'-', text.split(" script: ").next().unwrap_or_default().to_owned()),
            Self::Many(b'>', parts) if parts.first() == Some(&Self::Bulk(b"tracking-redir-broken".to_vec())) => {
                let Self::Line(_, id) = &parts[1] else { return Self::Many(b'>', parts) };
                Self::Line(b'>', ids(id.parse().unwrap()))
            }
            // HELLO: id and version are the server's own.
            Self::Many(kind, parts) if parts.first() == Some(&Self::Bulk(b"server".to_vec())) => {
                Self::Many(kind, [2, 4, 5, 8, 9, 10, 11, 12].iter().map(|at| parts[*at].clone()).collect())
            }
            // A cursor and a page.
            Self::Many(kind, parts) if matches!(&parts[..], [Self::Bulk(_), Self::Many(b'*', _)]) => {
                let page = match &parts[1] {
                    Self::Many(_, keys) => {
                        let mut keys: Vec<String> = keys.iter().map(|key| format!("{key:?}")).collect();
                        keys.sort();
                        Self::Line(b'*', keys.join(" "))
                    }
                    other => other.clone(),
                };
                Self::Many(kind, vec![parts[0].clone(), page])
            }
            Self::Many(kind, parts) => Self::Many(kind, parts.into_iter().map(|part| part.comparable(ids)).collect()),
            other => other,
        }
    }

    /// Whether both say the same; lives may differ by the time between the two commands.
    pub(super) fn means(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Line(b':', one), Self::Line(b':', two)) => {
                let (one, two): (i64, i64) = (one.parse().unwrap(), two.parse().unwrap());
                one == two || one > 10_000 && two > 10_000 && (one - two).abs() < 5_000
            }
            (Self::Many(one, ours), Self::Many(two, theirs)) => {
                one == two
                    && ours.len() == theirs.len()
                    && ours.iter().zip(theirs).all(|(ours, theirs)| ours.means(theirs))
            }
            _ => self == other,
        }
    }
}

/// Every `:digits;` as `:;`.
fn without_deadlines(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let mut kept = String::new();
    for part in text.split_inclusive(';') {
        match part.split_once(':') {
            Some((writer, _)) => kept.push_str(&format!("{writer}:;")),
            None => kept.push_str(part),
        }
    }
    kept.into_bytes()
}
