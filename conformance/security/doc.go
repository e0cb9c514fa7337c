// Package security attacks an OCI runtime by its command line, the way that
// published vulnerabilities of runtimes did, and looks at what came of it on the
// host. Its tests are grouped by root cause: paths that an attacker changes
// (paths, races, devices), descriptors and rights that leak into the container
// (descriptors, rights, begin, hooks), a procfs that is not what it seems (proc), data
// that is taken for policy (users, names, settings), and input without bounds
// (bounds). Each test names the vulnerabilities of its kind.
//
//	go test ./conformance/security -runtime /usr/bin/runc -rounds 1000
//
// judges another runtime than the one of this tree, and races longer.
//
// It is not for what a runtime should do when nobody attacks it.
package security
