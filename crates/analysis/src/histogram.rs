//! How many values are how large, in classes that people can read.

/// Counts values in classes that begin at 0, 1, 2, 5, 10, 20, 50, and so on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
}

/// A class of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    /// The smallest value in it.
    pub from: u64,
    /// The smallest value that is above it.
    pub to: u64,
    /// How many values are in it.
    pub count: u64,
}

impl Histogram {
    /// Counts a value.
    pub fn add(&mut self, value: u64) {
        let class = class_of(value);
        if self.counts.len() <= class {
            self.counts.resize(class + 1, 0);
        }
        self.counts[class] += 1;
    }

    /// The classes from the first that has values to the last.
    ///
    /// ```
    /// let mut histogram = exectrace_analysis::Histogram::default();
    /// [7, 5, 12].into_iter().for_each(|value| histogram.add(value));
    /// let classes: Vec<_> = histogram.classes().collect();
    /// assert_eq!((classes[0].from, classes[0].to, classes[0].count), (5, 10, 2));
    /// assert_eq!((classes[1].from, classes[1].to, classes[1].count), (10, 20, 1));
    /// ```
    pub fn classes(&self) -> impl Iterator<Item = Class> + use<'_> {
        let classes = self.counts.iter().zip(0..).map(|(count, class)| Class {
            from: start_of(class),
            to: start_of(class + 1),
            count: *count,
        });
        classes.skip_while(|class| class.count == 0)
    }
}

/// Where a class begins.
fn start_of(class: usize) -> u64 {
    let Some(class) = class.checked_sub(1) else {
        return 0;
    };
    let power = 10u64.checked_pow((class / 3) as u32);
    let start = power.and_then(|power| power.checked_mul([1, 2, 5][class % 3]));
    start.unwrap_or(u64::MAX)
}

fn class_of(value: u64) -> usize {
    let Some(power) = value.checked_ilog10() else {
        return 0;
    };
    let digit = value / 10u64.pow(power);
    let part = match digit {
        1 => 0,
        2..5 => 1,
        _ => 2,
    };
    1 + 3 * power as usize + part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_the_class_that_says_so() {
        let values = [
            0,
            1,
            2,
            4,
            5,
            9,
            10,
            19,
            20,
            49,
            50,
            99,
            100,
            12_345,
            5_000_000,
            u64::MAX / 2,
            u64::MAX - 1,
        ];
        for value in values {
            let mut histogram = Histogram::default();
            histogram.add(value);
            let classes: Vec<Class> = histogram.classes().collect();
            assert_eq!(classes.len(), 1);
            assert!(
                classes[0].from <= value && value < classes[0].to,
                "{value}: {classes:?}"
            );
        }
    }

    #[test]
    fn of_nothing_there_are_no_classes() {
        assert_eq!(Histogram::default().classes().count(), 0);
    }
}
