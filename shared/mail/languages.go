package mail

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// locale is how one language writes days and spans.
type locale struct {
	months   [12]string
	weekdays [7]string // from Sunday, as time.Weekday counts
	date     func(weekday string, day int, month string, year int) string
	// beforeClock stands between a day and a time of day.
	beforeClock string
	// countdown says when a day is that is n days away: "in 7 days".
	countdown func(n int) string
	minutes   func(n int) string // a number with its noun
}

// locales returns the languages in which days can be written: a template in any
// other does not load.
func locales() map[string]locale {
	return map[string]locale{
		"en": {
			months:   [12]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
			weekdays: [7]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"},
			date: func(weekday string, day int, month string, year int) string {
				return fmt.Sprintf("%s, %d %s %d", weekday, day, month, year)
			},
			beforeClock: ", ",
			countdown:   countdown("any day now", "today", "tomorrow", "in %d days"),
			minutes:     plural("%d minute", "%d minutes"),
		},
		"de": {
			months:   [12]string{"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"},
			weekdays: [7]string{"Sonntag", "Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag"},
			date: func(weekday string, day int, month string, year int) string {
				return fmt.Sprintf("%s, %d. %s %d", weekday, day, month, year)
			},
			beforeClock: ", ",
			countdown:   countdown("in Kürze", "heute", "morgen", "in %d Tagen"),
			minutes:     plural("%d Minute", "%d Minuten"),
		},
		"es": {
			months:   [12]string{"enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"},
			weekdays: [7]string{"domingo", "lunes", "martes", "miércoles", "jueves", "viernes", "sábado"},
			date: func(weekday string, day int, month string, year int) string {
				return fmt.Sprintf("%s, %d de %s de %d", weekday, day, month, year)
			},
			beforeClock: ", ",
			countdown:   countdown("en breve", "hoy", "mañana", "dentro de %d días"),
			minutes:     plural("%d minuto", "%d minutos"),
		},
		"fr": {
			months:   [12]string{"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"},
			weekdays: [7]string{"dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"},
			date: func(weekday string, day int, month string, year int) string {
				return fmt.Sprintf("%s %s %s %d", weekday, firstAs("1er", day), month, year)
			},
			beforeClock: ", ",
			countdown:   countdown("très prochainement", "aujourd’hui", "demain", "dans %d jours"),
			minutes:     plural("%d minute", "%d minutes"),
		},
		"it": {
			months:   [12]string{"gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto", "settembre", "ottobre", "novembre", "dicembre"},
			weekdays: [7]string{"domenica", "lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato"},
			date: func(weekday string, day int, month string, year int) string {
				return fmt.Sprintf("%s %s %s %d", weekday, firstAs("1º", day), month, year)
			},
			beforeClock: ", ",
			countdown:   countdown("a breve", "oggi", "domani", "tra %d giorni"),
			minutes:     plural("%d minuto", "%d minuti"),
		},
		"nl": {
			months:   [12]string{"januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september", "oktober", "november", "december"},
			weekdays: [7]string{"zondag", "maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag"},
			date: func(weekday string, day int, month string, year int) string {
				return fmt.Sprintf("%s %d %s %d", weekday, day, month, year)
			},
			beforeClock: ", ",
			countdown:   countdown("binnenkort", "vandaag", "morgen", "over %d dagen"),
			minutes:     plural("%d minuut", "%d minuten"),
		},
		"pt-BR": {
			months:   [12]string{"janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro", "outubro", "novembro", "dezembro"},
			weekdays: [7]string{"domingo", "segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira", "sábado"},
			date: func(weekday string, day int, month string, year int) string {
				return fmt.Sprintf("%s, %s de %s de %d", weekday, firstAs("1º", day), month, year)
			},
			beforeClock: ", ",
			countdown:   countdown("em breve", "hoje", "amanhã", "em %d dias"),
			minutes:     plural("%d minuto", "%d minutos"),
		},
		"ja": {
			months:   [12]string{"1月", "2月", "3月", "4月", "5月", "6月", "7月", "8月", "9月", "10月", "11月", "12月"},
			weekdays: [7]string{"日", "月", "火", "水", "木", "金", "土"},
			date: func(weekday string, day int, month string, year int) string {
				return fmt.Sprintf("%d年%s%d日（%s）", year, month, day, weekday)
			},
			beforeClock: "",
			countdown:   countdown("まもなく", "本日", "明日", "%d日後"),
			minutes:     plural("%d分", "%d分"),
		},
	}
}

// Languages are the languages that people are written to in: English first,
// which is there for whatever is not there in another, then by their names.
func Languages() []string {
	all := locales()
	delete(all, fallback)
	return append([]string{fallback}, slices.Sorted(maps.Keys(all))...)
}

// firstAs writes a day of the month where the first alone is an ordinal.
func firstAs(ordinal string, day int) string {
	if day == 1 {
		return ordinal
	}
	return strconv.Itoa(day)
}

func countdown(past, today, tomorrow, later string) func(int) string {
	return func(n int) string {
		switch {
		case n < 0:
			return past
		case n == 0:
			return today
		case n == 1:
			return tomorrow
		}
		return fmt.Sprintf(later, n)
	}
}

func plural(one, many string) func(int) string {
	return func(n int) string {
		if n == 1 {
			return fmt.Sprintf(one, n)
		}
		return fmt.Sprintf(many, n)
	}
}
