package links

import (
	"encoding/json"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/pflag"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/network"
	"github.com/davit-containers/davit/shim/options"
)

func parse(t *testing.T, line string) *Flags {
	t.Helper()
	var f Flags
	fs := pflag.NewFlagSet("run", pflag.ContinueOnError)
	f.Add(fs)
	if err := fs.Parse(strings.Fields(line)); err != nil {
		t.Fatal(err)
	}
	return &f
}

func TestNetwork(t *testing.T) {
	image := map[string]struct{}{"80/tcp": {}, "53/udp": {}}
	for _, tt := range []struct {
		name, line string
		given      Given
		want       string // of the result's JSON, or of the error
	}{
		{"default", "", Given{}, `{"Mode":{"Kind":0,"Name":"bridge"},"Networks":[{"Network":"bridge"`},
		{"default of a user", "", Given{User: true}, `{"Mode":{"Kind":4,"Name":""}}`},
		{"bridge of a user", "--network bridge", Given{User: true}, `{"Mode":{"Kind":4,"Name":""}}`},
		{"none", "--network none", Given{}, `{"Mode":{"Kind":1,"Name":""}}`},
		{"host", "--net host", Given{}, `{"Mode":{"Kind":2,"Name":""}}`},
		{"container", "--network container:web", Given{}, `{"Mode":{"Kind":3,"Name":"web"}}`},
		{"slirp4netns", "--network slirp4netns", Given{}, `{"Mode":{"Kind":4,"Name":"slirp4netns"}}`},
		{"several", "--network front --network back", Given{}, `"Networks":[{"Network":"front","Addresses":null,"MAC":null,"Aliases":null},{"Network":"back",`},
		{"several, one of which is none", "--network front --network host", Given{}, "--network host: it cannot be one of several"},
		{"fields", "--network name=front,alias=a,alias=b,ip=10.9.0.5,mac-address=02:00:00:00:00:01", Given{}, `"Networks":[{"Network":"front","Addresses":["10.9.0.5"],"MAC":"AgAAAAAB","Aliases":["a","b"]}]`},
		{"fields without a name", "--network alias=a", Given{}, "it has no name"},
		{"unknown field", "--network name=a,colour=red", Given{}, `no field "colour"`},
		{"place", "--network front --ip 10.9.0.5 --ip6 fd00::5 --mac-address 02:00:00:00:00:01 --network-alias a", Given{}, `"fd00::5"`},
		{"place without a network", "--network none --ip 10.9.0.5", Given{}, "need a network of their own"},
		{"wrong address", "--ip ::1", Given{}, `--ip "::1": it is no such address`},
		{"wrong hardware address", "--mac-address x", Given{}, `--mac-address "x"`},
		{"ports", "-p 8080:80 -P --expose 90-91/udp", Given{Exposed: image}, `"Ports":[{"HostIP":"","Host":8080,"Container":80,"Protocol":"tcp"}],"Exposed":[{"HostIP":"","Host":0,"Container":53,"Protocol":"udp"},{"HostIP":"","Host":0,"Container":80,"Protocol":"tcp"},{"HostIP":"","Host":0,"Container":90,"Protocol":"udp"},{"HostIP":"","Host":0,"Container":91,"Protocol":"udp"}],"PublishAll":true`},
		{"wrong port", "--expose 0", Given{}, `exposed port "0"`},
		{"image's wrong port", "", Given{Exposed: map[string]struct{}{"80/x": {}}}, `no protocol "x"`},
		{"names", "--dns 192.0.2.1 --dns-search example.org --dns-option ndots:2 --add-host gw:host-gateway --add-host a:192.0.2.9", Given{}, `"DNS":{"Servers":["192.0.2.1"],"Search":["example.org"],"Options":["ndots:2"]},"Hosts":[{"Name":"gw","Addr":""},{"Name":"a","Addr":"192.0.2.9"}]`},
		{"wrong server", "--dns x", Given{}, `--dns "x"`},
		{"wrong host", "--add-host x", Given{}, `--add-host "x"`},
		{"host name of another's", "--network container:web", Given{Hostname: "x"}, "conflicting options: --hostname"},
		{"servers of another's", "--network container:web --dns 192.0.2.1", Given{}, "conflicting options: --dns"},
		{"ports of another's", "--network container:web -p 80:80", Given{}, "conflicting options: port publishing"},
		{"ports without a network", "--network none -P", Given{}, "conflicting options: port publishing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, err := parse(t, tt.line).Network(tt.given)
			got, _ := json.Marshal(n)
			text := string(got)
			if err != nil {
				text = err.Error()
			}
			if !strings.Contains(text, tt.want) {
				t.Errorf("got %s, want %s", text, tt.want)
			}
		})
	}
}

func TestPublished(t *testing.T) {
	n, err := parse(t, "-p 127.0.0.1:8080:80 -P --expose 80-81 --expose 81/udp").Network(Given{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range published(n) {
		got = append(got, p.String())
	}
	if want := "127.0.0.1:8080:80/tcp 81/tcp 81/udp"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNames(t *testing.T) {
	c := container.Config{ID: strings.Repeat("0123456789abcdef", 4), Name: "web"}
	for _, tt := range []struct {
		hostname, domain, want string
		mode                   network.Kind
	}{
		{"", "", "0123456789ab web", network.Named},
		{"www", "", "www web 0123456789ab", network.Named},
		{"web", "example.org", "web.example.org web 0123456789ab", network.Named},
	} {
		c.Hostname, c.Domainname, c.Network.Mode.Kind = tt.hostname, tt.domain, tt.mode
		if got := strings.Join(namesOf(&c), " "); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestVolumes(t *testing.T) {
	mounts := []specs.Mount{{Destination: "/cache/"}}
	wanted := []options.Volume{{Name: "data", Destination: "/data/", ReadOnly: true}, {Destination: "/tmp", NoCopy: true}}
	got, err := Volumes(wanted, []string{"/var", "/data", "cache", "/../"}, mounts)
	if err != nil || len(got) != 3 {
		t.Fatalf("got %+v, %v", got, err)
	}
	for i, want := range []container.Volume{
		{Name: "data", Destination: "/data", ReadOnly: true}, {Destination: "/tmp", NoCopy: true, Anonymous: true}, {Destination: "/var", Anonymous: true},
	} {
		if want.Anonymous {
			if len(got[i].Name) != 64 {
				t.Errorf("got name %q", got[i].Name)
			}
			want.Name = got[i].Name
		}
		if got[i] != want {
			t.Errorf("got %+v, want %+v", got[i], want)
		}
	}
	for _, wrong := range [][]options.Volume{{{Destination: "/cache"}}, {{Destination: "/a"}, {Destination: "/b/../a"}}, {{Destination: "/"}}} {
		if got, err := Volumes(wrong, nil, mounts); err == nil {
			t.Errorf("got %+v", got)
		}
	}
}
