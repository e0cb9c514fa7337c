// Package kills judges davit-shim by what is left when it is killed. Several
// workers run, stop, remove, commit and build in one store, side by side and on
// the same names now and then, while commands, supervisors and keepers are
// killed by SIGKILL at random moments. Then:
//
//   - no command that was not killed fails, but for what its neighbours did;
//   - the store is valid, also for skopeo and umoci;
//   - each container that is listed is whole: it can be inspected, started,
//     stopped and removed;
//   - each container that was reported started runs, or has the exit status that
//     its program ended with. What does not survive is a supervisor that is
//     killed together with its keeper: that container's status is lost, 255, and
//     its processes end with the next command on it;
//   - when all is removed, nothing is left: no process, mount, cgroup, network
//     device, address, firewall rule, socket, nor any file.
//
// The choices follow a seed, which is printed; the moments are the machine's.
//
//	go test ./conformance/kills -kills 200 -seed N -v
//
// It is not for the runtime, whose every system call conformance/sweep kills.
package kills
