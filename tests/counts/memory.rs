//! The largest backbones of the reference take a whole training step on a small machine: in a process of its own, so
//! that its peak memory is theirs.

use facetui::nn::Network;
use facetui::schedule::{Backbone, HeadKind, Loss, ModelSource, Optimizer};
use facetui::train::optim::optimizer::OptimizerState;
use facetui::train::{model, step};
use tch::{Device, Kind, Tensor};

use crate::alone::in_a_process;

/// Images a step.
const BATCH: i64 = 8;
/// What a step may take at its peak, in MiB.
const LIMIT: u64 = 8 * 1024;

/// The most memory this process has held, in MiB; none where the system does not say.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes / 1024)
}

#[test]
fn the_deep_resnets_train_within_eight_gibibytes() {
    in_a_process("memory::the_deep_resnets_train_within_eight_gibibytes", measure);
}

fn measure() {
    for kind in ["resnet50v2", "resnet101v2"] {
        let backbone = Backbone { dropout: 0.4, ..Backbone::new(kind, 512) };
        let start = model::start(&ModelSource::Backbone(backbone), 1).expect("builds");
        let (mut network, _): (Network, bool) =
            model::with_head(start, HeadKind::Arcface, 1000, 1, Device::Cpu, Kind::Float).expect("fits");
        let rule = Optimizer::ADAM;
        let mut optimizer = OptimizerState::new(rule, &network.parameters.flat);
        let images = Tensor::rand([BATCH, 112, 112, 3], (Kind::Float, Device::Cpu)).permute([0, 3, 1, 2]) * 2.0 - 1.0;
        let labels = Tensor::arange(BATCH, (Kind::Int64, Device::Cpu));
        let loss = Loss::Arcface { margin1: 1.0, margin2: 0.5, margin3: 0.0, scale: 64.0 };
        let started = std::time::Instant::now();
        for _ in 0..2 {
            let result = step::step(&mut network, &mut optimizer, &loss, &images, &labels, 0.001, false);
            assert!(result.loss.double_value(&[]).is_finite(), "{kind}");
        }
        let Some(peak) = peak() else { return };
        eprintln!("{kind}: {peak} MiB at most, two steps in {:.1} s", started.elapsed().as_secs_f64());
        assert!(peak < LIMIT, "{kind} took {peak} MiB");
    }
}
