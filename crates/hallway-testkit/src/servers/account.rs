//! Whom the servers run as: an unprivileged user when we are root, else ourselves.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::ServerError;

/// A user to drop to; `None` inside when this process is unprivileged already.
#[derive(Debug, Clone, Copy)]
pub(super) struct Account(Option<(u32, u32)>);

impl Account {
    /// The first of `names` that exists, if this process is root.
    pub(super) fn pick(names: &[&str]) -> Result<Self, ServerError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self(None));
        }
        let passwd = fs::read_to_string("/etc/passwd").map_err(ServerError::io("reading /etc/passwd"))?;
        names
            .iter()
            .find_map(|name| ids(&passwd, name))
            .map(|ids| Self(Some(ids)))
            .ok_or_else(|| ServerError::new(format!("running as root, and no user of {names:?} to drop to exists")))
    }

    /// Makes the command run as this user. std drops the supplementary groups with it.
    pub(super) fn apply(self, command: &mut Command) {
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
    }

    pub(super) fn give(self, path: &Path) -> Result<(), ServerError> {
        match self.0 {
            Some((user, group)) => chown(path, Some(user), Some(group)).map_err(ServerError::io("chown")),
            None => Ok(()),
        }
    }
}

fn ids(passwd: &str, name: &str) -> Option<(u32, u32)> {
    let mut fields = passwd.lines().find(|line| line.split(':').next() == Some(name))?.split(':').skip(2);
    let (user, group) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    (user != 0).then_some((user, group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_the_whole_name_and_never_root() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nredis2:x:7:8::/:/bin/sh\nredis:x:102:105::/:/bin/false\n";
        assert_eq!(ids(passwd, "redis"), Some((102, 105)));
        assert_eq!(ids(passwd, "root"), None);
        assert_eq!(ids(passwd, "nobody"), None);
    }
}
