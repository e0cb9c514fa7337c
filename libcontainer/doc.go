// Package libcontainer makes and manages containers as the OCI runtime
// specification describes them: create, start, signal, delete, state.
//
// A Runtime is a directory of containers. Create decides what is to be done
// (package plan), makes what must exist outside the container, starts a stage
// inside it and answers the stage until the container is created. The order
// of events stands in Runtime.Create and in the plan's list of sections.
//
// It is not for images, logs or restarts, and keeps no process of its own
// running.
package libcontainer
