package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"

	"sallyport/shared/rollout"
)

func gatesVerb() verb {
	return verb{
		name:    "gates",
		summary: "show what would hold each switch, and how to mend it; now, or on a later day",
		about: `Asks every gate of every wave that is not switched yet, in the order in which to
mend them. With --at it says what can be foreseen of that day if nothing changes
but the date: exemptions, waivers and drills run out, notices run their course.

With --table it goes by what the functions left in the stack's table; add --live
to read the tenant's policies too. A folder made by snapshot knows neither who
was told nor how long a policy was observed: such gates fail there, they never
pass. Exit code 3 says that a gate fails.`,
		examples: []string{
			"sallyport gates --table sallyport --live",
			"sallyport gates --table sallyport --at 2027-01-12 --wave everyone",
			"sallyport gates --tenant snapshot/ --config rollout.yaml",
			"sallyport gates --table sallyport --json | jq '.waves[].gates[] | select(.ok == false)'",
		},
		prepare: func(f *flag.FlagSet) action {
			g := &gatesCommand{}
			g.from.declare(f)
			f.StringVar(&g.wave, "wave", "", "only the wave of this `name`")
			f.StringVar(&g.at, "at", "", "foresee this later `day`, YYYY-MM-DD; empty: now")
			return g.run
		},
	}
}

type gatesCommand struct {
	from     gatherer
	wave, at string
}

// gatesAnswer is what `sallyport gates --json` answers.
type gatesAnswer struct {
	Tenant rollout.TenantID `json:"tenant"`
	Day    rollout.Date     `json:"day"`
	// Foreseen: the day lies ahead, and each wave has forecasts instead of gates.
	Foreseen bool        `json:"foreseen"`
	Holds    bool        `json:"holds"` // no gate of any wave is in the way
	Waves    []gatedWave `json:"waves"`
}

type gatedWave struct {
	Name      string               `json:"name"`
	Deadline  rollout.Date         `json:"deadline"`
	State     rollout.WaveState    `json:"state"` // planned where the table was not read
	Gates     []rollout.GateResult `json:"gates"`
	Forecasts []rollout.Forecast   `json:"forecasts"`
}

func (g *gatesCommand) run(ctx context.Context, s session) error {
	if len(s.operands) > 0 {
		return usageError{fmt.Sprintf("unexpected %q", s.operands[0])}
	}
	all, err := g.from.gather(ctx, s)
	if err != nil {
		return err
	}
	answer, err := g.ask(all)
	if err != nil {
		return err
	}
	if s.json {
		err = s.writeJSON(answer)
	} else {
		err = writeGatesAnswer(s.stdout, answer)
	}
	if err == nil && !answer.Holds {
		err = heldError{"a gate is in the way of a switch: see above, and mend from the top"}
	}
	return err
}

// ask asks the gates of every wave that is not switched yet.
func (g *gatesCommand) ask(all gathered) (gatesAnswer, error) {
	today := rollout.DateOf(all.now.In(all.cfg.Location()))
	answer := gatesAnswer{Tenant: all.cfg.Tenant, Day: today, Holds: true, Waves: []gatedWave{}}
	if g.at != "" {
		day, err := rollout.ParseDate(g.at)
		if err != nil {
			return answer, usageError{"--at " + err.Error()}
		}
		if !today.Before(day) {
			return answer, usageError{fmt.Sprintf("--at %s: today is %s; leave --at out to see how things stand", day, today)}
		}
		answer.Day, answer.Foreseen = day, true
	}
	waves, err := all.waves(g.wave)
	if err != nil {
		return answer, err
	}
	for _, wave := range waves {
		gated := gatedWave{Name: wave.Name, Deadline: wave.Deadline, State: all.known.Wave(wave.Name).State, Gates: []rollout.GateResult{}, Forecasts: []rollout.Forecast{}}
		switched := gated.State == rollout.WaveEnforced || gated.State == rollout.WaveSettled
		switch {
		case switched: // there is nothing left to switch
		case answer.Foreseen:
			gated.Forecasts = all.foresee(wave, answer.Day)
		default:
			gated.Gates = all.check(wave)
		}
		for _, r := range gated.Gates {
			answer.Holds = answer.Holds && r.Holds()
		}
		for _, f := range gated.Forecasts {
			answer.Holds = answer.Holds && (f.Holds() || f.Outlook == rollout.Unforeseen)
		}
		answer.Waves = append(answer.Waves, gated)
	}
	return answer, nil
}

