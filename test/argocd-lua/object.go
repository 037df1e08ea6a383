package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

// decodeObject gives whole numbers as int64 and others as float64, as a Kubernetes client has them.
func decodeObject(text []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return nil, err
	}
	if object == nil {
		return nil, errors.New("the object must be a JSON object")
	}
	value, err := plain(object)
	if err != nil {
		return nil, err
	}
	return value.(map[string]any), nil
}

func plain(value any) (any, error) {
	var err error
	switch v := value.(type) {
	case map[string]any:
		for key, member := range v {
			if v[key], err = plain(member); err != nil {
				return nil, err
			}
		}
	case []any:
		for i, member := range v {
			if v[i], err = plain(member); err != nil {
				return nil, err
			}
		}
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return v.Float64()
		}
		return v.Int64()
	}
	return value, nil
}
