// Package network gives containers their networks: it makes and removes named
// networks, connects a container's network namespace to them through CNI's
// standard plugins, publishes ports, and writes the files by which a container
// finds names.
//
// # Networks
//
// A network is a CNI configuration list in a file, NAME.conflist, which any
// other CNI runtime could use too; what davit knows besides stands in it under
// the key "davit". All have a bridge, and addresses from a subnet that overlaps
// no other network and no route of the host.
//
// What every container of a network needs alike, the way out of the host and
// the wall between networks, is one chain of iptables a network, made anew by
// [Store.Attach] where somebody flushed it. Left to the plugins (bridge's ipMasq, firewall) it would
// be rules for each container, which they cannot find again once the
// container's namespace is gone, and a dozen runs of iptables at each start.
//
// # State
//
// A container's attachment is on disk before anything of it exists, with the
// configuration lists that are used, so that [Store.Detach] undoes it after any
// crash and after the namespace is gone. One lock guards all files; plugins run
// outside of it.
//
// # Names
//
// Containers of one network find each other by name through their hosts files,
// of which the part between two marks is kept for all of them, under the lock,
// whenever one comes or goes. A DNS server of our own would have to be a
// process that lives as long as any container, on an address that each network
// reaches, and whose end is the end of all resolving: there is no daemon here
// to be it. A hosts file needs nobody, works with --network none, offline and
// in a user's own namespaces, and leaves a container's own resolver alone. The
// price: programs that ask DNS servers themselves (dig, nslookup) do not see
// these names, and one that reads the file once sees those of that moment.
//
// # Users other than root
//
// A user's container gets a network of its own from pasta or slirp4netns
// ([Store.AttachUser]), programs that speak for it with the host's ordinary
// sockets. His networks that have bridges are all in one network namespace, which
// slirp4netns connects to the host in the same way: see ground.go.
//
// The package is not for making network namespaces, which is libcontainer's,
// nor for the words of a command line, except ports and modes.
package network
