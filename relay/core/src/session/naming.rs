//! What a session is called, and where it belongs.

use moorline_shared::control::Hosted;
use moorline_shared::event::{Event, EventKind, TmuxLayout};
use moorline_shared::id::ProjectId;
use moorline_shared::log::Entry;
use moorline_shared::pod::PodStatus;
use moorline_shared::tmux::TmuxSpec;

use super::Session;
use crate::record;

impl Session {
    /// Takes over what the host says about the session that it has started.
    pub fn started(&mut self, hosted: &Hosted) {
        self.record.cwd = Some(hosted.cwd.clone());
        self.record.driver.clone_from(&hosted.facts.driver);
        self.record.command.clone_from(&hosted.facts.command);
        self.name_changed();
    }

    /// Renames the session; without a name it is called by its program.
    pub fn rename(&mut self, name: Option<String>) {
        self.record.name = name;
        self.name_changed();
    }

    /// Moves the session to a project, or out of any.
    pub fn move_to(&mut self, project: Option<ProjectId>) {
        self.record.project = project;
        self.storing.changed();
    }

    /// Takes over in which tmux session the pane is that the session shows, if an entry of the log
    /// reports that.
    pub(super) fn pane_reported(&mut self, entry: &Entry) {
        let (Entry::Event(event), Some(known)) = (entry, self.record.tmux.as_ref()) else { return };
        if entry.kind() != EventKind::TmuxLayout {
            return;
        }
        let layout = event.event().and_then(Event::into_fields::<TmuxLayout>);
        let Some(TmuxLayout { pane, session }) = layout else { return };
        let (pane, session) = (Some(pane), Some(session.cleaned().name));
        let now = TmuxSpec { pane, session, ..known.clone() };
        // A host of another version may report anything.
        if let Some(now) = now.cleaned().filter(|now| now != known) {
            self.record.tmux = Some(now);
            self.name_changed();
        }
    }

    /// Takes over the state of the session's pod, if an entry of the log reports that.
    pub(super) fn pod_reported(&mut self, entry: &Entry) {
        let Entry::Event(event) = entry else { return };
        if entry.kind() != EventKind::PodStatus || self.record.pod.is_none() {
            return;
        }
        let status = event.event().and_then(Event::into_fields::<PodStatus>);
        if let Some(status) = status.map(PodStatus::cleaned) {
            self.record.pod_status = Some(status);
            self.revision += 1;
            self.storing.changed();
        }
    }

    fn name_changed(&mut self) {
        self.name = record::name(&self.record);
        self.revision += 1;
        self.storing.changed();
    }
}

#[cfg(test)]
mod tests {
    use moorline_shared::id::Seq;
    use moorline_shared::log::EventEntry;
    use moorline_shared::rest::CreateSession;
    use moorline_shared::tmux::TmuxSession;

    use super::*;
    use crate::profile::Profile;
    use crate::tests::support;

    #[test]
    fn a_pane_is_listed_under_the_tmux_session_that_it_is_in() {
        let spec = TmuxSpec { pane: Some("%3".into()), ..TmuxSpec::default() };
        let wish = CreateSession { tmux: Some(spec.clone()), ..CreateSession::default() };
        let id = || "abcdefgh".parse().unwrap();
        let record = crate::plan::record(wish, id(), 0).unwrap();
        let mut pane = Session::new(record, &Profile::NATIVE);
        let mut shell = support::new_session(&Profile::NATIVE);
        let layout = |name: &str| {
            let session = TmuxSession { name: name.into(), ..TmuxSession::default() };
            let fields = TmuxLayout { pane: "%3".into(), session };
            let event = Event::new(id(), 7, &fields);
            Entry::Event(EventEntry::new(Seq(1), event))
        };
        for session in [&mut pane, &mut shell] {
            session.pane_reported(&layout("work"));
        }
        assert_eq!(shell.summary(0).tmux, None);
        let listed = pane.summary(0);
        let named = TmuxSpec { session: Some("work".into()), ..spec };
        assert_eq!((listed.tmux, listed.name.as_str()), (Some(named.clone()), "work pane 3"));
        let revision = pane.revision;
        pane.pane_reported(&layout("work"));
        assert_eq!(pane.revision, revision, "nothing has changed");
        pane.pane_reported(&layout("a:b"));
        assert_eq!(pane.summary(0).tmux, Some(named), "tmux has no such name");
    }
}
