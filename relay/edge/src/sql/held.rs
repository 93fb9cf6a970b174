//! Rows of input that waits for the host.

use moorline_core::schema;
use moorline_shared::frame::Frame;
use moorline_shared::id::{ClientId, Seq};

use super::{ObjectDatabase, Result, SqlError};

const REMOVE_ALL: &str = "DELETE FROM held";

impl ObjectDatabase {
    /// All waiting pieces of input, oldest first for each client.
    pub(crate) fn held(&self) -> Result<Vec<(ClientId, Frame)>> {
        let mut rows = self.rows(schema::HELD, &[])?;
        let piece = |row: &mut super::ResultRow| {
            let data = row.take_blob(2)?;
            let piece = Frame::copy(Seq(row.number(1)?), &data);
            Ok((row.parsed(0)?, piece.map_err(|_| SqlError::Column(2))?))
        };
        rows.iter_mut().map(piece).collect()
    }

    /// Stores a piece of input.
    pub(crate) fn put_held(&self, client_id: &ClientId, piece: &Frame) -> Result<()> {
        let key = [client_id.as_str().into(), piece.seq().0.into(), piece.data().into()];
        self.run(schema::PUT_HELD, &key)
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
