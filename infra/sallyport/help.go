package main

import (
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

func isHelp(arg string) bool {
	return arg == "help" || arg == "-h" || arg == "-help" || arg == "--help"
}

// help answers `sallyport help` and `sallyport help VERB`.
func help(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 || isHelp(args[0]) {
		fmt.Fprint(stdout, overview())
		return exitDone
	}
	v, _, err := find(args)
	if err != nil {
		return session{stderr: stderr}.finish("sallyport help", "sallyport help", err)
	}
	flags := flag.NewFlagSet(v.name, flag.ContinueOnError)
	flags.Bool("json", false, "answer with one JSON object")
	v.prepare(flags)
	fmt.Fprint(stdout, v.help(flags))
	return exitDone
}

func overview() string {
	var b strings.Builder
	b.WriteString("Sallyport takes a Microsoft 365 tenant from passwords to two factors, on a date.\n\nUsage: sallyport VERB [flags]\n\n")
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, v := range verbs() {
		fmt.Fprintf(table, "  %s\t%s\n", strings.TrimSpace(v.name+" "+v.operands), v.summary)
	}
	fmt.Fprint(table, "  help [VERB]\tthis text, or that of a verb\n")
	table.Flush() // a Builder never fails
	b.WriteString("\nExit code: 0 done, 1 failed or a property violated, 2 wrong usage, 3 done but a wave stands held or fewer than two emergency accounts are proven.\n")
	return b.String()
}

func (v verb) help(flags *flag.FlagSet) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: %s\n\n%s\n\nFlags:\n", strings.Join(strings.Fields("sallyport "+v.name+" "+v.operands+" [flags]"), " "), v.about)
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	flags.VisitAll(func(f *flag.Flag) {
		value, usage := flag.UnquoteUsage(f)
		if f.DefValue != "" && f.DefValue != "false" {
			usage += " (" + f.DefValue + " if not given)"
		}
		fmt.Fprintf(table, "  %s\t%s\n", strings.TrimSpace("--"+f.Name+" "+value), usage)
	})
	table.Flush() // a Builder never fails
	b.WriteString("\nExamples:\n")
	for _, example := range v.examples {
		fmt.Fprintf(&b, "  %s\n", example)
	}
	return b.String()
}
