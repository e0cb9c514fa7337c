package main

// scenario is one command that is killed, on a container that is brought so
// far before.
type scenario struct {
	name string
	// before are the commands that bring a container there, each with its
	// arguments after the global options.
	before []action
	// command is the one to kill.
	command action
	// mustRun says that the container's program runs whenever the command is killed.
	mustRun bool
}

// action makes the arguments of a command for a container.
type action func(c container) []string

// container is the container that a command is about.
type container struct{ id, bundle string }

func create(c container) []string    { return []string{"create", "--bundle", c.bundle, c.id} }
func start(c container) []string     { return []string{"start", c.id} }
func runAway(c container) []string   { return []string{"run", "--detach", "--bundle", c.bundle, c.id} }
func runShort(c container) []string  { return []string{"run", "--bundle", c.bundle + shortSuffix, c.id} }
func execShort(c container) []string { return []string{"exec", c.id, "/bin/true"} }
func execAway(c container) []string  { return []string{"exec", "--detach", c.id, "/bin/sleep", "1000"} }
func kill(c container) []string      { return []string{"kill", c.id, "KILL"} }
func remove(c container) []string    { return []string{"delete", c.id} }
func destroy(c container) []string   { return []string{"delete", "--force", c.id} }
func state(c container) []string     { return []string{"state", c.id} }
func list(container) []string        { return []string{"list", "--format", "json"} }

// scenarios are all that can be swept, in order.
var scenarios = []scenario{
	{name: "create", command: create},
	{name: "start", before: []action{create}, command: start},
	{name: "run", command: runShort},
	{name: "run-detach", command: runAway},
	{name: "exec", before: []action{create, start}, command: execShort, mustRun: true},
	{name: "exec-detach", before: []action{create, start}, command: execAway, mustRun: true},
	{name: "kill", before: []action{create, start}, command: kill},
	{name: "delete", before: []action{create}, command: remove},
	{name: "delete-force", before: []action{create, start}, command: destroy},
}
