package plan

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// loadExec reads a scenario of testdata/exec: like the others, and a process.
func loadExec(t *testing.T, file string) (scenario, *specs.Process) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var s struct{ Exec specs.Process }
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return load(t, file), &s.Exec
}

func TestGoldenExec(t *testing.T) {
	files, _ := filepath.Glob("testdata/exec/*.json")
	if len(files) < 4 {
		t.Fatalf("found %d scenarios", len(files))
	}
	for _, file := range files {
		name := strings.TrimSuffix(file, ".json")
		t.Run(filepath.Base(name), func(t *testing.T) {
			s, process := loadExec(t, file)
			p, err := CompileExec(process, &s.Config, s.Facts, s.Options)
			if err != nil {
				compare(t, name+".plan", "error: "+err.Error()+"\n")
				return
			}
			compare(t, name+".plan", p.String())
		})
	}
}

func TestCompileExecIsPure(t *testing.T) {
	s, process := loadExec(t, "testdata/exec/process.json")
	before, _ := json.Marshal([]any{s.Config, process})
	if _, err := CompileExec(process, &s.Config, s.Facts, s.Options); err != nil {
		t.Fatal(err)
	}
	if after, _ := json.Marshal([]any{s.Config, process}); string(before) != string(after) {
		t.Error("CompileExec changed what it was given")
	}
}

// Nothing that makes or mounts has a place in a running container.
func TestExecMountsNothing(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.json")
	allowed := map[Op]bool{
		OpSync: true, OpEnter: true, OpAffinity: true, OpWriteProc: true, OpLeaveProc: true, OpOwnProc: true, OpRaiseRlimit: true, OpDumpable: true, OpSetns: true,
		OpBecome: true, OpFork: true, OpSession: true, OpKeyring: true, OpRoot: true, OpChroot: true, OpConsole: true,
		OpScheduler: true, OpIOPriority: true, OpPersonality: true, OpMemoryPolicy: true, OpRlimit: true,
		OpNoNewPrivs: true, OpSeccomp: true, OpBounding: true, OpOwnStdio: true, OpGroups: true, OpUser: true,
		OpUmask: true, OpCapabilities: true, OpChdir: true, OpHome: true, OpFind: true, OpReady: true,
		OpCloseFiles: true, OpExec: true,
	}
	for _, file := range files {
		s := load(t, file)
		s.Options.NoPivot = false
		p, err := CompileExec(&specs.Process{Args: []string{"true"}, Cwd: "/", Terminal: true}, &s.Config, s.Facts, s.Options)
		if err != nil {
			continue // what is tested there is the error
		}
		for _, step := range p.Steps {
			if !allowed[step.Op] || step.Op == OpRoot && step.Args[1].Int != rootOpen || step.Op == OpConsole && step.Args[2].Int != 0 {
				t.Errorf("%s: %v", file, step)
			}
		}
	}
}

func TestExecProcess(t *testing.T) {
	score, umask := 5, uint32(7)
	own := &specs.Process{
		ApparmorProfile: "a", SelinuxLabel: "s", Capabilities: &specs.LinuxCapabilities{}, Scheduler: &specs.Scheduler{},
		IOPriority: &specs.LinuxIOPriority{}, ExecCPUAffinity: &specs.CPUAffinity{}, OOMScoreAdj: &score,
		Rlimits: []specs.POSIXRlimit{{Type: "RLIMIT_CPU"}}, User: specs.User{UID: 9, Umask: &umask},
		Args: []string{"init"}, Env: []string{"A=1"}, Cwd: "/init", NoNewPrivileges: true, Terminal: true,
	}
	want := *own
	want.User = specs.User{UID: 1, Umask: &umask}
	want.Args, want.Env, want.Cwd, want.NoNewPrivileges, want.Terminal = []string{"x"}, nil, "/", false, false
	process := &specs.Process{Args: []string{"x"}, Cwd: "/", User: specs.User{UID: 1}}
	if got := ExecProcess(process, &specs.Spec{Process: own}); !reflect.DeepEqual(got, &want) {
		t.Errorf("got  %+v\nwant %+v", got, &want)
	}
	if got := ExecProcess(own, &specs.Spec{Process: process}); !reflect.DeepEqual(got, own) {
		t.Errorf("its own: got %+v", got)
	}
	if got := ExecProcess(process, &specs.Spec{}); !reflect.DeepEqual(got, process) {
		t.Errorf("a container without a process: got %+v", got)
	}
}
