//! A file that was changed by an editor, and a running configuration that was changed since it was read.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::document::Document;
use super::{Change, apply};

/// What becomes of the changes when the file is read again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reread {
    /// Those that stay: the file says there what it said before.
    pub kept: Vec<Change>,
    /// Those that the file says too by now.
    pub done: Vec<Change>,
    /// Those that the file has something else for: it wins.
    pub dropped: Vec<Dropped>,
}

/// A change that isn't one any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Dropped {
    /// The change.
    pub change: Change,
    /// Why.
    pub reason: String,
}

impl Dropped {
    /// The same, without what is nobody's business.
    #[must_use]
    pub fn without_secret(self) -> Self {
        Dropped { change: self.change.without_secret(), ..self }
    }
}

/// Decides over each change, where the file that was read says `file` now.
#[must_use]
pub fn reread(file: &Document, changes: &[Change]) -> Reread {
    let mut reread = Reread::default();
    for change in changes {
        let says = file.root().at(&change.path);
        let parent = &change.path[..change.path.len().saturating_sub(1)];
        if says == change.is.as_ref() {
            reread.done.push(change.clone());
        } else if says != change.was.as_ref() {
            let now = Change { path: change.path.clone(), was: change.was.clone(), is: says.cloned() };
            let reason = format!("the file has changed there too: {}", now.without_secret());
            reread.dropped.push(Dropped { change: change.clone(), reason });
        } else if file.root().at(parent).is_none() {
            let reason = "what it belongs to isn't in the file any more".into();
            reread.dropped.push(Dropped { change: change.clone(), reason });
        } else {
            reread.kept.push(change.clone());
        }
    }
    reread
}

impl Reread {
    /// The file with the changes that stay.
    #[must_use]
    pub fn running(&self, file: &Document) -> Document {
        apply(file, &self.kept)
    }
}
