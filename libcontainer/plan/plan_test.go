package plan

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

var update = flag.Bool("update", false, "write the golden files anew")

// scenario is one golden test: testdata/NAME.json holds it, NAME.plan the plan.
type scenario struct {
	Facts   Facts
	Options Options
	Config  specs.Spec
}

func load(t testing.TB, file string) scenario {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := scenario{Options: Options{ID: "c1", Bundle: "/bundle", Rootfs: "/bundle/rootfs"}}
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return s
}

func TestGolden(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.json")
	if len(files) < 8 {
		t.Fatalf("found %d scenarios", len(files))
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			s := load(t, file)
			p, err := Compile(&s.Config, s.Facts, s.Options)
			got := ""
			if err != nil {
				got = "error: " + err.Error() + "\n"
			} else {
				got = p.String()
			}
			compare(t, strings.TrimSuffix(file, ".json")+".plan", got)
		})
	}
}

func compare(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (run with -update to accept):\ngot:\n%s\nwant:\n%s", golden, got, want)
	}
}

// Compiling must neither change the configuration nor depend on the run.
func TestCompileIsPure(t *testing.T) {
	s := load(t, "testdata/default.json")
	before, _ := json.Marshal(s.Config)
	first, err := Compile(&s.Config, s.Facts, s.Options)
	if err != nil {
		t.Fatal(err)
	}
	second, _ := Compile(&s.Config, s.Facts, s.Options)
	after, _ := json.Marshal(s.Config)
	if string(before) != string(after) {
		t.Error("Compile changed the configuration")
	}
	if first.String() != second.String() {
		t.Error("two compilations differ")
	}
}

func TestWireRoundTrip(t *testing.T) {
	p := &Plan{Steps: []Step{
		{OpExec, []Value{list([]string{"sh", "-c", ""}), list(nil)}, ""},
		{OpGroups, []Value{raw([]byte{1, 2, 3, 4})}, ""},
		{OpWriteProc, []Value{str("a"), str("-17")}, ""},
		{OpReady, nil, ""},
	}}
	wire, err := p.Wire()
	if err != nil {
		t.Fatal(err)
	}
	u32 := func(at int) int { return int(binary.NativeEndian.Uint32(wire[at:])) }
	if u32(0) != wireMagic || u32(4) != 4 || u32(8) != 5 || u32(12) != len(wire) {
		t.Fatalf("header is %x", wire[:16])
	}
	values := wireHeaderSize + 4*wireStepSize
	args := binary.NativeEndian.Uint64(wire[values:])
	at, count := int(args&0xffffffff), int(args>>32)
	if at%8 != 0 || count != 3 {
		t.Fatalf("args at %d, %d of them", at, count)
	}
	var got []string
	for i := 0; i < count; i++ {
		s := wire[binary.NativeEndian.Uint64(wire[at+8*i:]):]
		got = append(got, string(s[:strings.IndexByte(string(s), 0)]))
	}
	if strings.Join(got, "|") != "sh|-c|" {
		t.Errorf("args are %q", got)
	}
}

