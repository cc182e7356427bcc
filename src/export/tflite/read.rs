//! The bytes of a `.tflite` file back into a [`Model`], every offset checked by the flatbuffers verifier and every
//! statement of the file compared with the others: what is written is read back before it is kept.

use std::collections::HashSet;

use flatbuffers::{InvalidFlatbuffer, Verifiable as _, Verifier, VerifierOptions};

use super::int8::scales::Quantization;
use super::model::{INPUT, Model, OUTPUT, Operator};
use super::op::{Op, Scalar};
use super::tensor::{Kind, Tensor};
use super::write::{ALIGNMENT, IDENTIFIER, slot};

/// Reads a file that facetui wrote.
///
/// # Errors
/// In words: bytes that are no such file, or that contradict themselves.
pub(super) fn read(bytes: &[u8]) -> Result<Model, String> {
    if bytes.get(4..8) != Some(IDENTIFIER.as_bytes()) {
        return Err(format!("it is not a TFLite file: the identifier `{IDENTIFIER}` is missing"));
    }
    let options = VerifierOptions { max_tables: usize::MAX, max_apparent_size: usize::MAX, ..Default::default() };
    let mut reader = Reader { verifier: Verifier::new(&options, bytes), bytes };
    let model = reader.model().map_err(|error| match error {
        Problem::Flatbuffer(error) => format!("its tables are damaged: {error}"),
        Problem::Content(what) => what,
    })?;
    check(&model)?;
    Ok(model)
}

enum Problem {
    Flatbuffer(InvalidFlatbuffer),
    Content(String),
}

impl From<InvalidFlatbuffer> for Problem {
    fn from(error: InvalidFlatbuffer) -> Self {
        Self::Flatbuffer(error)
    }
}

fn problem<T>(what: impl Into<String>) -> Result<T, Problem> {
    Err(Problem::Content(what.into()))
}

type Found<T> = Result<T, Problem>;

/// The verifier as a cursor: nothing is looked at that it has not found inside the bytes.
struct Reader<'a> {
    verifier: Verifier<'a, 'a>,
    bytes: &'a [u8],
}

