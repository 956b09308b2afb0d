//! The only unsafe code of Tenon: kernel interfaces that no safe wrapper has yet.
#![allow(unsafe_code)]

pub(crate) mod device_mapper;
pub(crate) mod keyring;
pub(crate) mod loopdev;
