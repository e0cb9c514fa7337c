package idmap

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestSubordinate(t *testing.T) {
	me := strconv.Itoa(os.Getuid())
	tests := []struct {
		name, file string
		want       string // or the end of an error
	}{
		{"none", "", ""},
		{"another's", "somebody:100000:65536\n", ""},
		{"one", me + ":100000:65536\n", "1:100000:65536"},
		{"two", "# comment\n" + me + ":100000:10\nsomebody:5:5\n" + me + ":300000:20", "1:100000:10,11:300000:20"},
		{"by name", userName() + ":7:3\n", "1:7:3"},
		{"of no length", me + ":100000:0\n" + me + ":5:1\n", "1:5:1"},
		{"no number", me + ":100000:x\n", `"100000:x" is no range of ids`},
		{"half a line", me + ":100000\n", `"100000" is no range of ids`},
		{"beyond the last id", me + ":4294967295:2\n", `"4294967295:2" is no range of ids`},
		{"all ids", me + ":0:4294967295\n", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "sub")
			if err := os.WriteFile(file, []byte(test.file), 0o644); err != nil {
				t.Fatal(err)
			}
			got, err := subordinate(file)
			if err != nil && (test.want == "" || !strings.HasSuffix(err.Error(), test.want)) || err == nil && text(got) != test.want {
				t.Errorf("got %s, %v, want %s", text(got), err, test.want)
			}
		})
	}
	if got, err := subordinate("/not/there"); err != nil || len(got) > 0 {
		t.Errorf("without the file: got %v, %v", fmt.Sprint(got), err)
	}
}
