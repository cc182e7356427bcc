//! The reader against bytes that Python would write, and against any bytes at all.

use proptest::prelude::*;

use super::*;

fn root(bytes: &[u8]) -> Result<Object<'_>, String> {
    let pickle = Pickle::read(bytes).map_err(|error| error.to_string())?;
    Ok(pickle.get(pickle.root()).clone())
}

fn refused(bytes: &[u8]) -> String {
    root(bytes).expect_err("is refused")
}

#[test]
fn strings_of_every_protocol_are_the_same_bytes() {
    for pickled in [
        &b"S'\\xff\\'\\n\\\\\\101'\np0\n."[..],
        b"S\"\\xff'\\n\\\\A\"\n.",
        b"\x80\x02U\x05\xff'\n\\Aq\0.",
        b"\x80\x02T\x05\0\0\0\xff'\n\\A.",
        b"\x80\x03C\x05\xff'\n\\A.",
        b"\x80\x04\x8e\x05\0\0\0\0\0\0\0\xff'\n\\A.",
        b"\x80\x05\x96\x05\0\0\0\0\0\0\0\xff'\n\\A\x98.",
        // Python 3 under protocols 0 and 2.
        b"c_codecs\nencode\np0\n(V\xff'\\u000a\\u005cA\np1\nVlatin1\np2\ntp3\nRp4\n.",
        b"\x80\x02c_codecs\nencode\nq\0X\x06\0\0\0\xc3\xbf'\n\\Aq\x01X\x06\0\0\0latin1q\x02\x86q\x03Rq\x04.",
        b"\x80\x02c__builtin__\nbytearray\nX\x06\0\0\0\xc3\xbf'\n\\AX\x07\0\0\0latin-1\x86R.",
    ] {
        assert_eq!(root(pickled), Ok(Object::Bytes(b"\xff'\n\\A".into())), "{}", pickled.escape_ascii());
    }
}

#[test]
fn numbers_and_flags_of_every_protocol() {
    for (pickled, wanted) in [
        (&b"I01\n."[..], Object::Bool(true)),
        (b"I-7\n.", Object::Int(-7)),
        (b"L12L\n.", Object::Int(12)),
        (b"L99999999999999999999L\n.", Object::HugeInt),
        (b"J\xfe\xff\xff\xff.", Object::Int(-2)),
        (b"M\x01\x01.", Object::Int(257)),
        (b"\x8a\x02\x00\xff.", Object::Int(-256)),
        (b"\x8a\0.", Object::Int(0)),
        (b"F1.5\n.", Object::Float(1.5)),
        (b"G\x3f\xf8\0\0\0\0\0\0.", Object::Float(1.5)),
        (b"\x88.", Object::Bool(true)),
        (b"N.", Object::None),
    ] {
        assert_eq!(root(pickled), Ok(wanted), "{}", pickled.escape_ascii());
    }
}

#[test]
fn other_names_are_refused_by_name_and_place() {
    let wanted = "at byte 2: the pickle names `os.system`, which is refused: a bin needs byte strings, lists, flags and \
                  NumPy arrays only";
    assert_eq!(refused(b"\x80\x02cos\nsystem\n(S'true'\ntR."), wanted);
    assert!(refused(b"\x80\x04\x8c\x05posix\x8c\x06system\x93.").contains("`posix.system`"));
    assert!(refused(b"(ios\nsystem\n.").contains("`os.system`"));
    assert!(refused(b"cnumpy.core.multiarray\nfromfile\n.").contains("fromfile"));
    assert!(refused(b"cmultiarray\nscalar\n.").contains("multiarray.scalar"));
}

#[test]
fn damage_is_named_with_its_place() {
    for (pickled, words) in [
        (&b""[..], "the file is empty"),
        (b"\x80\x09.", "protocol 9"),
        (b"\xff\xd8\xff\xe0", "the file is not a pickle: there is no instruction"),
        (b"]h\x07.", "object 7 is referred to"),
        (b"T\xff\xff\xff\x7fabc", "a byte string of 2147483647 bytes was expected, but 3 are left"),
        (b"\x8e\xff\xff\xff\xff\xff\xff\xff\xffabc", "cut short"),
        (b"(a.", "an object is missing"),
        (b"N(t1.", "an object is missing"),
        (b"K\x01K\x02a.", "items are added to the number 1"),
        (b"cnumpy\nndarray\n)R.", "not understood"),
        (b"S'abc\n.", "a quoted string was expected"),
        (b"\x97.", "outside of the file"),
        (b"Pname\n.", "outside of it"),
    ] {
        let message = refused(pickled);
        assert!(message.contains(words), "{}: {message}", pickled.escape_ascii());
    }
}

