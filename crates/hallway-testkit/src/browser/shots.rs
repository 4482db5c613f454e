//! Screenshots of every step in every form, and what is looked at in each of them.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::browser::Browser;

/// What a page is looked at on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// Its name in the names of files.
    pub name: &'static str,
    /// In pixels of style sheets.
    pub width: u32,
    /// In pixels of style sheets.
    pub height: u32,
    /// Whether it is a phone.
    pub is_phone: bool,
    /// `light` or `dark`.
    pub scheme: &'static str,
}

impl Form {
    /// A desk and a phone of this width, light and dark.
    #[must_use]
    pub const fn desk_and_phone(phone: u32) -> [Self; 4] {
        let desk = Self { name: "desktop-light", width: 1_280, height: 860, is_phone: false, scheme: "light" };
        let pocket = Self { name: "phone-light", width: phone, height: 812, is_phone: true, scheme: "light" };
        [
            desk,
            Self { name: "desktop-dark", scheme: "dark", ..desk },
            pocket,
            Self { name: "phone-dark", scheme: "dark", ..pocket },
        ]
    }
}

/// Where screenshots are kept, and how they are taken.
#[derive(Debug)]
pub struct Shots {
    folder: PathBuf,
    forms: Vec<Form>,
    looks: Vec<&'static str>,
    taken: usize,
}

impl Shots {
    /// Into this folder, where those of the last run make room. `looks` are expressions in JavaScript for lists of what
    /// is wrong with the page as it is.
    ///
    /// # Panics
    /// If the folder cannot be made.
    #[must_use]
    pub fn begin(folder: PathBuf, forms: &[Form], looks: &[&'static str]) -> Self {
        if folder.exists() {
            fs::remove_dir_all(&folder).expect("the old screenshots can be removed");
        }
        fs::create_dir_all(&folder).expect("the folder can be made");
        // Past the capture of test output, so that whoever looks on knows where to look.
        let mut stderr = std::io::stderr().lock();
        writeln!(stderr, "screenshots: {}", folder.display()).expect("stderr is open");
        Self { folder, forms: forms.to_vec(), looks: looks.to_vec(), taken: 0 }
    }

    /// Takes the page as it is in every form, and looks at it in each.
    ///
    /// # Panics
    /// If something is wrong with the page.
    pub async fn take(&mut self, browser: &Browser, step: &str) {
        self.taken += 1;
        for form in &self.forms {
            let Form { width, height, is_phone, scheme, .. } = form;
            let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone });
            browser.cdp("Emulation.setDeviceMetricsOverride", metrics).await;
            let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
            browser.cdp("Emulation.setEmulatedMedia", scheme).await;
            let name = format!("{:02}-{step}-{}", self.taken, form.name);
            // Taken first: whoever hears that something is wrong wants to see it.
            let whole = json!({ "format": "png", "captureBeyondViewport": true });
            let shot = browser.cdp("Page.captureScreenshot", whole).await;
            let png = STANDARD.decode(shot["data"].as_str().expect("a picture")).expect("it is encoded");
            assert!(png.starts_with(b"\x89PNG"), "{name} is no picture");
            let file = self.folder.join(&name).with_extension("png");
            fs::write(&file, png).expect("the picture can be kept");
            for look in &self.looks {
                let wrong = browser.value(look).await;
                assert_eq!(wrong, json!([]), "{}", file.display());
            }
        }
        browser.cdp("Emulation.clearDeviceMetricsOverride", json!({})).await;
        browser.cdp("Emulation.setEmulatedMedia", json!({ "features": [] })).await;
    }

    /// Sees that every step has left its pictures.
    ///
    /// # Panics
    /// If one is missing.
    pub fn end(&self) {
        let pictures = fs::read_dir(&self.folder).expect("the folder is there");
        assert_eq!(pictures.count(), self.taken * self.forms.len());
    }
}
