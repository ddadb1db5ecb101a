//! How much of what happened can have been reported by now.

/// The distribution of the time from an event to its report.
#[derive(Clone, Debug, PartialEq)]
pub struct Delays {
    /// Seconds, ascending.
    sorted: Vec<f64>,
}

impl Delays {
    /// Learns from the delays of events that are old enough to have been reported, in seconds.
    #[must_use]
    pub fn learn(mut seconds: Vec<f64>) -> Self {
        seconds.retain(|delay| delay.is_finite());
        seconds.sort_by(f64::total_cmp);
        Self { sorted: seconds }
    }

    /// The share of what happened `age` seconds ago that has been reported, from 0 to 1; 1 where no
    /// delay is known.
    #[must_use]
    pub fn reported(&self, age: f64) -> f64 {
        if self.sorted.is_empty() {
            return 1.0;
        }
        let reported = self.sorted.partition_point(|delay| *delay <= age);
        small(reported) / small(self.sorted.len())
    }

    /// The share of a stretch of time that has been reported, for a stretch that ended `age`
    /// seconds ago and took `width` seconds; events come evenly in it.
    #[must_use]
    pub fn reported_of(&self, age: f64, width: f64) -> f64 {
        const STEPS: u32 = 8;
        let at = |step: u32| age + width * (f64::from(step) + 0.5) / f64::from(STEPS);
        (0..STEPS).map(|step| self.reported(at(step))).sum::<f64>() / f64::from(STEPS)
    }
}

fn small(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_the_share_of_the_delays_that_are_shorter() {
        let delays = Delays::learn(vec![300.0, 60.0, 120.0, 3600.0]);
        assert!(delays.reported(59.0).abs() < 1e-12);
        assert!((delays.reported(120.0) - 0.5).abs() < 1e-12);
        assert!((delays.reported(4000.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_stretch_is_reported_bit_by_bit() {
        // Everything is reported after 100 s: of the last 200 s the older half.
        let delays = Delays::learn(vec![100.0]);
        assert!((delays.reported_of(0.0, 200.0) - 0.5).abs() < 1e-12);
        assert!((delays.reported_of(100.0, 200.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn without_known_delays_everything_is_there() {
        assert!((Delays::learn(Vec::new()).reported(0.0) - 1.0).abs() < 1e-12);
    }
}
