//! What a person may have meant.

/// The known name that is nearest to what was written, or all of them.
pub(crate) fn remedy(written: &str, known: &[&str]) -> String {
    let distance = |name: &&&str| strsim::damerau_levenshtein(written, name);
    let near = known.iter().min_by_key(distance);
    match near.filter(|near| distance(near) <= 1 + written.chars().count() / 3) {
        Some(near) => format!("did you mean {near}? there are: {}", known.join(", ")),
        None => format!("there are: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_is_named_where_one_is_near() {
        let known = ["status", "source"];
        let of = |written| remedy(written, &known);
        assert_eq!(
            of("statsu"),
            "did you mean status? there are: status, source"
        );
        assert_eq!(of("weather"), "there are: status, source");
    }
}
