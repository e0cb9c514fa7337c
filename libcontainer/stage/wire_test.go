package stage

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/libcontainer/plan"
)

// decoder is a process that decodes plans with the stage's code, under
// sanitizers: it dies of what would go unnoticed in the stage.
type decoder struct {
	in    io.Writer
	out   io.Reader
	blame bytes.Buffer
	ended func() error
}

var sanitize = []string{"-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-x", "c"}

// newDecoder builds and starts a decoder.
func newDecoder(t testing.TB) *decoder {
	t.Helper()
	program := filepath.Join(t.TempDir(), "decode")
	gcc := needs.Program(t, "gcc")
	empty := exec.Command(gcc, append(sanitize, "-o", program, "-")...)
	empty.Stdin = bytes.NewBufferString("int main(void) { return 0; }")
	if empty.Run() != nil || exec.Command(program).Run() != nil {
		t.Skip("needs gcc's sanitizers: libasan and libubsan")
	}
	args := append(sanitize, "-g", "-O1", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror",
		"-Isrc", "-o", program, "testdata/decode.c", "src/wire.c")
	if out, err := exec.Command(gcc, args...).CombinedOutput(); err != nil {
		t.Fatalf("building the decoder: %v\n%s", err, out)
	}
	return startDecoder(t, program)
}

func startDecoder(t testing.TB, program string) *decoder {
	t.Helper()
	cmd := exec.Command(program)
	d := &decoder{ended: sync.OnceValue(cmd.Wait)}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = &d.blame
	d.in, d.out = in, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := d.ended(); err != nil {
			t.Errorf("the decoder ended with %v\n%s", err, d.blame.Bytes())
		}
	})
	return d
}

// accepts decodes one plan.
func (d *decoder) accepts(t testing.TB, wire []byte) bool {
	t.Helper()
	message := binary.NativeEndian.AppendUint32(make([]byte, 0, 4+len(wire)), uint32(len(wire)))
	d.in.Write(append(message, wire...))
	var verdict [1]byte
	if _, err := io.ReadFull(d.out, verdict[:]); err != nil {
		d.ended()
		t.Fatalf("the decoder died of %x\n%s", wire[:min(len(wire), 512)], d.blame.Bytes())
	}
	return verdict[0] == 'a'
}

// seeds are the wires of every plan that package plan tests.
func seeds(t testing.TB) [][]byte {
	t.Helper()
	files, _ := filepath.Glob("../plan/testdata/*.json")
	var wires [][]byte
	for _, file := range files {
		s := struct {
			Facts   plan.Facts
			Options plan.Options
			Config  specs.Spec
		}{Options: plan.Options{ID: "c1", Bundle: "/bundle", Rootfs: "/bundle/rootfs"}}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &s); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		p, err := plan.Compile(&s.Config, s.Facts, s.Options)
		if err != nil {
			continue // what is tested there is the error
		}
		wires = append(wires, encode(t, p.Steps...))
	}
	if len(wires) < 8 {
		t.Fatalf("found %d plans", len(wires))
	}
	return wires
}

