package tunnel

import "go.uber.org/zap"

// WriteLog writes one line as a tunnel does.
func WriteLog(logger *zap.Logger, message string, fields ...zap.Field) {
	q := newLogQueue(logger)
	q.write(logger.Level(), message, fields...)
	go q.run()
	q.finish()
}
