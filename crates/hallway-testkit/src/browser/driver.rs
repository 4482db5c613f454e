//! Chromium, steered through chromedriver over the WebDriver protocol.

use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::browser::{Message, programs, said};

/// How long a page may take to become what is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long what is left of a browser may take to end once it is killed.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// What WebDriver calls an element in JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A driver, and the one browser that it has started.
#[derive(Debug)]
pub struct Browser {
    driver: Child,
    addr: SocketAddr,
    session: String,
    /// Of the browser alone: its processes are known by it.
    profile: TempDir,
}

impl Browser {
    /// Starts both.
    ///
    /// # Panics
    /// If one of them is not installed or does not start.
    pub async fn start() -> Self {
        let (chromium, chromedriver) = programs::pair();
        let profile = TempDir::with_prefix("hallway-browser-").expect("a temporary folder");
        let mut driver = Command::new(chromedriver)
            .arg("--port=0")
            // Whatever the browser writes goes where it is removed.
            .env("HOME", profile.path())
            .env("XDG_CONFIG_HOME", profile.path())
            .env("XDG_CACHE_HOME", profile.path())
            .env("TMPDIR", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let stdout = driver.stdout.take().expect("it is piped");
        let mut browser = Self { driver, addr: ([127, 0, 0, 1], 0).into(), session: String::new(), profile };
        browser.addr.set_port(said::wait_for_line("chromedriver", stdout, |line| {
            line.strip_suffix('.')?.rsplit_once("on port ")?.1.parse::<u16>().ok()
        }));
        let arguments = [
            "--headless=new".into(),
            "--no-sandbox".into(),
            "--disable-gpu".into(),
            "--disable-dev-shm-usage".into(),
            "--hide-scrollbars".into(),
            format!("--user-data-dir={}", browser.profile.path().display()),
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"binary": chromium, "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let made = browser.call("POST", "/session", &wanted).await;
        browser.session = made["sessionId"].as_str().expect("a session has an id").to_owned();
        browser
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let host = self.addr.to_string();
        let headers = [("Host", host.as_str()), ("Content-Type", "application/json; charset=utf-8")];
        let text = if method == "GET" { String::new() } else { body.to_string() };
        let answer = Message::request(method, path, &headers, &text).exchange(self.addr).await;
        let answer = answer.unwrap_or_else(|error| panic!("chromedriver, {method} {path}: {error}"));
        let mut value: Value = serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{}", answer.text()));
        assert_eq!(answer.status(), 200, "chromedriver, {method} {path}: {}", value["value"]["message"]);
        value["value"].take()
    }

    async fn command(&self, method: &str, path: &str, body: Value) -> Value {
        self.call(method, &format!("/session/{}{path}", self.session), &body).await
    }

    /// Opens a page and waits until it is loaded.
    ///
    /// # Panics
    /// If it cannot be loaded; so do all that follow if the browser cannot do what is asked.
    pub async fn goto(&self, url: &str) {
        self.command("POST", "/url", json!({ "url": url })).await;
    }

    /// The value of an expression in the page.
    ///
    /// # Panics
    /// If it throws.
    pub async fn value(&self, expression: &str) -> Value {
        let script = format!("return ({expression});");
        self.command("POST", "/execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// The text of the first such element, or `None` if there is none.
    ///
    /// # Panics
    /// As [`goto`](Self::goto).
    pub async fn text(&self, selector: &str) -> Option<String> {
        let text = self.value(&format!("document.querySelector({})?.textContent ?? null", json!(selector))).await;
        text.as_str().map(str::to_owned)
    }

    async fn element(&self, selector: &str) -> String {
        let found = self.command("POST", "/element", json!({ "using": "css selector", "value": selector })).await;
        format!("/element/{}", found[ELEMENT].as_str().expect("an element has an id"))
    }

    /// Clicks on the first such element.
    ///
    /// # Panics
    /// If there is none or it cannot be clicked.
    pub async fn click(&self, selector: &str) {
        let element = self.element(selector).await;
        self.command("POST", &format!("{element}/click"), json!({})).await;
    }

    /// Types into a field, in the place of what stands there.
    ///
    /// # Panics
    /// If there is no such field.
    pub async fn fill(&self, selector: &str, text: &str) {
        let element = self.element(selector).await;
        self.command("POST", &format!("{element}/clear"), json!({})).await;
        self.command("POST", &format!("{element}/value"), json!({ "text": text })).await;
    }

    /// Waits until an expression is true in the page that is there by then.
    ///
    /// # Panics
    /// If that takes longer than twenty seconds, with what the page says instead.
    pub async fn wait(&self, expression: &str) {
        let until = Instant::now() + PATIENCE;
        while self.value(&format!("Boolean({expression})")).await != json!(true) {
            if Instant::now() > until {
                let body = self.text("body").await.unwrap_or_default();
                panic!("not within {PATIENCE:?}: {expression}\nthe page says: {body}");
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// A command of the browser's own protocol.
    ///
    /// # Panics
    /// If it fails.
    pub async fn cdp(&self, command: &str, params: Value) -> Value {
        self.command("POST", "/goog/cdp/execute", json!({ "cmd": command, "params": params })).await
    }

    /// The cookies of the page, as WebDriver describes them.
    ///
    /// # Panics
    /// As [`goto`](Self::goto).
    pub async fn cookies(&self) -> Vec<Value> {
        self.command("GET", "/cookie", Value::Null).await.as_array().expect("a list").clone()
    }

    /// What the console has said since it was asked last: level and message.
    ///
    /// # Panics
    /// As [`goto`](Self::goto).
    pub async fn console(&self) -> Vec<(String, String)> {
        let entries = self.command("POST", "/se/log", json!({ "type": "browser" })).await;
        let word = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        entries.as_array().expect("a list").iter().map(|entry| (word(entry, "level"), word(entry, "message"))).collect()
    }

    /// Asks for the end of the browser without waiting for more than a moment: it is killed in any case.
    fn ask_to_end(&self) -> std::io::Result<()> {
        let moment = Duration::from_secs(5);
        let mut stream = TcpStream::connect_timeout(&self.addr, moment)?;
        stream.set_read_timeout(Some(moment))?;
        let (session, host) = (&self.session, self.addr);
        write!(stream, "DELETE /session/{session} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        BufReader::new(stream).read_line(&mut String::new()).map(drop)
    }
}

impl Drop for Browser {
    /// Also when a test panics.
    fn drop(&mut self) {
        let _asked = self.ask_to_end();
        let _ended = self.driver.kill();
        let _ended = self.driver.wait();
        // The folder goes when nobody is left to write into it. Those left are not children of ours: they cannot be waited
        // for, only looked for.
        let until = Instant::now() + ENDS_WITHIN;
        loop {
            let left = processes_of(self.profile.path());
            if left.is_empty() || Instant::now() > until {
                break;
            }
            for pid in left {
                // Fails where it has ended since.
                let _ended = kill_process(pid, Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Whatever is of the browser: it names the folder that only it has, or was told to keep its files there.
fn processes_of(folder: &Path) -> Vec<Pid> {
    let folder = folder.to_string_lossy().into_owned();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter(|process| {
            // Both are empty once it has ended, and unreadable where it is none of ours.
            ["cmdline", "environ"].into_iter().any(|file| {
                let text = fs::read(process.path().join(file)).unwrap_or_default();
                String::from_utf8_lossy(&text).contains(&folder)
            })
        })
        .filter_map(|process| Pid::from_raw(process.file_name().to_str()?.parse().ok()?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Also its temporary files are removed, which a browser that is killed leaves behind.
    #[tokio::test]
    async fn nothing_is_left_of_a_browser() {
        let browser = Browser::start().await;
        let folder = browser.profile.path().to_owned();
        let environ = fs::read(format!("/proc/{}/environ", browser.driver.id())).unwrap();
        let wanted = format!("TMPDIR={}", folder.display());
        assert!(environ.split(|&byte| byte == 0).any(|variable| variable == wanted.as_bytes()));
        assert!(processes_of(&folder).len() > 1, "a driver and a browser run");
        drop(browser);
        assert_eq!(processes_of(&folder), []);
        assert!(!folder.exists());
    }
}
