/** The logger: one JSON line per decision, written by pino. No payload, no secret and no signed URL ever gets here. */
import pino from 'pino';

export type Level = 'debug' | 'info' | 'warn' | 'error';
export type Fields = Readonly<Record<string, string | number | boolean | undefined | readonly string[]>>;

export interface Log {
  /** Whether debug lines are written, for who would make many that are not. */
  readonly isDebug: boolean;
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
}

/** A log that writes JSON lines (`time`, `level`, `message`, facts) to `write`. */
export function createLog(level: Level, write: (line: string) => void, facts: Fields = {}): Log {
  const logger = pino(
    {
      level,
      base: facts,
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
  return {
    isDebug: logger.isLevelEnabled('debug'),
    debug: (message, fields) => logger.debug(fields ?? {}, message),
    info: (message, fields) => logger.info(fields ?? {}, message),
    warn: (message, fields) => logger.warn(fields ?? {}, message),
    error: (message, fields) => logger.error(fields ?? {}, message),
  };
}
