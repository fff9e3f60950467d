//! The actions of a target's programs: an enum, and the list of its values by number.

/// `Action`, and `ACTIONS`. New ones go to the end, so that the corpus keeps its meaning.
macro_rules! actions {
    ($($name:ident),* $(,)?) => {
        /// What a step does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Action { $($name),* }
        pub const ACTIONS: &[Action] = &[$(Action::$name),*];
    };
}

pub(crate) use actions;
