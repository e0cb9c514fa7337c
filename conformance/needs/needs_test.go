package needs

import (
	"strings"
	"testing"
)

func TestMissing(t *testing.T) {
	f := Feature{"flight", "5.12", "FLY", "/switch"}
	with := map[string]string{"FLY": "y"}
	tests := []struct {
		name    string
		kernel  kernel
		want    string // "" means that the kernel has it
		feature Feature
	}{
		{"new enough", kernel{"5.12.0", with, nothing}, "", f},
		{"newer", kernel{"6.1.0-18-amd64", with, nothing}, "", f},
		{"older", kernel{"5.4.0", with, nothing}, "it is 5.4.0, older than 5.12", f},
		{"not built", kernel{"6.1.0", map[string]string{"WALK": "y"}, nothing}, "CONFIG_FLY is not set", f},
		{"a module", kernel{"6.1.0", map[string]string{"FLY": "m"}, nothing}, "CONFIG_FLY is a module, which may not be loaded", f},
		{"not known", kernel{"6.1.0", nil, nothing}, "whether CONFIG_FLY is set cannot be known", f},
		{"switched off", kernel{"6.1.0", with, func(string) string { return "0" }}, "/switch is 0", f},
		{"always there", kernel{"6.1.0", nil, nothing}, "", Feature{Name: "air", Since: "2.6"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.feature.missing(tt.kernel); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func nothing(string) string { return "" }

func TestParseConfiguration(t *testing.T) {
	got := parseConfiguration(strings.NewReader("# Linux\nCONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=m\nCONFIG_D=\"x=y\"\n"))
	if got["A"] != "y" || got["B"] != "" || got["C"] != "m" || got["D"] != `"x=y"` {
		t.Errorf("got %v", got)
	}
}

func TestOnLegacy(t *testing.T) {
	const table = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t3\t7\t1\nmemory\t0\t1\t1\npids\t4\t1\t0\n"
	for name, want := range map[string]bool{"cpu": true, "memory": false, "pids": false, "io": false} {
		if got := onLegacy(table, name); got != want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
