//! The centers of the center loss: a point for every class, to which its embeddings are drawn and which follows them.

use std::path::{Path, PathBuf};

use tch::{Device, Kind, Tensor};

use crate::checkpoint::npy::{self, Matrix};
use crate::checkpoint::{self, CheckpointError};
use crate::event::{Event, Level};
use crate::graph::Array;
use crate::schedule::CenterLoss;
use crate::train::emit::Emit;
use crate::train::error::TrainError;

/// The name of the centers among a checkpoint's arrays.
pub const CENTERS: &str = "centers";

/// The centers of all classes on a device, and how they are used.
#[derive(Debug)]
pub struct Centers {
    /// (C, E), fp32.
    values: Tensor,
    /// How far they move, and what their loss weighs.
    pub settings: CenterLoss,
}

impl Centers {
    /// Centers at zero, where the reference's start.
    pub fn zeros(classes: usize, embedding: usize, settings: CenterLoss, device: Device) -> Self {
        Self { values: Tensor::zeros([classes as i64, embedding as i64], (Kind::Float, device)), settings }
    }

    /// Centers from a file; none where it is that of other classes or of embeddings of another length, with what it
    /// holds as the error.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn load(
        path: &Path,
        classes: usize,
        embedding: usize,
        settings: CenterLoss,
        device: Device,
    ) -> Result<Result<Self, [usize; 2]>, CheckpointError> {
        let matrix = npy::read(path)?;
        if matrix.shape != [classes, embedding] {
            return Ok(Err(matrix.shape));
        }
        let values = Tensor::from_slice(&matrix.data).view([classes as i64, embedding as i64]).to_device(device);
        Ok(Ok(Self { values, settings }))
    }

    /// Centers that a checkpoint holds; none where it is no table of numbers.
    pub fn from_array(array: &Array, settings: CenterLoss, device: Device) -> Option<Self> {
        let [classes, length] = array.shape[..] else { return None };
        let values = Tensor::from_slice(&array.data).view([classes as i64, length as i64]).to_device(device);
        Some(Self { values, settings })
    }

    /// Classes and length of the embedding.
    pub fn shape(&self) -> [usize; 2] {
        let (classes, embedding) = self.values.size2().unwrap_or_default();
        [classes as usize, embedding as usize]
    }

    /// A copy of its own.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self { values: self.values.copy(), settings: self.settings }
    }

    /// The mean over a batch of `factor * mean((e - center)^2)`, a scalar. `embeddings` (B, E), `labels` (B) below C. The
    /// gradient goes to the embeddings.
    pub fn loss(&self, embeddings: &Tensor, labels: &Tensor) -> Tensor {
        let away = embeddings.to_kind(Kind::Float) - self.values.index_select(0, labels);
        (&away * &away).mean(Kind::Float) * self.settings.factor
    }

    /// Moves the centers of a batch's classes: `center -= alpha * (center - e) / (1 + count)`, summed over the batch's
    /// `count` embeddings of the class.
    pub fn update(&mut self, embeddings: &Tensor, labels: &Tensor) {
        tch::no_grad(|| {
            let own = self.values.index_select(0, labels);
            let away = &own - embeddings.to_kind(Kind::Float);
            // Sums over a class as a product with the matrix of equal labels: the same every time, and the same for
            // every sample of the class, so that it does not matter which of them is written last.
            let same = labels.unsqueeze(0).eq_tensor(&labels.unsqueeze(1)).to_kind(Kind::Float);
            let count = same.sum_dim_intlist([1i64].as_slice(), true, None);
            let moved = own - same.matmul(&away) * (count + 1.0).reciprocal() * self.settings.alpha;
            let _ = self.values.index_copy_(0, labels, &moved);
        });
    }

    /// The centers on the host, to be written elsewhere.
    pub fn snapshot(&self) -> Tensor {
        let host = self.values.to_device(Device::Cpu);
        if self.values.device() == Device::Cpu { host.copy() } else { host }
    }
}

/// The centers for a stage whose center loss is `settings` and whose classes and embedding length are `shape`: `known`
/// ones that fit, else those of the first of `files` that is there (unless centers were known), else at zero.
///
/// # Errors
/// A file that holds no centers.
pub fn prepare(
    known: Option<Centers>,
    settings: CenterLoss,
    shape: [usize; 2],
    files: &[PathBuf],
    device: Device,
    emit: &Emit,
) -> Result<Centers, TrainError> {
    let [classes, length] = shape;
    let fresh = || Centers::zeros(classes, length, settings, device);
    if let Some(mut centers) = known {
        centers.settings = settings;
        return Ok(if centers.shape() == shape { centers } else { fresh() });
    }
    let Some(path) = files.iter().find(|path| path.is_file()) else { return Ok(fresh()) };
    let loaded = match Centers::load(path, classes, length, settings, device) {
        Ok(loaded) => loaded,
        Err(error) => {
            let (model, centers) =
                of_state(path, settings, device).ok_or_else(|| TrainError::from_diagnostic(&error))?;
            let message = format!("{error}; those in `{}` are used", model.display());
            emit(Event::Log { level: Level::Warning, message });
            let found = centers.shape();
            if found == shape { Ok(centers) } else { Err(found) }
        }
    };
    let shown = path.display();
    let (level, message, centers) = match loaded {
        Ok(centers) => (Level::Info, format!("class centers from `{shown}`"), centers),
        Err([other, long]) => (
            Level::Warning,
            format!(
                "the class centers start at zero: `{shown}` has {other} of length {long}, this run has {classes} of \
                 length {length}"
            ),
            fresh(),
        ),
    };
    emit(Event::Log { level, message });
    Ok(centers)
}

