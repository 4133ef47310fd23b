package rollout

import "time"

// StillDue reports whether a claimed message is still true at the moment of
// sending, and if not, why: the person may have registered, left or been
// exempted since.
func StillDue(cfg Config, m Message, a Account, now time.Time) (bool, string) {
	if !m.Kind.ToPerson() {
		return true, ""
	}
	for _, check := range []func(Config, Message, Account, time.Time) string{stillWritable, stillInWave, stillTrueOfMethods, stillInTime} {
		if why := check(cfg, m, a, now); why != "" {
			return false, why
		}
	}
	return true, ""
}

func stillWritable(cfg Config, _ Message, a Account, _ time.Time) string {
	switch {
	case cfg.Paused:
		return "the rollout is paused"
	case !IsPerson(cfg, a):
		return "the account is now: " + string(a.Class)
	case a.Mail == "":
		return "the account has no mail address"
	}
	return ""
}

// stillInWave: a manager hears of their people whatever wave they are in.
func stillInWave(cfg Config, m Message, a Account, now time.Time) string {
	wave, ok := cfg.Wave(m.Wave)
	switch {
	case m.Kind == MessageTeam:
	case !ok:
		return "the wave is no longer in the plan"
	case !wave.Holds(cfg, a, DateOf(now.In(cfg.Location()))):
		return "the account is no longer in the wave"
	}
	return ""
}

func stillTrueOfMethods(_ Config, m Message, a Account, _ time.Time) string {
	switch m.Kind {
	case MessageReady, MessageDone:
		if a.Capable != Yes {
			return "capable no longer"
		}
	case MessageBetter:
		if a.Capable != Yes || a.Strength != StrengthWeak {
			return "SMS and voice are no longer all they have"
		}
	case MessageTeam:
	case MessageTraining:
		// Whoever was invited hears of a change, also once they have registered.
		if a.Capable == Yes && m.Details[detailSequence] == "0" {
			return "registered since"
		}
	default:
		if a.Capable == Yes {
			return "registered since"
		}
	}
	return ""
}

func stillInTime(cfg Config, m Message, _ Account, now time.Time) string {
	loc := cfg.Location()
	day := DateOf(now.In(loc))
	switch {
	case m.Kind == MessageReminder && day.DaysUntil(m.Deadline) < 1:
		return "the deadline is here"
	case m.Kind == MessageToday && day != m.Deadline:
		return "the day is over"
	case m.Kind == MessageBetter && day.DaysUntil(PhoneEnds()) < 1:
		return "SMS and voice have ended"
	case m.Kind == MessageTraining && !invitationHolds(cfg, m, loc, now):
		return "the training has changed since"
	}
	return ""
}
