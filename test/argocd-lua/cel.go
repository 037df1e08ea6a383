package main

import (
	"fmt"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/ext"
)

type verdict struct {
	Holds bool `json:"holds"`
}

// holds evaluates an expression of a Flux health check; the members of the object are its variables. As in Flux it is
// parsed and not type-checked, since kinds differ in their members.
func holds(expression string, object map[string]any) (any, error) {
	env, err := cel.NewEnv(
		cel.HomogeneousAggregateLiterals(),
		cel.EagerlyValidateDeclarations(true),
		cel.DefaultUTCTimeZone(true),
		cel.CrossTypeNumericComparisons(true),
		cel.OptionalTypes(),
		ext.Strings(),
		ext.Sets(),
		ext.Encoders(),
	)
	if err != nil {
		return nil, err
	}
	parsed, issues := env.Parse(expression)
	if issues != nil {
		return nil, issues.Err()
	}
	program, err := env.Program(parsed, cel.EvalOptions(cel.OptOptimize), cel.InterruptCheckFrequency(100))
	if err != nil {
		return nil, err
	}
	value, _, err := program.Eval(object)
	if err != nil {
		return nil, err
	}
	result, ok := value.(types.Bool)
	if !ok {
		return nil, fmt.Errorf("the expression gives %s, not a boolean", value.Type().TypeName())
	}
	return verdict{bool(result)}, nil
}
