//! One end of a link, independent of its transport.

use moorline_shared::message::close;
use tokio::sync::mpsc;

/// An item that travels over a wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WireItem<M> {
    /// A message.
    Message(M),
    /// The last item: the sender closes the link with this close code of
    /// [`moorline_shared::message::close`].
    Closed(u16),
}

/// One end of a link: sends messages of type `Out`, and receives messages of type `In`. Both
/// directions are bounded: a sender waits while the other end does not read. Dropping an end
/// without [`WireItem::Closed`] closes the link with [`close::ABNORMAL`].
#[derive(Debug)]
pub struct Wire<Out, In> {
    /// Sends to the other end.
    pub sender: mpsc::Sender<WireItem<Out>>,
    /// Receives from the other end.
    pub receiver: mpsc::Receiver<WireItem<In>>,
}

impl<Out, In> Wire<Out, In> {
    /// Creates both ends of a link within this process, with room for `capacity` messages each way.
    #[must_use]
    pub fn pair(capacity: usize) -> (Self, Wire<In, Out>) {
        let (near, far_receiver) = mpsc::channel(capacity);
        let (far, near_receiver) = mpsc::channel(capacity);
        (
            Self { sender: near, receiver: near_receiver },
            Wire { sender: far, receiver: far_receiver },
        )
    }

    /// Waits for the next message.
    ///
    /// # Errors
    /// The close code, once the link has ended.
    pub async fn recv(&mut self) -> Result<In, u16> {
        match self.receiver.recv().await {
            Some(WireItem::Message(message)) => Ok(message),
            Some(WireItem::Closed(code)) => Err(code),
            None => Err(close::ABNORMAL),
        }
    }
}
