package main

import (
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// safeOs is what a script may know of the system: the time. Of os.date it has the directives that actions use.
var safeOs = map[string]lua.LGFunction{
	"time": func(l *lua.LState) int {
		l.Push(lua.LNumber(time.Now().Unix()))
		return 1
	},
	"date": func(l *lua.LState) int {
		format := l.OptString(1, "%c")
		now := time.Now()
		if rest, utc := strings.CutPrefix(format, "!"); utc {
			now, format = now.UTC(), rest
		}
		if l.GetTop() >= 2 {
			now = time.Unix(l.CheckInt64(2), 0)
		}
		l.Push(lua.LString(formatTime(now, format)))
		return 1
	},
}

var directives = map[byte]string{
	'F': "2006-01-02", 'X': "15:04:05", 'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05",
	'c': "02 Jan 06 15:04 MST", 'z': "-0700", 'Z': "MST",
}

// formatTime leaves a directive that it does not know as it stands, as Argo CD does.
func formatTime(t time.Time, format string) string {
	var text strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			text.WriteByte(format[i])
			continue
		}
		i++
		layout, known := directives[format[i]]
		switch {
		case known:
			text.WriteString(t.Format(layout))
		case format[i] == '%':
			text.WriteByte('%')
		default:
			text.WriteString(format[i-1 : i+1])
		}
	}
	return text.String()
}
