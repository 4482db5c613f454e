//! One server process under guard.
//!
//! The guard is a shell that owns the server and its folder. It takes orders from a pipe whose other end only the test
//! process holds, so however that process ends, the pipe ends too, and the guard stops the server and removes the
//! folder. It runs as the server's user and in a process group of its own, out of reach of Ctrl-C.

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::ServerError;
use super::account::Account;

/// How long a server may take to become ready or to stop before that is an error.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(5);

/// Arguments: folder, signal for the end, script that prepares, script that becomes the server.
///
/// A stopped server must be continued to see a signal, its children too. `kill -0` fails once the shell has reaped the
/// server, which `sleep` makes it do. PostgreSQL killed hard leaves a System V segment behind, named in the pid file.
///
/// The signals are ignored because the kernel itself sends SIGHUP to a group that loses its last tie to the session
/// while a member is stopped, which is what the death of a test with a paused server does. The servers set handlers.
const GUARD: &str = r#"
trap '' HUP INT QUIT TERM
folder=$1 signal=$2 prepare=$3 serve=$4 pid=
cd "$folder" || exit 1
while read -r order; do
    case $order in
        prepare) (eval "$prepare") </dev/null >>log 2>&1; echo "$?" ;;
        start) eval "exec $serve" </dev/null >>log 2>&1 & pid=$!; echo "$pid" ;;
        wait) wait "$pid" 2>/dev/null; echo "$?"; pid= ;;
    esac
done
if [ -n "$pid" ]; then
    kill -"$signal" "$pid" 2>/dev/null
    kill -CONT "$pid" $(cat "/proc/$pid/task/$pid/children" 2>/dev/null) 2>/dev/null
    tries=0
    while kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 100 ]; do sleep 0.05; tries=$((tries + 1)); done
    kill -KILL "$pid" 2>/dev/null
fi
if [ -f data/postmaster.pid ]; then
    segment=$(sed -n '7s/.* //p' data/postmaster.pid)
    [ -n "$segment" ] && ipcrm -m "$segment" 2>/dev/null
fi
cd /
rm -rf "$folder"
"#;

/// How a server is started and stopped.
#[derive(Debug, Clone)]
pub(super) struct Recipe {
    /// For messages: `redis-server`.
    pub(super) name: &'static str,
    /// The command line of the server, quoted for the shell.
    pub(super) serve: String,
    /// A shell script that must succeed before the first start; empty for none.
    pub(super) prepare: String,
    /// Ends the server in good order.
    pub(super) stop: Signal,
    /// Ends the server when nobody is left to care for the data: the name of a signal.
    pub(super) end: &'static str,
}

/// A folder of the server's own, owned by its user, removed by the guard.
#[derive(Debug)]
pub(super) struct Folder {
    inner: tempfile::TempDir,
    account: Account,
}

impl Folder {
    pub(super) fn create(account: Account) -> Result<Self, ServerError> {
        // The path of a Unix socket has to fit 107 bytes.
        let base = Some(std::env::temp_dir()).filter(|dir| dir.as_os_str().len() < 60).unwrap_or_else(|| "/tmp".into());
        let inner = tempfile::Builder::new()
            .prefix("hallway-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir_in(base)
            .map_err(ServerError::io("creating a temporary folder"))?;
        account.give(inner.path())?;
        Ok(Self { inner, account })
    }

    pub(super) fn path(&self) -> &Path {
        self.inner.path()
    }

    /// Writes a file that only the server's user can read: it may hold a password.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, ServerError> {
        let path = self.path().join(name);
        fs::write(&path, text).map_err(ServerError::io("writing a server file"))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(ServerError::io("chmod"))?;
        self.account.give(&path)?;
        Ok(path)
    }
}

/// A server process that can be stopped, killed, paused and started again.
pub(super) struct Guarded {
    recipe: Recipe,
    folder: PathBuf,
    state: Mutex<State>,
}

