//! Where a caller in C wants its answers, and what it gave. The only place that follows its pointers.

use crate::answer::{Answer, Code};
use std::ffi::{CStr, c_char, c_uint};

/// Room for one value that the caller owns. One can only be had as a parameter of an exported function.
#[repr(transparent)]
pub(crate) struct Out<T>(*mut T);

impl<T> Out<T> {
    pub(crate) fn put(&self, value: T) -> Answer<()> {
        if self.0.is_null() {
            return Err(Code::INVALID_ARGUMENT);
        }
        // SAFETY: NVML's contract is that a pointer which is not null has room for a `T` of the caller's, for the time of the call.
        unsafe { self.0.write(value) };
        Ok(())
    }
}

/// A value that the caller has filled in and gets back changed.
#[repr(transparent)]
pub(crate) struct InOut<T>(*mut T);

impl<T> InOut<T> {
    /// Nobody else reads or writes it during the call.
    pub(crate) fn get(&mut self) -> Answer<&mut T> {
        // SAFETY: as for `Out`, and the contract says that it was filled in; the borrow ends with the call.
        unsafe { self.0.as_mut() }.ok_or(Code::INVALID_ARGUMENT)
    }

    /// The same place in a later shape, which begins alike and is larger.
    ///
    /// # Safety
    /// The caller of NVML has said, by the version in it, that it is of that shape.
    pub(crate) unsafe fn later<U>(&mut self) -> Answer<&mut U> {
        // SAFETY: as for `get`, for the shape that was told.
        unsafe { self.0.cast::<U>().as_mut() }.ok_or(Code::INVALID_ARGUMENT)
    }
}

/// Room for several values; how many is told beside it.
#[repr(transparent)]
pub(crate) struct Array<T>(*mut T);

impl<T> Array<T> {
    /// One that stands in a structure of the caller's.
    ///
    /// # Safety
    /// It is null, or has room for as many as the structure says, for the time of the call.
    pub(crate) unsafe fn of(pointer: *mut T) -> Self {
        Self(pointer)
    }

    pub(crate) fn is_null(&self) -> bool {
        self.0.is_null()
    }

    /// The caller's values, which it says are so many. They are filled in where the contract says so.
    pub(crate) fn get(&mut self, length: usize) -> Answer<&mut [T]> {
        if self.0.is_null() {
            return Err(Code::INVALID_ARGUMENT);
        }
        // SAFETY: NVML's contract is that there are `length` of them, of plain numbers, for the time of the call.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.0, length) })
    }

    /// Writes values from the beginning; the caller has made sure that there is room.
    pub(crate) fn fill(&self, values: impl IntoIterator<Item = T>, room: usize) -> Answer<()> {
        if self.0.is_null() {
            return Err(Code::INVALID_ARGUMENT);
        }
        for (i, value) in values.into_iter().take(room).enumerate() {
            // SAFETY: `i` is less than `room`, which the caller of NVML says that it has.
            unsafe { self.0.add(i).write(value) };
        }
        Ok(())
    }
}

/// Room for a text with its end, of a length told beside it.
#[repr(transparent)]
pub(crate) struct TextOut(*mut c_char);

impl TextOut {
    pub(crate) fn put(&self, text: &str, length: c_uint) -> Answer<()> {
        let bytes = text.bytes().chain([0]).map(|byte| byte as c_char);
        if self.0.is_null() {
            return Err(Code::INVALID_ARGUMENT);
        }
        if text.len() + 1 > length as usize {
            return Err(Code::INSUFFICIENT_SIZE);
        }
        Array(self.0).fill(bytes, length as usize)
    }
}

/// A text of the caller's.
#[repr(transparent)]
pub(crate) struct Text(*const c_char);

impl Text {
    pub(crate) fn get(&self) -> Option<&str> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: the contract is a text with its end, which stays as it is for the time of the call.
        unsafe { CStr::from_ptr(self.0) }.to_str().ok()
    }
}

/// Writes a text with its end into a field of a structure, cut to fit.
pub(crate) fn put_text(field: &mut [c_char], text: &str) {
    let room = field.len().saturating_sub(1);
    field.fill(0);
    for (place, byte) in field.iter_mut().zip(text.bytes().take(room)) {
        *place = byte as c_char;
    }
}
