// Package links joins a container to what outlives it: networks and volumes. It
// knows the words of the command line for networks, makes what has to be there
// before a container is made, connects it when it starts, and lets go at its end:
//
//	Flags.Network   what --network, --publish and the like say
//	Volumes         which volumes a container has
//	Prepare, Fill   when it is made, before and after its bundle
//	Before, Attach  when it is started, before and after its namespaces are made
//	Detach          when it has ended
//	Release         when it is removed
//
// All may be called again after a kill at any moment, and undo what is half done.
//
// The package is for whoever makes, starts and removes containers; it starts no
// process of theirs. How networks and volumes work is the matter of packages
// network and volume.
package links
