/** Servers and tools without which only the tests on them are left out. */
export type OptionalServer =
  | 'argocd-lua'
  | 'aws-lambda-rie'
  | 'elasticmq'
  | 'hadolint'
  | 'helm'
  | 'helm3'
  | 'localemu'
  | 'ministack';

/**
 * Is a server known to be impossible on this machine? `npm test` says so in `SLUICE_ABSENT_SERVERS`, with the reason
 * in its summary; `describe.skipIf(isAbsent('elasticmq'))` then leaves out what needs it. When tests are started
 * otherwise nothing is absent, and a server that cannot be had is an error.
 */
export function isAbsent(name: OptionalServer): boolean {
  return (process.env['SLUICE_ABSENT_SERVERS'] ?? '').split(',').includes(name);
}
