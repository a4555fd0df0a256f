package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kelseyhightower/envconfig"
)

// variables fills the settings from the environment. Pointers without a value stay
// nil: their defaults depend on other settings.
func (l *loader) variables() {
	settings, found := reflect.ValueOf(l.Settings).Elem(), texts()
	for i, field := range settingsFields() {
		text := ""
		if given := found.Field(i); !given.IsNil() {
			text = strings.TrimSpace(given.Elem().String())
		}
		if text == "" && field.Type.Kind() != reflect.Pointer {
			text = field.Tag.Get("default")
		}
		if text == "" {
			continue
		}
		value := reflect.New(field.Type).Elem()
		if err := decode(value, text); err != nil {
			l.fault(variable(field), "%v", err)
			continue
		}
		settings.FieldByIndex(field.Index).Set(value)
	}
}

// texts returns the variable of each field of Settings as envconfig finds it, nil if
// it is not set. As texts all can be read: envconfig would stop at the first bad number,
// and could not tell a default from a value.
func texts() reflect.Value {
	var fields []reflect.StructField
	for _, field := range settingsFields() {
		fields = append(fields, reflect.StructField{Name: field.Name, Type: reflect.TypeFor[*string](), Tag: `split_words:"true"`})
	}
	found := reflect.New(reflect.StructOf(fields))
	if err := envconfig.Process(prefix, found.Interface()); err != nil {
		panic(err) // a text cannot be bad
	}
	return found.Elem()
}

// decode reads a text into a value. Its error repeats the text unless that could be
// a secret.
func decode(value reflect.Value, text string) error {
	switch v := value.Addr().Interface().(type) {
	case envconfig.Decoder:
		if err := v.Decode(text); err != nil {
			return fmt.Errorf("%s %w", quote(text), err)
		}
		return printable(fmt.Sprint(v))
	case encoding.TextUnmarshaler: // slog.Level
		if v.UnmarshalText([]byte(text)) != nil {
			return fmt.Errorf("%s is not debug, info, warn or error", quote(text))
		}
		return nil
	}
	switch value.Kind() {
	case reflect.Pointer:
		value.Set(reflect.New(value.Type().Elem()))
		return decode(value.Elem(), text)
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil || strconv.Itoa(n) != text { // 010 is 8 to some
			return fmt.Errorf("%s is not a whole number", quote(text))
		}
		value.SetInt(int64(n))
	case reflect.Float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("%s is not a number", quote(text))
		}
		value.SetFloat(n)
	case reflect.Bool:
		on, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%s is not true or false", quote(text))
		}
		value.SetBool(on)
	default:
		value.SetString(text)
		return printable(text)
	}
	return nil
}

// printable checks that a text can stand in a line.
func printable(text string) error {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return errors.New("holds control characters, or is not valid UTF-8")
	}
	return nil
}

// unknown warns about CAS_ variables that nothing reads, except for those that
// Kubernetes sets in every pod beside a service called cas.
func (l *loader) unknown() {
	known := Table()
	for name := range l.env {
		if strings.HasPrefix(name, prefix+"_") && !slices.ContainsFunc(known, func(v Variable) bool { return v.Name == name }) {
			l.warn("%s is not a setting of this program", name)
		}
	}
}
