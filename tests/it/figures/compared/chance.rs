//! Whether a share has risen beyond chance.

/// By more than so many points, and as high as in fewer than one of 10,000 cases of the beta-binomial
/// distribution with Jeffreys' prior: summed from nothing upwards, without any gamma function.
#[expect(clippy::cast_precision_loss, reason = "counts of a test")]
pub(crate) fn is_surely_higher(now: (u64, u64), usual: (u64, u64), points: f64) -> bool {
    if now.1 == 0 || usual.1 == 0 {
        return false;
    }
    let share = |(of, all): (u64, u64)| of as f64 / all as f64;
    if share(now) - share(usual) <= points / 100.0 {
        return false;
    }
    let (a, b) = (usual.0 as f64 + 0.5, (usual.1 - usual.0) as f64 + 0.5);
    let n = now.1 as f64;
    // The probability of none of n, then each from the one before it.
    let mut probability: f64 = (0..now.1)
        .map(|i| (b + i as f64) / (a + b + i as f64))
        .product();
    let mut below = 0.0;
    for k in 0..now.0 {
        let k = k as f64;
        below += probability;
        probability *= (n - k) / (k + 1.0) * (k + a) / (n - k - 1.0 + b);
    }
    1.0 - below < 1e-4
}

#[test]
fn chance_is_that_of_known_cases() {
    // After 0 of 1 the next is one with probability 1/4; four of four after 50 of 1,000 are no chance.
    assert!(!is_surely_higher((1, 1), (0, 1), 1.0));
    assert!(is_surely_higher((4, 4), (50, 1_000), 1.0));
    assert!(!is_surely_higher((8, 100), (50, 1_000), 1.0));
    assert!(is_surely_higher((17, 100), (50, 1_000), 1.0));
}
