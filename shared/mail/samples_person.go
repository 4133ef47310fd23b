package mail

import (
	"time"

	"sallyport/shared/rollout"
)

// Subject is whom the samples of messages to a person are about, and what they
// are told.
type Subject struct {
	Person
	From     Line
	Deadline rollout.Date
	Training Training // the zero value: none is offered
	Windows  []int    // of the reminders, the largest first
}

// SampleSubject is invented.
func SampleSubject() Subject {
	london := time.FixedZone("GMT", 0)
	return Subject{
		Person: Person{
			Name:         "Megan Bowen",
			Account:      "megan.bowen@contoso.com",
			Organization: "Contoso",
			HelpDesk: rollout.HelpDesk{
				Name: "IT Help Desk", Email: "help@contoso.com",
				Phone: "+44 20 7946 0123", Hours: "Mon–Fri 8:00–18:00",
			},
		},
		From:     "it@contoso.com",
		Deadline: rollout.Date{Year: 2027, Month: time.January, Day: 12},
		Training: Training{
			Title: "The second sign-in step, together", Start: time.Date(2026, 12, 8, 10, 0, 0, 0, london), Zone: london, Minutes: 30,
			Join: "https://meet.contoso.com/second-step", Recording: "https://video.contoso.com/second-step",
		},
		Windows: []int{7, 3, 1},
	}
}

func sampleTeam() []Member {
	return []Member{{"Adele Vance", "adele.vance@contoso.com"}, {"Nestor Wilke", "nestor.wilke@contoso.com"}}
}

// PersonSamples are all messages that go to one person, in the order in which a
// rollout sends them.
func PersonSamples(s Subject) []Data {
	var offered *Training
	var sessions []Data
	if !s.Training.Start.IsZero() {
		offered = &s.Training
		recorded := s.Training
		recorded.Join = ""
		sessions = []Data{
			Session{Person: s.Person, Training: s.Training, Deadline: s.Deadline},
			Session{Person: s.Person, Training: recorded, Deadline: s.Deadline, Sequence: 1},
			Session{Person: s.Person, Training: s.Training, Deadline: s.Deadline, Sequence: 2, Cancelled: true},
		}
	}
	ends, team := rollout.PhoneEnds(), sampleTeam()
	samples := []Data{
		Announcement{Person: s.Person, Deadline: s.Deadline, From: s.From, Training: offered},
		Ready{Person: s.Person, Deadline: s.Deadline},
		Ready{Person: s.Person, Deadline: s.Deadline, PhoneEnds: ends},
	}
	samples = append(samples, sessions...)
	for _, w := range s.Windows {
		samples = append(samples, Reminder{Person: s.Person, Today: s.Deadline.AddDays(-w), Deadline: s.Deadline, Window: w, Windows: s.Windows})
	}
	return append(
		samples,
		Today{Person: s.Person, Deadline: s.Deadline},
		Holdout{Person: s.Person, Since: s.Deadline},
		Team{Name: s.Name, Organization: s.Organization, HelpDesk: s.HelpDesk, People: team, More: 3},
		Team{Name: s.Name, Organization: s.Organization, HelpDesk: s.HelpDesk, People: team[:1]},
		Colleague{Person: s.Person, Deadline: s.Deadline.AddDays(28), From: s.From, Training: offered},
		Better{Person: s.Person, Today: ends.AddDays(-14), Ends: ends},
		Done{s.Person},
	)
}
