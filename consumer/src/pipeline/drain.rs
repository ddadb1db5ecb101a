//! Taking what is ready from a stream without losing any of it.

/// Acts on `first` and on what else is ready, at most `at_most` altogether, until `act` wants no
/// more. Whatever was taken from `next` is acted on: what is taken and dropped would be lost.
pub(super) fn act_on_all<T, E>(
    first: T,
    mut next: impl FnMut() -> Option<T>,
    at_most: usize,
    mut act: impl FnMut(T) -> Result<bool, E>,
) -> Result<(), E> {
    let mut item = Some(first);
    let mut acted = 0;
    while let Some(taken) = item {
        acted += 1;
        let wants_more = act(taken)?;
        item = if wants_more && acted < at_most {
            next()
        } else {
            None
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_taken_from_the_stream_is_acted_on() {
        for (at_most, full_after, expected) in
            [(4, 100, 4), (100, 3, 3), (100, 100, 10), (1, 100, 1)]
        {
            let mut stream = 1..10;
            let mut acted = Vec::new();
            let done = act_on_all(
                0,
                || stream.next(),
                at_most,
                |item| {
                    acted.push(item);
                    Ok::<_, ()>(acted.len() < full_after)
                },
            );
            assert_eq!(done, Ok(()));
            assert_eq!(acted.len(), expected);
            let rest: Vec<i32> = acted.into_iter().chain(stream).collect();
            assert_eq!(rest, (0..10).collect::<Vec<_>>(), "nothing is missing");
        }
    }

    #[test]
    fn the_first_error_ends_it() {
        let mut stream = 1..10;
        let done = act_on_all(
            0,
            || stream.next(),
            100,
            |item| if item < 2 { Ok(true) } else { Err(item) },
        );
        assert_eq!((done, stream.next()), (Err(2), Some(3)));
    }
}
