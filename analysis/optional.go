package analysis

import "encoding/json"

// Optional is a number that may not have been observed. Its zero value is not
// observed; in JSON it is the number or null.
type Optional[T int64 | float64] struct {
	value T
	known bool
}

// Known returns v as an observed number.
func Known[T int64 | float64](v T) Optional[T] { return Optional[T]{value: v, known: true} }

// Get returns the number and whether it was observed.
func (o Optional[T]) Get() (T, bool) { return o.value, o.known }

// Known reports whether the number was observed.
func (o Optional[T]) Known() bool { return o.known }

// Or returns the number, or v when it was not observed.
func (o Optional[T]) Or(v T) T {
	if o.known {
		return o.value
	}
	return v
}

// MarshalJSON writes the number, or null.
func (o Optional[T]) MarshalJSON() ([]byte, error) {
	if !o.known {
		return []byte("null"), nil
	}
	return json.Marshal(o.value)
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (o *Optional[T]) UnmarshalJSON(data []byte) error {
	var v *T
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	*o = Optional[T]{}
	if v != nil {
		*o = Known(*v)
	}
	return nil
}
