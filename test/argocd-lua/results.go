package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	jsonpatch "github.com/evanphx/json-patch"
	lua "github.com/yuin/gopher-lua"
	luajson "layeh.com/gopher-json"
)

type healthStatus struct {
	Status  string `json:"status,omitempty"`
	Message string `json:"message,omitempty"`
}

var healths = []string{"Unknown", "Progressing", "Suspended", "Healthy", "Degraded", "Missing"}

func health(script string, openLibs bool, object map[string]any) (any, error) {
	returned, err := run(script, openLibs, object)
	if err != nil {
		return nil, err
	}
	var found healthStatus
	// Nothing, or an empty table, which counts as a list: no health.
	if returned == lua.LNil {
		return found, nil
	}
	text, err := encodeTable(returned)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &found); err != nil {
		if isList(text) {
			return found, nil
		}
		return nil, err
	}
	if !slices.Contains(healths, found.Status) {
		return healthStatus{Status: "Unknown", Message: "Lua returned an invalid health status"}, nil
	}
	return found, nil
}

type parameter struct {
	Name string `json:"name,omitempty"`
}

type action struct {
	Name        string      `json:"name,omitempty"`
	Params      []parameter `json:"params,omitempty"`
	Disabled    bool        `json:"disabled,omitempty"`
	IconClass   string      `json:"iconClass,omitempty"`
	DisplayName string      `json:"displayName,omitempty"`
}

func discover(script string, openLibs bool, object map[string]any) (any, error) {
	returned, err := run(script, openLibs, object)
	if err != nil {
		return nil, err
	}
	text, err := encodeTable(returned)
	if err != nil {
		return nil, err
	}
	actions := []action{}
	if isList(text) {
		return actions, nil
	}
	var found map[string]json.RawMessage
	if err := json.Unmarshal(text, &found); err != nil {
		return nil, err
	}
	for name, description := range found {
		one := action{Name: name}
		if !isList(description) {
			if err := json.Unmarshal(description, &one); err != nil {
				return nil, fmt.Errorf("the action %s: %w", name, err)
			}
		}
		actions = append(actions, one)
	}
	return actions, nil
}

type impact struct {
	Operation string         `json:"operation"`
	Resource  map[string]any `json:"resource"`
}

type outcome struct {
	Impacts []impact `json:"impacts"`
	// The merge patch that is sent for a single object that is patched.
	Patch json.RawMessage `json:"patch,omitempty"`
}

// act runs an action, which returns the changed object, or a list of what is to be patched and created.
func act(script string, object map[string]any) (any, error) {
	source, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	returned, err := run(script, false, object)
	if err != nil {
		return nil, err
	}
	text, err := encodeTable(returned)
	if err != nil {
		return nil, err
	}
	var result outcome
	if isList(text) {
		if err := json.Unmarshal(text, &result.Impacts); err != nil {
			return nil, err
		}
	} else {
		var changed map[string]any
		if err := json.Unmarshal(text, &changed); err != nil {
			return nil, err
		}
		result.Impacts = []impact{{Operation: "patch", Resource: changed}}
	}
	for i, one := range result.Impacts {
		switch one.Operation {
		case "create":
		case "patch":
			result.Impacts[i].Resource = withMaps(one.Resource, object)
		default:
			return nil, fmt.Errorf("unsupported operation %q", one.Operation)
		}
	}
	if len(result.Impacts) == 1 && result.Impacts[0].Operation == "patch" {
		changed, err := json.Marshal(result.Impacts[0].Resource)
		if err != nil {
			return nil, err
		}
		if result.Patch, err = jsonpatch.CreateMergePatch(source, changed); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// withMaps undoes what Lua cannot keep: an empty table comes back as an empty list, also where a map was.
func withMaps(changed, original map[string]any) map[string]any {
	for key, before := range original {
		if after, kept := changed[key]; kept {
			changed[key] = withMap(after, before)
		}
	}
	return changed
}

func withMap(after, before any) any {
	switch after := after.(type) {
	case map[string]any:
		if before, ok := before.(map[string]any); ok {
			return withMaps(after, before)
		}
	case []any:
		switch before := before.(type) {
		case map[string]any:
			if len(after) == 0 {
				return map[string]any{}
			}
		case []any:
			for i := range min(len(after), len(before)) {
				after[i] = withMap(after[i], before[i])
			}
		}
	}
	return after
}

func encodeTable(value lua.LValue) ([]byte, error) {
	if value.Type() != lua.LTTable {
		return nil, fmt.Errorf("expect table output from Lua script, not %s", value.Type())
	}
	text, err := luajson.Encode(value)
	if err == nil && len(text) < 2 {
		err = errors.New("the script returned neither an object nor a list")
	}
	return text, err
}

func isList(text []byte) bool {
	return text[0] == '[' && text[len(text)-1] == ']'
}
