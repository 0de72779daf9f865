//! Packed bytes, taken one head after another. Nothing here depends on the type that is read.

use rmp::Marker;

use super::UnpackError;

/// How deep lists and maps may nest: far beyond what any type does, and far from the end of a stack.
const DEPTH: u16 = 512;

/// How a packed value begins; texts, bytes, lists and maps come with how many bytes, items or entries follow.
#[derive(Clone, Copy, Debug)]
pub(super) enum Head {
    Nil,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(usize),
    Binary(usize),
    List(usize),
    Map(usize),
    Extension(usize),
}

/// What was found, in words of the format.
impl std::fmt::Display for Head {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nil => out.write_str("nil"),
            Self::Bool(value) => write!(out, "the boolean {value}"),
            Self::Unsigned(value) => write!(out, "the number {value}"),
            Self::Signed(value) => write!(out, "the number {value}"),
            Self::Float(value) => write!(out, "the number {value}"),
            Self::Text(_) => out.write_str("a text"),
            Self::Binary(_) => out.write_str("bytes"),
            Self::List(_) => out.write_str("a list"),
            Self::Map(_) => out.write_str("a map"),
            Self::Extension(_) => out.write_str("an extension"),
        }
    }
}

/// The bytes that are still to be read.
pub(super) struct Bytes<'b> {
    rest: &'b [u8],
    depth: u16,
}

impl<'b> Bytes<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self {
            rest: bytes,
            depth: DEPTH,
        }
    }

    /// How many bytes have not been read.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Takes the next `length` bytes.
    pub(super) fn take(&mut self, length: usize) -> Result<&'b [u8], UnpackError> {
        match self.rest.split_at_checked(length) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(UnpackError::new(format!(
                "the value needs {length} more bytes where {} are left",
                self.rest.len()
            ))),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], UnpackError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn u8(&mut self) -> Result<u8, UnpackError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Result<u16, UnpackError> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, UnpackError> {
        self.array().map(u32::from_be_bytes)
    }

    /// Whether the next value is nil, which is then taken.
    pub(super) fn take_nil(&mut self) -> bool {
        let nil = self.rest.first() == Some(&Marker::Null.to_u8());
        if nil {
            self.rest = &self.rest[1..];
        }
        nil
    }

    /// Takes the head of the next value.
    pub(super) fn head(&mut self) -> Result<Head, UnpackError> {
        Ok(match Marker::from_u8(self.u8()?) {
            Marker::Null => Head::Nil,
            Marker::True => Head::Bool(true),
            Marker::False => Head::Bool(false),
            Marker::FixPos(value) => Head::Unsigned(value.into()),
            Marker::FixNeg(value) => Head::Signed(value.into()),
            Marker::U8 => Head::Unsigned(self.u8()?.into()),
            Marker::U16 => Head::Unsigned(self.u16()?.into()),
            Marker::U32 => Head::Unsigned(self.u32()?.into()),
            Marker::U64 => Head::Unsigned(u64::from_be_bytes(self.array()?)),
            Marker::I8 => Head::Signed(i8::from_be_bytes(self.array()?).into()),
            Marker::I16 => Head::Signed(i16::from_be_bytes(self.array()?).into()),
            Marker::I32 => Head::Signed(i32::from_be_bytes(self.array()?).into()),
            Marker::I64 => Head::Signed(i64::from_be_bytes(self.array()?)),
            Marker::F32 => Head::Float(f32::from_be_bytes(self.array()?).into()),
            Marker::F64 => Head::Float(f64::from_be_bytes(self.array()?)),
            Marker::FixStr(length) => Head::Text(length.into()),
            Marker::Str8 => Head::Text(self.u8()?.into()),
            Marker::Str16 => Head::Text(self.u16()?.into()),
            Marker::Str32 => Head::Text(self.u32()? as usize),
            Marker::Bin8 => Head::Binary(self.u8()?.into()),
            Marker::Bin16 => Head::Binary(self.u16()?.into()),
            Marker::Bin32 => Head::Binary(self.u32()? as usize),
            Marker::FixArray(length) => Head::List(length.into()),
            Marker::Array16 => Head::List(self.u16()?.into()),
            Marker::Array32 => Head::List(self.u32()? as usize),
            Marker::FixMap(length) => Head::Map(length.into()),
            Marker::Map16 => Head::Map(self.u16()?.into()),
            Marker::Map32 => Head::Map(self.u32()? as usize),
            Marker::FixExt1 => Head::Extension(1),
            Marker::FixExt2 => Head::Extension(2),
            Marker::FixExt4 => Head::Extension(4),
            Marker::FixExt8 => Head::Extension(8),
            Marker::FixExt16 => Head::Extension(16),
            Marker::Ext8 => Head::Extension(self.u8()?.into()),
            Marker::Ext16 => Head::Extension(self.u16()?.into()),
            Marker::Ext32 => Head::Extension(self.u32()? as usize),
            Marker::Reserved => return Err(UnpackError::new("a byte that begins no value")),
        })
    }

    /// The head of the next value, which is not taken.
    pub(super) fn peek(&mut self) -> Result<Head, UnpackError> {
        let rest = self.rest;
        let head = self.head();
        self.rest = rest;
        head
    }

    /// The text whose head was taken.
    pub(super) fn text_of(&mut self, length: usize) -> Result<&'b str, UnpackError> {
        std::str::from_utf8(self.take(length)?)
            .map_err(|error| UnpackError::new(format!("a text that is not UTF-8: {error}")))
    }

    /// Takes a text.
    pub(super) fn text(&mut self) -> Result<&'b str, UnpackError> {
        match self.head()? {
            Head::Text(length) => self.text_of(length),
            found => Err(unfit("a text", found)),
        }
    }

    /// Takes the head of a list; tells its length.
    pub(super) fn list(&mut self) -> Result<usize, UnpackError> {
        match self.head()? {
            Head::List(length) => Ok(length),
            found => Err(unfit("a list", found)),
        }
    }

    /// Takes the head of a map; tells how many entries it has.
    pub(super) fn map(&mut self) -> Result<usize, UnpackError> {
        match self.head()? {
            Head::Map(length) => Ok(length),
            found => Err(unfit("a map", found)),
        }
    }

    /// Goes one list or map deeper.
    pub(super) fn enter(&mut self) -> Result<(), UnpackError> {
        match self.depth.checked_sub(1) {
            Some(depth) => self.depth = depth,
            None => return Err(UnpackError::new("lists and maps nest too deep")),
        }
        Ok(())
    }

    /// Comes back from a list or map, of which `left` items were not asked for.
    pub(super) fn leave(&mut self, left: usize) -> Result<(), UnpackError> {
        self.depth += 1;
        match left {
            0 => Ok(()),
            _ => Err(UnpackError::new(format!(
                "a list or map holds {left} items too many"
            ))),
        }
    }

    /// Passes over the next value, however deep.
    pub(super) fn skip(&mut self) -> Result<(), UnpackError> {
        let mut wanted = 1_usize;
        while wanted > 0 {
            wanted -= 1;
            match self.head()? {
                Head::Text(length) | Head::Binary(length) => drop(self.take(length)?),
                Head::Extension(length) => drop(self.take(length + 1)?),
                Head::List(length) => wanted = wanted.saturating_add(length),
                Head::Map(length) => wanted = wanted.saturating_add(length.saturating_mul(2)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// A value of another kind than the one that belongs here.
pub(super) fn unfit(wanted: &str, found: Head) -> UnpackError {
    UnpackError::new(format!("{wanted} was expected, {found} found"))
}
