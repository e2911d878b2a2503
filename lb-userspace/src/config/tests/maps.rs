//! How much the maps have room for, and configurations that don't fit.

use super::super::MapSizes;
use super::{edited, lines, parse};

const DEFAULT: MapSizes = MapSizes { services: 1_024, backends: 16_383, fragments: 16_384, flows: 1_048_576 };

/// The base document with a field `maps` on its second line.
fn with_maps(maps: &str) -> String {
    edited("version: 1\n", &format!("version: 1\nmaps: {maps}\n"))
}

#[test]
fn each_size_has_its_own_setting() {
    let rows = [
        ("{}", DEFAULT),
        ("", DEFAULT),
        ("{services: 2}", MapSizes { services: 2, ..DEFAULT }),
        ("{services: 32768}", MapSizes { services: 32_768, ..DEFAULT }),
        ("{backends: 2}", MapSizes { backends: 2, ..DEFAULT }),
        ("{backends: 65534}", MapSizes { backends: 65_534, ..DEFAULT }),
        ("{fragments: 1024}", MapSizes { fragments: 1_024, ..DEFAULT }),
        ("{fragments: 1048576}", MapSizes { fragments: 1_048_576, ..DEFAULT }),
        (
            "{services: 3, backends: 4, fragments: 5000, flows: 134217728}",
            MapSizes { services: 3, backends: 4, fragments: 5_000, flows: 134_217_728 },
        ),
    ];
    for (written, expected) in rows {
        assert_eq!(parse(&with_maps(written)).map(|config| config.maps), Ok(expected), "{written}");
    }
}

#[test]
fn faults_of_sizes() {
    let rows: [(&str, &[&str]); 6] = [
        (
            "{services: 0, backends: 65535, fragments: 1023}",
            &[
                "lb.yaml:2:18: maps.services: 0 is out of range; allowed are 1 to 32768",
                "lb.yaml:2:31: maps.backends: 65535 is out of range; allowed are 1 to 65534",
                "lb.yaml:2:49: maps.fragments: 1023 is out of range; allowed are 1024 to 1048576",
            ],
        ),
        (
            "{services: 32769}",
            &["lb.yaml:2:18: maps.services: 32769 is out of range; allowed are 1 to 32768"],
        ),
        (
            "{fragments: 1048577}",
            &["lb.yaml:2:19: maps.fragments: 1048577 is out of range; allowed are 1024 to 1048576"],
        ),
        ("{flows: 1023}", &["lb.yaml:2:15: maps.flows: 1023 is out of range; allowed are 1024 to 134217728"]),
        ("{backends: 0}", &["lb.yaml:2:18: maps.backends: 0 is out of range; allowed are 1 to 65534"]),
        (
            "{services: 64Ki}",
            &["lb.yaml:2:18: maps.services: 64Ki is not a decimal number; allowed are 1 to 32768"],
        ),
    ];
    for (written, expected) in rows {
        assert_eq!(lines(&with_maps(written)), expected, "{written}");
    }
}

/// The base document has two services and two backends.
#[test]
fn what_does_not_fit_names_the_setting_to_raise() {
    assert_eq!(lines(&with_maps("{services: 2, backends: 2}")), [""; 0]);
    assert_eq!(
        lines(&with_maps("{services: 1, backends: 1}")),
        [
            "lb.yaml:14:9: services[0].backends[1]: all services together list 2 backends; the maps have room for 1, raise maps.backends",
            "lb.yaml:15:5: services[1]: 2 services are listed; the maps have room for 1, raise maps.services",
        ]
    );
    // With a size that isn't known, nothing is said of what fits.
    assert_eq!(
        lines(&with_maps("{services: 1, backends: none}")),
        ["lb.yaml:2:31: maps.backends: none is not a decimal number; allowed are 1 to 65534"]
    );
}

#[test]
fn what_cannot_be_raised_any_more() {
    // Two services of 40,000 and `second` backends, each backend on a line.
    let document = |second: u32| {
        let line = |i: u32| format!("{{address: {}}},\n", std::net::Ipv4Addr::from(0x0a00_0000 + i));
        let lines = |count: u32| (0..count).map(line).collect::<Vec<_>>().concat();
        let text = with_maps("{backends: 65534}").replacen("backends: []", "backends: [\nMORE  ]", 1);
        let own = "      - address: 10.0.0.1\n        name: alpha\n      - address: 10.0.0.2\n";
        assert!(text.contains(own), "{text}");
        text.replacen(own, &format!("      [\n{}      ]\n", lines(40_000)), 1).replacen(
            "MORE",
            &lines(second),
            1,
        )
    };
    assert_eq!(lines(&document(25_534)), [""; 0]);
    let said = "lb.yaml:65553:1: services[1].backends[25534]: all services together list 65535 backends; \
                more than 65534 are not possible, remove some";
    assert_eq!(lines(&document(25_535)), [said]);
}
