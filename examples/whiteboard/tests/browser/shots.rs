//! Screenshots of every step, on a desk and on a phone, light and dark, and what is looked at in each of these forms.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::browser::Browser;
use crate::checks;

/// Name, width, height, whether it is a phone, colour scheme.
const FORMS: [(&str, u32, u32, bool, &str); 4] = [
    ("desktop-light", 1_280, 860, false, "light"),
    ("desktop-dark", 1_280, 860, false, "dark"),
    ("phone-light", 375, 812, true, "light"),
    ("phone-dark", 375, 812, true, "dark"),
];

/// Where they are kept: below the target folder.
#[derive(Debug)]
pub(crate) struct Shots {
    folder: PathBuf,
    taken: usize,
}

impl Shots {
    /// Those of the last run make room.
    pub(crate) fn begin() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("whiteboard-screenshots");
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        fs::create_dir_all(&folder).unwrap();
        // Past the capture of test output, so that whoever looks on knows where to look.
        let mut stderr = std::io::stderr().lock();
        writeln!(stderr, "screenshots: {}", folder.display()).unwrap();
        Self { folder, taken: 0 }
    }

    /// Takes the page as it is in every form, and checks it in each.
    pub(crate) async fn take(&mut self, browser: &Browser, step: &str) {
        self.taken += 1;
        for (form, width, height, phone, scheme) in FORMS {
            let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone });
            browser.cdp("Emulation.setDeviceMetricsOverride", metrics).await;
            let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
            browser.cdp("Emulation.setEmulatedMedia", scheme).await;
            let name = format!("{:02}-{step}-{form}", self.taken);
            checks::page(browser, &name).await;
            let whole = json!({ "format": "png", "captureBeyondViewport": true });
            let shot = browser.cdp("Page.captureScreenshot", whole).await;
            let png = STANDARD.decode(shot["data"].as_str().expect("a picture")).unwrap();
            assert!(png.starts_with(b"\x89PNG"), "{name} is no picture");
            fs::write(self.folder.join(name).with_extension("png"), png).unwrap();
        }
        browser.cdp("Emulation.clearDeviceMetricsOverride", json!({})).await;
        browser.cdp("Emulation.setEmulatedMedia", json!({ "features": [] })).await;
    }

    /// Every step has left its pictures.
    pub(crate) fn end(&self) {
        assert_eq!(fs::read_dir(&self.folder).unwrap().count(), self.taken * FORMS.len());
    }
}
