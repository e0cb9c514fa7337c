// Package rootless lets a program of a user who is not root go on as root of a
// user namespace of its own, in which it may mount overlays and own files of
// several users: those that /etc/subuid and /etc/subgid allow, or the user
// alone. The program that the user started stays, passes signals on, and ends
// as the other one does.
//
// A program that must leave nothing running goes on alone: see [Alone].
//
// It is not for containers' user namespaces (package idmap), and a namespace
// lives as long as the program in it: mounts made there go with it.
package rootless
