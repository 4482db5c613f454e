//! Pictures as files: well formed, still, and with everything that belongs in them.

use hallway_study::chart::{Chart, ChoiceMap, HeatMap, Lines, Scale, Series, Style, Unit, svg};
use roxmltree::{Document, Node};

use crate::sample;
use crate::sample::charts::{self, axis, spot};

/// The picture, of which every text and attribute has been looked at.
fn checked<T>(picture: &str, look: impl FnOnce(&Document<'_>) -> T) -> T {
    let document = Document::parse(picture).unwrap_or_else(|error| panic!("{error}: {picture}"));
    for node in document.descendants().filter(Node::is_element) {
        let name = node.tag_name();
        assert_eq!(name.namespace(), Some("http://www.w3.org/2000/svg"), "{node:?}");
        let known = ["desc", "g", "line", "path", "rect", "style", "svg", "text", "title"];
        assert!(known.contains(&name.name()), "{node:?}");
        for attribute in node.attributes() {
            let value = attribute.value();
            assert!(!attribute.name().starts_with("on") && attribute.name() != "href", "{attribute:?}");
            assert!(!value.contains("NaN") && !value.contains("inf"), "{attribute:?}");
        }
    }
    look(&document)
}

fn texts(document: &Document<'_>, form: &str) -> Vec<String> {
    let group = document.descendants().find(|node| node.attribute("class") == Some(form)).unwrap();
    let texts = group.descendants().filter(|node| node.has_tag_name("text"));
    texts.map(|node| node.text().unwrap_or_default().to_owned()).collect()
}

#[test]
fn every_picture_is_well_formed_and_says_what_it_is() {
    for figure in sample::figures() {
        let picture = svg(&figure.chart);
        assert_eq!(picture, svg(&figure.chart), "the same twice");
        checked(&picture, |document| {
            let root = document.root_element();
            assert_eq!((root.attribute("role"), root.attribute("viewBox")), (Some("img"), Some("0 0 640 440")));
            assert_eq!(root.attribute("width"), None, "it takes the width that there is");
            let first: Vec<_> = root.children().filter(Node::is_element).map(|node| node.tag_name().name()).collect();
            assert_eq!(&first[..3], ["title", "desc", "style"]);
            let style = root.children().find(|node| node.has_tag_name("style")).unwrap().text().unwrap();
            assert!(style.contains("prefers-color-scheme:dark"));
            assert!(!style.contains("url(") && !style.contains("@import"), "it needs nothing from elsewhere");
            for form in ["wide", "narrow"] {
                assert!(texts(document, form).len() > 8, "{} {form}", figure.name);
            }
        });
    }
}

#[test]
fn a_crossing_shows_its_place_its_interval_its_tie_band_and_both_winners() {
    checked(&svg(&charts::wire()), |document| {
        // Where there is less room, "wins" goes first.
        for (form, wins) in [("wide", " wins"), ("narrow", "")] {
            let texts = texts(document, form);
            let left = format!("← redis-tcp{wins}");
            for wanted in ["x* = 1.26 ms [1.11 ms, 1.42 ms]", &left, "sqlite wins →", "sqlite", "redis-tcp"] {
                assert!(texts.iter().any(|text| text == wanted), "{form}, {wanted}: {texts:?}");
            }
        }
        let place = |class: &str, name: &str| -> f64 {
            let node = document.descendants().find(|node| node.attribute("class") == Some(class)).unwrap();
            node.attribute(name).unwrap().parse().unwrap()
        };
        let band = |class: &str| (place(class, "x"), place(class, "x") + place(class, "width"));
        let (tie, interval, line) = (band("tie"), band("ci"), place("mark", "x1"));
        assert!(tie.0 < interval.0 && interval.0 < line && line < interval.1 && interval.1 < tie.1);
    });
}

#[test]
fn measured_curves_have_marks_and_intervals_and_computed_ones_are_dashed() {
    checked(&svg(&charts::capacity()), |document| {
        let wide = document.descendants().find(|node| node.attribute("class") == Some("wide")).unwrap();
        let count = |class: &str| wide.descendants().filter(|node| node.attribute("class") == Some(class)).count();
        // Eleven points, and one more mark before the label.
        assert_eq!((count("bar"), count("dot")), (11, 12));
        // Two curves, and a line before each label.
        assert_eq!((count("curve dashed"), count("curve")), (4, 2));
    });
}

#[test]
fn every_dot_has_its_name() {
    checked(&svg(&charts::frontier()), |document| {
        let texts = texts(document, "wide");
        for wanted in ["database", "L2 Redis", "L1 with bus + L2", "L1 with TTL 50 ms", "L1 alone"] {
            assert!(texts.iter().any(|text| text == wanted), "{wanted}: {texts:?}");
        }
    });
}

#[test]
fn a_heat_map_has_a_border_a_key_and_names_of_its_sides() {
    checked(&svg(&charts::break_even()), |document| {
        let texts = texts(document, "wide");
        for wanted in ["the cache pays", "the database alone is faster", "not measured"] {
            assert!(texts.iter().any(|text| text.starts_with(wanted)), "{wanted}: {texts:?}");
        }
        let borders = document.descendants().filter(|node| node.attribute("class") == Some("border")).count();
        assert_eq!(borders, 2, "one for each form");
    });
    let Chart::HeatMap(map) = charts::break_even() else { unreachable!("it is one") };
    let curve = vec![spot(0.1, 10_000.0), spot(0.5, 300.0), spot(2.0, 100.0), spot(0.9, 60.0)];
    checked(&svg(&Chart::HeatMap(HeatMap { curve, ..map })), |document| {
        let border = document.descendants().find(|node| node.attribute("class") == Some("border")).unwrap();
        let path = border.attribute("d").unwrap();
        assert_eq!((path.matches('M').count(), path.matches('L').count()), (2, 1), "interrupted outside: {path}");
    });
}

fn choices(cells: Vec<Vec<Option<usize>>>) -> Chart {
    Chart::ChoiceMap(ChoiceMap {
        title: "Where state should live".into(),
        x: axis("instances", Unit::Count, Scale::Log),
        y: axis("staleness tolerance", Unit::Seconds, Scale::Log),
        xs: vec![1.0, 2.0, 4.0],
        ys: vec![0.1, 1.0],
        cells,
        options: vec!["the database <directly>".into(), "L1 moka + L2 Redis + PostgreSQL, with a long name".into()],
    })
}

#[test]
fn a_map_of_choices_has_a_letter_in_each_cell_and_a_border_between_options() {
    let chart = choices(vec![vec![Some(0), Some(0), Some(1)], vec![Some(0), Some(1), None]]);
    checked(&svg(&chart), |document| {
        for form in ["wide", "narrow"] {
            let texts = texts(document, form);
            let count = |letter: &str| texts.iter().filter(|text| *text == letter).count();
            // Once more in the key.
            assert_eq!((count("A"), count("B")), (4, 3), "{texts:?}");
            assert!(texts.iter().any(|text| text == "the database <directly>"), "{texts:?}");
        }
        let border = document.descendants().find(|node| node.attribute("class") == Some("border")).unwrap();
        assert_eq!(border.attribute("d").unwrap().matches('M').count(), 5, "one for each pair that differs");
    });
    // What stands for no option, and rows that are too short, are not known.
    checked(&svg(&choices(vec![vec![Some(9)]])), |document| {
        let unknown = document.descendants().filter(|node| node.attribute("class") == Some("unknown")).count();
        assert_eq!(unknown, 2 * 6);
    });
    checked(&svg(&choices(vec![])), |_| ());
}

#[test]
fn charts_with_little_or_nonsense_in_them_are_pictures_too() {
    let lines = |scale, series| {
        Chart::Lines(Lines {
            title: String::new(),
            x: axis("", Unit::Bytes, scale),
            y: axis("", Unit::Nanos, scale),
            series,
            marks: vec![],
        })
    };
    let series = |style, points| Series { label: "a".into(), points, style };
    let nonsense = || vec![spot(0.0, -1.0), spot(f64::NAN, 1.0), spot(1.0, f64::INFINITY), spot(-3.0, 0.0)];
    for scale in [Scale::Linear, Scale::Log] {
        let none = svg(&lines(scale, vec![]));
        assert_eq!(checked(&none, |document| texts(document, "wide")).last().unwrap(), "nothing was measured");
        for style in [Style::Computed, Style::Dots, Style::Measured] {
            checked(&svg(&lines(scale, vec![series(style, vec![spot(5.0, 5.0)])])), |_| ());
            checked(&svg(&lines(scale, vec![series(style, nonsense()), series(style, vec![])])), |_| ());
            let many = (0..30).map(|at| series(style, vec![spot(1.0, 5.0), spot(9.0, 5.0 + f64::from(at) / 100.0)]));
            checked(&svg(&lines(scale, many.collect())), |_| ());
        }
        let map = |xs: Vec<f64>, ys: Vec<f64>, cells| {
            Chart::HeatMap(HeatMap {
                title: String::new(),
                x: axis("", Unit::Count, scale),
                y: axis("", Unit::Share, scale),
                xs,
                ys,
                cells,
                border: 0.0,
                below: String::new(),
                above: String::new(),
                curve: vec![],
            })
        };
        checked(&svg(&map(vec![], vec![], vec![])), |_| ());
        checked(&svg(&map(vec![1.0], vec![1.0], vec![vec![Some(f64::NAN)]])), |_| ());
        checked(&svg(&map(vec![1.0, 2.0], vec![1.0, 2.0, 3.0], vec![vec![Some(-1.0)], vec![None, Some(2.0)]])), |_| ());
    }
}
