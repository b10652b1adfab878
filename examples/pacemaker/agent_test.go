package pacemaker_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestAgent: what the agent makes of what gtunnel and the cluster say.
func TestAgent(t *testing.T) {
	for _, cases := range []map[string]agentCase{monitorCases, startCases, promoteCases, goneCases, otherCases} {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				c.check(t)
			})
		}
	}
}

// prepare makes a folder with what the programs in testdata tell the agent, and the mark.
func (c agentCase) prepare(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	status := `{"state": "", "pair": null, "problems": [{"text": "no answer"}]}`
	if c.status != nil {
		status = c.status.json()
	}
	cluster := c.history
	if c.node != "" {
		cluster = fmt.Sprintf(`<current_dc present="true" with_quorum="true"/>
<cluster_options stonith-enabled="%t" symmetric-cluster="true"/>
<node name="server2.domain.two" id="2" %s/>
%s`, !c.noFence, c.node, c.history)
	}
	files := map[string]string{
		"status.json": status,
		"cluster.xml": cluster,
		"plan.json": map[string]string{
			"open":   `{"steps": [{"name": "read-only"}, {"name": "verify"}]}`,
			"closed": `{"steps": [{"name": "stop-events"}]}`,
		}[c.seen],
		"gtunnel.toml": "",
	}
	if c.later != nil {
		files["later.json"] = c.later.json()
	}
	for node, value := range map[string]string{server1.name: c.record, server2.name: c.peerRecord} {
		if value != "" {
			files["record-"+node] = value + "\n"
		}
	}
	if c.served {
		files["gtunnel-pair.served"] = strconv.Itoa(os.Getpid()) + "\n"
	}
	if c.mark != "" {
		files["gtunnel-pair.state"] = c.mark + "\n"
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// agent is the agent with an action, where it finds no more than is in a folder.
func agent(t *testing.T, folder, action string) *exec.Cmd {
	t.Helper()
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(here, "gtunnel"), action)
	cmd.Env = append(os.Environ(), "OCF_FUNCTIONS_DIR="+filepath.Join(here, "testdata"), "HA_RSCTMP="+folder,
		"OCF_RESOURCE_INSTANCE=pair", "OCF_RESKEY_CRM_meta_on_node="+server1.name,
		"OCF_RESKEY_config="+filepath.Join(folder, "gtunnel.toml"), "OCF_RESKEY_binary=gtunnel",
		"PATH="+filepath.Join(here, "testdata", "programs")+":"+os.Getenv("PATH"))
	return cmd
}

// check runs the action.
func (c agentCase) check(t *testing.T) {
	t.Helper()
	needJQ(t)
	folder := c.prepare(t)
	cmd := agent(t, folder, c.action)
	cmd.Env = append(cmd.Env, "OCF_RESKEY_lose_at_most="+c.params, "OCF_RESKEY_CRM_meta_timeout="+c.timeout,
		"REFUSES="+c.refuses)
	if c.probe {
		cmd.Env = append(cmd.Env, "OCF_RESKEY_CRM_meta_interval=0")
	}
	out, err := cmd.CombinedOutput()
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		text, _ := os.ReadFile(filepath.Join(folder, name)) // it need not be there
		return strings.TrimSpace(string(text))
	}
	reason := read("reason")
	if code != c.code {
		t.Errorf("exit code %d, want %d: %s %s", code, c.code, out, reason)
	}
	for what, pair := range map[string][2]string{
		"gtunnel replication": {read("calls"), strings.Join(c.calls, "\n")},
		"the score":           {read("score"), c.score},
		"the mark":            {read("gtunnel-pair.state"), c.marked},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %q, want %q", what, pair[0], pair[1])
		}
	}
	if !strings.Contains(reason, c.reason) || c.reason == "" && reason != "" && c.code == 0 {
		t.Errorf("the reason is %q, want %q", reason, c.reason)
	}
}

// needJQ skips a test where what the agent needs is missing, except in CI.
func needJQ(t *testing.T) {
	t.Helper()
	t.Attr("needs", "jq")
	if _, err := exec.LookPath("jq"); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("jq is missing: .ci/install pacemaker")
	}
	t.Skip("jq is missing: .ci/install pacemaker")
}

// TestMetadata: the agent describes itself in XML, with what it reads, and cluster.crm gives
// its actions no less time than it asks for.
func TestMetadata(t *testing.T) {
	out, err := agent(t, t.TempDir(), "meta-data").Output()
	if err != nil {
		t.Fatal(err)
	}
	var described struct {
		Parameters []struct {
			Name    string `xml:"name,attr"`
			Content struct {
				Default string `xml:"default,attr"`
			} `xml:"content"`
		} `xml:"parameters>parameter"`
		Actions []struct {
			Name    string `xml:"name,attr"`
			Timeout string `xml:"timeout,attr"`
			Role    string `xml:"role,attr"`
		} `xml:"actions>action"`
	}
	if err := xml.Unmarshal(out, &described); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("gtunnel")
	if err != nil {
		t.Fatal(err)
	}
	if len(described.Parameters) == 0 {
		t.Error("it describes no parameter")
	}
	for _, p := range described.Parameters {
		preset := fmt.Sprintf(": \"${OCF_RESKEY_%s:=%s}\"\n", p.Name, p.Content.Default)
		if !strings.Contains(string(text), preset) {
			t.Errorf("it has no preset %s", preset)
		}
	}
	crm, err := os.ReadFile("cluster.crm")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range described.Actions {
		if !slices.Contains([]string{"start", "stop", "promote", "demote", "monitor"}, a.Name) {
			continue
		}
		line := fmt.Sprintf("op %s timeout=%s", a.Name, a.Timeout)
		if a.Role != "" {
			line = fmt.Sprintf("op %s role=%s timeout=%s", a.Name, a.Role, a.Timeout)
		}
		if !strings.Contains(string(crm), line) {
			t.Errorf("cluster.crm has not: %s", line)
		}
	}
}

// TestShellcheck: the scripts are as shellcheck wants them.
func TestShellcheck(t *testing.T) {
	t.Attr("needs", "shellcheck")
	if _, err := exec.LookPath("shellcheck"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("shellcheck is missing: .ci/install pacemaker")
		}
		t.Skip("shellcheck is missing: .ci/install pacemaker")
	}
	scripts, err := filepath.Glob("testdata/programs/*")
	if err != nil {
		t.Fatal(err)
	}
	scripts = append(scripts, "gtunnel", "host/boot", "host/fence_pdu")
	out, err := exec.CommandContext(t.Context(), "shellcheck", scripts...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
