//! A node for the models: its parts are loom's, so that loom sees a race for any of them.
#![allow(unsafe_code, reason = "cells of loom, which checks them")]

use loom::{
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use super::arena::Arena;

/// What `node::Node` is, without an arena: models are short, so nodes are never freed.
#[derive(Debug)]
pub(super) struct Node {
    id: AtomicU64,
    abandoned: AtomicBool,
    check: u64,
    next: UnsafeCell<*mut Node>,
    addresses: UnsafeCell<Vec<usize>>,
}

/// See `node::NodeRef`.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeRef<'a>(&'a Node);

pub(super) const fn check(generation: u64, hash: u64) -> u64 {
    hash ^ generation
}

impl<'a> NodeRef<'a> {
    pub(super) fn create(
        _: &'a Arena,
        _: u64,
        id: u64,
        check: u64,
        addresses: &[usize],
    ) -> Option<Self> {
        Some(Self(Box::leak(Box::new(Node {
            id: AtomicU64::new(id),
            abandoned: AtomicBool::new(false),
            check,
            next: UnsafeCell::new(std::ptr::null_mut()),
            addresses: UnsafeCell::new(addresses.to_vec()),
        }))))
    }

    /// # Safety
    ///
    /// `node` MUST be null or from [`NodeRef::as_ptr`].
    pub(super) unsafe fn from_ptr(node: *mut Node) -> Option<Self> {
        // SAFETY: nodes are never freed.
        unsafe { node.as_ref() }.map(Self)
    }

    pub(super) fn as_ptr(self) -> *mut Node {
        std::ptr::from_ref(self.0).cast_mut()
    }

    pub(super) fn id(self) -> u64 {
        self.0.id.load(Ordering::Relaxed)
    }

    pub(super) fn next(self) -> *mut Node {
        // SAFETY: loom fails the model if somebody writes at the same time.
        self.0.next.with(|next| unsafe { *next })
    }

    pub(super) fn set_next(self, to: *mut Node) {
        // SAFETY: loom fails the model if somebody reads or writes at the same time.
        self.0.next.with_mut(|next| unsafe { *next = to });
    }

    pub(super) fn abandon(self) {
        self.0.abandoned.store(true, Ordering::Relaxed);
    }

    pub(super) fn is(self, check: u64, addresses: &[usize]) -> bool {
        self.0.check == check && self.addresses() == addresses
    }

    pub(super) fn addresses(self) -> &'a [usize] {
        // SAFETY: as in `next`; nobody writes after `create`.
        self.0.addresses.with(|addresses| unsafe { &**addresses })
    }
}
