//! One end of a link, whatever carries it.

use tokio::sync::mpsc;

/// The code of a link that ended without one.
pub const ABNORMAL: u16 = 1006;

/// What goes over a wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item<M> {
    /// A message.
    Message(M),
    /// The last item: the sender closes the link, with a close code of
    /// [`moorline_shared::message::close`].
    Closed(u16),
}

/// One end of a link: messages of type `Out` go, messages of type `In` come. Both ways are bounded:
/// a sender waits while the other end does not read. An end that is dropped without
/// [`Item::Closed`] has closed with [`ABNORMAL`].
#[derive(Debug)]
pub struct Wire<Out, In> {
    /// To the other end.
    pub sender: mpsc::Sender<Item<Out>>,
    /// From the other end.
    pub receiver: mpsc::Receiver<Item<In>>,
}

impl<Out, In> Wire<Out, In> {
    /// Both ends of a link within this process, each way with room for `capacity` messages.
    #[must_use]
    pub fn pair(capacity: usize) -> (Self, Wire<In, Out>) {
        let (near, far_receiver) = mpsc::channel(capacity);
        let (far, near_receiver) = mpsc::channel(capacity);
        (
            Self { sender: near, receiver: near_receiver },
            Wire { sender: far, receiver: far_receiver },
        )
    }

    /// Waits for the next message; the close code at the end.
    ///
    /// # Errors
    /// The close code.
    pub async fn recv(&mut self) -> Result<In, u16> {
        match self.receiver.recv().await {
            Some(Item::Message(message)) => Ok(message),
            Some(Item::Closed(code)) => Err(code),
            None => Err(ABNORMAL),
        }
    }
}
