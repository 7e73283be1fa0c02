package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagError is an error of usage in words of this program: pflag's own show those of the
// functions that parse a number.
func flagError(c *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return usageError{c.CommandPath(), err}
	}
	name, text := invalid.GetFlag().Name, invalid.GetValue()
	var outside *strconv.NumError
	switch want := map[string]string{
		"int": "a whole number", "uint64": "a whole number of 0 or more", "float64": "a number",
		"duration": "a time with its unit, such as 10s or 1m30s", "bool": "true or false",
	}[invalid.GetFlag().Value.Type()]; {
	case want == "":
		return usagef(c, "--%s: %w", name, errors.Unwrap(invalid))
	case errors.As(err, &outside) && errors.Is(outside.Err, strconv.ErrRange):
		return usagef(c, "--%s %s is too large or too small a number", name, text)
	default:
		return usagef(c, "--%s %q is not %s", name, text, want)
	}
}

// dashed is the error of an argument that was taken for a flag because it begins with a dash:
// block -1, or a key.
func dashed(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || unknown.GetSpecifiedShortnames() == "" {
		return flagError(c, err)
	}
	arg := "-" + unknown.GetSpecifiedShortnames()
	if strings.Trim(arg, "-0123456789") == "" {
		return usagef(c, "%s is no number of a block: they begin with 0", arg)
	}
	return usageError{c.CommandPath(), fmt.Errorf("%w: an argument that begins with a dash follows a --, as in state basic -- %s", err, arg)}
}
