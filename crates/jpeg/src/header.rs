//! The markers before an image's data: what it is, and where its tables lie.

use crate::JpegError;

/// What the three components are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    Grey,
    YCbCr,
    Rgb,
}

/// How much finer the first component is than the others, across and down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sampling {
    pub(crate) across: usize,
    pub(crate) down: usize,
}

/// A component: the numbers of its tables.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Component {
    id: u8,
    sampling: u8,
    pub(crate) quantisation: usize,
    pub(crate) dc: usize,
    pub(crate) ac: usize,
}

/// A JPEG whose header was read: a baseline image of the usual kind.
#[derive(Debug)]
pub struct Image<'a> {
    width: usize,
    height: usize,
    pub(crate) colour: Colour,
    pub(crate) sampling: Sampling,
    pub(crate) components: [Component; 3],
    /// MCUs between two restart markers, 0 for none.
    pub(crate) restart: usize,
    /// 64 bytes, or 128 where the steps have 16 bits.
    pub(crate) quantisation: [&'a [u8]; 4],
    /// Sixteen counts, and as many symbols as they add up to.
    pub(crate) dc: [&'a [u8]; 4],
    pub(crate) ac: [&'a [u8]; 4],
    /// What follows the header, to the end of the file.
    pub(crate) data: &'a [u8],
}

const fn unsupported<T>(why: &'static str) -> Result<T, JpegError> {
    Err(JpegError::Unsupported(why))
}

/// Takes so many bytes off the front.
fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], JpegError> {
    let Some((taken, rest)) = bytes.split_at_checked(count) else { return unsupported("its header ends early") };
    *bytes = rest;
    Ok(taken)
}

fn byte(bytes: &mut &[u8]) -> Result<u8, JpegError> {
    take(bytes, 1).map(|taken| taken[0])
}

fn word(bytes: &mut &[u8]) -> Result<usize, JpegError> {
    take(bytes, 2).map(|taken| usize::from(taken[0]) << 8 | usize::from(taken[1]))
}

impl<'a> Image<'a> {
    /// Pixels of a row.
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub const fn height(&self) -> usize {
        self.height
    }

    /// Components: 1 or 3.
    pub(crate) const fn count(&self) -> usize {
        if matches!(self.colour, Colour::Grey) { 1 } else { 3 }
    }

    /// The units that the data are made of (MCUs), across and down.
    pub(crate) const fn units(&self) -> (usize, usize) {
        (self.width.div_ceil(8 * self.sampling.across), self.height.div_ceil(8 * self.sampling.down))
    }

    /// Blocks of a unit.
    const fn blocks(&self) -> usize {
        if self.count() == 1 { 1 } else { self.sampling.across * self.sampling.down + 2 }
    }

    /// Reads the header of a JPEG file.
    ///
    /// # Errors
    /// [`JpegError::Unsupported`]: no JPEG, none of the usual kind, or a broken header. [`JpegError::Broken`]: fewer data than
    /// an image of its size has at least.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, JpegError> {
        let mut image = Self {
            width: 0,
            height: 0,
            colour: Colour::Grey,
            sampling: Sampling { across: 1, down: 1 },
            components: [Component::default(); 3],
            restart: 0,
            quantisation: [&[]; 4],
            dc: [&[]; 4],
            ac: [&[]; 4],
            data: &[],
        };
        let Some(mut rest) = bytes.strip_prefix(&[0xff, 0xd8]) else { return unsupported("no JPEG") };
        let (mut jfif, mut adobe, mut count) = (false, None, 0);
        loop {
            if byte(&mut rest)? != 0xff {
                return unsupported("no marker where one is due");
            }
            let mut marker = byte(&mut rest)?;
            while marker == 0xff {
                marker = byte(&mut rest)?;
            }
            if matches!(marker, 0 | 1 | 0xd0..=0xd9) {
                return unsupported("no header");
            }
            let length = word(&mut rest)?;
            let mut part = take(&mut rest, length.saturating_sub(2))?;
            match marker {
                0xc0 | 0xc1 if count == 0 => count = image.frame(part)?,
                0xc4 => image.huffman(part)?,
                0xc0..=0xc3 | 0xc5..=0xcf | 0xdc | 0xde | 0xdf => return unsupported("another process"),
                0xdb => image.quantisation(part)?,
                0xdd => image.restart = word(&mut part)?,
                0xe0 => jfif |= part.len() >= 12 && part.starts_with(b"JFIF\0"),
                0xee if part.len() >= 12 && part.starts_with(b"Adobe") => adobe = Some(part[11]),
                0xda => {
                    image.scan(part, count)?;
                    image.data = rest;
                    break;
                }
                _ => {}
            }
        }
        if count == 3 {
            // The rules, and their order, of libjpeg.
            let rgb = match adobe {
                _ if jfif => false,
                Some(transform) => transform == 0,
                None => image.components.map(|component| component.id) == *b"RGB",
            };
            image.colour = if rgb { Colour::Rgb } else { Colour::YCbCr };
            image.sampling = sampled(&image.components, rgb)?;
        }
        let (wide, high) = image.units();
        // Each block has two codes, and each code a bit: memory that is asked for is bounded by the length of the data.
        if wide * high * image.blocks() > image.data.len() * 4 {
            return Err(JpegError::EARLY);
        }
        Ok(image)
    }

    /// SOF: the size and the components, whose number is returned.
    fn frame(&mut self, mut part: &[u8]) -> Result<usize, JpegError> {
        if byte(&mut part)? != 8 {
            return unsupported("not 8 bits");
        }
        (self.height, self.width) = (word(&mut part)?, word(&mut part)?);
        if self.height == 0 || self.width == 0 {
            return unsupported("no size");
        }
        let count = usize::from(byte(&mut part)?);
        if (count != 1 && count != 3) || part.len() != 3 * count {
            return unsupported("neither one nor three components");
        }
        for component in &mut self.components[..count] {
            (component.id, component.sampling) = (byte(&mut part)?, byte(&mut part)?);
            component.quantisation = usize::from(byte(&mut part)?);
        }
        Ok(count)
    }

    /// DHT: where the tables lie.
    fn huffman(&mut self, mut part: &'a [u8]) -> Result<(), JpegError> {
        while !part.is_empty() {
            let kind = byte(&mut part)?;
            let Some(counts) = part.first_chunk::<16>() else { return unsupported("a short Huffman table") };
            let symbols: usize = counts.iter().map(|count| usize::from(*count)).sum();
            let table = take(&mut part, 16 + symbols)?;
            let tables = if kind >> 4 == 0 { &mut self.dc } else { &mut self.ac };
            match tables.get_mut(usize::from(kind & 15)) {
                Some(place) if kind >> 4 < 2 && symbols <= 256 => *place = table,
                _ => return unsupported("a Huffman table out of range"),
            }
        }
        Ok(())
    }

    /// DQT: where the tables lie.
    fn quantisation(&mut self, mut part: &'a [u8]) -> Result<(), JpegError> {
        while !part.is_empty() {
            let kind = byte(&mut part)?;
            let table = take(&mut part, if kind >> 4 == 0 { 64 } else { 128 })?;
            match self.quantisation.get_mut(usize::from(kind & 15)) {
                Some(place) if kind >> 4 < 2 => *place = table,
                _ => return unsupported("a quantisation table out of range"),
            }
        }
        Ok(())
    }

    /// SOS: all components in their order, with tables that are there.
    fn scan(&mut self, mut part: &[u8], count: usize) -> Result<(), JpegError> {
        if usize::from(byte(&mut part)?) != count || count == 0 {
            return unsupported("several scans");
        }
        for component in &mut self.components[..count] {
            if byte(&mut part)? != component.id {
                return unsupported("components out of order");
            }
            let tables = byte(&mut part)?;
            (component.dc, component.ac) = (usize::from(tables >> 4), usize::from(tables & 15));
            let there = |tables: &[&[u8]; 4], number: usize| tables.get(number).is_some_and(|table| !table.is_empty());
            if !there(&self.dc, component.dc)
                || !there(&self.ac, component.ac)
                || !there(&self.quantisation, component.quantisation)
            {
                return unsupported("a table is missing");
            }
        }
        if part != [0, 63, 0] {
            return unsupported("a part of the coefficients");
        }
        Ok(())
    }
}

/// The sampling of three components: the first whole, the others alike and whole or halved.
fn sampled(components: &[Component; 3], rgb: bool) -> Result<Sampling, JpegError> {
    let factors = components.map(|component| component.sampling);
    let (across, down) = (usize::from(factors[0] >> 4), usize::from(factors[0] & 15));
    let known = matches!((across, down), (1 | 2, 1 | 2)) && factors[1..] == [0x11; 2];
    if !known || (rgb && (across, down) != (1, 1)) {
        return unsupported("another sampling");
    }
    Ok(Sampling { across, down })
}
