// argocd-lua answers, for the tests of deploy/argocd and deploy/flux, what Argo CD and Flux would make of an object.
// It reads one JSON request a line and writes one JSON answer a line, in the same order:
//
//	{"kind": "health", "script": LUA, "object": {…}}       the health of the object
//	{"kind": "discovery", "script": LUA, "object": {…}}    the actions it offers
//	{"kind": "action", "script": LUA, "object": {…}}       what an action makes of it, and the patch that is sent
//	{"kind": "cel", "expression": CEL, "object": {…}}      whether an expression of a Flux health check holds
//
// The Lua engine, its libraries, its time limit and the reading of what scripts return are those of Argo CD's
// util/lua, the patch is made as its API server makes it, and the CEL environment is that of Flux's runtime. A failing
// script is an answer, {"error": …}.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

type request struct {
	Kind       string          `json:"kind"`
	Script     string          `json:"script"`
	OpenLibs   bool            `json:"openLibs"`
	Expression string          `json:"expression"`
	Object     json.RawMessage `json:"object"`
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 16<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	for in.Scan() {
		value, err := answer(in.Bytes())
		if err != nil {
			value = map[string]string{"error": err.Error()}
		}
		if err := encoder.Encode(value); err != nil {
			fatal(err)
		}
	}
	if err := in.Err(); err != nil {
		fatal(err)
	}
}

func answer(line []byte) (any, error) {
	var r request
	if err := json.Unmarshal(line, &r); err != nil {
		return nil, err
	}
	object, err := decodeObject(r.Object)
	if err != nil {
		return nil, err
	}
	switch r.Kind {
	case "health":
		return health(r.Script, r.OpenLibs, object)
	case "discovery":
		return discover(r.Script, r.OpenLibs, object)
	case "action":
		return act(r.Script, object)
	case "cel":
		return holds(r.Expression, object)
	}
	return nil, fmt.Errorf("unknown kind %q", r.Kind)
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
