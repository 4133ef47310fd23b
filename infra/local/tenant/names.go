package tenant

import (
	"slices"
	"strconv"
	"strings"
)

// The people of the sample firms are invented: given and family names are drawn
// apart, and most family names are no names at all. A name in another script is
// followed by its Latin spelling.

// culture is where a person comes from and what they read.
type culture struct {
	language, country, city string
	weight                  int
	given, family           []string
}

func cultures() []culture {
	return []culture{
		{
			"en-GB", "GB", "London", 8,
			strings.Fields("Amelia Oscar Freya Callum Imogen Rhys Niamh Ewan Beatrix Tobias Harriet Lachlan Rosalind Jasper Matilda Alistair"),
			strings.Fields("Ashgrove Birchwater Fernhill Hollowell Larkmoor Penwick Thistlewood Winterbourne O'Harrow Copperfield-Moss Dunmarsh Eastlight"),
		},
		{
			"de-DE", "DE", "Berlin", 5,
			strings.Fields("Jürgen Käthe Sören Annelore Björn Grete Lukas Heike Jörg Mareike Änne Ruprecht"),
			strings.Fields("Müllerwald Großbach Tannenhöfer Schönfelder-Kranz Blauwinkel Eichengrün Haselstrauch Weißdornig Kühlborn Rübenacker"),
		},
		{
			"es-ES", "ES", "Madrid", 3,
			strings.Fields("Íñigo Begoña Nuria Álvaro Lucía Joaquín Inés Martín Ximena Andrés"),
			strings.Fields("Peñaclara Valdeolmo Ríofrío Montejano Castañal Olivarejo Fuenteoscura Campoalegre"),
		},
		{
			"fr-FR", "FR", "Paris", 3,
			strings.Fields("Zoé François Anaïs Gaël Hélène Maël Noémie Loïc Cécile Benoît"),
			strings.Fields("Beauchêne Lafontaine-Grise Dubosquet Clairvallon Noisetier Prévert-Doux Montclair Rivièrenoire"),
		},
		{"pl-PL", "GB", "London", 1, strings.Fields("Łucja Żaneta Bogumił Świętosława"), strings.Fields("Brzozowiak Kłosówka Źródlany")},
		{"tr-TR", "DE", "Berlin", 1, strings.Fields("Çağla Oğuz İpek Şebnem"), strings.Fields("Yıldızoğlu Gümüşdağ Işıklı")},
		{"en-GB", "GB", "London", 1, strings.Fields("Aanya Rohan Meera Adaeze Chukwuemeka Thandiwe"), strings.Fields("Chandrapurkar Okonjiwe Mbalentle Sundarvan")},
		{"en-US", "GB", "London", 1, strings.Fields("花子/Hanako 太郎/Taro Оксана/Oksana Ελένη/Eleni ליאור/Lior"), strings.Fields("山川田/Yamakawada Вербенко/Verbenko Παραμύθης/Paramythis")},
	}
}

// person's name and reading, as drawn.
type drawn struct {
	given, family, alias string // alias: the part of an address before the @
	culture
}

// roster draws people one after the other and never gives an alias twice.
type roster struct {
	seed  uint64
	n     int
	taken map[string]bool
}

func (r *roster) draw() drawn {
	r.n++
	word := strconv.Itoa(r.n)
	all := cultures()
	weights := 0
	for _, c := range all {
		weights += c.weight
	}
	left := int(share(r.seed, "culture", word) * float64(weights))
	i := 0
	for left >= all[i].weight {
		left -= all[i].weight
		i++
	}
	given, givenLatin := spelt(choose(r.seed, all[i].given, "given", word))
	family, familyLatin := spelt(choose(r.seed, all[i].family, "family", word))
	base := strings.ToLower(givenLatin + "." + familyLatin)
	alias := base
	for k := 2; r.taken[alias]; k++ {
		alias = base + strconv.Itoa(k)
	}
	r.taken[alias] = true
	return drawn{given: given, family: family, alias: alias, culture: all[i]}
}

func choose(seed uint64, from []string, words ...string) string {
	return from[int(share(seed, words...)*float64(len(from)))]
}

// spelt returns a name and its spelling in the letters of an address.
func spelt(s string) (name, latin string) {
	name, latin, own := strings.Cut(s, "/")
	if !own {
		latin = name
	}
	return name, strings.Map(func(r rune) rune {
		if r > 127 {
			return -1
		}
		return r
	}, letters().Replace(latin))
}

func letters() *strings.Replacer {
	pairs := []string{"ä", "ae", "ö", "oe", "ü", "ue", "ß", "ss", "Ä", "Ae", "Ö", "Oe", "Ü", "Ue", "é", "e", "É", "E", "è", "e", "ê", "e", "ë", "e"}
	pairs = slices.Concat(pairs, []string{"á", "a", "Á", "A", "í", "i", "Í", "I", "ï", "i", "î", "i", "ó", "o", "ô", "o", "ú", "u", "ñ", "n", "ç", "c", "Ç", "C"})
	pairs = slices.Concat(pairs, []string{"ł", "l", "Ł", "L", "ż", "z", "Ż", "Z", "ź", "z", "Ź", "Z", "ś", "s", "Ś", "S", "ę", "e", "ğ", "g", "ı", "i", "İ", "I", "ş", "s", "Ş", "S"})
	return strings.NewReplacer(pairs...)
}