/// The centers in the whole model beside a file of centers that cannot be used: the state in it has them too.
fn of_state(path: &Path, settings: CenterLoss, device: Device) -> Option<(PathBuf, Centers)> {
    let stem = path.file_stem()?.to_str()?;
    let model = path.with_file_name(format!("{}.h5", stem.strip_suffix("_centers")?));
    if !checkpoint::verify(&model).ok()? {
        return None;
    }
    let extras = checkpoint::read(&model).ok()?.extras;
    let centers = Centers::from_array(extras.arrays.get(CENTERS)?, settings, device)?;
    Some((model, centers))
}

/// Writes centers of [`Centers::snapshot`] as `NumPy` has them. Returns the number of bytes.
///
/// # Errors
/// The file cannot be written.
pub fn save(path: &Path, snapshot: &Tensor) -> Result<u64, CheckpointError> {
    let (rows, columns) = snapshot.size2().unwrap_or_default();
    let mut data = vec![0f32; snapshot.numel()];
    snapshot.copy_data(&mut data, snapshot.numel());
    npy::write(path, &Matrix { shape: [rows as usize, columns as usize], data })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: CenterLoss = CenterLoss { alpha: 0.5, factor: 2.0 };

    #[test]
    fn centers_follow_their_class_and_no_other() {
        let mut centers = Centers::zeros(3, 2, SETTINGS, Device::Cpu);
        let embeddings = Tensor::from_slice(&[1f32, 0.0, 3.0, 0.0, 0.0, -4.0]).view([3, 2]);
        let labels = Tensor::from_slice(&[1i64, 1, 2]);
        // (1 + 0 + 9 + 0 + 0 + 16) / 6 elements, times the factor.
        assert!((centers.loss(&embeddings, &labels).double_value(&[]) - 26.0 / 3.0).abs() < 1e-6);
        centers.update(&embeddings, &labels);
        let wanted = Tensor::from_slice(&[0f32, 0.0, 0.5 * 4.0 / 3.0, 0.0, 0.0, -1.0]).view([3, 2]);
        assert!((centers.snapshot() - wanted).abs().max().double_value(&[]) < 1e-6);
    }

    #[test]
    fn bf16_embeddings_are_taken_and_the_gradient_is_theirs() {
        let centers = Centers::zeros(3, 2, SETTINGS, Device::Cpu);
        let embeddings = Tensor::from_slice(&[1f32, -2.0]).view([1, 2]).to_kind(Kind::BFloat16).set_requires_grad(true);
        centers.loss(&embeddings, &Tensor::from_slice(&[0i64])).backward();
        // factor * 2 e / E
        assert!((embeddings.grad().double_value(&[0, 1]) + 4.0).abs() < 1e-2);
    }

    #[test]
    fn files_bring_them_back_and_other_sizes_are_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x_centers.npy");
        let mut centers = Centers::zeros(3, 2, SETTINGS, Device::Cpu);
        centers.update(&Tensor::ones([1, 2], (Kind::Float, Device::Cpu)), &Tensor::from_slice(&[2i64]));
        save(&path, &centers.snapshot()).expect("writes");
        let back = Centers::load(&path, 3, 2, SETTINGS, Device::Cpu).expect("reads").expect("fits");
        assert!(back.snapshot().equal(&centers.snapshot()));
        let other = Centers::load(&path, 4, 2, SETTINGS, Device::Cpu).expect("reads");
        assert_eq!(other.err(), Some([3, 2]));
        assert!(Centers::load(&folder.path().join("none.npy"), 3, 2, SETTINGS, Device::Cpu).is_err());
        // Damaged, and without a model beside it.
        let mut bytes = std::fs::read(&path).expect("reads");
        bytes[130] ^= 1;
        std::fs::write(&path, bytes).expect("writes");
        let emit: Emit = std::sync::Arc::new(|_| {});
        let error = prepare(None, SETTINGS, [3, 2], &[path], Device::Cpu, &emit).expect_err("is refused");
        assert!(error.message.contains("x_centers.npy`") && error.message.contains("it is damaged"), "{error:?}");
        assert!(error.help.is_some_and(|help| help.contains("move the file away")));
    }
}
