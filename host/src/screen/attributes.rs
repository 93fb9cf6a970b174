//! Attributes that the emulator's cells have no field for.
//!
//! They are stored as a mark in front of a cell's combining characters. The mark is a character of
//! a private-use area, which takes a column of its own and so never occurs there otherwise.

use alacritty_terminal::term::cell::Cell;

/// The first mark; one mark follows for each set of attributes.
const FIRST: u32 = 0x10_ff00;

/// A set of attributes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Attributes(u8);

impl Attributes {
    pub(super) const BLINK: Self = Self(1);
    pub(super) const OVERLINE: Self = Self(2);
    /// Selective erasing spares the cell.
    pub(super) const PROTECTED: Self = Self(4);
    const ALL: u8 = 7;

    /// Returns the attributes of a cell, or of the cells that a cursor writes.
    pub(super) fn of(cell: &Cell) -> Self {
        let mark = cell.zerowidth().and_then(<[char]>::first).copied();
        mark.and_then(Self::from_mark).unwrap_or_default()
    }

    pub(super) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns these attributes except for the others.
    pub(super) const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Changes the attributes of the cells that a cursor writes.
    pub(super) fn change(template: &mut Cell, change: impl FnOnce(Self) -> Self) {
        let had = Self::of(template);
        let Self(has) = change(had);
        if Self(has) == had {
            return;
        }
        let mut cell = Cell::default();
        cell.set_underline_color(template.underline_color());
        cell.set_hyperlink(template.hyperlink());
        if let Some(mark) = char::from_u32(FIRST + u32::from(has)).filter(|_| has != 0) {
            cell.push_zerowidth(mark);
        }
        template.extra = cell.extra;
    }

    fn from_mark(mark: char) -> Option<Self> {
        let set = u8::try_from(u32::from(mark).checked_sub(FIRST)?).ok()?;
        (1..=Self::ALL).contains(&set).then_some(Self(set))
    }
}

impl std::ops::BitOr for Attributes {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Returns the characters that combine with a cell's own.
pub(super) fn combining(cell: &Cell) -> &[char] {
    match cell.zerowidth() {
        Some([mark, rest @ ..]) if Attributes::from_mark(*mark).is_some() => rest,
        Some(all) => all,
        None => &[],
    }
}
