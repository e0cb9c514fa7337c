package dockerfile

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// print writes a plan as text, for golden files.
func (p *Plan) print() string {
	var b strings.Builder
	for _, w := range p.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	for _, s := range p.Stages {
		s.print(&b)
	}
	return b.String()
}

func (s *Stage) print(b *strings.Builder) {
	fmt.Fprintf(b, "stage %s from %s\n", s.Name, s.Base.print())
	for _, step := range s.Steps {
		number := "     "
		if step.Changes() {
			number = fmt.Sprintf("[%d/%d]", step.Number, s.Count())
		}
		fmt.Fprintf(b, "  %s %d: %s\n", number, step.Line, step.Text)
		if step.History != step.Text {
			fmt.Fprintf(b, "    history: %q\n", step.History)
		}
		step.printAction(b)
	}
	config, _ := json.Marshal(s.Config.Defaults())
	fmt.Fprintf(b, "  image: %s\n", config)
}

func (s Source) print() string {
	switch s.Kind {
	case FromStage:
		return "stage " + s.Stage.Name
	case FromImage:
		return "image " + s.Image + " for " + s.Platform
	}
	return string(s.Kind)
}

func (s *Step) printAction(b *strings.Builder) {
	switch {
	case s.Run != nil:
		raw, _ := json.Marshal(s.Run)
		fmt.Fprintf(b, "    run: %s\n", raw)
		if len(s.Run.Proxies) > 0 {
			fmt.Fprintf(b, "    proxies: %q\n", slices.Sorted(slices.Values(s.Run.Proxies)))
		}
	case s.Copy != nil:
		raw, _ := json.Marshal(s.Copy)
		fmt.Fprintf(b, "    copy from %s: %s\n", s.Copy.From.print(), raw)
	case s.Workdir != nil:
		raw, _ := json.Marshal(s.Workdir)
		fmt.Fprintf(b, "    workdir: %s\n", raw)
	}
}
