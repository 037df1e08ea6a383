import { expect, test } from 'vitest';
import { dockerIgnore } from '../../support/image/image.ts';
import { parseDockerfile } from '../../support/image/dockerfile.ts';

test('a Dockerfile is read into its stages', () => {
  const text = `
# Comments and lines that go on.
FROM --platform=$BUILDPLATFORM node:26 AS build
WORKDIR /build
COPY a b ./
RUN make \\
  # in between
  all
FROM scratch
ARG VERSION=1.2
LABEL title="two words" \\
      version="\${VERSION}"
WORKDIR /app
COPY --from=build /build/out out
USER 1:2
ENV A=b C="d e"
ENTRYPOINT ["/bin/x", "y"]
CMD ["--help"]
`;
  const [build, last, ...more] = parseDockerfile(text);
  expect(more).toEqual([]);
  expect(build).toMatchObject({
    base: 'node:26',
    name: 'build',
    steps: [
      { kind: 'workdir', path: '/build' },
      { kind: 'copy', sources: ['a', 'b'], destination: '/build/' },
      { kind: 'run', command: 'make all' },
    ],
  });
  expect(last).toEqual({
    base: 'scratch',
    name: undefined,
    steps: [
      { kind: 'workdir', path: '/app' },
      { kind: 'copy', from: 'build', sources: ['/build/out'], destination: '/app/out' },
    ],
    args: { VERSION: '1.2' },
    labels: { title: 'two words', version: '1.2' },
    env: { A: 'b', C: 'd e' },
    user: '1:2',
    workdir: '/app',
    entrypoint: ['/bin/x', 'y'],
    cmd: ['--help'],
  });
});

test.each([
  {
    line: 'HEALTHCHECK NONE',
    says: 'HEALTHCHECK is not understood',
    why: 'an instruction that nothing here carries out',
  },
  { line: 'ENTRYPOINT node main.mjs', says: 'must be a list of texts', why: 'needs a shell' },
  { line: 'COPY --chown=1:1 a b', says: 'is not understood', why: 'a flag that is not carried out' },
  { line: 'WORKDIR app', says: 'must be absolute', why: 'depends on what was before' },
  {
    line: 'LABEL version="${NOWHERE}"',
    says: 'NOWHERE, which no ARG',
    why: 'an argument that nobody declares',
  },
  { line: 'ENV A b', says: 'must be name=value', why: 'the form that Docker gives up' },
])('is refused: $line, $why', ({ line, says }) => {
  expect(() => parseDockerfile(`FROM scratch\n${line}\n`)).toThrow(says);
});

test.each([
  { patterns: '*\n!src', file: 'src/a/b.ts', ignored: false, why: 'taken back, with all in it' },
  { patterns: '*\n!src', file: '.git/HEAD', ignored: true, why: 'a dot is like any other' },
  { patterns: '*\n!src\nsrc/a', file: 'src/a/b.ts', ignored: true, why: 'the last one decides' },
  { patterns: 'b.ts', file: 'src/b.ts', ignored: false, why: 'patterns begin at the root' },
])('.dockerignore: $file, $why', ({ patterns, file, ignored }) => {
  expect(dockerIgnore(patterns)(file)).toBe(ignored);
});
