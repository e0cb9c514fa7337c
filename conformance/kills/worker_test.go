package kills

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// program is what a container runs.
type program struct {
	script string
	exits  []int // its own statuses; none for one that ends when it is stopped alone
}

// The programs.
var (
	lasting = program{`trap "exit 7" TERM; echo begun; sleep 100000 & wait`, nil}
	short   = program{"echo short; exit 3", []int{3}}
)

// stopped are the statuses of a lasting program that was stopped: by its own
// means, or by force.
var stopped = []int{7, 128 + 9, 128 + 15}

// record is a container that was reported started.
type record struct {
	id, name string
	program
	halted  bool // a stop was begun
	ended   bool // and was reported done
	removed bool // a removal was begun
}

// worker does one thing after the other.
type worker struct {
	*machine
	rand  *rand.Rand
	n     int
	names int
	left  *atomic.Int64 // how many commands are still to be killed
	own   []*record
	done  map[string]int // how often each action was done, and not killed
}

// action is something that a worker does.
type action struct {
	name   string
	weight int
	do     func(*worker)
}

// actions are those of all workers.
func actions() []action {
	return []action{
		{"run lasting", 5, func(w *worker) { w.runDetached(lasting) }},
		{"run short", 3, func(w *worker) { w.runDetached(short) }},
		{"run and wait", 4, (*worker).runHere},
		{"create and start", 2, (*worker).createAndStart},
		{"stop", 4, (*worker).stop},
		{"rm", 4, (*worker).remove},
		{"exec", 3, (*worker).exec},
		{"commit", 3, (*worker).commit},
		{"build", 4, (*worker).build},
		{"list", 3, (*worker).list},
		{"shared name", 2, (*worker).shared},
		{"prune", 1, (*worker).prune},
	}
}

// step does one of the actions.
func (w *worker) step() {
	all := actions()
	total := 0
	for _, a := range all {
		total += a.weight
	}
	at := w.rand.IntN(total)
	for _, a := range all {
		if at -= a.weight; at < 0 {
			a.do(w)
			w.done[a.name]++
			return
		}
	}
}

// What a command may say that was not killed.
const (
	// A supervisor was killed together with its keeper while it was waited for.
	supervisorKilled = "its supervisor was killed"
	notRunning       = "is not running"
	stoppedMeanwhile = "cannot exec in a stopped container"
	noContainer      = "No such container"
)

// neighbours is what a command says when another worker has, or takes away, what
// has the same name.
var neighbours = []string{"is already in use by container", noContainer, notRunning, "No such image", "is being removed", supervisorKilled}

// try runs a command, which is killed now and then. Otherwise it succeeds, or says
// what is allowed; about a container that has lost its keeper, that too.
func (w *worker) try(id string, allowed []string, args ...string) result {
	w.t.Helper()
	r := w.attempt(args...)
	if id == "" {
		id = w.idOf(args)
	}
	if w.hasLost(id) {
		allowed = append([]string{supervisorKilled, notRunning}, allowed...)
	}
	if !r.killed() && r.status != 0 && !mentions(r.output, allowed) {
		w.t.Errorf("worker %d: %v", w.n, r)
	}
	return r
}

// idOf is the ID of the container that a command line makes.
func (w *worker) idOf(args []string) string {
	at := slices.Index(args, "--cidfile")
	if at < 0 {
		return ""
	}
	id, _ := os.ReadFile(args[at+1]) // the command may have been killed before
	return string(id)
}

// attempt runs a command, which is killed now and then.
func (w *worker) attempt(args ...string) result {
	kill := time.Duration(0)
	if w.rand.IntN(5) < 2 && w.left.Add(-1) >= 0 {
		kill = time.Duration(w.rand.Int64N(int64(w.takes(args[0])*5/4))) + 1
	}
	r := w.command(kill, args...)
	switch {
	case r.killed():
	case kill != 0:
		w.left.Add(1) // it was quicker
	case r.status == 0:
		w.learn(args[0], r.took)
	}
	return r
}

// mentions tells whether each line of a text has one of some words.
func mentions(text string, words []string) bool {
	for line := range strings.Lines(strings.TrimSpace(text)) {
		if !slices.ContainsFunc(words, func(word string) bool { return strings.Contains(line, word) }) {
			return false
		}
	}
	return text != ""
}

func (w *worker) newName() string {
	w.names++
	return fmt.Sprintf("worker-%d-%d", w.n, w.names)
}

// network is that of a container; bridges are slow.
func (w *worker) network() string {
	return []string{"none", "none", "none", "bridge", "front", "none"}[w.rand.IntN(6)]
}

