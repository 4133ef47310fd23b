package store

import (
	"maps"
	"reflect"
	"sync"
	"time"
)

// copier copies records so that nothing is shared between the copy and the
// original. A rehearsal reads hundreds of thousands of records: for each type it
// finds out once which fields need more than an assignment.
type copier struct {
	fields sync.Map // reflect.Type of a struct -> []int, the fields that share
}

// copy sets target, which must be settable, to a copy of source.
func (c *copier) copy(target, source reflect.Value) {
	target.Set(source)
	c.detach(target)
}

// detach replaces everything that an assignment has left shared.
func (c *copier) detach(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for _, i := range c.sharing(v.Type()) {
			c.detach(v.Field(i))
		}
	case reflect.Slice:
		if v.Cap() == 0 {
			return // nothing that could be shared
		}
		own := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(own, v)
		if c.shares(v.Type().Elem()) {
			for i := range own.Len() {
				c.detach(own.Index(i))
			}
		}
		v.Set(own)
	case reflect.Map:
		if v.IsNil() {
			return
		}
		if plain, ok := v.Interface().(map[string]string); ok { // ten times as fast
			v.Set(reflect.ValueOf(maps.Clone(plain)))
			return
		}
		own := reflect.MakeMapWithSize(v.Type(), v.Len())
		value := reflect.New(v.Type().Elem()).Elem()
		for entry := v.MapRange(); entry.Next(); {
			c.copy(value, entry.Value())
			own.SetMapIndex(entry.Key(), value)
		}
		v.Set(own)
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		own := reflect.New(v.Type().Elem())
		c.copy(own.Elem(), v.Elem())
		v.Set(own)
	}
}

// shares reports whether an assigned value of the type shares memory with its
// source. A time.Time does not count: its zone never changes.
func (c *copier) shares(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Slice, reflect.Map, reflect.Pointer:
		return true
	case reflect.Struct:
		return len(c.sharing(t)) > 0
	}
	return false
}

// sharing lists the fields of a struct that share. Fields that are not exported
// are never read from the table, so they are zero.
func (c *copier) sharing(t reflect.Type) []int {
	if known, ok := c.fields.Load(t); ok {
		return known.([]int)
	}
	var fields []int
	if t != reflect.TypeFor[time.Time]() {
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() && c.shares(f.Type) {
				fields = append(fields, i)
			}
		}
	}
	c.fields.Store(t, fields)
	return fields
}
