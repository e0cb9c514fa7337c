// Package container keeps containers on disk: what each is to be (Config), what
// became of it (State), and their names. Each is a directory below the store's
// root, and nothing of it runs for the package's sake.
//
//	containers/ID/container.json   Config
//	containers/ID/state.json       State: the container is whole as long as it is there
//	containers/ID/lock             whoever starts, renames or removes it has it locked
//	containers/ID/supervisor       its supervisor has it locked
//	containers/ID/bundle/          others' parts
//	containers/ID/logs/
//	containers/ID/network/
//	containers/names/NAME          a link to ID
//
// A kill at any moment leaves a container whole or unfinished. An unfinished one
// has no state.json: it is not listed and not found, and [Store.Leftovers] hands
// it to whoever removes what the killed process left. A name is a container's
// when the container says so too; other links are left over, and give way.
//
// A supervisor's file is empty when nothing is left of what one did. Where it is not,
// and nobody has it locked, the supervisor was killed with its keeper: whoever looks
// at the container next ends what runs on, and the state says so (Store.MendBy).
//
// The package is not for processes, bundles, networks and volumes: it knows their
// places and what was asked for.
package container
