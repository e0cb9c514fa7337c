// Package criu talks to criu(8), which writes the processes of a container to
// image files and makes them again from these: it finds the program, asks it
// its version and features, gives it a request and passes on what it notifies
// of meanwhile.
//
// It is not for deciding what is dumped or restored, and it knows nothing of
// containers: that is libcontainer's. Of go-criu it takes the messages; its way
// to start criu has no place for a cgroup, a mount namespace, or descriptors
// that come with a notification.
//
// Source: https://criu.org/RPC
package criu
