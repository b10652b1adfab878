package tunnel

import "go.uber.org/zap"

// WriteLog writes one line as a tunnel does.
func WriteLog(logger *zap.Logger, message string, fields ...zap.Field) {
	boundedLog{logger}.write(logger.Level(), message, fields...)
}
