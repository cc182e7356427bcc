//! The window of a convolution or pooling: kernel size, strides, padding and dilation.

/// Padding of a convolution or pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// None: the window stays inside.
    Valid,
    /// TensorFlow's: output `ceil(n / stride)`; an odd pixel goes to the bottom and right.
    Same,
}

/// A kernel that slides: its size, strides and padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Steps down and right.
    pub strides: [usize; 2],
    /// What lies outside.
    pub padding: Padding,
    /// Distance between the kernel's taps.
    pub dilation: [usize; 2],
}

impl Window {
    /// A square kernel.
    pub const fn square(kernel: usize, stride: usize, padding: Padding) -> Self {
        Self { kernel: [kernel; 2], strides: [stride; 2], padding, dilation: [1; 2] }
    }
}
