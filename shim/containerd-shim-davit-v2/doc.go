// Command containerd-shim-davit-v2 is containerd's shim for davit (runtime v2,
// io.containerd.davit.v2), and CRI-O's with runtime_type = "vm": one process
// per pod that supervises its containers.
//
// `start` makes the socket and a keeper, which starts the supervisor; `delete`
// cleans up where no supervisor is left; `-info` says what the runtime can do.
//
// It is not for people: containerd calls it. See docs/engines.md.
package main
