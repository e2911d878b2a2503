//! What was meant by a name that doesn't exist.

use strsim::osa_distance;

/// The known name that a typing mistake or an abbreviation away is `written`.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Two mistakes are a likely slip in a long name and another word altogether in a short one.
    let slips = |name: &str| if name.len() > 4 { 2 } else { 1 };
    let near = |name: &str| osa_distance(written, name) <= slips(name);
    let abbreviated = |name: &str| written.len() > 2 && name.starts_with(written);
    known
        .into_iter()
        .filter(|name| near(name) || abbreviated(name))
        .min_by_key(|name| osa_distance(written, name))
}

/// As in `there is no service wbe; did you mean web? lbctl service list shows all`.
pub fn there_is_none<'a>(noun: &str, written: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let meant = nearest(written, known).map(|name| format!("did you mean {name}? ")).unwrap_or_default();
    format!("there is no {noun} {written}; {meant}lbctl {noun} list shows all")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_seen_and_another_word_is_not() {
        let known = ["web", "web-v6", "mail", "balancer"];
        let cases = [
            ("wbe", Some("web")),
            ("wb", Some("web")),
            ("web-6", Some("web-v6")),
            ("bal", Some("balancer")),
            ("blanacer", Some("balancer")),
            ("main", Some("mail")),
            ("ftp", None),
            ("", None),
        ];
        for (written, meant) in cases {
            assert_eq!(nearest(written, known), meant, "{written}");
        }
    }

    #[test]
    fn a_name_that_is_not_there_comes_with_what_to_do() {
        assert_eq!(
            there_is_none("service", "wbe", ["web"]),
            "there is no service wbe; did you mean web? lbctl service list shows all"
        );
        assert_eq!(
            there_is_none("backend", "x", ["web"]),
            "there is no backend x; lbctl backend list shows all"
        );
    }
}
