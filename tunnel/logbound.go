package tunnel

import (
	"fmt"
	"unicode/utf8"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// How much of a log line's field is written, in bytes: of a text, and of a
// list of texts in all. Encoders may write a control character in six.
const (
	maxText = 2 << 10
	maxList = 4 * maxText

	noteBytes = 32 // of these, for what says how much was cut
)

// boundFields cuts what is too long in fields, and says so there. Peers choose
// the names in their certificates: they must not choose the size of the log.
func boundFields(fields []zap.Field) []zap.Field {
	bounded := make([]zap.Field, len(fields))
	for i, field := range fields {
		switch field.Type {
		case zapcore.StringType:
			field.String = boundText(field.String)
		case zapcore.ErrorType:
			if err, ok := field.Interface.(error); ok {
				field = zap.String(field.Key, boundText(err.Error()))
			}
		case zapcore.StringerType:
			if text, ok := field.Interface.(fmt.Stringer); ok {
				field = zap.String(field.Key, boundText(text.String()))
			}
		case zapcore.ArrayMarshalerType:
			field = zap.Strings(field.Key, boundList(texts(field)))
		default: // numbers, times
		}
		bounded[i] = field
	}
	return bounded
}

// boundText cuts a text that is longer than maxText.
func boundText(text string) string {
	if len(text) <= maxText {
		return text
	}
	end := maxText - noteBytes
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return fmt.Sprintf("%s... (%d bytes in all)", text[:end], len(text))
}

// boundList cuts the texts of a list, and the list where they come to more
// than maxList.
func boundList(list []string) []string {
	var bounded []string
	n := 0
	for _, text := range list {
		text = boundText(text)
		if n += len(text); n > maxList-noteBytes {
			return append(bounded, fmt.Sprintf("... (%d in all)", len(list)))
		}
		bounded = append(bounded, text)
	}
	return bounded
}

// texts are the elements of a field that is a list.
func texts(field zap.Field) []string {
	encoder := zapcore.NewMapObjectEncoder()
	field.AddTo(encoder)
	elements, _ := encoder.Fields[field.Key].([]any)
	var list []string
	for _, element := range elements {
		list = append(list, fmt.Sprint(element))
	}
	return list
}

// textBytes is how many bytes of text are in fields.
func textBytes(fields []zap.Field) int {
	n := 0
	for _, field := range fields {
		n += len(field.String)
		if field.Type == zapcore.ArrayMarshalerType {
			for _, text := range texts(field) {
				n += len(text)
			}
		}
	}
	return n
}
