//! C4 and C5: rights that no file may have, and what is no file.

use super::{base, with};
use crate::craft::{What, field};

corpus! {
    c4_setuid: base().put16("inode /aa/bb", field::MODE, 0o4755) => [
        "/aa/bb: has the setuid bit (mode 4755)",
    ];
    c4_setgid: base().put16("inode /aa/bb", field::MODE, 0o2755) => [
        "/aa/bb: has the setgid bit (mode 2755)",
    ];
    c4_setgid_directory: base().put16("inode /aa", field::MODE, 0o2755) => [
        "/aa: has the setgid bit (mode 2755)",
    ];
    c4_sticky: base().put16("inode /dd", field::MODE, 0o1755) => ["/dd: has the sticky bit (mode 1755)"];
    c4_setuid_link: base().put16("inode /ll", field::MODE, 0o4777) => ["/ll: has the setuid bit (mode 4777)"];
    c4_world_writable: base().put16("inode /aa/bb", field::MODE, 0o646) => [
        "/aa/bb: is writable by everybody (mode 0646)",
    ];
    c4_group_writable: base().put16("inode /dd", field::MODE, 0o775) => [
        "/dd: is writable by its group (mode 0775)",
    ];
    c4_user: base().put16("inode /aa/bb", field::UID, 1) => [
        "/aa/bb: belongs to user 1000 and group 0, not to root",
    ];
    c4_group: base().put16("inode /aa/bb", field::GID, 1) => [
        "/aa/bb: belongs to user 0 and group 1000, not to root",
    ];
    c4_owner_beyond_the_table: base().put16("inode /aa/bb", field::UID, 2) => [
        "/aa/bb: has owner number 2 of the ID table, which is shorter",
    ];
    c4_root_is_checked_too: base().put16("inode /", field::MODE, 0o777) => [
        "/: is writable by its group (mode 0777)",
        "/: is writable by everybody (mode 0777)",
    ];

    c5_block_device: with("/zz", What::BlockDevice(0x0801)) => ["/zz: is a block device (8:1)"];
    c5_character_device: with("/zz", What::CharacterDevice(0x0103)) => ["/zz: is a character device (1:3)"];
    c5_fifo: with("/zz", What::Fifo) => ["/zz: is a fifo"];
    c5_socket: with("/zz", What::Socket) => ["/zz: is a socket"];
}