impl Reader<'_> {
    /// Where a field of a table lies; none where it has its default.
    fn field(&mut self, table: usize, place: u16) -> Found<Option<usize>> {
        let mut visit = self.verifier.visit_table(table)?;
        let at = visit.deref(slot(place))?;
        visit.finish();
        Ok(at)
    }

    /// Where what a field points to lies.
    fn target(&mut self, table: usize, place: u16) -> Found<Option<usize>> {
        let Some(at) = self.field(table, place)? else { return Ok(None) };
        Ok(Some(at.saturating_add(self.verifier.get_uoffset(at)? as usize)))
    }

    fn byte(&mut self, table: usize, place: u16, none: u8) -> Found<u8> {
        Ok(match self.field(table, place)? {
            Some(at) => self.verifier.get_u8(at)?,
            None => none,
        })
    }

    fn number(&mut self, table: usize, place: u16, none: u32) -> Found<u32> {
        Ok(match self.field(table, place)? {
            Some(at) => self.verifier.get_uoffset(at)?,
            None => none,
        })
    }

    fn text(&mut self, table: usize, place: u16) -> Found<String> {
        let Some(at) = self.target(table, place)? else { return Ok(String::new()) };
        <&str>::run_verifier(&mut self.verifier, at)?;
        Ok(String::from_utf8_lossy(self.elements(at, 1)?).into_owned())
    }

    /// The elements of the vector that lies somewhere, `size` bytes each.
    fn elements(&mut self, at: usize, size: usize) -> Found<&[u8]> {
        let count = self.verifier.get_uoffset(at)? as usize;
        self.verifier.range_in_buffer(at + 4, count.saturating_mul(size))?;
        Ok(&self.bytes[at + 4..at + 4 + count * size])
    }

    /// The numbers of the vector a field points to.
    fn numbers(&mut self, table: usize, place: u16) -> Found<Option<Vec<u32>>> {
        let Some(at) = self.target(table, place)? else { return Ok(None) };
        let elements = self.elements(at, 4)?.chunks_exact(4);
        Ok(Some(elements.map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).collect()))
    }

    fn ints(&mut self, table: usize, place: u16) -> Found<Option<Vec<i32>>> {
        Ok(self.numbers(table, place)?.map(|numbers| numbers.into_iter().map(u32::cast_signed).collect()))
    }

    /// Where the tables of the vector a field points to lie.
    fn tables(&mut self, table: usize, place: u16) -> Found<Vec<usize>> {
        let Some(at) = self.target(table, place)? else { return Ok(Vec::new()) };
        let offsets = self.numbers(table, place)?.unwrap_or_default();
        Ok(offsets.iter().enumerate().map(|(index, offset)| at + 4 + 4 * index + *offset as usize).collect())
    }

    fn model(&mut self) -> Found<Model> {
        let root = self.verifier.get_uoffset(0)? as usize;
        let version = self.number(root, 0, 0)?;
        if version != 3 {
            return problem(format!("its schema has version {version}; expected 3"));
        }
        let graphs = self.tables(root, 2)?;
        let [graph] = graphs[..] else { return problem(format!("it holds {} graphs; expected 1", graphs.len())) };
        let buffers = self.tables(root, 4)?;
        let mut codes = Vec::new();
        for table in self.tables(root, 1)? {
            codes.push((self.number(table, 3, 0)?.cast_signed(), self.number(table, 2, 1)?.cast_signed()));
        }
        let mut model = Model { description: self.text(root, 3)?, ..Model::default() };
        for table in self.tables(graph, 0)? {
            let tensor = self.tensor(table, &buffers)?;
            model.tensors.push(tensor);
        }
        for table in self.tables(graph, 3)? {
            let (operator, version) = self.operator(table, &codes, model.tensors.len())?;
            let expected = model.version(&operator);
            if version != expected {
                return problem(format!("an operator {:?} has version {version}; expected {expected}", operator.op));
            }
            model.operators.push(operator);
        }
        model.input = self.only(graph, 1, model.tensors.len())?;
        model.output = self.only(graph, 2, model.tensors.len())?;
        for table in self.tables(root, 6)? {
            let (name, place) = (self.text(table, 0)?, self.number(table, 1, 0)?);
            let bytes = self.buffer(&buffers, place)?.unwrap_or_default();
            model.metadata.push((name, bytes));
        }
        if !model.metadata.iter().any(|(name, _)| name == "min_runtime_version") {
            return problem("it does not say which runtime it needs");
        }
        model.metadata.retain(|(name, _)| name != "min_runtime_version");
        self.signature(root, &model)?;
        Ok(model)
    }

    /// The only element of a list of tensors.
    fn only(&mut self, table: usize, place: u16, count: usize) -> Found<usize> {
        match self.numbers(table, place)?.as_deref() {
            Some(&[id]) if (id as usize) < count => Ok(id as usize),
            found => problem(format!("a list of tensors is {found:?}; expected 1 of {count}")),
        }
    }

    fn buffer(&mut self, buffers: &[usize], place: u32) -> Found<Option<Vec<u8>>> {
        let Some(&table) = buffers.get(place as usize) else {
            return problem(format!("buffer {place} is not among the {}", buffers.len()));
        };
        let Some(at) = self.target(table, 0)? else { return Ok(None) };
        if !(at + 4).is_multiple_of(ALIGNMENT) {
            return problem(format!("buffer {place} does not lie on a boundary of {ALIGNMENT} bytes"));
        }
        Ok(Some(self.elements(at, 1)?.to_vec()))
    }

    fn tensor(&mut self, table: usize, buffers: &[usize]) -> Found<Tensor> {
        let name = self.text(table, 3)?;
        let code = self.byte(table, 1, 0)?;
        let Some(kind) = Kind::from_code(code) else {
            return problem(format!("tensor `{name}` has the unknown number format {code}"));
        };
        let place = self.number(table, 2, 0)?;
        let data = self.buffer(buffers, place)?;
        let quantization = match self.target(table, 4)? {
            Some(table) => Some(self.quantization(table, &name)?),
            None => None,
        };
        let shape = self.ints(table, 0)?.unwrap_or_default();
        let signature = self.ints(table, 7)?;
        Ok(Tensor { name, shape, signature, kind, quantization, data })
    }

    fn quantization(&mut self, table: usize, name: &str) -> Found<Quantization> {
        let scales: Vec<f32> = self.numbers(table, 2)?.unwrap_or_default().into_iter().map(f32::from_bits).collect();
        let zeros = match self.target(table, 3)? {
            Some(at) => self.elements(at, 8)?.chunks_exact(8).map(long).collect(),
            None => Vec::new(),
        };
        let axis = self.number(table, 6, 0)?.cast_signed();
        let makes_sense = |scale: &f32| scale.is_finite() && *scale > 0.0;
        let alike = zeros.iter().all(|zero| Some(zero) == zeros.first());
        if scales.is_empty() || scales.len() != zeros.len() || !alike || !scales.iter().all(makes_sense) {
            return problem(format!("tensor `{name}` has no quantisation that makes sense"));
        }
        Ok(Quantization { scales, zero_point: zeros[0], axis })
    }

    fn operator(&mut self, table: usize, codes: &[(i32, i32)], tensors: usize) -> Found<(Operator, i32)> {
        let place = self.number(table, 0, 0)? as usize;
        let Some(&(code, version)) = codes.get(place) else {
            return problem(format!("operator code {place} is not among the {}", codes.len()));
        };
        let options = self.target(table, 4)?;
        let mut failed = None;
        let mut get = |place: u16, none: Scalar| {
            let Some(table) = options else { return none };
            let value = match none {
                Scalar::Byte(none) => self.byte(table, place, none).map(Scalar::Byte),
                Scalar::Int(none) => {
                    self.number(table, place, none.cast_unsigned()).map(|value| Scalar::Int(value.cast_signed()))
                }
                Scalar::Float(none) => {
                    self.number(table, place, none.to_bits()).map(|value| Scalar::Float(f32::from_bits(value)))
                }
            };
            value.unwrap_or_else(|error| {
                failed.get_or_insert(error);
                none
            })
        };
        let op = Op::read(code, &mut get);
        if let Some(error) = failed {
            return Err(error);
        }
        let Some(op) = op else { return problem(format!("operator {code} is unknown")) };
        let kind = self.byte(table, 3, 0)?;
        if kind != op.entry().options {
            return problem(format!("operator {} has options of kind {kind}", op.entry().name));
        }
        let inputs = self.numbers(table, 1)?.unwrap_or_default();
        if let Some(wrong) = inputs.iter().find(|id| **id as usize >= tensors) {
            return problem(format!("operator {} takes tensor {wrong} of {tensors}", op.entry().name));
        }
        let inputs = inputs.into_iter().map(|id| id as usize).collect();
        let output = self.only(table, 2, tensors)?;
        Ok((Operator { op, inputs, output }, version))
    }

    fn signature(&mut self, root: usize, model: &Model) -> Found<()> {
        let signatures = self.tables(root, 7)?;
        let [table] = signatures[..] else {
            return problem(format!("it has {} signatures; expected 1", signatures.len()));
        };
        for (place, name, id) in [(0, INPUT, model.input), (1, OUTPUT, model.output)] {
            let entries = self.tables(table, place)?;
            let [entry] = entries[..] else { return problem("its signature lists no single tensor") };
            let (found, tensor) = (self.text(entry, 0)?, self.number(entry, 1, 0)? as usize);
            if found != name || tensor != id {
                return problem(format!("its signature calls tensor {tensor} `{found}`; expected {id}, `{name}`"));
            }
        }
        Ok(())
    }
}

