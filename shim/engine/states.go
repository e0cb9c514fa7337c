package engine

// state is where a process is between its creation and its removal.
type state uint8

const (
	creating state = iota
	created
	starting
	running
	pausing
	paused
	resuming
	checkpointing
	stopped
	deleting
	removed
	states
)

// operation is what a process may be asked to do.
type operation uint8

const (
	opStart operation = iota
	opExec
	opKill
	opPause
	opResume
	opUpdate
	opCheckpoint
	opDelete
	opResize
	operations
)

// verdict is what comes of an operation in a state.
type verdict struct {
	next    state  // where it leads, which is where it is where nothing changes
	refusal string // why it cannot be
	kind    Kind   // of the refusal
	later   bool   // it is to wait until the state has changed
}

// to allows an operation, which leads to a state.
func to(s state) verdict { return verdict{next: s} }

// no refuses an operation.
func no(text string) verdict { return verdict{refusal: text, kind: FailedPrecondition} }

// gone refuses an operation for whose object it is too late.
func gone(text string) verdict { return verdict{refusal: text, kind: NotFound} }

type table [states][operations]verdict

// busy is a row of a state that will pass by itself: what can be done all the
// same are kill and resize.
func busy(s state) [operations]verdict {
	var row [operations]verdict
	for op := range row {
		row[op] = verdict{later: true}
	}
	row[opKill], row[opResize] = to(s), to(s)
	return row
}

// never is the row of a process that is no more.
func never(text string) [operations]verdict {
	var row [operations]verdict
	for op := range row {
		row[op] = gone(text)
	}
	return row
}

// ofContainers is the table of containers' first processes.
// Compat(containerd): the words are its own shim's.
var ofContainers = table{
	creating: busy(creating),
	created: {
		opStart:      to(starting),
		opExec:       to(created),
		opKill:       to(created),
		opPause:      no("cannot pause task in created state"),
		opResume:     no("cannot resume task in created state"),
		opUpdate:     to(created),
		opCheckpoint: no("cannot checkpoint a task in created state"),
		opDelete:     to(deleting),
		opResize:     to(created),
	},
	starting: busy(starting),
	running: {
		opStart:      no("cannot start a running process"),
		opExec:       to(running),
		opKill:       to(running),
		opPause:      to(pausing),
		opResume:     no("cannot resume a running process"),
		opUpdate:     to(running),
		opCheckpoint: to(checkpointing),
		opDelete:     no("cannot delete a running process"),
		opResize:     to(running),
	},
	pausing: busy(pausing),
	paused: {
		opStart:      no("cannot start a paused process"),
		opExec:       no("cannot exec in a paused state"),
		opKill:       to(paused),
		opPause:      no("cannot pause a paused container"),
		opResume:     to(resuming),
		opUpdate:     to(paused),
		opCheckpoint: to(checkpointing),
		opDelete:     no("cannot delete a paused process"),
		opResize:     to(paused),
	},
	resuming:      busy(resuming),
	checkpointing: busy(checkpointing),
	stopped: {
		opStart:      no("cannot start a stopped process"),
		opExec:       no("cannot exec in a stopped state"),
		opKill:       gone("process already finished: not found"),
		opPause:      no("cannot pause a stopped container"),
		opResume:     no("cannot resume a stopped container"),
		opUpdate:     no("cannot update a stopped container"),
		opCheckpoint: no("cannot checkpoint a stopped container"),
		opDelete:     to(deleting),
		opResize:     to(stopped),
	},
	deleting: busy(deleting),
	removed:  never("init process is not running: not found"),
}

// ofExecs is the table of further processes.
var ofExecs = table{
	created: {
		opStart:  to(starting),
		opKill:   no("process not created: failed precondition"),
		opDelete: to(deleting),
		opResize: to(created),
	},
	starting: busy(starting),
	running: {
		opStart:  no("cannot start a running process"),
		opKill:   to(running),
		opDelete: no("cannot delete a running process"),
		opResize: to(running),
	},
	stopped: {
		opStart:  no("cannot start a stopped process"),
		opKill:   gone("process already finished: not found"),
		opDelete: to(deleting),
		opResize: no("cannot resize a stopped container"),
	},
	deleting: busy(deleting),
	removed:  never("process already finished: not found"),
}

// passing tells whether a state passes by itself: its operation is under way.
func (s state) passing() bool {
	switch s {
	case created, running, paused, stopped, removed:
		return false
	}
	return true
}
