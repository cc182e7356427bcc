//! The numbers that real Keras, tf.image, MXNet and the reference's own code gave, compared with ours.
//!
//! The same checks run over two roots of the same layout: `tests/cases`, which goes with the clone and is made by
//! `tests/python/make_cases.py` and `make_bin_cases.py`, and `../shared/cases`, where that folder lies beside the clone.

#[path = "reference/data.rs"]
mod data;
#[path = "reference/figures.rs"]
mod figures;
#[path = "reference/models.rs"]
mod models;
#[path = "reference/root.rs"]
mod root;
#[path = "reference/run.rs"]
mod run;
#[path = "reference/trace.rs"]
mod trace;

use root::Root;

/// Each check, over the clone's own cases and over the shared ones.
macro_rules! over_both_roots {
    ($($name:ident: $check:path;)*) => {
        mod own {
            $(#[test] fn $name() { $check(&super::Root::own()); })*
        }
        mod shared {
            $(#[test] fn $name() { if let Some(root) = super::Root::shared() { $check(&root); } })*
        }
    };
}

over_both_roots! {
    files_of_real_keras_give_their_embeddings: crate::models::embeddings;
    weights_alone_give_the_same_embeddings: crate::models::weights;
    layers_are_those_that_keras_lists: crate::models::layers;
    training_steps_follow_keras: crate::trace::losses;
    gradients_of_the_first_step_are_keras: crate::trace::gradients;
    learning_rates_are_the_references: crate::figures::learning_rates;
    evaluation_is_the_references: crate::figures::evaluation;
    augmentation_is_tf_image: crate::figures::augmentation;
    bins_of_every_dialect_are_read: crate::data::bins;
    records_give_their_images_and_labels: crate::data::records;
}

/// What only the reference's own run shows.
#[test]
fn a_run_of_the_reference_is_read() {
    if let Some(root) = Root::shared() {
        run::reference(&root);
    }
}