fn long(bytes: &[u8]) -> i64 {
    let mut long = [0; 8];
    long.copy_from_slice(bytes);
    i64::from_le_bytes(long)
}

/// What the tables say of each other.
fn check(model: &Model) -> Result<(), String> {
    for tensor in &model.tensors {
        let name = &tensor.name;
        if tensor.shape.iter().any(|size| *size < 1) {
            return Err(format!("tensor `{name}` has the shape {:?}", tensor.shape));
        }
        let bytes = tensor.len().saturating_mul(tensor.kind.size());
        if let Some(data) = tensor.data.as_ref().filter(|data| data.len() != bytes) {
            return Err(format!("tensor `{name}` has {} bytes; expected {bytes}", data.len()));
        }
        if let Some(signature) = &tensor.signature {
            let fits = |(one, other): (&i32, &i32)| one == other || *one == -1;
            if signature.len() != tensor.shape.len() || !signature.iter().zip(&tensor.shape).all(fits) {
                return Err(format!("tensor `{name}` has the shape {:?}, but says {signature:?}", tensor.shape));
            }
        }
        if let Some(quantization) = &tensor.quantization {
            let axis = tensor.shape.get(quantization.axis as usize).map_or(0, |size| *size as usize);
            if quantization.scales.len() != 1 && quantization.scales.len() != axis {
                return Err(format!("tensor `{name}` has {} scales; expected {axis}", quantization.scales.len()));
            }
        }
    }
    let mut known: HashSet<usize> = (0..model.tensors.len()).filter(|id| model.tensors[*id].data.is_some()).collect();
    known.insert(model.input);
    for operator in &model.operators {
        let name = operator.op.entry().name;
        if let Some(early) = operator.inputs.iter().find(|input| !known.contains(input)) {
            return Err(format!("operator {name} takes `{}` before it is there", model.tensors[*early].name));
        }
        if !known.insert(operator.output) {
            return Err(format!("operator {name} makes `{}` again", model.tensors[operator.output].name));
        }
    }
    if known.contains(&model.output) { Ok(()) } else { Err("nothing makes its output".to_owned()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::op::{Fused, Sliding};
    use super::super::write::write;
    use super::*;

    /// A dense layer on quantised numbers, and one of every operator behind it.
    fn small() -> Model {
        let mut model = Model { description: "small".to_owned(), ..Model::default() };
        let flow = |model: &mut Model, name: &str, kind| model.flow(name, kind, vec![1, 3], vec![-1, 3]);
        model.input = flow(&mut model, "images", Kind::Float32);
        let mut last = flow(&mut model, "q", Kind::Int8);
        model.tensors[last].quantization = Some(Quantization::whole(0.5, -3));
        model.operator(Op::Quantize, vec![model.input], last);
        let back = flow(&mut model, "f", Kind::Float32);
        last = model.operator(Op::Dequantize, vec![last], back);
        let kernel = model.floats("kernel", vec![3, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
        let bias = model.floats("bias", vec![3], &[0.5; 3]);
        let at = Sliding { strides: [1, 2], dilation: [3, 4], same: true, fused: Fused::Relu6 };
        let ops = [Op::FullyConnected(Fused::Relu, true), Op::Conv2d(at), Op::LeakyRelu(0.25), Op::Concatenation(-1)];
        for (number, op) in ops.into_iter().enumerate() {
            let next = flow(&mut model, &format!("flow{number}"), Kind::Float32);
            let inputs = if number < 2 { vec![last, kernel, bias] } else { vec![last] };
            last = model.operator(op, inputs, next);
        }
        model.output = last;
        model.metadata.push(("facetui".to_owned(), b"{}".to_vec()));
        model
    }

    #[test]
    fn what_is_written_comes_back() {
        let model = small();
        let bytes = write(&model).expect("is small");
        assert_eq!(bytes.len() % ALIGNMENT, 0);
        assert_eq!(read(&bytes), Ok(model));
    }

    #[test]
    fn contradictions_are_named() {
        let mut model = small();
        model.operators.swap(0, 1);
        let error = read(&write(&model).expect("is small")).expect_err("is refused");
        assert!(error.contains("before it is there"), "{error}");
        let mut model = small();
        model.tensors[3].shape = vec![4, 3];
        let error = read(&write(&model).expect("is small")).expect_err("is refused");
        assert!(error.contains("`kernel` has 36 bytes; expected 48"), "{error}");
        assert!(read(b"no file").is_err());
    }

    proptest! {
        #[test]
        fn damaged_files_are_errors(at in 0usize..4000, byte in any::<u8>(), length in 0usize..4000) {
            let mut bytes = write(&small()).expect("is small");
            let place = at % bytes.len();
            bytes[place] = byte;
            let _ = read(&bytes);
            bytes.truncate(length % bytes.len());
            prop_assert!(read(&bytes).is_err());
        }
    }
}
