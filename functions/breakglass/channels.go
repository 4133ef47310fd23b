package breakglass

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"sallyport/shared/graph"
	"sallyport/shared/mail"
	"sallyport/shared/rollout"
)

// Email sends alerts to the addresses under alerts.email, at once and not
// through the mail queue.
type Email struct {
	Renderer *mail.Renderer
	Sender   mail.Sender
}

// Name implements Channel.
func (Email) Name() string { return "email" }

// Alert implements Channel.
func (c Email) Alert(ctx context.Context, w Warning) error {
	content, err := c.Renderer.Render("en", securityAlert(w))
	if err != nil {
		return fmt.Errorf("render the alert: %w", err)
	}
	envelope, err := address(w, content)
	if err != nil {
		return fmt.Errorf("compose the alert: %w", err)
	}
	if _, err := c.Sender.Send(ctx, envelope); err != nil {
		return fmt.Errorf("send the alert: %w", err)
	}
	return nil
}

// address puts the alert into one envelope to everybody under alerts.email.
func address(w Warning, content mail.Content) (mail.Envelope, error) {
	from, err := mail.ParseAddress(w.Config.Communication.From)
	if err != nil {
		return mail.Envelope{}, fmt.Errorf("communication.from in rollout.yaml: %w", err)
	}
	var to []mail.Address
	for _, email := range w.Config.Alerts.Email {
		a, err := mail.ParseAddress(email)
		if err != nil {
			return mail.Envelope{}, fmt.Errorf("alerts.email in rollout.yaml: %w", err)
		}
		to = append(to, a)
	}
	raw, err := mail.Compose(mail.Header{From: from, To: to, ReplyTo: from, MessageID: w.Alert.ID, Date: w.Now}, content)
	if err != nil {
		return mail.Envelope{}, err
	}
	return mail.Envelope{From: from.String(), To: mail.Recipients(to), MessageID: w.Alert.ID, Tenant: w.Config.Tenant, Raw: raw}, nil
}

func securityAlert(w Warning) mail.SecurityAlert {
	a := mail.SecurityAlert{
		Notice:            mail.Notice{Organization: mail.Name(w.Audit.Organization.DisplayName), Tenant: w.Config.Tenant, Zone: w.Config.Location()},
		Account:           mail.Name(w.Account.DisplayName),
		UserPrincipalName: mail.Line(w.Account.UserPrincipalName),
		OccurredAt:        w.Alert.OccurredAt, SeenAt: w.Alert.SeenAt,
		What: mail.Line(w.Alert.Text), Plan: w.Config.IncidentResponsePlan,
	}
	if a.Account == "" {
		a.Account = mail.Name(w.Account.ID)
	}
	for _, e := range w.Config.EmergencyAccounts {
		if e.ID == w.Alert.Account {
			a.Custodian = mail.Name(e.Custodian)
		}
	}
	if w.Drill != nil {
		a.Drill = &mail.OpenDrill{Opened: w.Drill.OpenedAt, Closes: w.Drill.ClosesAt}
	}
	if row := w.Alert.SignIn; row.ID != "" {
		place := row.City
		if row.Country != "" {
			place = fmt.Sprintf("%s %s", row.City, row.Country)
		}
		a.SignIn = &mail.SignIn{
			ID: mail.Line(row.ID), App: mail.Line(row.AppDisplayName), Client: mail.Line(row.ClientAppUsed),
			Address: mail.Line(row.IPAddress), Place: mail.Line(place),
			Succeeded: row.ErrorCode == 0, Code: row.ErrorCode, Result: mail.Line(resultInWords(row)),
		}
	}
	return a
}

func resultInWords(row rollout.SignIn) string {
	switch row.ErrorCode {
	case 0:
		return "signed in"
	case graph.ErrorCodeMissing:
		return "how it ended is not known"
	}
	if cause, _, ok := rollout.Cause(row.ErrorCode, rollout.LegacyClient(row.ClientAppUsed)); ok {
		return cause
	}
	if row.FailureReason != "" {
		return row.FailureReason
	}
	return "failed"
}

// SNS publishes alerts to a topic: SMS, a pager, whatever subscribes. It says
// what happened in one short text without an address.
type SNS struct {
	Client interface {
		Publish(context.Context, *sns.PublishInput, ...func(*sns.Options)) (*sns.PublishOutput, error)
	}
	TopicARN string
}

// Name implements Channel.
func (SNS) Name() string { return "sns" }

// Alert implements Channel.
func (c SNS) Alert(ctx context.Context, w Warning) error {
	_, err := c.Client.Publish(ctx, &sns.PublishInput{
		TopicArn: aws.String(c.TopicARN), Subject: aws.String("Emergency account used or touched"), Message: aws.String(shortText(w)),
	})
	if err != nil {
		return fmt.Errorf("publish the alert: %w", err)
	}
	return nil
}

func shortText(w Warning) string {
	what := w.Alert.Text
	if w.Alert.SignIn.ID != "" {
		what = "Sign-in: " + resultInWords(w.Alert.SignIn) + "."
	}
	drill := ""
	if w.Drill != nil {
		drill = " A drill is open."
	}
	return fmt.Sprintf("Sallyport, tenant %s: emergency account %s at %s. %s%s Plan: %s",
		w.Config.Tenant, w.Alert.Account, w.Alert.OccurredAt.UTC().Format("2006-01-02 15:04 UTC"), what, drill, w.Config.IncidentResponsePlan)
}
