import { expect, it } from 'vitest';
import { sluice } from '../support/sluice.ts';

/** The demo as a person starts it, on a machine that is set up for AWS. */
it('keeps books that agree, whatever profile, endpoint and proxy the environment names', async () => {
  const nowhere = 'http://127.0.0.1:1';
  const { code, stdout, stderr } = await sluice(['demo', '--json', '--duration', '1', '--rate', '40'], {
    env: {
      AWS_PROFILE: 'prod-eu',
      AWS_ENDPOINT_URL_SQS: nowhere,
      AWS_SESSION_TOKEN: 'of another account',
      HTTP_PROXY: nowhere,
      HTTPS_PROXY: nowhere,
    },
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const books = JSON.parse(stdout) as Readonly<Record<string, number>>;
  expect(books).toMatchObject({ lost: 0, undelivered: 0, duplicates: 0, leaked: 0, outOfOrder: 0 });
  expect(books['produced']).toBeGreaterThanOrEqual(40);
  expect(books['filtered']).toBeGreaterThan(0);
  expect(books['delivered']).toBe((books['produced'] ?? 0) - (books['filtered'] ?? 0));
  expect(books['retried']).toBe(books['failed']);
});
