//! The relay at the edge, beside the native one and beside a Durable Object that only forwards. workerd
//! runs both objects: what Cloudflare's machines and the way there add is not in these figures.

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
