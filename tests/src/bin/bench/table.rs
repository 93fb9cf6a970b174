//! The table at the end.

use std::fmt;

/// Rows in the order in which they were measured.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Row>);

#[derive(Debug)]
struct Row {
    what: String,
    value: String,
    target: String,
    verdict: &'static str,
}

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// It is there to compare with.
    None,
    /// Not less than this.
    AtLeast(f64),
    /// Not more than this.
    AtMost(f64),
}

impl Table {
    /// Adds a figure.
    pub(crate) fn add(&mut self, what: &str, value: f64, unit: &str, target: Target) {
        let shown = |value: f64| match value {
            value if value.abs() >= 100.0 => format!("{value:.0} {unit}"),
            value if value.abs() >= 10.0 => format!("{value:.1} {unit}"),
            value => format!("{value:.2} {unit}"),
        };
        let (target, verdict) = match target {
            Target::None => (String::new(), ""),
            Target::AtLeast(least) => (format!("≥ {}", shown(least)), verdict(value >= least)),
            Target::AtMost(most) => (format!("≤ {}", shown(most)), verdict(value <= most)),
        };
        let row = Row { what: what.to_owned(), value: shown(value), target, verdict };
        println!("  {:<52} {:>14}", row.what, row.value);
        self.0.push(row);
    }
}

const fn verdict(met: bool) -> &'static str {
    if met { "pass" } else { "MISS" }
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

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    percentile(&mut values, 0.5)
}

/// The one below which that part of all lies; 0 where there are none.
pub(crate) fn percentile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * part).round() as usize).copied().unwrap_or_default()
}