func TestMountOptions(t *testing.T) {
	const reset, all = resettable, attrATime | unix.MOUNT_ATTR_NODIRATIME
	for _, test := range []struct {
		name    string
		options string
		want    mountOptions
		reset   uint64
	}{
		{"none", "bind", mountOptions{bind: true}, 0},
		{"ro resets the rest", "bind,ro", mountOptions{bind: true, set: unix.MOUNT_ATTR_RDONLY}, reset &^ unix.MOUNT_ATTR_RDONLY},
		{"last wins", "ro,rw", mountOptions{clear: unix.MOUNT_ATTR_RDONLY}, reset},
		{"remount keeps the rest", "bind,remount,ro", mountOptions{bind: true, remount: true, set: unix.MOUNT_ATTR_RDONLY}, 0},
		{"noatime", "noatime", mountOptions{set: unix.MOUNT_ATTR_NOATIME, clear: all}, reset},
		{"relatime is zero", "relatime", mountOptions{clear: all}, reset},
		{"nodiratime has relatime", "nodiratime", mountOptions{set: unix.MOUNT_ATTR_NODIRATIME, clear: all}, reset},
		{"nodiratime with another", "nodiratime,strictatime", mountOptions{set: unix.MOUNT_ATTR_NODIRATIME | unix.MOUNT_ATTR_STRICTATIME, clear: all}, reset},
		{"strictatime wins", "strictatime,noatime", mountOptions{set: unix.MOUNT_ATTR_STRICTATIME, clear: all}, reset},
		{"atime takes noatime back", "noatime,atime", mountOptions{}, reset},
		{"atime keeps what there is", "bind,atime", mountOptions{bind: true}, reset},
		{"norelatime is not strictatime", "norelatime", mountOptions{}, reset},
		{"recursive norelatime is relatime", "rnorelatime", mountOptions{recClr: attrATime}, 0},
		{"recursive atime", "rnoatime,ratime", mountOptions{recClr: attrATime}, 0},
		{"recursive", "rro,rnosuid", mountOptions{recSet: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID}, 0},
		{"rw is not recursive w", "rrw", mountOptions{recClr: unix.MOUNT_ATTR_RDONLY}, 0},
		{"copy up", "tmpcopyup", mountOptions{copyUp: true}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := parseMountOptions(strings.Split(test.options, ","))
			g, w := got, test.want
			if g.bind != w.bind || g.remount != w.remount || g.set != w.set || g.clear != w.clear ||
				g.recSet != w.recSet || g.recClr != w.recClr || g.copyUp != w.copyUp {
				t.Errorf("got %+v, want %+v", g, w)
			}
			if got.reset() != test.reset {
				t.Errorf("reset is %#x, want %#x", got.reset(), test.reset)
			}
		})
	}
}

func TestSysctlPath(t *testing.T) {
	for key, want := range map[string]string{
		"kernel.shmmax":           "kernel/shmmax",
		"net/ipv4/conf/eth0.1/x":  "net/ipv4/conf/eth0.1/x",
		"net.ipv4.conf.eth0/1.rp": "net/ipv4/conf/eth0.1/rp",
		"fs.mqueue.msg_max":       "fs/mqueue/msg_max",
	} {
		if got := sysctlPath(key); got != want {
			t.Errorf("sysctlPath(%q) = %q, want %q", key, got, want)
		}
	}
}

func TestListMask(t *testing.T) {
	for _, list := range []string{"0-1,3", " 0-1 , 3", "0-1,,3,"} { // as package spec takes them
		mask, err := listMask(list, maxNode)
		if err != nil || len(mask)%8 != 0 || mask[0] != 0b1011 {
			t.Errorf("the mask of %q is %x, %v", list, mask, err)
		}
	}
	for _, bad := range []string{"a", "3-1", "-1", "0-99999"} {
		if _, err := listMask(bad, maxNode); err == nil {
			t.Errorf("listMask(%q) is accepted", bad)
		}
	}
}

func TestDest(t *testing.T) {
	c := &compiler{opts: Options{Rootfs: "/b/rootfs"}}
	for dest, want := range map[string]string{
		"/mnt": "/mnt", "mnt": "/mnt", "/b/rootfs/mnt": "/mnt", "/b/rootfs": "/", "/../../x": "/x", "/b/rootfsx": "/b/rootfsx",
	} {
		if got := c.dest(dest); got != want {
			t.Errorf("dest(%q) = %q, want %q", dest, got, want)
		}
	}
}

// A plan that is compiled from any configuration can be encoded.
func FuzzCompile(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.json")
	for _, file := range files {
		data, _ := os.ReadFile(file)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var s scenario
		if json.Unmarshal(data, &s) != nil {
			return
		}
		for _, m := range s.Config.Mounts {
			for _, o := range m.Options {
				if o == "" {
					return // package spec refuses it
				}
			}
		}
		p, err := Compile(&s.Config, s.Facts, s.Options)
		if err != nil {
			return
		}
		if _, err := p.Wire(); err != nil {
			t.Log(err)
		}
		_ = p.String()
	})
}