struct State {
    shell: Child,
    orders: Option<ChildStdin>,
    answers: Receiver<String>,
    pid: Option<Pid>,
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("name", &self.recipe.name).field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Guarded {
    /// Posts the guard; the server is not started yet.
    pub(super) fn post(folder: Folder, recipe: Recipe) -> Result<Self, ServerError> {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", GUARD, "hallway-guard"])
            .arg(folder.path())
            .args([recipe.end, &recipe.prepare, &recipe.serve])
            .current_dir("/")
            .env_remove("PGDATA")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Not ours: whoever reads the output of the tests would wait for the guard, too.
            .stderr(Stdio::null());
        folder.account.apply(&mut command);
        let mut shell = command.spawn().map_err(ServerError::io("starting the guard shell"))?;
        let folder = folder.inner.keep();
        let orders = shell.stdin.take();
        let stdout = shell.stdout.take().ok_or_else(|| ServerError::new("the guard shell has no output"))?;
        let (send, answers) = channel();
        // A thread, so that waiting for an answer can have a deadline. It ends with the shell.
        thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| send.send(line))
        });
        let guarded = Self { folder, state: Mutex::new(State { shell, orders, answers, pid: None }), recipe };
        if !guarded.recipe.prepare.is_empty() {
            let status = guarded.state().ask("prepare")?;
            if status != "0" {
                return Err(guarded.failed("could not be prepared"));
            }
        }
        Ok(guarded)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.state().pid.map(|pid| pid.as_raw_nonzero().get().unsigned_abs())
    }

    /// Starts the server without waiting until it answers.
    pub(super) fn launch(&self) -> Result<(), ServerError> {
        let mut state = self.state();
        if state.pid.is_some() {
            return Err(ServerError::new(format!("{} runs already", self.recipe.name)));
        }
        let answer = state.ask("start")?;
        state.pid = answer.parse().ok().and_then(Pid::from_raw);
        state.pid.map(drop).ok_or_else(|| ServerError::new(format!("the guard shell answered `{answer}`")))
    }

    /// Polls until the server is ready, has died or took too long.
    pub(super) fn await_ready(&self, ready: impl Fn() -> bool) -> Result<(), ServerError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if ready() {
                return Ok(());
            }
            match self.state().pid {
                Some(pid) if is_alive(pid) => {}
                _ => return Err(self.failed("ended instead of starting")),
            }
            if Instant::now() > deadline {
                return Err(self.failed("did not become ready in time"));
            }
            thread::sleep(POLL);
        }
    }

    /// Ends the server in good order. No effect on one that is not running.
    pub(super) fn stop(&self) -> Result<(), ServerError> {
        let mut state = self.state();
        let Some(pid) = state.pid else { return Ok(()) };
        signal(pid, self.recipe.stop);
        resume_tree(pid);
        let killed = state.reap(pid)?;
        drop(state);
        if killed { Err(self.failed("did not stop in time and was killed")) } else { Ok(()) }
    }

    /// Kills the server and its children with `SIGKILL`, as if the power had gone.
    pub(super) fn kill9(&self) -> Result<(), ServerError> {
        let mut state = self.state();
        let Some(pid) = state.pid else { return Ok(()) };
        // Stopped first, or it could start another child meanwhile.
        signal(pid, Signal::STOP);
        let children = children(pid);
        children.iter().for_each(|child| signal(*child, Signal::KILL));
        signal(pid, Signal::KILL);
        state.reap(pid)?;
        let deadline = Instant::now() + PATIENCE;
        while children.iter().any(|child| is_alive(*child)) {
            if Instant::now() > deadline {
                return Err(ServerError::new("a child of the killed server does not end"));
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Stops the server and its children with `SIGSTOP`: connections stay open and nothing answers.
    pub(super) fn pause(&self) {
        if let Some(pid) = self.state().pid {
            signal(pid, Signal::STOP);
            children(pid).into_iter().for_each(|child| signal(child, Signal::STOP));
        }
    }

    /// Undoes `pause`.
    pub(super) fn resume(&self) {
        if let Some(pid) = self.state().pid {
            resume_tree(pid);
        }
    }

    /// The end of the server's log.
    pub(super) fn log(&self) -> String {
        let log = fs::read(self.folder.join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    fn failed(&self, how: &str) -> ServerError {
        ServerError::new(format!("{} {how}; the end of its log:\n{}", self.recipe.name, self.log()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        state.orders = None;
        // Ends within seconds: the guard kills what does not stop.
        if let Err(error) = state.shell.wait() {
            eprintln!("waiting for the guard of {}: {error}", self.recipe.name);
        }
    }
}

impl State {
    fn ask(&mut self, order: &str) -> Result<String, ServerError> {
        let orders = self.orders.as_mut().ok_or_else(|| ServerError::new("the guard shell is gone"))?;
        writeln!(orders, "{order}").map_err(ServerError::io("writing to the guard shell"))?;
        self.answer(PATIENCE)
    }

    fn answer(&self, patience: Duration) -> Result<String, ServerError> {
        self.answers.recv_timeout(patience).map_err(|error| match error {
            RecvTimeoutError::Timeout => ServerError::new("the guard shell did not answer in time"),
            RecvTimeoutError::Disconnected => ServerError::new("the guard shell is gone"),
        })
    }

    /// Waits for a server that was told to end; says whether it had to be killed.
    fn reap(&mut self, pid: Pid) -> Result<bool, ServerError> {
        self.pid = None;
        let orders = self.orders.as_mut().ok_or_else(|| ServerError::new("the guard shell is gone"))?;
        writeln!(orders, "wait").map_err(ServerError::io("writing to the guard shell"))?;
        if self.answer(PATIENCE / 2).is_ok() {
            return Ok(false);
        }
        signal(pid, Signal::KILL);
        self.answer(PATIENCE / 2).map(|_| true)
    }
}

/// Quotes a word for the shell.
pub(super) fn quote(word: impl AsRef<std::ffi::OsStr>) -> String {
    format!("'{}'", word.as_ref().to_string_lossy().replace('\'', r"'\''"))
}

/// A process that has just ended cannot be signalled, which is what every caller wants of it anyway.
fn signal(pid: Pid, signal: Signal) {
    let _ended = kill_process(pid, signal);
}

fn resume_tree(pid: Pid) {
    children(pid).into_iter().for_each(|child| signal(child, Signal::CONT));
    signal(pid, Signal::CONT);
}

fn children(pid: Pid) -> Vec<Pid> {
    let pid = pid.as_raw_nonzero();
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|child| Pid::from_raw(child.parse().ok()?)).collect()
}

/// Whether the process exists and is no zombie.
fn is_alive(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    // The name in parentheses may hold anything, so the state is what follows the last one.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}
