//! Something that the kernel is to find under a name, for as long as one call needs it (keyrings(7)).

use std::ffi::CString;
use std::io;

/// `KEY_SPEC_THREAD_KEYRING` (linux/keyctl.h): what only this thread, and the kernel in calls of this thread, can find.
const THREAD_KEYRING: libc::c_long = -1;
/// `KEYCTL_UNLINK` (linux/keyctl.h).
const UNLINK: libc::c_long = 9;

/// Bytes in the keyring of this thread, until this is dropped.
#[derive(Debug)]
pub(crate) struct Lent {
    serial: libc::c_long,
    name: String,
    // The keyring is that of one thread, and so is this.
    _of_one_thread: std::marker::PhantomData<*const ()>,
}

impl Lent {
    /// Lends `bytes` to the kernel under `name`, as a key of the type `user`: one that means nothing to the kernel itself.
    pub(crate) fn new(name: &str, bytes: &[u8]) -> io::Result<Lent> {
        let description = CString::new(name)?;
        // linux/syscalls.h:
        //   long sys_add_key(const char __user *_type, const char __user *_description,
        //                    const void __user *_payload, size_t plen, key_serial_t destringid);
        // SAFETY: two strings that end with a NUL and `bytes.len()` bytes are read while the call lasts; all three live
        // longer than that, and nothing is written to them.
        let serial = unsafe {
            libc::syscall(
                libc::SYS_add_key,
                c"user".as_ptr(),
                description.as_ptr(),
                bytes.as_ptr(),
                bytes.len(),
                THREAD_KEYRING,
            )
        };
        match serial {
            -1 => Err(io::Error::last_os_error()),
            serial => Ok(Lent { serial, name: name.to_owned(), _of_one_thread: std::marker::PhantomData }),
        }
    }

    /// The name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // linux/syscalls.h:
        //   long sys_keyctl(int cmd, unsigned long arg2, unsigned long arg3, unsigned long arg4, unsigned long arg5);
        // SAFETY: this command takes two serial numbers and no pointer. It fails only if the key is gone already.
        unsafe { libc::syscall(libc::SYS_keyctl, UNLINK, self.serial, THREAD_KEYRING) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What /proc/keys shows of a name: only keys that this thread may see.
    fn is_found(name: &str) -> bool {
        std::fs::read_to_string("/proc/keys").unwrap().contains(name)
    }

    #[test]
    fn a_key_is_there_while_it_is_lent() {
        let name = format!("tenon-test-{}", std::process::id());
        let lent = Lent::new(&name, b"bytes").unwrap();
        assert!(lent.name() == name && is_found(&name));
        drop(lent);
        // The kernel clears up when it has time.
        while is_found(&name) {
            std::thread::yield_now();
        }
        assert!(Lent::new("a\0b", b"").is_err());
    }
}