func encode(t testing.TB, steps ...plan.Step) []byte {
	t.Helper()
	wire, err := (&plan.Plan{Steps: steps}).Wire()
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

// smallWire has a value of every kind.
func smallWire(t testing.TB) []byte {
	return encode(t,
		step(plan.OpSync, "one"),
		step(plan.OpSeccomp, []byte{1, 2, 3, 4, 5}, 1, 0),
		step(plan.OpReady),
		step(plan.OpExec, []string{"sh", "-c", "x=1"}, []string{"A=b", ""}))
}

// resized gives the wire another size, and a header that says so.
func resized(wire []byte, size int) []byte {
	short := bytes.Clone(wire[:size])
	if size >= 16 {
		binary.NativeEndian.PutUint32(short[12:], uint32(size))
	}
	return short
}

func TestDecodeValid(t *testing.T) {
	d := newDecoder(t)
	for i, wire := range append(seeds(t), smallWire(t), encode(t)) {
		if !d.accepts(t, wire) {
			t.Errorf("plan %d is refused", i)
		}
	}
}

func TestDecodeTruncated(t *testing.T) {
	d := newDecoder(t)
	for _, wire := range append(seeds(t), smallWire(t)) {
		for size := range wire {
			if d.accepts(t, wire[:size]) {
				t.Errorf("%d of %d bytes are accepted", size, len(wire))
			}
			d.accepts(t, resized(wire, size)) // padding may be cut off
		}
	}
}

func TestDecodeFlippedBits(t *testing.T) {
	d := newDecoder(t)
	small := smallWire(t)
	for bit := range 8 * len(small) {
		wire := bytes.Clone(small)
		wire[bit/8] ^= 1 << (bit % 8)
		d.accepts(t, wire)
	}
}

func TestDecodeMutated(t *testing.T) {
	d := newDecoder(t)
	random := rand.New(rand.NewPCG(1, 2))
	wires := append(seeds(t), smallWire(t))
	accepted := 0
	for range 20000 {
		if d.accepts(t, mutate(random, wires[random.IntN(len(wires))])) {
			accepted++
		}
	}
	if accepted == 0 || accepted == 20000 {
		t.Errorf("%d of the mutated plans are accepted", accepted)
	}
}

// mutate changes some words to ones that are likely to be on an edge.
func mutate(random *rand.Rand, wire []byte) []byte {
	wire = bytes.Clone(wire)
	size := uint32(len(wire))
	edges := []uint32{0, 1, 7, 8, 16, 24, size - 8, size - 1, size, size + 1, 1 << 31, ^uint32(0)}
	for range 1 + random.IntN(4) {
		at := 4 * random.IntN(len(wire)/4)
		word := edges[random.IntN(len(edges))]
		switch random.IntN(3) {
		case 0:
			word = 8 * random.Uint32N(size/8)
		case 1:
			word = binary.NativeEndian.Uint32(wire[at:]) + random.Uint32N(17) - 8
		}
		binary.NativeEndian.PutUint32(wire[at:], word)
	}
	return wire
}

// A list that lies in the tables would change a value after its check: here the
// empty string's, which the number 0 follows.
func TestDecodeListInTables(t *testing.T) {
	d := newDecoder(t)
	wire := encode(t, step(plan.OpPropagate, "", 0), step(plan.OpEmpty, []string{}))
	const values, list = 16 + 2*8, 16 + 2*8 + 2*8
	for at := uint64(0); at < list+8; at += 8 {
		for count := range uint64(4) {
			hostile := bytes.Clone(wire)
			binary.NativeEndian.PutUint64(hostile[list:], at|count<<32)
			if d.accepts(t, hostile) {
				t.Errorf("a list of %d at %d is accepted; the values are at %d", count, at, values)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	d := newDecoder(f)
	for _, wire := range append(seeds(f), smallWire(f)) {
		f.Add(wire)
	}
	var one sync.Mutex
	f.Fuzz(func(t *testing.T, wire []byte) {
		one.Lock()
		defer one.Unlock()
		d.accepts(t, wire)
		if len(wire) >= 16 {
			whole := resized(wire, len(wire))
			binary.NativeEndian.PutUint32(whole, 0x54495644)
			d.accepts(t, whole)
		}
	})
}

// step makes one of numbers, strings, lists and bytes.
func step(op plan.Op, args ...any) plan.Step {
	s := plan.Step{Op: op, Doing: op.String()}
	for _, arg := range args {
		switch v := arg.(type) {
		case int:
			s.Args = append(s.Args, plan.Value{Int: int64(v)})
		case string:
			s.Args = append(s.Args, plan.Value{Str: v})
		case []string:
			s.Args = append(s.Args, plan.Value{List: v})
		case []byte:
			s.Args = append(s.Args, plan.Value{Bytes: v})
		default:
			panic(fmt.Sprintf("an argument of type %T", arg))
		}
	}
	return s
}
