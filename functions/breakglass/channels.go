package breakglass

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"sallyport/shared/mail"
	"sallyport/shared/rollout"
)

// Email sends alerts to the addresses under alerts.email, or to the contact whose
// turn it is, at once and not through the mail queue.
type Email struct {
	Renderer *mail.Renderer
	Sender   mail.Sender
}

// Name implements Channel.
func (Email) Name() string { return "email" }

// Route leaves mail out where nobody has an address.
func (c Email) Route(w Warning) []Channel {
	if emails, _ := w.recipients(); len(emails) == 0 {
		return nil
	}
	return []Channel{c}
}

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

// address puts the alert into one envelope to everybody whom it goes to. The two
// alerts of a pair stand in one thread.
func address(w Warning, content mail.Content) (mail.Envelope, error) {
	from, err := mail.ParseAddress(w.Config.Communication.From)
	if err != nil {
		return mail.Envelope{}, fmt.Errorf("communication.from in rollout.yaml: %w", err)
	}
	emails, _ := w.recipients()
	var to []mail.Address
	for _, email := range emails {
		a, err := mail.ParseAddress(email)
		if err != nil {
			return mail.Envelope{}, fmt.Errorf("an address under alerts in rollout.yaml: %w", err)
		}
		to = append(to, a)
	}
	header := mail.Header{From: from, To: to, ReplyTo: from, MessageID: w.Alert.ID, Date: w.Now}
	switch {
	case w.Fired != nil:
		header.Thread = w.Fired.ID
	case w.Alert.Kind == rollout.AlertMonitor:
		header.Thread = w.Alert.ID
	}
	raw, err := mail.Compose(header, content)
	if err != nil {
		return mail.Envelope{}, err
	}
	return mail.Envelope{From: from.String(), To: mail.Recipients(to), MessageID: w.Alert.ID, Tenant: w.Config.Tenant, Raw: raw}, nil
}

func securityAlert(w Warning) mail.SecurityAlert {
	a := mail.SecurityAlert{
		Notice: mail.Notice{Organization: mail.Name(w.Audit.Organization.DisplayName), Tenant: w.Config.Tenant, Zone: w.Config.Location()},
		ID:     mail.Line(w.Alert.ID), Plan: w.Config.IncidentResponsePlan, AckLink: w.ackLink(), Table: mail.Line(w.Links.Table),
	}
	if a.Organization == "" {
		a.Organization = mail.Name(w.Config.Tenant)
	}
	if w.Alert.Kind == rollout.AlertRepetition {
		a.Repeat = &mail.Repeat{}
		if c, one := w.contact(); one {
			a.Repeat.Contact = mail.Name(c.Name)
		}
		for _, open := range w.Open {
			a.Repeat.Open = append(a.Repeat.Open, mail.OpenAlert{
				At: open.OccurredAt, Account: mail.Name(w.name(open.Account)), What: mail.Line(WhatHappened(open) + fromWhere(open.SignIn)),
				Keeper: w.keeper(open.Account), Drill: open.Drill != "",
			})
		}
		return a
	}
	a.Account, a.UserPrincipalName = mail.Name(w.account()), mail.Line(w.Account.UserPrincipalName)
	a.OccurredAt, a.SeenAt, a.What, a.Lately = w.Alert.OccurredAt, w.Alert.SeenAt, mail.Line(w.Alert.Text), w.Lately
	a.Fired, a.Update = w.Alert.Kind == rollout.AlertMonitor, w.Fired != nil
	a.Custodian = w.keeper(w.Alert.Account)
	switch w.Alert.Kind {
	case rollout.AlertDrill:
		a.Care, a.CareStep = "A drill was failed", "Let whoever keeps the account sign in with it while the next window is open."
	case rollout.AlertSilent:
		a.Care, a.CareStep = "Notifications of Microsoft Graph may not arrive", "Look at the functions webhook and subscriptions: what the next self-test says is in their logs. Sign-ins are still polled every five minutes."
	}
	if w.Drill != nil {
		a.Drill = &mail.OpenDrill{Opened: w.Drill.OpenedAt, Closes: w.Drill.ClosesAt}
	}
	if row := w.Alert.SignIn; row.ID != "" {
		a.SignIn = &mail.SignIn{
			ID: mail.Line(row.ID), App: mail.Line(row.AppDisplayName), Client: mail.Line(row.ClientAppUsed),
			Address: mail.Line(row.IPAddress), Place: mail.Line(place(row)),
			Succeeded: row.ErrorCode == 0, Code: row.ErrorCode, Result: mail.Line(resultInWords(row)),
		}
	}
	return a
}

// publisher is Amazon SNS.
type publisher interface {
	Publish(context.Context, *sns.PublishInput, ...func(*sns.Options)) (*sns.PublishOutput, error)
}

// SNS publishes alerts to the stack's topic: a pager, whatever subscribes.
type SNS struct {
	Client   publisher
	TopicARN string
}

// Name implements Channel.
func (SNS) Name() string { return "sns" }

// Wakes says that the topic rings: whoever subscribes is called.
func (SNS) Wakes() bool { return true }

// Route leaves the topic out of a call to one contact.
func (c SNS) Route(w Warning) []Channel {
	if _, one := w.contact(); one {
		return nil
	}
	return []Channel{c}
}

// Alert implements Channel.
func (c SNS) Alert(ctx context.Context, w Warning) error {
	_, err := c.Client.Publish(ctx, &sns.PublishInput{
		TopicArn: aws.String(c.TopicARN), Subject: aws.String("Emergency account used or touched"), Message: aws.String(shortText(w, 1400)),
	})
	if err != nil {
		return fmt.Errorf("publish the alert: %w", err)
	}
	return nil
}

// SMS sends alerts as text messages to the numbers under alerts.sms, or to the
// contact whose turn it is: one by one, so that a number that does not work stops
// no other.
type SMS struct {
	Client publisher
	number string
}

// Name implements Channel. It tells numbers apart and shows none: names go into
// logs.
func (c SMS) Name() string {
	sum := sha256.Sum256([]byte(c.number))
	return "sms/" + hex.EncodeToString(sum[:4])
}

// Wakes says that a text message rings.
func (SMS) Wakes() bool { return true }

// Route makes one channel for each number.
func (c SMS) Route(w Warning) []Channel {
	_, numbers := w.recipients()
	var all []Channel
	for _, number := range numbers {
		all = append(all, SMS{Client: c.Client, number: number})
	}
	return all
}

// Alert implements Channel. Transactional messages are those that SNS delivers
// with the highest reliability.
// Source: https://docs.aws.amazon.com/sns/latest/dg/sms_publish-to-phone.html
func (c SMS) Alert(ctx context.Context, w Warning) error {
	_, err := c.Client.Publish(ctx, &sns.PublishInput{
		PhoneNumber: aws.String(c.number), Message: aws.String(shortText(w, mostSMS)),
		MessageAttributes: map[string]types.MessageAttributeValue{
			"AWS.SNS.SMS.SMSType": {DataType: aws.String("String"), StringValue: aws.String("Transactional")},
		},
	})
	if err != nil {
		return fmt.Errorf("send a text message: %w", err)
	}
	return nil
}
