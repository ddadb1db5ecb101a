//! Cells lie side by side, and cover the range.

use proptest::prelude::*;

use super::super::planner::{Cell, MARGIN, Planner};

const NOW: i64 = 1_788_220_800;

proptest! {
    #[test]
    fn cells_cover_the_range_whatever_is_learnt(
        from in NOW - 200_000..NOW - 2_000,
        length in 1_i64..250_000,
        counts in prop::collection::vec(0_u64..5_000, 1..40),
    ) {
        let mut planner = Planner::new(from, from + length, NOW, 1_000);
        let (mut next, mut counts) = (from, counts.into_iter().cycle());
        while let Some(cell) = planner.next(NOW, true) {
            prop_assert_eq!(cell.from, next);
            prop_assert!(cell.to > cell.from);
            next = cell.to;
            let count = counts.next().unwrap_or(0);
            if count == 4_999 {
                planner.learn_too_much(cell);
            } else {
                planner.learn(cell, count);
            }
        }
        // What is not long past ends at the present, since what changes meanwhile comes to stand there.
        let end = if from + length < NOW - 900 { from + length } else { NOW + MARGIN };
        prop_assert_eq!(next, end);
    }

    #[test]
    fn halves_are_the_whole(from in 0_i64..1_000, width in 1_i64..1_000) {
        let cell = Cell { from, to: from + width };
        match cell.halves() {
            None => prop_assert_eq!(width, 1),
            Some([first, second]) => {
                prop_assert_eq!((first.from, first.to, second.to), (from, second.from, from + width));
                prop_assert!(first.width() > 0 && second.width() > 0);
            }
        }
    }
}

#[test]
fn what_may_still_move_is_read_alone_and_in_order() {
    let mut planner = Planner::new(NOW - 2_000, NOW + 50_000, NOW, 1_000);
    let mut settled = 0;
    while let Some(cell) = planner.next(NOW, false) {
        assert!(cell.to <= NOW - 900, "{cell:?}");
        settled = cell.to;
    }
    assert_eq!(settled, NOW - 900);
    assert_eq!(
        planner.next(NOW, true).map(|cell| cell.from),
        Some(NOW - 900)
    );
    assert_eq!(planner.next(NOW, false), None);
}

#[test]
fn neighbours_are_asked_for_a_second_more() {
    let window = Cell {
        from: NOW,
        to: NOW + 10,
    }
    .window();
    assert_eq!(
        (window.from.as_second(), window.through.as_second()),
        (NOW - 1, NOW + 11)
    );
}

#[test]
fn a_range_in_the_future_has_no_cell() {
    let mut planner = Planner::new(NOW + 5_000, NOW + 6_000, NOW, 1_000);
    assert_eq!(planner.next(NOW, true), None);
}