#[test]
fn deep_and_circular_pickles_end() {
    let deep = |lists: usize| [vec![b']'; lists], vec![b'a'; lists - 1], vec![b'.']].concat();
    let many = deep(1_000_000);
    let million = Pickle::read(&many).expect_err("more objects than a bin of its size has");
    assert!(million.to_string().contains("too many"), "{million}");
    let some = deep(9_000);
    let pickle = Pickle::read(&some).expect("is a list");
    assert_eq!(pickle.items(pickle.root()).map(<[Id]>::len), Some(1));
    let circle = Pickle::read(b"]p0\ng0\na.").expect("is a list");
    assert_eq!(circle.items(circle.root()), Some(&[circle.root()][..]));
}

#[test]
fn what_is_repeated_is_held_once() {
    // One text of 100,000 characters, encoded ten thousand times.
    let mut pickled = b"c_codecs\nencode\np0\n0X\xa0\x86\x01\0".to_vec();
    pickled.extend(vec![b'a'; 100_000]);
    pickled.extend(b"p1\n0Vlatin1\np2\n0(");
    for _ in 0..10_000 {
        pickled.extend(b"g0\n(g1\ng2\ntR");
    }
    pickled.extend(b"l.");
    let pickle = Pickle::read(&pickled).expect("is a list");
    let items = pickle.items(pickle.root()).expect("is a list");
    assert_eq!(items.len(), 10_000);
    assert!(items.iter().all(|item| *item == items[0]));
}

#[test]
fn element_types_are_numpys() {
    let number = |code: &[u8], bytes: &[u8]| Dtype::parse(code).expect("is one").number(bytes);
    assert_eq!(number(b"|b1", &[1]), Some(1.0));
    assert_eq!(number(b"?", &[0]), Some(0.0));
    assert_eq!(number(b"<i2", &[0xfe, 0xff]), Some(-2.0));
    assert_eq!(number(b">i4", &[0, 0, 1, 0]), Some(256.0));
    assert_eq!(number(b">f4", &1.5f32.to_be_bytes()), Some(1.5));
    assert_eq!(number(b"<f8", &1.0f64.to_le_bytes()), Some(1.0));
    assert_eq!(number(b"i3", &[0, 0, 1]), None);
    assert_eq!(Dtype::parse(b""), None);
    assert_eq!(Dtype::parse(b"uX"), None);
}

/// Pickles that hold every instruction that is understood, for the properties below.
fn seeds() -> Vec<Vec<u8>> {
    let array = b"\x80\x04\x95\x20\0\0\0\0\0\0\0]\x94(\x8c\x15numpy.core.multiarray\x94\x8c\x0c_reconstruct\x94\x93\x94\
        \x8c\x05numpy\x94\x8c\x07ndarray\x94\x93\x94K\0\x85\x94C\x01b\x94\x87\x94R\x94(K\x01K\x02\x85\x94h\x04\x8c\x05dtype\
        \x94\x93\x94\x8c\x02u1\x94\x89\x88\x87\x94R\x94(K\x03\x8c\x01|\x94NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0t\x94b\
        \x89C\x02ab\x94t\x94be]\x94(\x88\x89e\x86\x94.";
    let two = b"((lp0\nS'a\\x00'\np1\naS'b'\np2\na(lp3\nI01\naI00\natp4\n.";
    let three = b"\x80\x03](B\x02\0\0\0abX\x02\0\0\0cdL5L\nF1.5\nG\0\0\0\0\0\0\0\0M\x01\0Nq\x01r\x02\0\0\0h\x012e}(K\x01K\x02us0.";
    vec![array.to_vec(), two.to_vec(), three.to_vec()]
}

#[test]
fn an_array_of_python_is_read() {
    let bytes = &seeds()[0];
    let pickle = Pickle::read(bytes).expect("reads");
    let lists = pickle.items(pickle.root()).expect("a tuple");
    let images = pickle.items(lists[0]).expect("a list");
    let Object::Array(array) = pickle.get(images[0]) else { panic!("{}", pickle.describe(images[0])) };
    assert_eq!(pickle.array_bytes(array).expect("fits").1, b"ab");
    assert_eq!(pickle.describe(images[0]), "a NumPy array of uint8 and shape (2)");
}

proptest! {
    #[test]
    fn any_bytes_end_well(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Pickle::read(&bytes);
    }

    #[test]
    fn any_instructions_end_well(
        codes in proptest::collection::vec(
            proptest::sample::select(&b"()]}tleasud2101NKIpqghRb\x85\x86\x87\x88\x89\x8a\x8f\x90\x91\x93\x94\x98c."[..]), 0..200
        ),
    ) {
        let _ = Pickle::read(&codes);
    }

    #[test]
    fn damaged_pickles_end_well(seed in 0usize..3, cut in any::<proptest::sample::Index>(), flips in
        proptest::collection::vec((any::<proptest::sample::Index>(), 0u8..8), 0..4)) {
        let mut bytes = seeds()[seed].clone();
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        if let Ok(pickle) = Pickle::read(&bytes) {
            pickle.describe(pickle.root());
        }
        let _ = Pickle::read(&bytes[..cut.index(bytes.len())]);
    }
}
