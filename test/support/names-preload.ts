/**
 * Loaded into a process under test by `--import`: host names that exist for this process alone, as an entry in a hosts
 * file would make them. `TEST_NAMES` holds `{"name": ["address", …]}`; an empty list is a name without an address.
 */
import dns from 'node:dns/promises';
import { syncBuiltinESMExports } from 'node:module';
import { isIP } from 'node:net';
import { pathToFileURL } from 'node:url';

type Names = Readonly<Record<string, readonly string[]>>;

/** The environment that makes the names known to a process of Node. */
export function environmentOfNames(names: Names): Readonly<Record<string, string>> {
  return {
    NODE_OPTIONS: `--import=${pathToFileURL(import.meta.filename).href}`,
    TEST_NAMES: JSON.stringify(names),
  };
}

const text = process.env['TEST_NAMES'];
if (text !== undefined) {
  const names = JSON.parse(text) as Names;
  const system = dns.lookup;
  const lookup = async (hostname: string, options: object): Promise<unknown> => {
    if (!Object.hasOwn(names, hostname)) return system(hostname, options);
    return (names[hostname] ?? []).map((address) => ({ address, family: isIP(address) }));
  };
  Object.assign(dns, { lookup });
  syncBuiltinESMExports();
}
