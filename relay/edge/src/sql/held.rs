//! Rows of input that waits for the host.

use moorline_core::schema;
use moorline_shared::frame::Frame;
use moorline_shared::id::{ClientId, Seq};

use super::{ObjectDatabase, Result, SqlError};

const REMOVE_ALL: &str = "DELETE FROM held";

impl ObjectDatabase {
    /// All waiting pieces of input, oldest first for each client.
    /// Each comes with true if a host may have been given it.
    pub(crate) fn held(&self) -> Result<Vec<(ClientId, Frame, bool)>> {
        let mut rows = self.rows(schema::HELD, &[])?;
        let piece = |row: &mut super::ResultRow| {
            let data = row.take_blob(2)?;
            let piece = Frame::copy(Seq(row.number(1)?), &data);
            Ok((row.parsed(0)?, piece.map_err(|_| SqlError::Column(2))?, row.number(3)? != 0))
        };
        rows.iter_mut().map(piece).collect()
    }

    /// Stores a piece of input, which a host may have been given if `is_given`.
    pub(crate) fn put_held(
        &self,
        client_id: &ClientId,
        piece: &Frame,
        is_given: bool,
    ) -> Result<()> {
        let (client_id, seq) = (client_id.as_str().into(), piece.seq().0.into());
        let row = [client_id, seq, piece.data().into(), u64::from(is_given).into()];
        self.run(schema::PUT_HELD, &row)
    }

    /// Records that the host is given a client's input up to `seq`.
    pub(crate) fn give_held(&self, client_id: &ClientId, seq: Seq) -> Result<()> {
        self.run(schema::GIVE_HELD, &[client_id.as_str().into(), seq.0.into()])
    }

    /// Deletes a client's input up to `seq`, which the host has taken.
    pub(crate) fn remove_held(&self, client_id: &ClientId, seq: Seq) -> Result<()> {
        self.run(schema::REMOVE_HELD, &[client_id.as_str().into(), seq.0.into()])
    }

    /// Deletes all waiting input.
    pub(crate) fn remove_all_held(&self) -> Result<()> {
        self.run(REMOVE_ALL, &[])
    }
}
