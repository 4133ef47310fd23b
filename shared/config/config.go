// Package config reads what people and the stack say before a run begins: an
// operator's rollout.yaml ([Parse]) and a function's environment ([Load]).
//
// A rollout.yaml is validated as a whole. Every mistake is named with its line
// and column, what was expected there and an example, and a file with a mistake
// gives no configuration at all: nothing of it is ever applied. What is
// allowed but unwise comes back apart, as warnings.
//
// The package carries a database of time zones: a Lambda has none, and would
// take every tenant to be in UTC.
package config

import (
	_ "time/tzdata" // here, because every main imports this package and none may forget it

	"sallyport/shared/rollout"
)

// Options is what the rest of Sallyport knows and a rollout.yaml is held to.
type Options struct {
	// Languages are those that the messages are written in, the fallback first.
	Languages []string
	// Gates says of each gate's id whether it may be waived ([rollout.GateIDs]).
	Gates map[string]bool
}

// Parse reads and validates a rollout.yaml. The name is only for the messages.
// The problems returned beside a configuration are warnings: nothing needs to
// change. The error is an [*InvalidError] that holds every mistake; the
// configuration is then empty.
func Parse(name string, data []byte, opts Options) (rollout.Config, []Problem, error) {
	report := newReport(name)
	cfg := defaults(opts)
	if text, ok := decodeText(data, report); ok {
		if root, ok := parseYAML(text, report); ok {
			reader{report}.readInto(&cfg, root)
			check(&cfg, opts, report)
		}
	}
	if err := report.err(); err != nil {
		return rollout.Config{}, report.sorted(report.warnings), err
	}
	return cfg, report.sorted(report.warnings), nil
}

// defaults is the configuration that a file's keys are laid over.
func defaults(opts Options) rollout.Config {
	cfg := rollout.Config{
		Method:       rollout.MethodAuto,
		GraceDays:    14,
		ReminderDays: []int{7, 3, 1},
		Enforcement:  rollout.SwitchWindow{FromHour: 9, ToHour: 16},
		Breaker:      rollout.BreakerLimits{People: 3, Percent: 2, Admins: 2},
		Drills:       rollout.UsualDrills(),
	}
	if len(opts.Languages) > 0 {
		cfg.Communication.Languages = opts.Languages[:1:1]
	}
	return cfg
}
