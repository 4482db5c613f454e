//! What a profile is, and what may stand in one.

use serde::{Deserialize, Serialize};

/// How somebody is shown to the others at a whiteboard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Profile {
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) pen: Pen,
    pub(crate) note: String,
    /// Grows with each change, so that nobody overwrites what he has not seen.
    pub(crate) revision: i64,
}

/// The colour somebody draws with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Pen {
    Amber,
    Blue,
    Coral,
    Green,
    Rose,
    Violet,
}

impl Pen {
    pub(crate) const ALL: [Self; 6] = [Self::Coral, Self::Amber, Self::Green, Self::Blue, Self::Violet, Self::Rose];

    /// As it stands in the database, in forms and in names of classes.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Amber => "amber",
            Self::Blue => "blue",
            Self::Coral => "coral",
            Self::Green => "green",
            Self::Rose => "rose",
            Self::Violet => "violet",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|pen| pen.word() == word)
    }
}

/// What came from a form, not looked at yet.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) pen: String,
    pub(crate) note: String,
    pub(crate) revision: i64,
}

/// What is wrong with a draft: field and complaint.
pub(crate) type Complaint = (&'static str, String);

/// The longest texts, in characters.
pub(crate) const NAME: usize = 40;
pub(crate) const ROLE: usize = 60;
pub(crate) const NOTE: usize = 160;

impl Draft {
    pub(crate) fn of(profile: &Profile) -> Self {
        Self {
            name: profile.name.clone(),
            role: profile.role.clone(),
            pen: profile.pen.word().to_owned(),
            note: profile.note.clone(),
            revision: profile.revision,
        }
    }

    /// The profile it asks for, or what is wrong with it.
    pub(crate) fn check(&self) -> Result<Profile, Vec<Complaint>> {
        let mut complaints = Vec::new();
        let mut text = |field: &'static str, text: &str, most: usize, may_be_empty: bool| {
            // Browsers send line breaks as CR LF.
            let text = text.replace("\r\n", "\n").trim().to_owned();
            let is_odd = |c: char| c.is_control() && !(c == '\n' && field == "note");
            if text.is_empty() && !may_be_empty {
                complaints.push((field, "Say something here.".to_owned()));
            } else if text.chars().count() > most {
                complaints.push((field, format!("At most {most} characters, please.")));
            } else if text.contains(is_odd) {
                complaints.push((field, "This holds characters that cannot be shown.".to_owned()));
            }
            text
        };
        let name = text("name", &self.name, NAME, false);
        let role = text("role", &self.role, ROLE, true);
        let note = text("note", &self.note, NOTE, true);
        let pen = Pen::parse(&self.pen);
        if pen.is_none() {
            complaints.push(("pen", "Choose one of the pens.".to_owned()));
        }
        match pen {
            Some(pen) if complaints.is_empty() => Ok(Profile { name, role, pen, note, revision: self.revision }),
            _ => Err(complaints),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        Draft { name: " Ada ".into(), pen: "blue".into(), note: "a\r\nb".into(), revision: 3, ..Draft::default() }
    }

    #[test]
    fn a_good_draft_is_tidied() {
        let profile = draft().check().unwrap();
        assert_eq!((profile.name.as_str(), profile.note.as_str(), profile.pen), ("Ada", "a\nb", Pen::Blue));
        assert_eq!(Draft::of(&profile).check().unwrap(), profile);
    }

    #[test]
    fn every_complaint_names_its_field() {
        let bad =
            Draft { name: "  ".into(), role: "x".repeat(61), pen: "red".into(), note: "\u{7}".into(), revision: 0 };
        let fields: Vec<_> = bad.check().unwrap_err().into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["name", "role", "note", "pen"]);
        assert!(Draft { name: "a\nb".into(), ..draft() }.check().is_err(), "a name is one line");
        assert!(Draft { name: "é".repeat(NAME), ..draft() }.check().is_ok(), "characters count, not bytes");
    }
}
