// Package hostproc tells of processes what ps(1) tells, from the host's /proc.
//
// What a process says of itself there (its name and its arguments) is hostile
// where it is a container's: it is printed without control characters. No program
// and no file of a container is used, not even to find a user's name.
// CVE-2022-1227: podman top ran a program in the container's namespaces.
//
// It is not for finding out which processes a container has.
package hostproc