// runDetached is run -d.
func (w *worker) runDetached(p program) {
	name := w.newName()
	more := []string{"-d", "--name", name, "--cidfile", filepath.Join(w.dir, name)}
	if w.rand.IntN(3) == 0 {
		more = append(more, "-v", "volume"+strconv.Itoa(w.n)+":/data", "-v", "/anonymous")
	}
	r := w.try("", nil, w.shell("run", more, p)...)
	if r.status == 0 {
		w.own = append(w.own, &record{id: strings.TrimSpace(r.output), name: name, program: p})
	}
}

// shell is a command line of run or create.
func (w *worker) shell(verb string, more []string, p program) []string {
	return slices.Concat([]string{verb}, w.flags(w.network(), more...), []string{"box", "sh", "-c", p.script})
}

// runHere is run --rm in the foreground: its status is the program's, and its
// output is whole, whoever is killed but both of supervisor and keeper.
func (w *worker) runHere() {
	name := w.newName()
	w.passes(name)
	p := program{"echo one; echo two; exit 5", []int{5}}
	args := w.shell("run", []string{"--rm", "--name", name, "--cidfile", filepath.Join(w.dir, name)}, p)
	r := w.attempt(args...)
	if r.killed() || slices.Contains(p.exits, r.status) && r.output == "one\ntwo\n" || w.hasLost(w.idOf(args)) {
		return
	}
	w.t.Errorf("worker %d: %v", w.n, r)
}

func (w *worker) createAndStart() {
	name := w.newName()
	made := w.try("", nil, w.shell("create", []string{"--name", name}, lasting)...)
	if made.status != 0 {
		return
	}
	id := strings.TrimSpace(made.output)
	if w.try(id, nil, "start", name).status != 0 {
		return
	}
	w.own = append(w.own, &record{id: id, name: name, program: lasting})
}

// pick is one of the worker's containers which it has not begun to remove.
func (w *worker) pick() *record {
	var there []*record
	for _, r := range w.own {
		if !r.removed {
			there = append(there, r)
		}
	}
	if len(there) == 0 {
		return nil
	}
	return there[w.rand.IntN(len(there))]
}

func (w *worker) stop() {
	r := w.pick()
	if r == nil {
		return
	}
	r.halted = true
	if w.try(r.id, nil, "stop", "-t", strconv.Itoa(w.rand.IntN(2)), r.name).status == 0 {
		r.ended = true
	}
}

func (w *worker) remove() {
	r := w.pick()
	if r == nil {
		return
	}
	r.removed = true
	if w.try(r.id, nil, "rm", "-f", "-v", r.name).status == 0 {
		if again := w.command(0, "inspect", r.id); again.status == 0 {
			w.t.Errorf("container %s is there after rm -f", r.name)
		}
	}
}

func (w *worker) exec() {
	if r := w.pick(); r != nil {
		w.try(r.id, []string{notRunning, stoppedMeanwhile}, "exec", r.name, "true")
	}
}

// commit names an image which all workers name.
func (w *worker) commit() {
	if r := w.pick(); r != nil {
		w.try(r.id, nil, "commit", r.name, []string{"committed", "committed-" + strconv.Itoa(w.n)}[w.rand.IntN(2)])
	}
}

func (w *worker) build() {
	args := []string{"build", "-q", "--network", "none", "--build-arg", "N=" + strconv.Itoa(w.rand.IntN(3)), "-t", []string{"built", "built-" + strconv.Itoa(w.n)}[w.rand.IntN(2)]}
	if w.rand.IntN(3) == 0 {
		args = append(args, "--no-cache")
	}
	w.try("", nil, append(args, w.dir+"/context")...)
}

// list lists everything: what is listed can be looked at, unless it was removed
// meanwhile.
func (w *worker) list() {
	for _, args := range [][]string{{"ps", "-a"}, {"images", "-a"}, {"volume", "ls"}, {"network", "ls"}} {
		w.try("", nil, args...)
	}
	if r := w.pick(); r != nil {
		w.try(r.id, nil, "inspect", r.name)
	}
}

// shared fights for one name with all other workers.
func (w *worker) shared() {
	switch w.rand.IntN(3) {
	case 0:
		w.try("", neighbours, w.shell("run", []string{"-d", "--name", "shared"}, lasting)...)
	case 1:
		w.try("", neighbours, "rm", "-f", "shared")
	default:
		w.try("", neighbours, "rmi", "-f", "committed")
	}
}

func (w *worker) prune() {
	w.try("", nil, "prune", "-f", "--filter", "label=nobody-has-this")
}
