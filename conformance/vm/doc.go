// Package vm boots guests to test in: QEMU machines with Debian's kernel,
// systemd as their first process, a pure cgroup v2 hierarchy with every
// controller, AppArmor, CRIU and loadable modules. A guest runs commands as
// root or as an ordinary user, and gives back their output and exit status.
//
// An [Image] is what guests boot from, made once from Debian's archive and kept
// until its recipe changes. A [Guest] is one machine, restored from the state of
// one that has booted, and its disk is forgotten when it ends. Guests see folders
// of the host at the same paths.
//
// Guests are emulated (TCG), and so 12 to 16 times slower than their host: they
// are for what only they can show. They are not for hardware, for networks (they
// have none but loopback), nor for another architecture than amd64.
package vm
