import { describe, it } from 'vitest';
import { runPage } from '../support/doc-page.ts';

/**
 * What the documentation tells its readers to run, run. Pages about a cluster get a control plane of their own, since
 * they install CRDs, classes and rights; they follow each other as a reader would take them.
 */
const laptop = ['docs/tutorials/first-mapping.md'];

describe('a reader of the documentation with nothing but a checkout', () => {
  it.each(laptop)('%s', (page) => runPage(page, { env: {} }));
});
