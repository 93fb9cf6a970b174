//! The table of all figures.

use std::fmt;

use anyhow::{Result, ensure};

/// Rows in the order in which they were measured.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Row>);

#[derive(Debug)]
struct Row {
    what: String,
    value: String,
    target: String,
    verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    None,
    Pass,
    /// Misses its target, on this machine and at this moment.
    Miss,
    /// Over a bound, which fails the bench.
    Over,
}

/// Target that a figure should reach.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// No target: the figure is only for comparison.
    None,
    /// The figure should be at least this.
    AtLeast(f64),
    /// The figure should be at most this.
    AtMost(f64),
    /// The figure must be at most this, on any machine: see [`Table::check`].
    Bound(f64),
}

impl Table {
    /// Adds a figure, and prints it.
    pub(crate) fn add(&mut self, what: &str, value: f64, unit: &str, target: Target) {
        let shown = |value: f64| match value {
            value if value.abs() >= 100.0 => format!("{value:.0} {unit}"),
            value if value.abs() >= 10.0 => format!("{value:.1} {unit}"),
            value => format!("{value:.2} {unit}"),
        };
        let (target, verdict) = match target {
            Target::None => (String::new(), Verdict::None),
            Target::AtLeast(least) => {
                (format!("≥ {}", shown(least)), verdict(value >= least, Verdict::Miss))
            }
            Target::AtMost(most) => {
                (format!("≤ {}", shown(most)), verdict(value <= most, Verdict::Miss))
            }
            Target::Bound(most) => {
                (format!("≤ {}", shown(most)), verdict(value <= most, Verdict::Over))
            }
        };
        let row = Row { what: what.to_owned(), value: shown(value), target, verdict };
        println!("  {:<52} {:>14}", row.what, row.value);
        self.0.push(row);
    }

    /// Fails if a figure is over its bound.
    ///
    /// # Errors
    /// If any figure is over its bound, with all of those.
    pub(crate) fn check(&self) -> Result<()> {
        let over = self.0.iter().filter(|row| row.verdict == Verdict::Over);
        let over: Vec<String> =
            over.map(|row| format!("{}: {}, not {}", row.what, row.value, row.target)).collect();
        ensure!(over.is_empty(), "over what is promised: {}", over.join("; "));
        Ok(())
    }
}

const fn verdict(met: bool, otherwise: Verdict) -> Verdict {
    if met { Verdict::Pass } else { otherwise }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "",
            Self::Pass => "pass",
            Self::Miss => "MISS",
            Self::Over => "OVER",
        })
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {:<52} | {:>14} | {:>14} | {:<4} |", "figure", "measured", "target", "")?;
        writeln!(f, "|{:-<54}|{:->15}:|{:->15}:|{:-<6}|", "", "", "", "")?;
        for Row { what, value, target, verdict } in &self.0 {
            writeln!(f, "| {what:<52} | {value:>14} | {target:>14} | {verdict:<4} |")?;
        }
        Ok(())
    }
}

/// Returns the median of `values`.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    percentile(&mut values, 0.5)
}

/// Returns the percentile at `part` (0 to 1) of `values`; 0 if there are none.
pub(crate) fn percentile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * part).round() as usize).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bound_fails_the_bench() {
        let mut table = Table::default();
        table.add("speed", 1.0, "MB/s", Target::AtLeast(2.0));
        table.add("cost", 2.0, "s/GB", Target::AtMost(1.0));
        table.add("memory", 64.0, "KB", Target::Bound(64.0));
        assert!(table.check().is_ok());
        table.add("peak", 129.0, "MiB", Target::Bound(128.0));
        let failure = table.check().unwrap_err().to_string();
        assert_eq!(failure, "over what is promised: peak: 129 MiB, not ≤ 128 MiB");
        let shown = table.to_string();
        assert_eq!(["MISS", "pass", "OVER"].map(|word| shown.matches(word).count()), [2, 1, 1]);
    }
}
