package template_test

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sallyport/infra/local/emulator"
)

// TestBuild builds all functions as a deployment does, with the SAM CLI. The
// first time this compiles the models of Microsoft Graph for arm64, so the SAM
// CLI is not asked to build in parallel.
func TestBuild(t *testing.T) {
	root, dir := emulator.Root(t), filepath.Join(t.TempDir(), "build")
	cmd := exec.CommandContext(t.Context(), emulator.Tool(t, "python", "bin", "sam"), "build", "--build-dir", dir)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "AWS_DEFAULT_REGION="+emulator.Region, "SAM_CLI_TELEMETRY=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sam build: %v\n%s", err, out)
	}

	for _, name := range folders(t) {
		bootstrap := filepath.Join(dir, strings.ToUpper(name[:1])+name[1:], "bootstrap")
		program, err := elf.Open(bootstrap)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if program.Machine != elf.EM_AARCH64 {
			t.Errorf("%s is built for %v", name, program.Machine)
		}
		if libraries, err := program.ImportedLibraries(); err != nil || len(libraries) != 0 {
			t.Errorf("%s needs libraries that provided.al2023 may not have: %v %v", name, libraries, err)
		}
		_ = program.Close()
	}

	// CloudFormation does not take YAML's aliases: the SAM CLI must have
	// written out those of template.yaml.
	built, err := os.ReadFile(filepath.Join(dir, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if alias := regexp.MustCompile(`(?m)(: |- )[&*][A-Za-z0-9_]+\s*$`).Find(built); alias != nil {
		t.Errorf("the built template has an alias, which CloudFormation refuses: %s", alias)
	}
}
