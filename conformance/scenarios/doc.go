// Package scenarios runs the container engines of Debian with a runtime that is
// judged, and beside it with a runtime of Debian's: Podman with conmon and crun,
// Docker with containerd and runc, containerd alone with runc. What an engine makes
// of a runtime's exit statuses, errors and files is seen in what it tells its user,
// and a difference is the runtime's, not the machine's.
//
// The scenarios are shell scripts in testdata, each with the output that is
// expected. They run in namespaces of their own, with engines that are started for
// them: nothing of the machine's own engines is touched.
//
//	go test ./conformance/scenarios -runtime /usr/bin/runc -run Docker
//
// judges another runtime than the one of this tree.
//
// It is not for measuring, nor for davit's own shim, which conformance/engines
// tests, nor for what no engine asks for.
package scenarios
