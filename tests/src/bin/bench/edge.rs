//! The edge relay, compared with the native relay and with a Durable Object that only forwards.
//! workerd runs both objects, so the figures include neither Cloudflare's machines nor the network
//! to them.

mod echo;
mod flood;
mod forwarder;
mod publisher;
mod rows;

use anyhow::Result;
use moorline_tests::relay::{Kind, Relay};

use super::stage::{Stage, quiet};
use super::table::Table;

pub(crate) fn measure(stage: &mut Stage, table: &mut Table) -> Result<()> {
    flood::measure(stage, table)?;
    stage.renew()?;
    let edge = stage.block_on(Relay::start_as(Kind::Edge, quiet()))?;
    echo::measure(stage, &edge, table)?;
    rows::measure(stage, &edge, table)
}
