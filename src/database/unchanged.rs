//! Asking which memberships are as wanted already, so that they need no write.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::call::at_most;
use super::existing::{BATCH_GET_KEYS, Wanted};
use super::memberships::Writing;
use super::{Item, Session, Stage};
use crate::config::SkipUnchanged;
use crate::request::params::OptType;
use crate::resolution::membership::Membership;
use crate::resolution::unchanged::{SAMPLE, asking_pays, sample};

const _: () = assert!(SAMPLE <= BATCH_GET_KEYS, "a sample is one call");

impl Session<'_> {
    /// For each membership whether it is known to be as wanted: there, if it is to be added; not
    /// there, if it is to be deleted. What could not be asked is not known to be.
    ///
    /// The reads are strongly consistent: each saw every write that had ended before it. Taking a
    /// membership that is as wanted for written is therefore the same as writing it at the moment
    /// it was read. An import that runs beside this one and writes after that moment has the last
    /// word, as it would have had after a write (contract, section 6).
    pub(super) async fn unchanged(&self, writing: Writing<'_>, memberships: &[Membership<'_>]) -> Vec<bool> {
        let mut unchanged = vec![false; memberships.len()];
        let mut sampled = Vec::new();
        match self.database.skip_unchanged {
            SkipUnchanged::Never => return unchanged,
            SkipUnchanged::Always => {}
            SkipUnchanged::Auto => {
                sampled = sample(memberships.len());
                let asked = self.ask(writing, memberships, &sampled, &mut unchanged).await;
                let as_wanted = sampled.iter().filter(|&&place| unchanged[place]).count();
                if !asking_pays(as_wanted, asked) {
                    return unchanged;
                }
            }
        }
        let rest: Vec<_> =
            (0..memberships.len()).filter(|place| sampled.binary_search(place).is_err()).collect();
        self.ask(writing, memberships, &rest, &mut unchanged).await;
        unchanged
    }

    /// Asks about the memberships at these places, many calls at a time; how many of them were
    /// answered. After a call that was not answered whole no further one is made: its time is better
    /// spent on writing.
    async fn ask(
        &self,
        writing: Writing<'_>,
        memberships: &[Membership<'_>],
        places: &[usize],
        unchanged: &mut [bool],
    ) -> usize {
        let given_up = &AtomicBool::new(false);
        let calls = places.chunks(BATCH_GET_KEYS).collect();
        let asking = at_most(self.database.lookup_concurrency, calls, |places: &[usize]| async move {
            if given_up.load(Ordering::Relaxed) {
                return (places, vec![None; places.len()]);
            }
            let chunk: Vec<_> = places.iter().map(|&place| memberships[place]).collect();
            let answers = self.ask_once(writing, &chunk).await;
            given_up.fetch_or(answers.contains(&None), Ordering::Relaxed);
            (places, answers)
        });
        let wanted = writing.opt_type == OptType::Add;
        let mut asked = 0;
        for (places, answers) in self.tally.during(Stage::Unchanged, asking).await {
            for (&place, there) in places.iter().zip(answers) {
                asked += usize::from(there.is_some());
                unchanged[place] = there == Some(wanted);
            }
        }
        asked
    }

    /// Whether each of up to a hundred memberships is there; `None` where that is not known.
    async fn ask_once(&self, writing: Writing<'_>, chunk: &[Membership<'_>]) -> Vec<Option<bool>> {
        let places: HashMap<Membership<'_>, usize> = chunk.iter().copied().zip(0..).collect();
        let wanted = Wanted {
            table: &self.database.tables.memberships,
            projection: "customerKey, groupName",
            consistent: true,
            count: chunk.len(),
            key: |place: usize| writing.key(chunk[place]),
            place: |item: &Item| places.get(&writing.membership(item)?).copied(),
        };
        self.are_there(&wanted).await.into_iter().map(Result::ok).collect()
    }
}
