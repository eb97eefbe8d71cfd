"""The libvirt back end: one host with libvirtd and QEMU, reached by a connection URI, local or remote."""
