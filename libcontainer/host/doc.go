// Package host finds out what the machine and this process can do: the kernel,
// its namespaces and security modules, the cgroup hierarchies, the
// capabilities.
//
// Each fact is looked up when it is first asked for, and once: a command pays
// for what it needs. The package changes nothing, and concludes nothing: what
// follows from a fact is for the plan to say.
package host
