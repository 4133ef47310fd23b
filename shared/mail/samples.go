package mail

import (
	"time"

	"sallyport/shared/rollout"
)

// Samples returns invented messages that together go through every branch of
// every template. A [Renderer] renders them all before it is used, the goldens
// are made of them, and so is a preview.
func Samples() []Data {
	london := time.FixedZone("GMT", 0)
	deadline := rollout.Date{Year: 2027, Month: time.January, Day: 12}
	notice := Notice{Organization: "Contoso", Tenant: "contoso.onmicrosoft.com", Zone: london}
	signIn := SecurityAlert{
		Notice: notice, ID: "signin-66ea54eb-6301-4ee5-be62-ff5a759b0100",
		Account: "Emergency account 1", UserPrincipalName: "emergency1@contoso.onmicrosoft.com",
		OccurredAt: deadline.At(3, 12, london), SeenAt: deadline.At(3, 16, london),
		SignIn: &SignIn{
			ID: "66ea54eb-6301-4ee5-be62-ff5a759b0100", App: "Azure Portal", Client: "Browser",
			Address: "203.0.113.20", Place: "Leeds, GB", Succeeded: true, Result: "signed in",
		},
		Custodian: "Chief Operating Officer", Plan: "https://intranet.contoso.com/break-glass",
		AckLink: "https://hooks.contoso.com/ack/1.invented.token", Table: "sallyport-Table",
	}
	failed, drill, changed, fired, update := signIn, signIn, signIn, signIn, signIn
	failed.SignIn = &SignIn{
		ID: "0b4c2a70-5f55-4a0d-9d8a-2b1f6f7a0200", App: "Microsoft Graph Command Line Tools", Client: "Mobile Apps and Desktop clients",
		Address: "198.51.100.7", Code: 50126, Result: "wrong user name or password",
	}
	drill.Drill = &OpenDrill{Opened: deadline.At(3, 0, london), Closes: deadline.At(15, 0, london)}
	failed.Lately = rollout.Lately{SignIns: 41, Succeeded: 1, Tampered: 2}
	changed.SignIn, changed.What = nil, "The FIDO2 security key was removed by admin@contoso.com"
	care := changed
	care.ID, care.Care, care.CareStep = "failed-drill-e1-001", "A drill was failed", "Let whoever keeps the account sign in with it while the next window is open."
	care.What = "The drill was failed: nobody signed in."
	fired.SignIn, fired.What, fired.Fired, fired.Plan = nil, "Azure Monitor saw a sign-in; the log's row is not here yet.", true, ""
	update.Update, update.AckLink = true, ""
	open := OpenAlert{At: deadline.At(3, 12, london), Account: "Emergency account 1", What: "signed in, from Leeds, GB, 203.0.113.20, with Azure Portal", Keeper: "Chief Operating Officer"}
	call := SecurityAlert{
		Notice: notice, ID: "repeat-20270112T031600.000000", Repeat: &Repeat{Contact: "Duty manager", Open: []OpenAlert{open}},
		Plan: signIn.Plan, AckLink: signIn.AckLink,
	}
	again := call
	again.Repeat = &Repeat{Open: []OpenAlert{{At: deadline.At(3, 40, london), Account: "Emergency account 2", What: "sign-in failed: wrong user name or password", Drill: true}}}
	for range mostOpen {
		again.Repeat.Open = append(again.Repeat.Open, open)
	}

	team := sampleTeam()
	return append(PersonSamples(SampleSubject()), []Data{
		Hold{
			Notice: notice, Wave: "everyone", Deadline: deadline,
			Gates: []Gate{
				{
					ID: "emergency-excluded", Question: "Are the emergency accounts outside every policy that can stop them?",
					Evidence: "Emergency account 2 is inside “Sallyport: MFA for everyone”: it is no longer among its exclusions (since 11 January).",
					Remedy:   "Add the account to the policy’s excluded users again.",
				},
				{
					ID: "coverage", Question: "Is the coverage reached?",
					Evidence: "93.4% of 212 people are ready, 95% are asked for.",
					Remedy:   "Help the 14 people on the list of holdouts, or lower the coverage in rollout.yaml.",
				},
			},
			Earliest: deadline.AddDays(1).At(9, 0, london),
		},
		Blast{
			Notice: notice, Wave: "everyone", Deadline: deadline, Days: 3, At: deadline.AddDays(-3).At(9, 10, london), Count: 102, Open: 1,
			Rows: []BlastRow{
				{
					Name: "Adele Vance", Account: "adele.vance@contoso.com", Why: "has no method for a second step",
					Told: "announcement of 2026-12-01, bounced",
				},
				{
					Name: "Nestor Wilke", Account: "nestor.wilke@contoso.com", Why: "signs in by IMAP4, which cannot do MFA",
					Told: "announcement of 2026-12-01, delivered in time",
				},
			},
		},
		Blast{
			Notice: notice, Wave: "everyone", Deadline: deadline, Days: 1, At: deadline.AddDays(-1).At(9, 10, london), Count: 1, Open: 1,
			Rows: []BlastRow{{Name: "Adele Vance", Account: "adele.vance@contoso.com", Why: "has no method for a second step", Told: "nothing"}},
		},
		Blast{Notice: notice, Wave: "administrators", Deadline: deadline.AddDays(-28), Days: 1, At: deadline.AddDays(-29).At(9, 10, london)},
		Task{
			Notice: notice, Title: "An exemption ends in 7 days", Text: "The exemption of the account below ends on 2027-01-19. From the day after it is in the rollout again, by itself.",
			Remedy: "Move the account to a managed identity before, or write a later day, with a reason, into rollout.yaml.", Count: 1, At: deadline.At(9, 10, london),
			Rows: []TaskRow{{Name: "Scanner", Account: "scanner@contoso.com"}},
		},
		Task{
			Notice: notice, Title: "“exempt” would change by 412 members at once", Text: "One run changes at most 50, and so nothing was changed.",
			Remedy: "If it is meant, set groupChanges: 412 in rollout.yaml.", Count: 412, At: deadline.At(9, 10, london),
			Rows: []TaskRow{{Name: "Adele Vance", Account: "adele.vance@contoso.com"}},
		},
		Switched{Notice: notice, Wave: "everyone", At: deadline.At(10, 10, london), Policy: "Sallyport: MFA for everyone", People: 212},
		Switched{Notice: notice, Wave: "everyone", At: deadline.At(10, 10, london), Policy: "Sallyport: MFA for everyone", People: 212, Exposure: "4s"},
		RolledBack{
			Notice: notice, Wave: "everyone", At: deadline.At(14, 0, london), Policy: "Sallyport: MFA for everyone",
			Reason: "9 people were locked out in 24 hours; the limit is 5.",
		},
		LockOuts{Notice: notice, Rows: []LockOut{
			{
				Name: "Adele Vance", Account: "adele.vance@contoso.com", Cause: "Has to register, but her sign-in is judged risky (53004)",
				Advice: "Make sure that it is her, dismiss the risk, and give her a Temporary Access Pass.", Attempts: 4, Since: deadline.At(11, 5, london),
			},
			{
				Name: "Nestor Wilke", Account: "nestor.wilke@contoso.com", Cause: "No method is registered (50072)",
				Advice: "Help him to set up Microsoft Authenticator at aka.ms/mysecurityinfo.", Attempts: 1, Since: deadline.At(12, 40, london),
			},
		}},
		Holdouts{Notice: notice, Wave: "everyone", At: deadline.AddDays(7).At(9, 0, london), People: team, More: 1},
		sampleDrill(notice, rollout.DrillFirst, DrillOpen, ""),
		sampleDrill(notice, rollout.DrillRoutine, DrillAhead, ""),
		sampleDrill(notice, rollout.DrillRoutine, DrillMoved, ""),
		sampleDrill(notice, rollout.DrillRoutine, DrillOpen, ""),
		sampleDrill(notice, rollout.DrillAgain, DrillOpen, ""),
		sampleDrill(notice, rollout.DrillCustodian, DrillOpen, ""),
		sampleDrill(notice, rollout.DrillRoutine, DrillCancelled, "the account has another custodian now"),
		Closing{
			Notice: notice,
			Start:  Coverage{Day: rollout.Date{Year: 2026, Month: time.December, Day: 1}, Capable: 85, All: 212, Weak: 31, Percent: 40},
			End:    Coverage{Day: deadline.AddDays(16), Capable: 214, All: 214, Weak: 6, Percent: 100},
			Waves: []ClosedWave{
				{Name: "administrators", Deadline: deadline.AddDays(-28), Enforced: deadline.AddDays(-28).At(9, 10, london)},
				{Name: "ready", Enforced: deadline.AddDays(-20).At(9, 10, london)},
				{Name: "everyone", Deadline: deadline, Enforced: deadline.AddDays(1).At(10, 10, london)},
			},
			Counts: []Count{{"announcements", 127}, {"reminders", 143}, {"people locked out and helped", 3}, {"days on hold", 1}},
		},
		signIn, failed, drill, changed, fired, update, call, again, care,
	}...)
}

func sampleDrill(notice Notice, cause rollout.DrillCause, stage DrillStage, why Line) Drill {
	opens := rollout.Date{Year: 2027, Month: time.March, Day: 15}
	return Drill{
		Notice: notice, Account: "Emergency account 1", Opens: opens.At(9, 0, notice.Zone), Closes: opens.AddDays(7).At(9, 0, notice.Zone),
		Custodian: "Chief Operating Officer", PasswordLocation: "Safe 1, head office", Plan: "https://intranet.contoso.com/break-glass",
		Cause: cause, Stage: stage, Why: why,
	}
}
