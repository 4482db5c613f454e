//! The built program as a child process, ended with the handle.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hallway_testkit::browser::wait_for_line;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long an instance may take to end in good order: what it grants its requests and its repairs, and some.
const ENDS_WITHIN: Duration = Duration::from_secs(15);

/// One running instance.
#[derive(Debug)]
pub(crate) struct Instance {
    child: Child,
    pub(crate) addr: SocketAddr,
    /// For its temporary files, which it cannot remove when it is killed.
    _folder: TempDir,
}

impl Instance {
    /// Starts it on a free port, over this Redis and this database if given, else on its defaults.
    pub(crate) fn start(name: &str, redis: Option<&str>, database: Option<&Path>) -> Self {
        Self::start_with(name, |command| {
            if let Some(redis) = redis {
                command.env("HALLWAY_SHARED", redis);
            }
            if let Some(database) = database {
                // Copies live longer than the whole test, however slow the machine: only what is invalidated goes.
                command.env("WHITEBOARD_DB", database).env("WHITEBOARD_TTL", "5m");
            }
        })
    }

    /// Starts it on a free port, set up as said.
    pub(crate) fn start_with(name: &str, set_up: impl FnOnce(&mut Command)) -> Self {
        let folder = TempDir::with_prefix("whiteboard-instance-").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_whiteboard"));
        // Without what would change what it does.
        for (variable, _) in std::env::vars_os() {
            let text = variable.to_string_lossy();
            if text.starts_with("HALLWAY_") || text.starts_with("WHITEBOARD_") {
                command.env_remove(&variable);
            }
        }
        command.args(["--port", "0", "--name", name]).env_remove("PORT").stdin(Stdio::null()).stdout(Stdio::piped());
        // A hallway.toml that happens to lie where the tests run is not ours.
        command.current_dir(folder.path()).env("TMPDIR", folder.path());
        set_up(&mut command);
        let mut child = command.spawn().expect("the built program starts");
        let stdout = child.stdout.take().expect("it is piped");
        // Made first, so that a panic below ends the child too.
        let mut instance = Self { child, addr: SocketAddr::from(([127, 0, 0, 1], 0)), _folder: folder };
        instance.addr = wait_for_line(format_args!("instance {name}"), stdout, |line| {
            line.split_once("http://")?.1.split(' ').next()?.parse().ok()
        });
        instance
    }

    /// Asks it to end, and sees that it does so in good order.
    pub(crate) fn terminate(mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a child has a pid");
        kill_process(pid, Signal::TERM).unwrap();
        let until = Instant::now() + ENDS_WITHIN;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(Instant::now() < until, "an instance did not end within {ENDS_WITHIN:?} of SIGTERM"),
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        assert!(status.success(), "an instance ended with {status}");
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}
