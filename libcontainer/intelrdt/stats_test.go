package intelrdt

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// fakeResctrl makes what resctrl shows on a machine with two cache domains.
func fakeResctrl(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestStats(t *testing.T) {
	all := map[string]string{
		"schemata":                                 "    MB:0=100;1=100\n    L3:0=fffff;1=fffff\n",
		"info/L3/cbm_mask":                         "fffff\n",
		"info/L3/min_cbm_bits":                     "1\n",
		"info/L3/num_closids":                      "16\n",
		"info/MB/bandwidth_gran":                   "10\n",
		"info/MB/delay_linear":                     "1\n",
		"info/MB/min_bandwidth":                    "10\n",
		"info/MB/num_closids":                      "8\n",
		"info/L3_MON/mon_features":                 "llc_occupancy\nmbm_total_bytes\nmbm_local_bytes\n",
		"c/schemata":                               "    MB:0=20;1=70\n    L3:0=7f0;1=1f\n",
		"c/mon_data/mon_L3_00/llc_occupancy":       "1\n",
		"c/mon_data/mon_L3_00/mbm_total_bytes":     "2\n",
		"c/mon_data/mon_L3_00/mbm_local_bytes":     "3\n",
		"c/mon_data/mon_L3_01/llc_occupancy":       "Unavailable\n",
		"c/mon_data/mon_L3_01/mbm_total_bytes":     "5\n",
		"c/mon_data/mon_L3_01/mbm_local_bytes":     "6\n",
		"c/mon_groups/c/mon_data/m/llc_occupancy":  "7\n",
		"c/mon_groups/c/mon_data/m/mbm_tot_bytes":  "0\n",
		"c/mon_groups/c/mon_data/m/unused_counter": "0\n",
	}
	root := fakeResctrl(t, all)
	tests := []struct {
		name  string
		group Group
		want  string
	}{
		{"class", Group{Root: root, Clos: root + "/c"}, `{"l3_cache_info":{"cbm_mask":"fffff","min_cbm_bits":1,"num_closids":16},` +
			`"l3_cache_schema_root":"L3:0=fffff;1=fffff","l3_cache_schema":"L3:0=7f0;1=1f",` +
			`"mem_bw_info":{"bandwidth_gran":10,"delay_linear":1,"min_bandwidth":10,"num_closids":8},` +
			`"mem_bw_schema_root":"MB:0=100;1=100","mem_bw_schema":"MB:0=20;1=70","schemata":["MB:0=20;1=70","L3:0=7f0;1=1f"],` +
			`"mbm_stats":[{"mbm_total_bytes":2,"mbm_local_bytes":3},{"mbm_total_bytes":5,"mbm_local_bytes":6}],` +
			`"cmt_stats":[{"llc_occupancy":1},{"llc_occupancy":0}]}`},
		{"no hardware", Group{Root: root + "/c", Clos: root + "/c"}, `{"schemata":["MB:0=20;1=70","L3:0=7f0;1=1f"]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := tt.group.Stats()
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := json.Marshal(s); string(got) != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	own := Group{Root: root, Clos: root + "/c", Mon: root + "/c/mon_groups/c"}
	s, err := own.Stats()
	if err != nil || len(s.Occupancy) != 1 || s.Occupancy[0].Cache != 7 {
		t.Errorf("monitoring group: %+v, %v", s, err)
	}
	if _, err := (&Group{Root: root, Clos: root + "/gone"}).Stats(); err == nil {
		t.Error("a class that is gone has statistics")
	}
}

func TestSetSchemata(t *testing.T) {
	root := fakeResctrl(t, map[string]string{"info/MB/num_closids": "8\n", "c/schemata": "MB:0=20\n"})
	g := &Group{Root: root, Clos: root + "/c"}
	before, err := g.Schemata()
	if err != nil || before != "MB:0=20\n" {
		t.Errorf("got %q, %v", before, err)
	}
	if err := g.SetSchemata("MB:0=30\n"); err != nil {
		t.Fatal(err)
	}
	if now, _ := g.Schemata(); now != "MB:0=30\n" {
		t.Errorf("got %q", now)
	}
	if AllocatesCache(root) || !AllocatesBandwidth(root) || AllocatesBandwidth("") {
		t.Error("wrong about what can be allocated")
	}
}