// check asks the gates now. What this command was not given is said to be so,
// and does not pass.
func (a gathered) check(wave rollout.WaveConfig) []rollout.GateResult {
	results := rollout.CheckGates(a.cfg, a.seen, a.known, wave, a.now)
	for i, r := range results {
		if gap, unknown := a.unknown[r.ID]; unknown && !r.OK {
			results[i].Evidence, results[i].Remedy = gap.why, gap.remedy
		}
	}
	return results
}

func (a gathered) foresee(wave rollout.WaveConfig, day rollout.Date) []rollout.Forecast {
	forecasts := rollout.Foresee(a.cfg, a.seen, a.known, wave, a.now, day)
	for i, f := range forecasts {
		if gap, unknown := a.unknown[f.ID]; unknown && !f.Today.OK {
			f.Outlook, f.Evidence, f.Remedy = rollout.Unforeseen, gap.why, gap.remedy
			f.Today.Evidence, f.Today.Remedy = gap.why, gap.remedy
			forecasts[i] = f
		}
	}
	return forecasts
}

func writeGatesAnswer(out io.Writer, answer gatesAnswer) error {
	var b strings.Builder
	if answer.Foreseen {
		fmt.Fprintf(&b, "%s on %s, as far as can be foreseen:\n", answer.Tenant, answer.Day)
	} else {
		fmt.Fprintf(&b, "%s today, %s:\n", answer.Tenant, answer.Day)
	}
	for _, w := range answer.Waves {
		fmt.Fprintf(&b, "\nWave %s, %s%s\n", w.Name, w.State, deadlineWords(w.Deadline))
		if len(w.Gates)+len(w.Forecasts) == 0 {
			b.WriteString("  It is switched: no gate is left.\n")
		}
		for _, r := range w.Gates {
			writeGate(&b, gateWord(r), r.ID, r.Evidence, r.Remedy, r.OK, r.Waived)
		}
		for _, f := range w.Forecasts {
			writeGate(&b, outlookWord(f), f.ID, f.Evidence, f.Remedy, f.Outlook == rollout.WillHold, f.Waived)
		}
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return fmt.Errorf("write the gates: %w", err)
	}
	return nil
}

func deadlineWords(d rollout.Date) string {
	if d.IsZero() {
		return ", each person from the day they can do MFA"
	}
	return ", deadline " + d.Weekday().String() + " " + d.String()
}

func gateWord(r rollout.GateResult) string {
	switch {
	case r.OK:
		return "ok"
	case r.Waived != nil:
		return "waived"
	}
	return "FAILS"
}

func outlookWord(f rollout.Forecast) string {
	switch {
	case f.Outlook == rollout.WillHold:
		return "will hold"
	case f.Waived != nil:
		return "waived"
	case f.Outlook == rollout.WillFail:
		return "WILL FAIL"
	}
	return "unforeseen"
}

// writeGate writes one gate: its word, its evidence, and below it what to do.
func writeGate(b *strings.Builder, word, id, evidence, remedy string, ok bool, waived *rollout.Waiver) {
	fmt.Fprintf(b, "  %-10s  %-18s  %s\n", word, id, printable(evidence))
	const indent = "                                  "
	switch {
	case ok:
	case waived != nil:
		fmt.Fprintf(b, "%swaived until %s by %s: %s\n", indent, waived.Until, printable(waived.Owner), printable(waived.Reason))
	default:
		fmt.Fprintf(b, "%sto mend: %s\n", indent, remedy)
	}
}
