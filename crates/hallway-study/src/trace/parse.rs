//! One request of each format, from its bytes.

use super::request::{Access, Name, Op};

/// Bytes of a request in [`super::Format::Numbers`].
pub(super) const NUMBER: usize = 4;

/// Bytes of a request in [`super::Format::OracleGeneral`].
pub(super) const ORACLE_RECORD: usize = 24;

/// A record of oracleGeneral, without its time.
pub(super) struct OracleFields {
    pub(super) key: u64,
    pub(super) bytes: u32,
    /// Number of the request in which the key comes next; -1 or the greatest number if never.
    pub(super) next: i64,
}

/// The fields of a record.
pub(super) fn oracle_fields(record: &[u8; ORACLE_RECORD]) -> OracleFields {
    let u64_at = |at: usize| record[at..at + 8].iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    let bytes = record[12..16].iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
    OracleFields { key: u64_at(4), bytes, next: u64_at(16).cast_signed() }
}

/// A read, if the record makes sense.
pub(super) fn oracle(record: &[u8; ORACLE_RECORD]) -> Result<Access<'static>, String> {
    let OracleFields { key, bytes, next } = oracle_fields(record);
    // Some programs write -2 where they do not know.
    if next < -2 {
        return Err(format!("its next request has the number {next}"));
    }
    Ok(Access { key: Name::Number(key), op: Op::Read, bytes: Some(bytes) })
}

/// A line of Twitter's traces. A key may hold commas: the fields around it do not.
pub(super) fn twitter(line: &str) -> Result<Access<'_>, String> {
    let few = || "a line has 7 fields: timestamp,key,key size,value size,client id,operation,ttl".to_owned();
    let mut fields = line.rsplitn(6, ',');
    let mut field = || fields.next().ok_or_else(few);
    let (ttl, op, _client, value_size, key_size) = (field()?, field()?, field()?, field()?, field()?);
    let (timestamp, key) = field()?.split_once(',').ok_or_else(few)?;
    number::<u64>(timestamp, "timestamp")?;
    number::<u32>(key_size, "key size")?;
    number::<u64>(ttl, "ttl")?;
    let value_size = number::<u32>(value_size, "value size")?;
    if key.is_empty() {
        return Err("the key is empty".to_owned());
    }
    let op = match op {
        "get" | "gets" => Op::Read,
        "add" | "append" | "cas" | "decr" | "incr" | "prepend" | "replace" | "set" => Op::Write,
        "delete" => Op::Delete,
        _ => return Err("the operation is none of memcached's".to_owned()),
    };
    // A read that found nothing has no size to tell.
    let bytes = (value_size > 0).then_some(value_size);
    Ok(Access { key: Name::Text(key), op, bytes })
}

fn number<N: std::str::FromStr>(text: &str, what: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("the {what} is no number in range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_twitter_is_a_request() {
        let access = twitter("3,user:42,7,230,11,get,0").unwrap();
        assert_eq!((access.key, access.op, access.bytes), (Name::Text("user:42"), Op::Read, Some(230)));
        let access = twitter("3,a,b,c,5,0,11,delete,0").unwrap();
        assert_eq!((access.key, access.op, access.bytes), (Name::Text("a,b,c"), Op::Delete, None));
        for op in ["set", "add", "cas", "incr"] {
            assert_eq!(twitter(&format!("0,k,1,5,1,{op},3600")).unwrap().op, Op::Write);
        }
    }

    #[test]
    fn what_is_no_line_of_twitter_says_why() {
        let check = |line: &str, words: &str| {
            let error = twitter(line).unwrap_err();
            assert!(error.contains(words), "{line}: {error}");
        };
        check("user:42", "7 fields");
        check("1,2,3,4,5,get", "7 fields");
        check("now,k,1,5,1,get,0", "timestamp");
        check("1,k,one,5,1,get,0", "key size");
        check("1,k,1,-5,1,get,0", "value size");
        check("1,k,1,5,1,fetch,0", "operation");
        check("1,k,1,5,1,get,never", "ttl");
        check("1,,0,5,1,get,0", "empty");
    }

    #[test]
    fn a_record_of_oracle_general_is_little_endian() {
        let mut record = [0; ORACLE_RECORD];
        record[..4].copy_from_slice(&7_u32.to_le_bytes());
        record[4..12].copy_from_slice(&0x0102_0304_0506_0708_u64.to_le_bytes());
        record[12..16].copy_from_slice(&4_096_u32.to_le_bytes());
        record[16..].copy_from_slice(&(-1_i64).to_le_bytes());
        let access = oracle(&record).unwrap();
        assert_eq!((access.key, access.bytes), (Name::Number(0x0102_0304_0506_0708), Some(4_096)));
        record[16..].copy_from_slice(&i64::MIN.to_le_bytes());
        assert!(oracle(&record).unwrap_err().contains("next request"));
    }
}
