package rollout_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/shared/rollout"
)

// This file says once more, in the slowest and plainest way, what must be true
// before anything is switched. It shares no code with the gates: what they
// forget is found here.

// reasonNotToSwitch is the first crucial promise that switching the wave now
// would break; empty if none. Gates that are waived are not asked about.
func reasonNotToSwitch(s *scene, wave rollout.WaveConfig) string {
	local := s.now.In(s.cfg.Location())
	today := rollout.DateOf(local)
	waived := func(gate string) bool {
		for _, w := range s.cfg.Waivers {
			if w.Gate == gate && w.Owner != "" && w.Reason != "" && w.Until.DaysUntil(today) <= 0 {
				return true
			}
		}
		return false
	}

	age := s.now.Sub(s.seen.Audit.At)
	if age < 0 || age > 36*time.Hour || len(s.seen.Accounts) == 0 || len(s.seen.Accounts) != s.seen.Audit.Accounts {
		return "the audit is not fresh and complete"
	}
	if reason := emergencyAccountsInDanger(s); reason != "" {
		return reason
	}

	capableAdmins, counted, able := 0, 0, 0
	for _, a := range s.seen.Accounts {
		person := a.Enabled && !isEmergency(s, a.ID) && (a.Class == rollout.ClassAdmin || a.Class == rollout.ClassMember || a.Class == rollout.ClassNeverSignedIn || (a.Class == rollout.ClassGuest && s.cfg.CountGuests))
		if a.Class == rollout.ClassAdmin && person && a.Capable == rollout.Yes && slices.Contains(a.Roles, rollout.RoleGlobalAdministrator) {
			capableAdmins++
		}
		if !person || !inWave(s, wave, a) {
			continue
		}
		if exempted(s, a, today) {
			if !leftOut(s, wave, a.ID) && !waived("notice-given") {
				return a.ID + " is exempted and would be stopped"
			}
			continue
		}
		if !a.New && !a.Reactivated && a.Class != rollout.ClassNeverSignedIn {
			counted++
			if a.Capable == rollout.Yes {
				able++
			}
		}
		if a.Capable != rollout.Yes && !waived("notice-given") && !wasTold(s, a.ID, today) && !acceptedByName(s, a) && !leftOut(s, wave, a.ID) {
			return a.ID + " would be stopped untold"
		}
	}
	if capableAdmins == 0 {
		return "no administrator is capable"
	}
	if wave.Members != rollout.MembersCapable && !waived("coverage") && (counted == 0 || 100*able < int(wave.NeededCoverage())*counted) {
		return fmt.Sprintf("%d of %d are capable", able, counted)
	}
	if !waived(rollout.GateWindow) {
		switch {
		case local.Weekday() == time.Friday || local.Weekday() == time.Saturday || local.Weekday() == time.Sunday:
			return "it is " + local.Weekday().String()
		case slices.Contains(s.cfg.Enforcement.Holidays, today):
			return "it is a holiday"
		case local.Hour() < s.cfg.Enforcement.FromHour || local.Hour() >= s.cfg.Enforcement.ToHour:
			return "it is " + local.Format("15:04")
		}
	}
	return ""
}

func emergencyAccountsInDanger(s *scene) string {
	distinct := map[string]bool{}
	for _, e := range s.cfg.EmergencyAccounts {
		distinct[strings.ToLower(e.ID)] = true
		proven := false
		for _, p := range s.seen.Live.Emergency {
			proven = proven || (p.Account == e.ID && p.Exists == rollout.Yes && p.Enabled == rollout.Yes && p.CloudOnly == rollout.Yes &&
				p.InitialDomain == rollout.Yes && p.GlobalAdmin == rollout.Yes && p.StrongMethod == rollout.Yes)
		}
		if !proven {
			return e.ID + " is not proven"
		}
		for _, p := range s.seen.Live.Policies {
			if p.State == rollout.StateDisabled || len(p.GrantControls) == 0 {
				continue
			}
			named := slices.Contains(p.IncludeUsers, "All") || slices.Contains(p.IncludeUsers, e.ID) || len(p.IncludeGroups) > 0 || len(p.IncludeRoles) > 0
			out := slices.Contains(p.ExcludeUsers, e.ID) || slices.Contains(p.ExcludeRoles, rollout.RoleGlobalAdministrator)
			for _, id := range p.ExcludeGroups {
				g := s.groups[id]
				if id == groupExempt {
					g = s.seen.Live.Groups[rollout.GroupExempt]
				}
				out = out || (g.Opened && slices.Contains(g.Members, e.ID))
			}
			if named && !out {
				return e.ID + " is inside " + p.ID
			}
		}
	}
	if len(distinct) < 2 {
		return "there are no two emergency accounts"
	}
	return ""
}

func isEmergency(s *scene, id string) bool {
	for _, e := range s.cfg.EmergencyAccounts {
		if strings.EqualFold(e.ID, id) {
			return true
		}
	}
	return false
}

// inWave: whom the wave's policy addresses.
func inWave(s *scene, wave rollout.WaveConfig, a rollout.Account) bool {
	switch wave.Members {
	case rollout.MembersAdmins:
		return len(a.Roles) > 0
	case rollout.MembersCapable:
		return slices.Contains(s.seen.Live.Groups[rollout.GroupReady].Members, a.ID)
	}
	return true
}

func exempted(s *scene, a rollout.Account, today rollout.Date) bool {
	for _, e := range s.cfg.Exemptions {
		if (e.Account == a.ID || e.Account == a.UserPrincipalName) && today.DaysUntil(e.Expires) >= 0 {
			return true
		}
	}
	return false
}

// leftOut: the live policy excludes Sallyport's group, and the group holds them.
func leftOut(s *scene, wave rollout.WaveConfig, id string) bool {
	for _, p := range s.seen.Live.Policies {
		if p.ID == "policy-"+wave.Name && slices.Contains(p.ExcludeGroups, groupExempt) {
			g := s.seen.Live.Groups[rollout.GroupExempt]
			return g.Opened && slices.Contains(g.Members, id)
		}
	}
	return false
}

func wasTold(s *scene, id string, today rollout.Date) bool {
	for _, m := range s.known.Messages {
		if m.Account == id && (m.Kind == rollout.MessageAnnouncement || m.Kind == rollout.MessageReady) && m.State == rollout.MessageDelivered &&
			rollout.DateOf(m.DeliveredAt.In(s.cfg.Location())).DaysUntil(today) >= 14 {
			return true
		}
	}
	return false
}

func acceptedByName(s *scene, a rollout.Account) bool {
	for _, x := range s.cfg.Accepted {
		if x.By != "" && (x.Account == a.ID || x.Account == a.UserPrincipalName) {
			return true
		}
	}
	return false
}
